"""X archives as they come: in parts, re-zipped, damaged, without manifest; private members are never opened."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from bladecheck.archives import ArchiveLimits, Status, open_archive
from bladecheck.archives.containers.folder import FolderSource
from bladecheck.archives.containers.handles import Span
from bladecheck.archives.readers.x_archive import XArchiveReader
from bladecheck.archives.registry import ReaderRegistry

Make = Callable[..., Path]
ID = "1746827059000246273"
OTHER = "1759987526661046274"
PRIVATE = ("direct", "deleted", "account-", "email", "phone", "ip-audit", "contact", "ad-", "note-tweet", "circle")


def tweet(post_id: str, *names: str, kind: str = "photo", **more: object) -> dict[str, object]:
    media = [{"type": kind, "media_url_https": f"https://pbs.twimg.com/media/{name}", "id_str": "1"} for name in names]
    created = {"created_at": "Mon Jan 15 09:30:00 +0000 2024"}
    return {
        "tweet": {"id_str": post_id, "full_text": "words", "extended_entities": {"media": media}, **created, **more}
    }


def js(name: str, value: object) -> str:
    return f"window.YTD.{name}.part0 = {json.dumps(value, indent=1)}"


def account(name: str = "anytown_police", number: str = "9") -> str:
    return js("account", [{"account": {"username": name, "accountId": number, "email": "x@example.invalid"}}])


class Watched(FolderSource):
    """A folder that raises when a private member is opened, and remembers what was."""

    opened: set[str]

    def _stream(self, name: str) -> BinaryIO:
        assert not any(mark in name for mark in PRIVATE), f"{name} is private"
        self.opened.add(name)
        return super()._stream(name)

    def span(self, name: str) -> Span:
        assert not any(mark in name for mark in PRIVATE), f"{name} is private"
        self.opened.add(name)
        return super().span(name)


def watched(path: Path) -> Watched:
    source = Watched(path, ArchiveLimits())
    source.opened = set()
    return source


def test_private_members_are_never_opened(samples: Path) -> None:
    source = watched(samples / "x_archive" / "unzipped")
    reader = ReaderRegistry().choose(source)
    assert isinstance(reader, XArchiveReader)
    for item in reader.read(source):
        if item.opener:
            item.open()
    assert len([name for name in source.opened if name.endswith(".jpg")]) == 4


def test_a_forged_manifest_does_not_open_private_members(make_folder: Make, png: bytes) -> None:
    files = [{"fileName": "data/direct-messages.js", "globalName": "YTD.tweets.part0", "count": "1"}]
    manifest = {"dataTypes": {"tweets": {"mediaDirectory": "data/direct_messages_media", "files": files}}}
    path = make_folder(
        {
            "data/manifest.js": f"window.__THAR_CONFIG = {json.dumps(manifest)}",
            "data/account.js": account(),
            "data/tweets.js": js("tweets", [tweet(ID, "A.jpg")]),
            "data/direct-messages.js": js("direct_messages", [tweet(OTHER, "P.jpg")]),
            f"data/direct_messages_media/{ID}-A.jpg": png,
            "data/direct-message-group-headers.js": "[]",
            "data/twitter-circle-tweet.js": js("twitter_circle_tweet", [tweet(OTHER, "P.jpg")]),
            "data/deleted-tweets.js": js("deleted_tweets", [tweet(OTHER, "P.jpg")]),
        }
    )
    source = watched(path)
    items = list(ReaderRegistry().choose(source).read(source))
    assert [(item.post_id, item.status) for item in items] == [(ID, Status.MISSING_MEDIA)]


def test_only_private_members_give_no_rows(make_zip: Make, png: bytes) -> None:
    path = make_zip("dm.zip", {"data/direct-messages.js": "[]", "data/direct_messages_media/1-a.jpg": png})
    with open_archive(path) as archive:
        assert archive.reader.name == "x_archive"
        assert list(archive.items()) == []


def test_parts_in_several_zips_are_one_archive(make_zip: Make, png: bytes) -> None:
    first = make_zip(
        "twitter-1.zip",
        {
            "data/account.js": account(),
            "data/tweets.js": "\ufeff" + js("tweets", [tweet(ID, "A.jpg", "B.jpg")]) + ";\n",
            f"data/tweets_media/{ID}-A.jpg": png,
        },
    )
    second = make_zip("twitter-2.zip", {f"twitter/data/tweets_media/{ID}-B.jpg": png, "Your archive.html": "x"})
    for order in ([first, second], [second, first]):
        with open_archive(order) as archive:
            items = list(archive.items())
            assert [item.status for item in items] == [Status.PRESENT, Status.PRESENT]
            assert {item.source_path for item in items} == {str(first), str(second)}
            assert archive.describe().sentence == "X archive of @anytown_police, 2 parts, 2 pictures"


def test_two_accounts_stay_apart(make_zip: Make, png: bytes) -> None:
    paths = [
        make_zip(
            f"{name}.zip",
            {
                "data/account.js": account(name, str(number)),
                "data/tweets.js": js("tweets", [tweet(post_id, "A.jpg")]),
                f"data/tweets_media/{post_id}-A.jpg": png + bytes([number]),
            },
        )
        for number, (name, post_id) in enumerate((("first", ID), ("second", OTHER)), start=1)
    ]
    with open_archive(paths) as archive:
        assert [(item.account, item.open()[-1]) for item in archive.items()] == [("first", 1), ("second", 2)]


def test_one_folder_of_two_unpacked_archives(make_folder: Make, png: bytes) -> None:
    members: dict[str, object] = {"beside/holiday.png": png}
    for number, (name, post_id) in enumerate((("first", ID), ("second", OTHER)), start=1):
        members[f"{name}/data/account.js"] = account(name, str(number))
        members[f"{name}/data/tweets.js"] = js("tweets", [tweet(post_id, "A.jpg")])
        members[f"{name}/data/tweets_media/{post_id}-A.jpg"] = png + bytes([number])
        members[f"{name}/data/direct_messages_media/{post_id}-D.jpg"] = png
    with open_archive(make_folder(members)) as archive:
        told = [(item.account, item.member, item.open()[-1]) for item in archive.items()]
    assert told[0] == ("first", f"first/data/tweets_media/{ID}-A.jpg", 1)
    assert told[1] == ("second", f"second/data/tweets_media/{OTHER}-A.jpg", 2)
    assert [member for _, member, _ in told[2:]] == ["beside/holiday.png"]


@pytest.mark.parametrize(
    "broken",
    [
        {"tweet": None},
        {"tweet": {"id_str": None, "extended_entities": {"media": [1, None, "x"]}, "full_text": 5}},
        {"tweet": {"id_str": OTHER, "full_text": "x", "extended_entities": {"media": {"a": 1}}}},
        {"tweet": {"id_str": OTHER, "full_text": None, "entities": None, "created_at": "never"}},
        [],
        17,
        None,
    ],
)
def test_a_malformed_post_loses_no_other(make_zip: Make, png: bytes, broken: object) -> None:
    posts = [tweet(ID, "A.jpg"), broken, tweet(OTHER, "B.jpg")]
    members = {"data/account.js": account(), "data/tweets.js": js("tweets", posts)}
    media = {f"data/tweets_media/{ID}-A.jpg": png, f"data/tweets_media/{OTHER}-B.jpg": png}
    with open_archive(make_zip("x.zip", {**members, **media})) as archive:
        assert {ID, OTHER} <= {item.post_id for item in archive.items() if item.status == Status.PRESENT}


def test_broken_json_in_the_middle_and_at_the_end(make_zip: Make, png: bytes) -> None:
    text = js("tweets", [tweet(ID, "A.jpg"), tweet("1763534649553846275", "M.jpg"), tweet(OTHER, "B.jpg")])
    text = text.replace('"id_str": "1763534649553846275",', '"id_str": "17635" oops ,')
    media = {f"data/tweets_media/{ID}-A.jpg": png, f"data/tweets_media/{OTHER}-B.jpg": png}
    with open_archive(make_zip("x.zip", {"data/account.js": account(), "data/tweets.js": text, **media})) as archive:
        assert [item.post_id for item in archive.items() if item.status == Status.PRESENT] == [ID, OTHER]
        assert any("broken JSON" in warning for warning in archive.warnings)
    cut = text[: text.rindex("full_text")]
    with open_archive(make_zip("y.zip", {"data/account.js": account(), "data/tweets.js": cut, **media})) as archive:
        items = list(archive.items())
        assert [item.post_id for item in items if item.status == Status.PRESENT] == [ID, OTHER]
        assert archive.describe().counts["media that no post names"] == 1


def test_odd_but_real_values(make_zip: Make, png: bytes) -> None:
    posts = [
        tweet(ID, "A.jpg", created_at=None, full_text="RT @other: hi &lt;3"),
        tweet("20", "old.jpg", created_at="Tue Mar 21 20:50:14 +0000 2006"),
        tweet(OTHER, "v.jpg", kind="animated_gif", full_text="bad \ud83d half"),
    ]
    members = {"data/account.js": account(), "data/tweets.js": js("tweets", posts)}
    media = {f"data/tweets_media/{ID}-A.jpg": png, "data/tweets_media/20-old.jpg": png}
    film = {f"data/tweets_media/{OTHER}-zzz.mp4": b"film"}
    with open_archive(make_zip("x.zip", {**members, **media, **film})) as archive:
        first, second, third = archive.items()
    assert (str(first.posted_at)[:19], first.posted_at_source) == ("2024-01-15 09:30:00", "snowflake")
    assert first.is_repost
    assert first.text == "RT @other: hi <3"
    assert (second.post_id, str(second.posted_at)) == ("20", "2006-03-21 20:50:14+00:00")
    assert (third.status, third.media_type) == (Status.VIDEO_SKIPPED, "animated_gif")
    assert str(third.member).endswith("zzz.mp4")
    assert str(third.text).encode()


def test_stray_parts_not_in_the_manifest_are_passed_over(make_zip: Make, png: bytes) -> None:
    files = [{"fileName": "data/tweets.js"}, {"fileName": "data/tweets-part1.js"}]
    manifest = f"window.__THAR_CONFIG = {json.dumps({'dataTypes': {'tweets': {'files': files}}})}"
    path = make_zip(
        "x.zip",
        {
            "data/manifest.js": manifest,
            "data/account.js": account(),
            "data/tweets.js": js("tweets", [tweet(ID)]),
            "data/tweets-part7.js": js("tweets", [tweet(OTHER)]),
        },
    )
    with open_archive(path) as archive:
        assert archive.describe().posts == 1
        assert len(archive.warnings) == 2


def test_deleted_media_are_rows(make_zip: Make) -> None:
    path = make_zip("x.zip", {"data/account.js": account(), "data/tweets.js": js("tweets", [tweet(ID, "A.jpg")])})
    with open_archive(path) as archive:
        (item,) = archive.items()
        assert item.status == Status.MISSING_MEDIA
        assert item.media_url == "https://pbs.twimg.com/media/A.jpg"
        assert "1 picture missing" in archive.describe().sentence


def test_photos_are_found_by_stem_or_when_alone(make_zip: Make, png: bytes) -> None:
    posts = [tweet(ID, "A.jpg"), tweet(OTHER, "B.jpg", "C.jpg")]
    files = {f"data/tweets_media/{ID}-renamed.jpg": png, f"data/tweets_media/{OTHER}-C.png": png}
    members = {"data/account.js": account(), "data/tweets.js": js("tweets", posts), **files}
    with open_archive(make_zip("x.zip", members)) as archive:
        assert [(i.post_id, i.media_index, i.status) for i in archive.items()] == [
            (ID, 0, Status.PRESENT),
            (OTHER, 0, Status.MISSING_MEDIA),
            (OTHER, 1, Status.PRESENT),
        ]


def test_only_the_data_folder(samples: Path) -> None:
    with open_archive(samples / "x_archive" / "unzipped" / "data") as archive:
        assert archive.describe().images_local == 4


def test_grailbird_is_explained(make_zip: Make) -> None:
    path = make_zip("tweets.zip", {"data/js/tweets/2014_03.js": "Grailbird.data.tweets_2014_03 = []", "index.html": ""})
    with pytest.raises(Exception, match="holds no pictures"):
        open_archive(path)
