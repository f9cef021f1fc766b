"""One drawn archive of each format, faithful to it, with the posts that it is given: for tests of readers and runs."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from archives.conftest import picture
from x_drawing import EPOCH_MS, write, x_members


@dataclass(frozen=True)
class Drawn:
    """A post with one picture."""

    number: int
    account: str
    moment: datetime
    repost: bool = False

    @property
    def seconds(self) -> int:
        return int(self.moment.timestamp())

    @property
    def iso(self) -> str:
        return self.moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    @property
    def twitter(self) -> str:
        return self.moment.astimezone(UTC).strftime("%a %b %d %H:%M:%S +0000 %Y")

    @property
    def snowflake(self) -> str:
        return str(((self.seconds * 1000 - EPOCH_MS) << 22) + 4097 * self.number + 77)

    @property
    def name(self) -> str:
        return f"Pic{self.number:05}Abcd"

    @property
    def url(self) -> str:
        return f"https://pbs.twimg.com/media/{self.name}.jpg"

    @property
    def bytes(self) -> bytes:
        return picture(self.number * 977)


Posts = Sequence[Drawn]


def x_archive(folder: Path, posts: Posts) -> Path:
    entries = []
    for post in posts:
        text = "RT @other: w" if post.repost else "words"
        media = [{"type": "photo", "media_url_https": post.url}]
        entries.append({"tweet": {"id_str": post.snowflake, "created_at": post.twitter, "full_text": text,
                                  "extended_entities": {"media": media}}})  # fmt: skip
    return write(folder, x_members(entries, name=posts[0].account))


def web_exporter(folder: Path, posts: Posts) -> Path:
    return write(folder, {"twitter-UserTweets-1714600000000.json": json.dumps([_exported(post) for post in posts])})


def web_exporter_csv(folder: Path, posts: Posts) -> Path:
    text = io.StringIO()
    lines = csv.writer(text)
    rows = [_exported(post) for post in posts]
    lines.writerow(rows[0])
    for row in rows:
        lines.writerow([json.dumps(v) if isinstance(v, list) else "" if v is None else v for v in row.values()])
    return write(folder, {"twitter-UserTweets-1714600000000.csv": "\ufeff" + text.getvalue()})


def _exported(post: Drawn) -> dict[str, object]:
    bare = post.url.removesuffix(".jpg")
    medium = {"type": "photo", "url": "https://t.co/a", "thumbnail": f"{bare}?format=jpg&name=thumb",
              "original": f"{bare}?format=jpg&name=orig", "ext_alt_text": "A knife on a desk"}  # fmt: skip
    written = post.moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S +00:00")
    return {"id": post.snowflake, "created_at": written, "full_text": "words", "media": [medium],
            "screen_name": post.account, "name": "A Force", "user_id": "123", "in_reply_to": None,
            "retweeted_status": "1779000000000000001" if post.repost else None, "quoted_status": None,
            "media_tags": [], "favorite_count": 1, "url": "https://x.com/i/status/1"}  # fmt: skip


def graphql(folder: Path, posts: Posts) -> Path:
    entries = []
    for post in posts:
        media = [{"type": "photo", "media_url_https": post.url, "id_str": "5"}]
        legacy: dict[str, object] = {"id_str": post.snowflake, "created_at": post.twitter, "full_text": "words",
                                     "extended_entities": {"media": media}}  # fmt: skip
        if post.repost:
            legacy |= {"retweeted_status_result": {"result": {"rest_id": "1", "legacy": {"full_text": "theirs"}}}}
        user = {"result": {"__typename": "User", "legacy": {"screen_name": post.account}}}
        tweet = {"__typename": "Tweet", "rest_id": post.snowflake, "core": {"user_results": user}, "legacy": legacy}
        content = {"itemType": "TimelineTweet", "tweet_results": {"result": tweet}}
        entries.append({"entryId": f"tweet-{post.snowflake}", "content": {"itemContent": content}})
    timeline = {"instructions": [{"type": "TimelineAddEntries", "entries": entries}]}
    page = {"data": {"user": {"result": {"timeline_v2": {"timeline": timeline}}}}}
    return write(folder, {"UserTweets.json": json.dumps(page)})


def api_v1(folder: Path, posts: Posts) -> Path:
    lines = []
    for post in posts:
        media = [{"type": "photo", "media_url_https": post.url}]
        record: dict[str, object] = {"id_str": post.snowflake, "created_at": post.twitter, "full_text": "words"}
        record |= {"user": {"screen_name": post.account}, "extended_entities": {"media": media}}
        lines.append(json.dumps(record | ({"retweeted_status": {"id_str": "1"}} if post.repost else {})))
    return write(folder, {"tweets.jsonl": "\n".join(lines)})


def telegram(folder: Path, posts: Posts) -> Path:
    members: dict[str, object] = {}
    messages = []
    for post in posts:
        stamp = post.moment.strftime("%d-%m-%Y_%H-%M-%S")
        name = f"photos/photo_{post.number}@{stamp}.jpg"
        members[name] = post.bytes
        message = {"id": post.number, "type": "message", "date": post.moment.strftime("%Y-%m-%dT%H:%M:%S"),
                   "date_unixtime": str(post.seconds), "from": post.account, "from_id": "channel1000000001",
                   "photo": name, "width": 8, "height": 8, "text": ["Seized ", {"type": "hashtag", "text": "#knife"}],
                   "text_entities": []}  # fmt: skip
        messages.append(message | ({"forwarded_from": "Other Force"} if post.repost else {}))
    chat = {"name": posts[0].account, "type": "public_channel", "id": 1000000001, "messages": messages}
    return write(folder, {**members, "result.json": json.dumps(chat)})


def mastodon(folder: Path, posts: Posts) -> Path:
    members: dict[str, object] = {"actor.json": json.dumps({"preferredUsername": posts[0].account})}
    entries = []
    for post in posts:
        path = f"/media_attachments/files/{post.name}.png"
        members[path.strip("/")] = post.bytes
        attached = [{"type": "Document", "mediaType": "image/png", "url": path}]
        note = {"type": "Note", "id": f"https://m.example/statuses/{post.snowflake}", "published": post.iso}
        note |= {"content": "<p>words</p>", "attachment": attached}
        entries.append({"type": "Create", "object": note})
    box = {"type": "OrderedCollection", "orderedItems": entries}
    return write(folder, {**members, "outbox.json": json.dumps(box)})


def instagram(folder: Path, posts: Posts) -> Path:
    members: dict[str, object] = {}
    entries = []
    for post in posts:
        uri = f"media/posts/{post.moment:%Y%m}/{post.name}.jpg"
        members[uri] = post.bytes
        entries.append({"media": [{"uri": uri, "creation_timestamp": post.seconds, "title": "words"}]})
    inner = folder / f"instagram-{posts[0].account}-2024-07-01-fakeAAAA"
    write(inner, {**members, "your_instagram_activity/media/posts_1.json": json.dumps(entries)})
    return folder


def bluesky(folder: Path, posts: Posts) -> Path:
    feed = []
    for post in posts:
        image = {"fullsize": f"https://cdn.bsky.app/img/feed_fullsize/plain/did:plc:abc/{post.name}@jpeg", "alt": "a"}
        view = {"uri": f"at://did:plc:abc/app.bsky.feed.post/{post.snowflake}", "author": {"handle": post.account},
                "record": {"text": "words", "createdAt": post.iso}, "indexedAt": post.iso,
                "embed": {"$type": "app.bsky.embed.images#view", "images": [image]}}  # fmt: skip
        feed.append({"post": view})
    thread = {"$type": "app.bsky.feed.defs#threadViewPost", "post": feed[0]["post"], "replies": feed[1:]}
    return write(folder, {"thread.json": json.dumps({"thread": thread})})


def reddit(folder: Path, posts: Posts) -> Path:
    lines = [{"id": f"1a{post.number:05}", "subreddit": "policeuk", "author": post.account, "title": "Seized",
              "created_utc": post.seconds, "url": f"https://i.redd.it/{post.name}.jpg", "post_hint": "image",
              "permalink": f"/r/a/comments/1a{post.number:05}/x/", "is_self": False} for post in posts]  # fmt: skip
    return write(folder, {"submissions.ndjson": "\n".join(map(json.dumps, lines))})


def threads(folder: Path, posts: Posts) -> Path:
    data = [{"id": post.snowflake, "media_type": "IMAGE", "username": post.account, "text": "words",
             "media_url": f"https://scontent.cdninstagram.com/{post.name}_n.jpg", "timestamp": post.iso,
             "permalink": f"https://www.threads.net/@{post.account}/post/C{post.number:09}",
             "shortcode": f"C{post.number:09}", "is_quote_post": False} for post in posts]  # fmt: skip
    return write(folder, {"threads.json": json.dumps({"data": data})})


def table(folder: Path, posts: Posts) -> Path:
    """An address and a file for each picture, an American clock, and the same moment in UTC."""
    rows = ["Created,CreatedUniversal,MediaUrl,TweetId,Username,TweetText,Filename"]
    members: dict[str, object] = {}
    for post in posts:
        members[f"{post.moment:%Y-%m}/{post.name}.jpg"] = post.bytes
        local = post.moment.astimezone(UTC).strftime("%m/%d/%Y %H:%M:%S")
        rows.append(f"{local},{post.iso},{post.url},{post.snowflake},{post.account},words,{post.name}.jpg")
    return write(folder, {**members, "collated.csv": "\r\n".join(rows)})


def gallery_dl(folder: Path, posts: Posts) -> Path:
    members: dict[str, object] = {}
    for post in posts:
        name = f"gallery-dl/twitter/{post.account}/{post.snowflake}_1.jpg"
        members[name] = post.bytes
        members[f"{name}.json"] = json.dumps(
            {"tweet_id": int(post.snowflake), "date": post.moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
             "author": {"name": post.account}, "content": "words", "num": 1, "category": "twitter", "extension": "jpg"}
        )  # fmt: skip
    return write(folder, members)


def tiktok(folder: Path, posts: Posts) -> Path:
    listed = [{"Date": post.moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"), "Likes": "5",
               "Link": f"https://tiktok.com/@{post.account}/photo/{post.snowflake}"} for post in posts]  # fmt: skip
    return write(folder, {"user_data_tiktok.json": json.dumps({"Post": {"Posts": {"VideoList": listed}}})})


def content_library(folder: Path, posts: Posts) -> Path:
    rows = ["id,post_owner.id,post_owner.name,post_owner.username,text,creation_time,content_type,multimedia,mcl_url"]
    for post in posts:
        media = json.dumps([{"type": "photo", "id": f"99{post.number}"}]).replace('"', '""')
        rows.append(f'{post.snowflake},77,A Force,{post.account},words,{post.iso},photos,"{media}",'
                    f"https://www.facebook.com/transparency/mcl/{post.number}")  # fmt: skip
    return write(folder, {"mcl.csv": "\r\n".join(rows)})


def takeout(folder: Path, posts: Posts) -> Path:
    """No account: dates are when a picture was taken."""
    members: dict[str, object] = {}
    for post in posts:
        name = f"Takeout/Google Photos/Force/{post.name}.jpg"
        members[name] = post.bytes
        members[f"{name}.supplemental-metadata.json"] = json.dumps(
            {"title": f"{post.name}.jpg", "description": "words", "photoTakenTime": {"timestamp": str(post.seconds)}}
        )
    return write(folder, members)


def img2dataset(folder: Path, posts: Posts) -> Path:
    """A tar; it tells neither account nor date."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(folder / "00000.tar", "w") as shard:
        for post in posts:
            key = f"{post.number:09}"
            meta = {"url": post.url, "key": key, "caption": "words", "status": "success", "error_message": None,
                    "width": 8, "height": 8, "original_width": 8, "original_height": 8, "sha256": "0"}  # fmt: skip
            for ending, data in (("jpg", post.bytes), ("txt", b"words"), ("json", json.dumps(meta).encode())):
                info = tarfile.TarInfo(f"{key}.{ending}")
                info.size = len(data)
                shard.addfile(info, io.BytesIO(data))
    return folder


DATED: dict[str, Callable[[Path, Posts], Path]] = {
    made.__name__: made
    for made in (
        *(x_archive, web_exporter, web_exporter_csv, graphql, api_v1, telegram, mastodon, instagram, bluesky, reddit),
        *(threads, table, gallery_dl, tiktok, content_library),
    )
}
"""Formats that tell account and date."""
SHARING = frozenset(("x_archive", "web_exporter", "web_exporter_csv", "graphql", "api_v1", "telegram"))
"""Those of them whose drawn posts may be reposts."""
