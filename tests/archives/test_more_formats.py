"""Formats drawn after the tools that write them: every post and picture comes back as it was drawn."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archives.drawn_formats import DATED, SHARING, Drawn, img2dataset, takeout
from bladecheck.archives import Found, Item, Status, open_archive
from x_drawing import account_js, write

Make = Callable[..., Path]
START = datetime(2024, 4, 30, 23, 30, tzinfo=UTC)
POSTS = [Drawn(k, "anytown", START + timedelta(days=k * 11), repost=k == 1) for k in range(4)]
OWN = {post.number for post in POSTS if not post.repost}


def read(*paths: Path) -> tuple[list[Item], Found, tuple[str, ...]]:
    with open_archive(list(paths)) as archive:
        items = list(archive.items())
        for item in items:
            if item.opener:
                item.open()
        return items, archive.describe(), archive.warnings


@pytest.mark.parametrize("name", DATED)
def test_what_was_drawn_is_read(name: str, tmp_path: Path) -> None:
    posts = POSTS if name in SHARING else [Drawn(p.number, p.account, p.moment) for p in POSTS]
    items, found, warnings = read(DATED[name](tmp_path / "a", posts))
    drawn = sorted((post.account, post.moment.replace(microsecond=0), post.repost) for post in posts)
    assert sorted((i.account, i.posted_at.replace(microsecond=0), i.is_repost) for i in items) == drawn  # type: ignore[union-attr,type-var]
    assert warnings == ()
    assert found.posts == len(posts)
    assert len({item.post_id or item.member for item in items}) == len(posts)
    for item in items:
        assert item.status in (Status.PRESENT, Status.REMOTE, Status.MISSING_MEDIA)


def test_takeout_and_img2dataset(tmp_path: Path) -> None:
    items, _, warnings = read(takeout(tmp_path / "t", POSTS))
    assert [item.posted_at for item in items] == [post.moment for post in POSTS]
    assert {item.posted_at_source for item in items} == {"exif"}
    assert warnings == ()
    items, _, warnings = read(img2dataset(tmp_path / "i", POSTS))
    assert [(item.text, item.media_url) for item in items] == [("words", post.url) for post in POSTS]
    assert warnings == ()


def test_takeout_names_are_cut_and_numbered(make_folder: Make, png: bytes) -> None:
    taken = {"photoTakenTime": {"timestamp": "1714519800"}}
    folder = "Takeout/Google Photos/A"
    members: dict[str, object] = {f"{folder}/IMG_1.jpg": png, f"{folder}/IMG_1(1).jpg": png, f"{folder}/b.png": png}
    members[f"{folder}/IMG_1.jpg.supplemental-meta.json"] = {"title": "IMG_1.jpg", **taken}
    members[f"{folder}/IMG_1.jpg.supplemental-metadata(1).json"] = {"title": "IMG_1.jpg", **taken}
    members[f"{folder}/b.png.json"] = {"title": "b.png", **taken}
    members[f"{folder}/gone.jpg.json"] = {"title": "gone.jpg", **taken}
    items, _, _ = read(make_folder(members))
    told = {item.member: item.status for item in items}
    assert told == {**dict.fromkeys(list(members)[:3], Status.PRESENT), None: Status.MISSING_MEDIA}


def test_a_takeout_in_parts(make_zip: Make, png: bytes) -> None:
    """Google fills one zip after the other: a picture and its JSON file may lie in two, and a part may have no JSON."""
    album = "Takeout/Google Photos/A/"
    taken = json.dumps({"title": "x", "photoTakenTime": {"timestamp": "1714519800"}})
    paths = [
        make_zip(f"takeout-20240501T101112Z-{number:03}.zip", {album + name: data for name, data in members.items()})
        for number, members in enumerate(({"1.png": png, "2.png": png, "2.png.json": taken}, {"1.png.json": taken},
                                          {"3.png": png}), start=1)
    ]  # fmt: skip
    later = make_zip("takeout-20250501T101112Z-001.zip", {f"{album}1.png": png, f"{album}1.png.json": taken})
    for given in (paths, paths[::-1], [paths[0].parent], [*paths, later]):
        items, found, _ = read(*given)
        told = {Path(str(item.member)).name: bool(item.posted_at) for item in items}
        assert told == {"1.png": True, "2.png": True, "3.png": False}
        assert len(items) == 3
        assert found.missing == 0


def test_personal_chats_are_not_read(make_folder: Make, png: bytes) -> None:
    message = {"id": 1, "type": "message", "date_unixtime": "1714519800", "photo": "chats/chat_1/p.jpg", "text": "x"}
    chat = {"name": "Someone", "type": "personal_chat", "id": 5, "messages": [message]}
    path = make_folder({"result.json": {"chats": {"list": [chat]}}, "chats/chat_1/p.jpg": png})
    items, found, _ = read(path)
    assert items == []
    assert found.counts["personal chats, left unread"] == 1


def test_a_telegram_photo_that_was_not_exported(make_folder: Make) -> None:
    message = {"id": 1, "type": "message", "date_unixtime": "1714519800", "text": "x"}
    message |= {"photo": "(File not included. Change data exporting settings to download.)"}
    chat = {"name": "Force", "type": "public_channel", "id": 5, "messages": [message]}
    (item,) = read(make_folder({"result.json": chat}))[0]
    assert (item.status, item.post_id) == (Status.MISSING_MEDIA, "5/1")


def test_reddit_galleries_and_crossposts(tmp_path: Path) -> None:
    base = {"subreddit": "s", "author": "a", "created_utc": 1714519800, "title": "t"}
    media = {key: {"e": "Image", "s": {"u": f"https://preview.redd.it/{key}.jpg?a=1&amp;s=2"}} for key in ("m1", "m2")}
    gallery = {**base, "id": "g1", "media_metadata": media,
               "gallery_data": {"items": [{"media_id": "m2"}, {"media_id": "m1"}]}}  # fmt: skip
    shared = {**base, "id": "g2", "crosspost_parent": "t3_g1", "url": "https://i.redd.it/x.jpg"}
    link = {**base, "id": "g3", "url": "https://news.example/a", "preview": {"images": [{}]}}
    comment = {"id": "c", "subreddit": "s", "created_utc": 1, "body": "b", "link_id": "t3_g1"}
    path = tmp_path / "r.ndjson"
    path.write_text("\n".join(map(json.dumps, (gallery, shared, link, comment))))
    items, found, _ = read(path)
    assert [(i.post_id, i.media_index, i.is_repost) for i in items] == [
        ("g1", 0, False),
        ("g1", 1, False),
        ("g2", 0, True),
    ]
    assert items[0].media_url == "https://preview.redd.it/m2.jpg?a=1&s=2"
    assert found.posts == 3


def test_an_edited_post_counts_once_as_its_last_version(tmp_path: Path) -> None:
    first, last, quoting = (Drawn(k, "a", START + timedelta(minutes=10 * k)) for k in (1, 2, 3))
    versions = {"editTweetIds": [first.snowflake, last.snowflake]}

    def entry(post: Drawn, edits: object, urls: object = ()) -> dict[str, object]:
        media = [{"type": "photo", "media_url_https": post.url}]
        return {"tweet": {"id_str": post.snowflake, "created_at": post.twitter, "full_text": f"v{post.number}",
                          "edit_info": edits, "entities": {"urls": urls}, "in_reply_to_status_id_str": "17",
                          "extended_entities": {"media": media}}}  # fmt: skip

    link = [{"expanded_url": "https://twitter.com/other/status/1780000000000000001"}]
    posts = [
        entry(first, {"initial": versions}),
        entry(last, {"edit": {"initialTweetId": first.snowflake, "editControlInitial": versions}}),
        entry(quoting, {"initial": {"editTweetIds": [quoting.snowflake]}}, link),
    ]
    members: dict[str, object] = {"data/account.js": account_js("a"),
                                  "data/tweets.js": "window.YTD.tweets.part0 = " + json.dumps(posts)}  # fmt: skip
    members |= {f"data/tweets_media/{p.snowflake}-{p.name}.jpg": p.bytes for p in (first, last, quoting)}
    items, found, warnings = read(write(tmp_path / "x", members))
    assert [(item.text, item.post_id) for item in items] == [("v2", last.snowflake), ("v3", quoting.snowflake)]
    assert items[0].edits == (first.snowflake, last.snowflake)
    assert (items[1].is_quote, items[1].quoted_id, items[1].is_reply) == (True, "1780000000000000001", True)
    assert (items[0].is_quote, warnings) == (False, ())
    assert found.merged == 1


def test_several_formats_in_one_folder_are_each_read(tmp_path: Path) -> None:
    made = 0
    for number, (name, make) in enumerate(DATED.items()):
        posts = [Drawn(100 * number + k, f"force{number}", START + timedelta(days=k)) for k in range(2)]
        make(tmp_path / "all" / name, posts)
        made += len(posts)
    items, found, warnings = read(tmp_path / "all")
    assert len(items) == made
    assert (found.rows, warnings) == (made, ())
    assert len({item.source_format for item in items}) >= 13


def test_data_files_of_several_formats_side_by_side(tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    for number, name in enumerate(("reddit", "threads", "bluesky", "graphql", "content_library", "table")):
        DATED[name](flat, [Drawn(10 * number + k, f"force{number}", START + timedelta(days=k)) for k in range(2)])
    items, _, warnings = read(flat)
    assert sorted(item.source_format for item in items) == sorted(
        ["reddit", "threads", "bluesky", "twitter_web", "meta_content_library", "table"] * 2
    )
    assert warnings == ()
