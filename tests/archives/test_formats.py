"""Real shapes beyond the samples, format by format."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from bladecheck.archives import Found, Item, Status, open_archive
from bladecheck.errors import ArchiveError, DamagedArchive

Make = Callable[..., Path]
CHATS = ("IMG-20240304-WA0001.png", "photo_1@05-03-2024_10-11-12.png")
ID = "1746827059000246273"
PBS = "https://pbs.twimg.com/media/GAbCdEfXYAAq1zz.jpg"


def read(path: Path | list[Path]) -> tuple[list[Item], Found, tuple[str, ...]]:
    with open_archive(path) as archive:
        items = list(archive.items())
        for item in items:
            if item.opener and not is_break(item):
                item.open()
        return items, archive.describe(), archive.warnings


def is_break(item: Item) -> bool:
    """The row that stands for what a file that breaks off has lost."""
    return item.status == Status.PRESENT and "is not among the rows" in (item.detail or "")


def jsonl(tmp_path: Path, *lines: object, name: str = "t.jsonl") -> Path:
    path = tmp_path / name
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    path.write_text(text, encoding="utf-8")
    return path


def v1(post_id: str = ID, **more: object) -> dict[str, object]:
    media = [{"type": "photo", "media_url": PBS.replace("https", "http"), "media_url_https": PBS}]
    user = {"screen_name": "anytown_police"}
    return {"id_str": post_id, "text": "words", "user": user, "extended_entities": {"media": media}, **more}


def v2(post_id: str = ID, **more: object) -> dict[str, object]:
    return {"id": post_id, "text": "words", "author_id": "9", **more}


def test_broken_lines_are_counted_by_number(tmp_path: Path) -> None:
    path = jsonl(tmp_path, v1(), '{"id_str": "1", "full', "", "null", "[]", "\x00" + json.dumps(v1("2")), {"odd": 1})
    items, found, warnings = read(path)
    assert [item.post_id for item in items] == [ID, "2"]
    assert "line 2" in warnings[0]
    assert found.counts["broken records"] == 1


@pytest.mark.parametrize("broken_first", [True, False])
def test_one_post_of_odd_shape_loses_no_other(tmp_path: Path, broken_first: bool) -> None:
    odd = v1("3", extended_entities={"media": "none"}, entities=[1], user=None, created_at=7)
    items, found, _ = read(jsonl(tmp_path, *([odd, v1()] if broken_first else [v1(), odd])))
    assert ID in {item.post_id for item in items}
    assert found.posts == 2


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_packed_lines(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "t.jsonl.packed.json.gz"
    path.write_bytes(pack(json.dumps(v1()).encode() + b"\n"))
    assert read(path)[0][0].post_id == ID


def test_gzip_cut_short_keeps_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl.gz"
    text = "\n".join(json.dumps(v1(str(10**18 + n * 7919), text=f"{n * n}" * 20)) for n in range(3000))
    packed = gzip.compress(text.encode())
    path.write_bytes(packed[: len(packed) // 2])
    items, _, warnings = read(path)
    assert 100 < len(items) < 3000
    assert "breaks off" in warnings[-1]
    assert [item.member for item in items if is_break(item)] == [items[-1].member] == ["t.jsonl.gz"]
    with pytest.raises(DamagedArchive, match=r"t\.jsonl\.gz breaks off after line"):
        items[-1].open()


def test_arrays_and_pretty_objects(tmp_path: Path) -> None:
    tweets = [v1(str(n)) for n in range(1, 4)]
    for text in (
        json.dumps(tweets),
        json.dumps(tweets, indent=2),
        "\ufeff" + json.dumps(tweets),
        "\n".join(json.dumps(tweet, indent=1) for tweet in tweets),
        json.dumps(tweets, indent=2)[:-2] + ",",
        json.dumps(tweets, indent=2).replace('"id_str": "2"', '"id_str": oops'),
    ):
        path = tmp_path / "t.json"
        path.write_text(text)
        ids = [item.post_id for item in read(path)[0]]
        assert ids == (["1", "3"] if "oops" in text else ["1", "2", "3"])


def test_utf16_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(json.dumps(v1()).encode("utf-16"))
    assert read(path)[0][0].post_id == ID


def test_v2_shapes(tmp_path: Path) -> None:
    media = {"media_key": "3_1", "type": "photo", "url": PBS, "alt_text": "alt"}
    gif = {"media_key": "16_2", "type": "animated_gif", "preview_image_url": PBS}
    keys = {"media_keys": ["3_1", "16_2", "3_9"]}
    page = {"data": v2(attachments=keys), "includes": {"media": [media, gif], "users": [{"id": "9", "username": "a"}]}}
    four_cat = v2("2", attachments={"media_keys": [media]}, author_user={"username": "b"})
    retweet = v2("3", referenced_tweets=[{"type": "retweeted", "id": "4"}])
    original = {"id": "4", "attachments": {"media_keys": ["3_1"]}}
    shared = {"data": [retweet], "includes": {"media": [media], "tweets": [original]}}
    errors = {"errors": [{"title": "Not Found Error"}]}
    items, found, _ = read(jsonl(tmp_path, page, four_cat, errors, shared, {"data": None, "meta": {"result_count": 0}}))
    assert [(i.post_id, i.status, i.account) for i in items] == [
        (ID, Status.REMOTE, "a"),
        (ID, Status.VIDEO_SKIPPED, "a"),
        (ID, Status.MISSING_MEDIA, "a"),
        ("2", Status.REMOTE, "b"),
        ("3", Status.REMOTE, None),
    ]
    assert items[4].is_repost
    assert items[4].original_post_id == "4"
    assert (found.posts, found.reposts, found.images_remote) == (3, 1, 2)


def test_streams_hold_notices(tmp_path: Path) -> None:
    items, found, warnings = read(jsonl(tmp_path, v1(), {"limit": {"track": 1}}, {"delete": {"status": {}}}))
    assert len(items) == 1
    assert found.counts["notices without a post"] == 2
    assert warnings == ()


def test_pictures_beside_tweets_are_used(make_folder: Make, png: bytes) -> None:
    path = make_folder({"t.jsonl": v1(), "media/GAbCdEfXYAAq1zz.jpg": png, "other.png": png})
    items, _, _ = read(path)
    assert [(i.post_id, i.status, i.member) for i in items] == [
        (ID, Status.PRESENT, "media/GAbCdEfXYAAq1zz.jpg"),
        (None, Status.PRESENT, "other.png"),
    ]


def test_academictwitter_keeps_media_in_another_file(make_folder: Make) -> None:
    tweet = v2(attachments={"media_keys": ["3_1"]})
    includes = {"media": [{"media_key": "3_1", "type": "photo", "url": PBS}], "users": [{"id": "9", "username": "a"}]}
    items, found, warnings = read(make_folder({"data_17.json": [tweet], "users_17.json": includes}))
    assert [(i.media_url, i.account, i.status) for i in items] == [(PBS, "a", Status.REMOTE)]
    assert (found.posts, warnings) == (1, ())


def test_old_snscrape_and_gifs(tmp_path: Path) -> None:
    base = {"_type": "snscrape.modules.twitter.Tweet", "date": "2021-05-01T10:00:00+00:00", "user": {"username": "a"}}
    photo = {"type": "photo", "previewUrl": PBS, "fullUrl": PBS + "?name=large"}
    gif = {"_type": "snscrape.modules.twitter.Gif", "thumbnailUrl": PBS}
    old = {**base, "id": 1388432109876543210, "content": "hi", "media": [photo, gif]}
    items, _, _ = read(jsonl(tmp_path, old))
    assert [i.status for i in items] == [Status.REMOTE, Status.VIDEO_SKIPPED]
    assert items[0].post_id == "1388432109876543210"
    assert str(items[0].posted_at) == "2021-05-01 10:00:00+00:00"


def test_zeeschuimer_of_other_sites(tmp_path: Path) -> None:
    def line(site: str, data: object) -> dict[str, object]:
        return {"item_id": "1", "timestamp_collected": 1714557600000, "source_platform": site, "data": data}

    candidates = {"candidates": [{"url": "https://scontent.cdninstagram.com/a.jpg"}]}
    carousel = {
        "code": "Cabc",
        "taken_at": 1709294400,
        "user": {"username": "anytown"},
        "caption": None,
        "carousel_media": [{"image_versions2": candidates}, {"image_versions2": candidates, "video_versions": [1]}],
    }
    slides = {"id": "7", "createTime": "1709294400", "author": {"uniqueId": "any"}, "desc": "hi"}
    slides["imagePost"] = {"images": [{"imageURL": {"urlList": ["https://p16.tiktokcdn.com/a.jpeg"]}}]}  # type: ignore[assignment]
    path = jsonl(
        tmp_path,
        line("instagram.com", carousel),
        line("tiktok.com", slides),
        line("linkedin.com", {"x": 1}),
        name="z.ndjson",
    )
    items, found, _ = read(path)
    assert [(i.platform, i.status) for i in items] == [
        ("instagram", Status.REMOTE),
        ("instagram", Status.VIDEO_SKIPPED),
        ("tiktok", Status.REMOTE),
    ]
    assert items[0].post_url == "https://www.instagram.com/p/Cabc/"
    assert found.posts == 3
    assert found.counts["posts of linkedin.com, not read"] == 1


def test_gallery_dl_variants(make_folder: Make, png: bytes) -> None:
    tweet = {"category": "twitter", "tweet_id": int(ID), "num": 2, "date": "2024-01-15 09:30:00", "extension": "jpg"}
    retweet = {**tweet, "retweet_id": 1755000000000000000, "author": {"name": "other"}, "user": {"name": "anytown"}}
    mastodon = {"category": "mastodon", "id": "112", "account": {"acct": "a@b.example"}, "extension": "png", "num": 1}
    root = "gallery-dl/twitter/anytown"
    path = make_folder(
        {
            f"{root}/a.jpg": png,
            f"{root}/a.json": {**tweet, "author": {"name": "anytown"}, "content": "hi", "description": "alt"},
            f"{root}/b.jpg": png,
            f"{root}/b.jpg.json": retweet,
            f"{root}/c.jpg.json": {**tweet, "author": {"name": "anytown"}},
            f"{root}/d.mp4": b"film",
            f"{root}/d.mp4.json": tweet,
            f"{root}/e.jpg": png,
            f"{root}/e.jpg.json": "{ broken",
            f"{root}/info.json": {"category": "twitter"},
            "gallery-dl/mastodon/m.png": png,
            "gallery-dl/mastodon/m.png.json": mastodon,
        }
    )
    items, _, warnings = read(path)
    told = {str(i.member).rsplit("/", 1)[-1]: i for i in items}
    assert (told["a.jpg"].post_id, told["a.jpg"].media_index, told["a.jpg"].alt_text) == (ID, 1, "alt")
    assert (told["b.jpg"].is_repost, told["b.jpg"].account) == (True, "anytown")
    assert told["None"].status == Status.MISSING_MEDIA
    assert told["d.mp4"].status == Status.VIDEO_SKIPPED
    assert told["e.jpg"].status == Status.PRESENT
    assert (told["m.png"].platform, told["m.png"].account) == ("mastodon", "a@b.example")
    assert any("e.jpg.json" in warning for warning in warnings)


def test_instaloader_variants(make_folder: Make, png: bytes) -> None:
    node = {"shortcode": "Cone", "taken_at_timestamp": 1709294400, "owner": {"username": "anytown"}, "__typename": "x"}
    packed = lzma.compress(json.dumps({"node": node, "instaloader": {"node_type": "Post"}}).encode())
    stamp = "anytown/2024-03-01_12-00-00_UTC"
    path = make_folder(
        {
            f"{stamp}.json.xz": packed,
            f"{stamp}.jpg": png,
            f"{stamp}.mp4": b"film",
            "anytown/2024-04-02_12-00-00_UTC.jpg": png,
            "anytown/2024-04-02_12-00-00_UTC.txt": "caption",
            "anytown/2024-05-02_12-00-00_UTC_profile_pic.jpg": png,
            "anytown/2024-06-02_12-00-00_UTC.json.xz": b"\xfd7zXZ\x00 broken",
            "anytown/2024-06-02_12-00-00_UTC_1.jpg": png,
            "anytown/2024-06-02_12-00-00_UTC_2.jpg": png,
            "anytown/Cshort.json": {"node": {**node, "shortcode": "Cshort"}, "instaloader": {}},
            "anytown/Cgone.json": {"node": {**node, "shortcode": "Cgone"}, "instaloader": {}},
            "anytown/Cshort_1.jpg": png,
        }
    )
    items, found, warnings = read(path)
    told = {str(i.member).rsplit("/", 1)[-1]: i for i in items}
    assert (told["2024-03-01_12-00-00_UTC.jpg"].media_type, told["2024-03-01_12-00-00_UTC.jpg"].post_id) == (
        "thumbnail",
        "Cone",
    )
    assert told["2024-04-02_12-00-00_UTC.jpg"].text == "caption"
    assert str(told["2024-06-02_12-00-00_UTC_2.jpg"].posted_at) == "2024-06-02 12:00:00+00:00"
    assert told["2024-06-02_12-00-00_UTC_2.jpg"].media_index == 1
    assert told["Cshort_1.jpg"].post_id == "Cshort"
    assert told["None"].post_id == "Cgone"
    assert found.posts == 5
    assert warnings


def test_yt_dlp_variants(make_folder: Make, png: bytes) -> None:
    base = {"_type": "video", "extractor_key": "Twitter", "upload_date": "20240301", "uploader_id": "anytown"}
    path = make_folder(
        {
            "a [1].info.json": {**base, "id": "1", "thumbnail": "http://pbs.twimg.com/a.jpg"},
            "a [1].mp4": b"film",
            "b [2].info.json": {**base, "id": "2"},
            "b [2].0.jpg": png,
            "b [2].1.jpg": png,
            "list.info.json": {"_type": "playlist", "id": "9"},
            "c.info.json": "broken",
        }
    )
    items, found, _ = read(path)
    assert [str(i.member) for i in items if is_break(i)] == ["c.info.json"]
    assert [(i.status, i.post_id) for i in items if not is_break(i)] == [
        (Status.VIDEO_SKIPPED, "1"),
        (Status.REMOTE, "1"),
        (Status.VIDEO_SKIPPED, "2"),
        (Status.PRESENT, "2"),
        (Status.PRESENT, "2"),
    ]
    assert items[0].platform == "x"
    assert str(items[0].posted_at)[:10] == "2024-03-01"
    assert found.posts == 2


def test_instagram_keeps_messages_closed(make_zip: Make, png: bytes) -> None:
    post = {"media": [{"uri": "media/posts/202403/1.jpg", "creation_timestamp": 1709294400, "title": "hi"}]}
    story = {"ig_stories": [{"uri": "media/stories/202403/2.jpg", "creation_timestamp": 1709294400}]}
    path = make_zip(
        "instagram-any.town-2024-05-01-abc.zip",
        {
            "top/your_instagram_activity/content/posts_1.json": [post, {"media": None}, 5, {"media": [None]}],
            "top/your_instagram_activity/media/stories.json": story,
            "top/your_instagram_activity/messages/inbox/x/message_1.json": {"messages": []},
            "top/your_instagram_activity/messages/inbox/x/photos/p.jpg": png,
            "top/personal_information/profile_photo.jpg": png,
            "top/media/posts/202403/1.jpg": png,
            "top/media/posts/202403/orphan.jpg": png,
            "top/media/stories/202403/2.jpg": png,
        },
    )
    items, found, warnings = read(path)
    assert [i.member for i in items if i.status == Status.PRESENT] == [
        "top/media/posts/202403/1.jpg",
        "top/media/stories/202403/2.jpg",
        "top/media/posts/202403/orphan.jpg",
    ]
    assert found.accounts == ("any.town",)
    assert items[-2].extra["kind"] == "stories"
    assert warnings


def test_only_messages_give_no_rows(make_zip: Make, png: bytes) -> None:
    members = {"your_instagram_activity/messages/inbox/x/photos/p.jpg": png}
    assert read(make_zip("m.zip", members))[0] == []


def test_downloads_as_html_still_give_their_pictures(make_zip: Make, png: bytes) -> None:
    members = {"your_instagram_activity/media/posts_1.html": "<html>", "media/posts/202403/1.jpg": png}
    items, _, warnings = read(make_zip("instagram-a-2024-05-01-x.zip", members))
    assert len(items) == 1
    assert "as JSON" in warnings[0]


def test_facebook_page_parts_and_albums(make_zip: Make, png: bytes) -> None:
    uri = "this_profile's_activity_across_facebook/posts/media/a/1.jpg"
    medium = {"uri": uri, "creation_timestamp": 1709294400}
    post = {"timestamp": 1709294400, "attachments": [{"data": [{"media": medium}, {"external_context": {"url": "x"}}]}]}
    film = {"timestamp": 1709294400, "attachments": [{"data": [{"media": {**medium, "uri": "x/v.mp4"}}]}]}
    root = "this_profile's_activity_across_facebook/posts"
    first = make_zip("facebook-Any-2024-05-01-aaaa.zip", {f"{root}/profile_posts_1.json": [post, film]})
    second = make_zip(
        "facebook-Any-2024-05-01-bbbb.zip",
        {uri: png, f"{root}/album/0.json": {"name": "A", "photos": [medium, {**medium, "uri": "gone.jpg"}]}},
    )
    items, found, _ = read([first, second])
    assert [i.status for i in items] == [Status.PRESENT, Status.VIDEO_SKIPPED, Status.MISSING_MEDIA]
    assert (found.parts, found.accounts) == (2, ("Any",))


def test_mastodon_keeps_private_posts_closed(make_zip: Make, png: bytes) -> None:
    def note(number: int, to: list[str], **more: object) -> dict[str, object]:
        attachment = {"type": "Document", "mediaType": "image/png", "url": f"/media_attachments/files/{number}.png"}
        made = {"type": "Note", "id": f"https://m.example/{number}", "attachment": [attachment], "to": to, **more}
        return {"type": "Create", "published": "2024-01-15T09:30:00Z", "object": made}

    public = "https://www.w3.org/ns/activitystreams#Public"
    film = {"type": "Document", "mediaType": "video/mp4", "url": "/media_attachments/files/f.mp4"}
    entries = [note(1, [public]), note(2, ["https://m.example/users/x"]), note(3, [], attachment=[film, None, {}]), 7]
    outbox = {"type": "OrderedCollection", "orderedItems": [*entries, note(4, ["as:Public"], url=None)]}
    members = {"outbox.json": outbox, **{f"media_attachments/files/{n}.png": png for n in (1, 2)}}
    items, found, _ = read(make_zip("archive-x.zip", members))
    assert [(i.post_id, i.status) for i in items][:2] == [("1", Status.PRESENT), ("3", Status.VIDEO_SKIPPED)]
    assert items[-1].post_id == "4"
    assert items[-1].status == Status.MISSING_MEDIA
    assert found.counts["posts that are not public, left unread"] == 1


def test_mastodon_archive_tool(tmp_path: Path) -> None:
    media = [{"type": "image", "url": "https://files.m.example/a.png", "description": "alt"}]
    data = {
        "account": {"acct": "anytown"},
        "statuses": [
            {
                "id": "1",
                "created_at": "2024-01-15T09:30:00.000Z",
                "media_attachments": media,
                "content": "<p>a<br>b</p>",
            },
            {"id": "2", "reblog": {"id": "3"}},
            {"id": "4", "visibility": "direct", "media_attachments": media},
        ],
    }
    path = tmp_path / "m.example.user.anytown.json"
    path.write_text(json.dumps(data))
    (item,), found, _ = read(path)
    assert (item.status, item.alt_text, item.text, item.account) == (Status.REMOTE, "alt", "a\nb", "anytown")
    assert found.reposts == 1


def test_bluesky_shapes(tmp_path: Path) -> None:
    picture = {"fullsize": "https://cdn.bsky.app/img/a@jpeg", "thumb": "https://cdn.bsky.app/img/t", "alt": "alt"}
    view = {
        "uri": "at://did:plc:x/app.bsky.feed.post/3kabc",
        "author": {"did": "did:plc:x", "handle": "a.example"},
        "record": {"text": "hi", "created_at": "2024-03-01T12:00:00Z"},
        "embed": {
            "py_type": "app.bsky.embed.recordWithMedia#view",
            "media": {"py_type": "app.bsky.embed.images#view", "images": [picture, picture]},
        },
    }
    film = {**view, "uri": "at://did:plc:x/app.bsky.feed.post/3kdef", "embed": {"$type": "app.bsky.embed.video#view"}}
    path = jsonl(tmp_path, {"post": view}, film, {"feed": [{"post": view, "reason": {"py_type": "x#reasonRepost"}}]})
    items, found, _ = read(path)
    assert [i.status for i in items] == [
        Status.REMOTE,
        Status.REMOTE,
        Status.VIDEO_SKIPPED,
        Status.REMOTE,
        Status.REMOTE,
    ]
    assert (items[0].post_id, items[1].media_index) == ("3kabc", 1)
    assert (found.posts, found.reposts, found.images_remote) == (2, 1, 2)


def test_a_car_without_blobs_points_to_the_network(samples: Path, tmp_path: Path) -> None:
    path = tmp_path / "repo.car"
    path.write_bytes((samples / "bluesky" / "repo.car").read_bytes())
    (item,), _, _ = read(path)
    assert item.status == Status.REMOTE
    assert str(item.media_url).startswith("https://cdn.bsky.app/img/feed_fullsize/plain/did:plc:")
    path.write_bytes(b"not a car")
    with pytest.raises(ArchiveError, match="not a whole CAR"):
        read(path)


def warc_record(url: str, payload: bytes, status: str | None = "200 OK", **headers: str) -> bytes:
    """One record, packed by itself as WARC wants it; a resource where there is no status."""
    http = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    block = (f"HTTP/1.1 {status}\r\n{http}\r\n".encode() if status else b"") + payload
    kind, content = ("response", "application/http; msgtype=response") if status else ("resource", "image/png")
    head = (
        f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Record-ID: <urn:uuid:0>\r\nWARC-Date: 2024-03-01T12:00:00Z\r\n"
        f"WARC-Target-URI: {url}\r\nContent-Type: {content}\r\nContent-Length: {len(block)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + block + b"\r\n\r\n")


def test_warc_damage_and_oddities(tmp_path: Path, png: bytes) -> None:
    site = "https://a.example"
    chunked = b"5\r\n" + png[:5] + b"\r\n%x\r\n" % len(png[5:]) + png[5:] + b"\r\n0\r\n\r\n"
    path = tmp_path / "a.warc.gz"
    whole = b"".join(
        (
            warc_record(f"{site}/1.png", png, Content_Type="text/html"),
            warc_record(f"{site}/2.png", gzip.compress(png), Content_Type="image/png", Content_Encoding="gzip"),
            warc_record(f"{site}/3.png", chunked, Content_Type="image/png", Transfer_Encoding="chunked"),
            warc_record(f"{site}/moved.png", b"", "301 Moved", Location="/1.png"),
            warc_record(f"{site}/none.png", b"", Content_Type="image/png"),
            warc_record(f"{site}/v.mp4", b"\x00\x00\x00\x18ftypmp42", Content_Type="video/mp4"),
            warc_record(f"urn:view:{site}/", png, None),
            warc_record(f"{site}/last.png", png * 300, Content_Type="image/png"),
        )
    )
    path.write_bytes(whole[:-40])
    with open_archive(path) as archive:
        items = list(archive.items())
        assert [i.status for i in items][:6] == [
            Status.PRESENT,
            Status.PRESENT,
            Status.PRESENT,
            Status.NOT_AN_IMAGE,
            Status.MISSING_MEDIA,
            Status.VIDEO_SKIPPED,
        ]
        assert [item.open() for item in items[:3]] == [png] * 3
        assert items[5].open() == b"\x00\x00\x00\x18ftypmp42"  # of the record, not of the web archive
        assert archive.describe().counts["pages as pictures or text, by the crawler"] == 1


def test_a_web_archive_that_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.warc"
    path.write_bytes(b"hello\r\n" * 10)
    with pytest.raises(ArchiveError, match="no web archive"):
        read(path)


def test_mixed_paths_and_a_folder_of_archives(make_zip: Make, tmp_path: Path, png: bytes, samples: Path) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for name in ("x_archive/twitter-2024-05-01-0000000000000000fake.zip", "warc/sample.wacz"):
        (folder / Path(name).name).write_bytes((samples / name).read_bytes())
    (folder / "loose.png").write_bytes(png)
    items, found, _ = read(folder)
    assert found.images_local == 4 + 3 + 1
    assert {i.source_format for i in items} == {"x_archive", "warc", "plain_folder"}
    items, found, _ = read([folder / "sample.wacz", samples / "csv_of_urls" / "urls.csv"])
    assert (found.images_local, found.images_remote) == (3, 3)  # of the three, one is a revisit


def test_dates_of_pictures(tmp_path: Path) -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[306] = "2024:03:01 10:11:12"
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", exif=exif)
    for name in ("IMG_20240302_101112.png", "2024-03-03 10.11.12.png", "plain.png", *CHATS):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    with open_archive(tmp_path, exif_dates=True) as archive:
        told = {i.member: (str(i.posted_at)[:19], i.posted_at_source) for i in archive.items()}
    assert told == {
        "a.jpg": ("2024-03-01 10:11:12", "exif"),
        "IMG_20240302_101112.png": ("2024-03-02 10:11:12", "filename"),
        "2024-03-03 10.11.12.png": ("2024-03-03 10:11:12", "filename"),
        "IMG-20240304-WA0001.png": ("2024-03-04 00:00:00", "day"),
        "photo_1@05-03-2024_10-11-12.png": ("2024-03-05 10:11:12", "filename"),
        "plain.png": ("None", "none"),
    }
