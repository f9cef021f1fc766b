"""One row for each picture of a post, whatever archives list it, in whatever order and however often."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archives.conftest import picture
from bladecheck.archives import Item, Status, open_archive
from bladecheck.archives.post import picture_name
from x_drawing import account_js, snowflake, tweet, x_members

Make = Callable[..., Path]
Row = tuple[object, ...]
QUICK = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


def content(item: Item) -> Row:
    """What a row says, without where it was found."""
    bytes_ = item.open() if item.opener else b""
    return (item.platform, item.account, item.post_id, item.posted_at, item.text, item.is_repost, item.media_url,
            item.alt_text, item.status, bytes_)  # fmt: skip


def rows(*paths: Path) -> list[Item]:
    with open_archive(list(paths)) as archive:
        items = list(archive.items())
        for item in items:
            content(item)
        assert archive.describe().rows == len(items)
        return items


def contents(*paths: Path) -> list[Row]:
    return sorted(map(content, rows(*paths)), key=repr)


def test_two_exports_of_one_account(make_folder: Make) -> None:
    common = [tweet(1, "common", "CommonPic01")]
    more = [
        tweet(2, "RT @other: knife", "RepostPic02", source_status_id_str="1780000000000000001", source_user_id_str="9"),
        tweet(3, "X left this out", "MissingPic3"),
        tweet(4, "two", "TwoPicsAA04", "TwoPicsBB05"),
    ]
    old = make_folder(x_members([*common, tweet(9, "deleted since", "DeletedPic9")]), "old")
    new = make_folder(x_members([*common, *more], lacking=("MissingPic3",)), "new")
    found = rows(old, new)
    told = {(item.text, item.media_index): (item.status, item.is_repost) for item in found}
    assert told == {
        ("common", 0): (Status.PRESENT, False),
        ("deleted since", 0): (Status.PRESENT, False),
        ("RT @other: knife", 0): (Status.PRESENT, True),
        ("X left this out", 0): (Status.MISSING_MEDIA, False),
        ("two", 0): (Status.PRESENT, False),
        ("two", 1): (Status.PRESENT, False),
    }
    assert contents(new, old) == contents(old, new) == contents(old.parent)
    assert [len(item.also) for item in found if item.text == "common"] == [1]


def test_the_fuller_record_wins_and_takes_what_it_lacks(make_folder: Make, tmp_path: Path, png: bytes) -> None:
    post = tweet(1, "from the account itself", "AbcOwnPic01")
    export = make_folder(x_members([post]), "export")
    medium = {
        "media_key": "3_1",
        "type": "photo",
        "url": "https://pbs.twimg.com/media/AbcOwnPic01.jpg",
        "alt_text": "a",
    }
    scraped = {"id": snowflake(1), "text": "from the API", "author_id": "9", "attachments": {"media_keys": ["3_1"]}}
    page = {"data": [scraped], "includes": {"media": [medium], "users": [{"id": "9", "username": "AnytownPolice"}]},
            "__twarc": {"retrieved_at": "2024-07-01T00:00:00Z"}}  # fmt: skip
    lines = tmp_path / "api.jsonl"
    lines.write_text(json.dumps(page) + "\n")
    loose = make_folder({f"{snowflake(1)}-AbcOwnPic01.jpg": png}, "loose")
    for order in ((export, lines, loose), (loose, lines, export), (lines, loose, export)):
        (item,) = rows(*order)
        assert (item.status, item.text, item.alt_text) == (Status.PRESENT, "from the account itself", "a")
        assert item.collected_at is not None
        assert item.source_format == "x_archive"
        assert {place.source_path for place in item.also} == {str(lines), str(loose)}


def test_a_record_without_bytes_takes_those_of_a_loose_file(make_folder: Make, tmp_path: Path, png: bytes) -> None:
    lines = tmp_path / "t.jsonl"
    media = [{"type": "photo", "media_url_https": "https://pbs.twimg.com/media/AbcOwnPic01.jpg"}]
    record = {"id_str": snowflake(1), "full_text": "words", "user": {"screen_name": "a"}}
    lines.write_text(json.dumps({**record, "extended_entities": {"media": media}}) + "\n")
    loose = make_folder({f"{snowflake(1)}-AbcOwnPic01.jpg": png}, "loose")
    (item,) = rows(lines, loose)
    assert (item.status, item.text, item.account, item.open()) == (Status.PRESENT, "words", "a", png)


def test_two_pictures_of_one_post_stay_two(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    rows_ = "".join(f"{snowflake(1)},https://i.example.org/{name}.jpg\n" for name in ("a", "b"))
    table.write_text(f"tweet_id,image_url\n{rows_}")
    assert len(rows(table)) == 2
    same = json.dumps({"id_str": snowflake(2), "full_text": "w", "user": {"screen_name": "a"}, "extended_entities": {
        "media": [{"type": "photo", "media_url_https": "https://pbs.twimg.com/media/Same.jpg"}, {"type": "video",
                  "media_url_https": "https://pbs.twimg.com/media/Same.jpg"}]}})  # fmt: skip
    lines = tmp_path / "t.jsonl"
    lines.write_text(f"{same}\n{same}\n")
    assert [item.media_index for item in rows(lines)] == [0, 1]


def test_row_numbers_are_no_post_ids(make_folder: Make, png: bytes) -> None:
    one = make_folder({"t.csv": "id,file\n1,a.png\n", "a.png": png}, "one")
    two = make_folder({"t.csv": "id,file\n1,b.png\n", "b.png": png + b"2"}, "two")
    assert len(rows(one, two)) == 2


def test_short_ids_are_posts_where_the_picture_agrees(tmp_path: Path) -> None:
    """Reddit's own ids are short; elsewhere a short one may be a row's number, and does not tell alone."""
    told = "id,author,created_utc,title,url\n"
    line = "1abc{0}d,me,171451980{0},T,https://i.redd.it/abcdefghij{0}.jpg\n"
    tables = {"a.csv": (1, 2), "b.csv": (2, 3)}
    for name, posts in tables.items():
        (tmp_path / name).write_text(told + "".join(line.format(k) for k in posts))
    post = {"id": "1abc3d", "subreddit": "s", "author": "me", "created_utc": 1714519803, "title": "T",
            "url": "https://i.redd.it/abcdefghij3.jpg", "post_hint": "image", "is_self": False,
            "permalink": "/r/s/comments/1abc3d/x/"}  # fmt: skip
    (tmp_path / "c.ndjson").write_text(json.dumps(post) + "\n")
    found = rows(*(tmp_path / name for name in ("a.csv", "b.csv", "c.ndjson")))
    assert [(item.platform, item.post_id) for item in found] == [("reddit", f"1abc{k}d") for k in (1, 2, 3)]
    numbered = [tmp_path / "one.csv", tmp_path / "two.csv", tmp_path / "three.csv"]
    for path, name in zip(numbered, ("PicA", "PicB", "PicA"), strict=True):
        path.write_text(f"id,image_url\n1,https://pbs.twimg.com/media/{name}.jpg\n")
    assert len(rows(*numbered)) == 2


def test_a_post_and_somebody_sharing_it_are_two(tmp_path: Path) -> None:
    picture_ = {"fullsize": "https://cdn.bsky.app/img/feed_fullsize/plain/did/bafk1@jpeg"}
    view = {"uri": "at://did:plc:x/app.bsky.feed.post/3kabc", "author": {"handle": "a.example"},
            "record": {"text": "w"},
            "embed": {"images": [picture_]}}  # fmt: skip
    reason = {"$type": "app.bsky.feed.defs#reasonRepost", "by": {"handle": "b.example"}}
    lines = tmp_path / "feed.json"
    lines.write_text(json.dumps({"feed": [{"post": view}, {"post": view, "reason": reason}]}))
    assert [(item.account, item.is_repost) for item in rows(lines)] == [("a.example", False), ("b.example", True)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://pbs.twimg.com/media/GAb.jpg", "https://pbs.twimg.com/media/GAb?format=jpg&name=thumb", True),
        ("https://pbs.twimg.com/media/GAb.jpg:large", "http://pbs.twimg.com/media/GAb.png", True),
        ("https://pbs.twimg.com/media/GAb.jpg", "https://pbs.twimg.com/media/GAc.jpg", False),
        ("https://cdn.bsky.app/img/feed_thumbnail/plain/d/baf@jpeg", "https://cdn.bsky.app/x/baf@png", True),
        ("https://p16.tiktokcdn.com/o/abc~tplv-a.image", "https://p16.tiktokcdn.com/o/abc~tplv-b.image", True),
        ("https://scontent.cdninstagram.com/1_n.jpg?oh=1", "https://scontent.cdninstagram.com/1_n.jpg?oh=2", True),
    ],
)
def test_addresses_of_one_picture(one: str, other: str, same: bool) -> None:
    assert (picture_name(one) == picture_name(other)) is same


POSTS = [tweet(k, f"post {k}", *names) for k, names in enumerate((["PicOneAAA01"], ["PicTwoAAA02", "PicTwoBBB03"],
         ["PicThreeA04"], ["PicFourAA05", "PicFourBB06", "PicFourCC07"], []))]  # fmt: skip


def as_x_archive(folder: Path, posts: list[dict[str, object]]) -> Path:
    for name, data in x_members(posts).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data if isinstance(data, bytes) else str(data).encode())
    return folder


@QUICK
@given(data=st.data())
def test_any_split_order_or_repetition_gives_the_same_rows(data: st.DataObject) -> None:
    """The law: archives that together hold the same posts give the same rows."""
    places = st.integers(0, len(POSTS) - 1)
    parts = data.draw(st.lists(st.lists(places, max_size=6), max_size=4))
    covered = {place for part in parts for place in part}
    parts.append([place for place in range(len(POSTS)) if place not in covered])
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        whole = as_x_archive(root / "whole", POSTS)
        split = [as_x_archive(root / "parts" / f"p{k}", [POSTS[p] for p in part]) for k, part in enumerate(parts)]
        order = data.draw(st.permutations([*split, *split[:1]]))
        assert contents(*order) == contents(whole) == contents(root / "parts") == contents(whole, *order)


@QUICK
@given(data=st.data())
def test_any_split_of_lines_gives_the_same_rows(data: st.DataObject) -> None:
    def line(k: int, names: list[str]) -> str:
        media = [{"type": "photo", "media_url_https": f"https://pbs.twimg.com/media/{name}.jpg"} for name in names]
        record = {"id_str": snowflake(k), "full_text": f"post {k}", "user": {"screen_name": "a"}}
        return json.dumps({**record, "extended_entities": {"media": media}})

    every = [line(k, [f"Pic{k}x{n}" for n in range(1 + k % 3)]) for k in range(6)]
    parts = data.draw(st.lists(st.lists(st.sampled_from(every), max_size=8), max_size=4))
    parts.append([text for text in every if not any(text in part for part in parts)])
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        (root / "parts").mkdir()
        (root / "whole.jsonl").write_text("\n".join(every))
        paths = [root / "parts" / f"{k}.jsonl" for k in range(len(parts))]
        for path, part in zip(paths, parts, strict=True):
            path.write_text("\n".join(part))
        order = data.draw(st.permutations([path for path in paths if path.stat().st_size]))
        assert contents(*order) == contents(root / "whole.jsonl") == contents(root / "parts")


def test_a_folder_of_archives_of_several_formats(make_folder: Make, make_zip: Make, png: bytes) -> None:
    note = {"type": "Note", "id": "https://m.example/1", "published": "2024-05-01T00:00:00Z",
            "attachment": [{"type": "Document", "url": "/media_attachments/a.png"}]}  # fmt: skip
    members: dict[str, object] = {f"force/x/{name}": data for name, data in x_members(POSTS[:1]).items()}
    members |= {
        "mastodon/outbox.json": {"type": "OrderedCollection", "orderedItems": [{"type": "Create", "object": note}]},
        "mastodon/media_attachments/a.png": png,
        "tables/t.csv": f"tweet_id,image_url\n{snowflake(8)},https://pbs.twimg.com/media/T.jpg\n",
        "photos/holiday.png": picture(7),
    }
    parent = make_folder(members, "parent")
    make_zip("parent/y.zip", dict(x_members(POSTS[1:2])))
    with open_archive(parent) as archive:
        found = sorted(item.source_format for item in archive.items())
        assert found == ["mastodon", "plain_folder", "table", *["x_archive"] * 3]
        assert archive.warnings == ()
    assert account_js() in (parent / "force/x/data/account.js").read_text()


def test_data_files_that_nobody_knows_are_named(make_folder: Make, png: bytes) -> None:
    with open_archive(make_folder({"a.png": png, "odd.json": '{"what": 1}', "notes.txt": "x"})) as archive:
        assert len(list(archive.items())) == 1
        (warning,) = archive.warnings
    assert "1 data file" in warning
    assert "odd.json" in warning
