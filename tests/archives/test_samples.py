"""Every sample archive yields what expected.json says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bladecheck.archives import DateSource, Found, Item, Status, open_archive

SAMPLES = Path(__file__).parent / "samples"
EXPECTED = {key: value for key, value in json.loads((SAMPLES / "expected.json").read_text()).items() if key[0] != "_"}
VARIANTS = {
    "mastodon": (
        "mastodon",
        "mastodon/unpacked",
        "mastodon/archive-20240501100000-fake.zip",
        "mastodon/archive-20210501100000-fake.tar.gz",
    ),
    "instagram_dyi": (
        "instagram_dyi",
        "instagram_dyi/instagram-anytownpolice-2024-05-01-fakeAAAA",
        "instagram_dyi/instagram-anytownpolice-2024-05-01-fakeAAAA.zip",
    ),
    "facebook_dyi": (
        "facebook_dyi",
        "facebook_dyi/facebook-AnytownPolice-2024-05-01-fakeBBBB",
        "facebook_dyi/facebook-AnytownPolice-2024-05-01-fakeBBBB.zip",
    ),
    "twitter_api_v1/statuses.jsonl": ("twitter_api_v1/statuses.jsonl", "twitter_api_v1/statuses.jsonl.gz"),
    "instaloader": ("instaloader", "instaloader/anytownpolice"),
}
CASES = [(key, path) for key in EXPECTED for path in VARIANTS.get(key, (key,))]


def expected_of(key: str) -> dict[str, object]:
    """What a sample should yield, following `same_as`."""
    told = EXPECTED[key]
    return {**expected_of(told["same_as"]), **told} if "same_as" in told else told


def read(path: str) -> tuple[list[Item], Found, tuple[str, ...]]:
    with open_archive(SAMPLES / path) as archive:
        items = list(archive.items())
        for item in items:
            if item.status == Status.PRESENT:
                assert item.open() is not None
        return items, archive.describe(), archive.warnings


@pytest.mark.parametrize(("key", "path"), CASES)
def test_counts(key: str, path: str) -> None:
    wanted = expected_of(key)
    _, found, _ = read(path)
    told = {
        "posts": found.posts,
        "images_local": found.images_local,
        "images_remote": found.images_remote,
        "videos": found.videos,
        "reposts": found.reposts,
        "reposts_skipped": found.reposts,
        "link_cards_skipped": found.counts.get("link cards", 0),
        "not_images": found.not_images,
        "revisits": found.counts.get("revisits", 0),
        "failed_downloads": found.missing,
        "months": found.months,
    }
    for name, count in told.items():
        # Of several copies of an export, link cards have no row to be counted once by.
        if name in wanted and not (found.merged and name == "link_cards_skipped"):
            assert count == wanted[name], name
    if "account" in wanted:
        assert found.accounts == (wanted["account"],)


@pytest.mark.parametrize(("key", "path"), CASES)
def test_rows_are_sound(key: str, path: str) -> None:
    items, found, _ = read(path)
    assert found.rows == len(items)
    for item in items:
        assert item.status != Status.PRESENT or item.opener is not None
        assert item.opener is None or item.status in (Status.PRESENT, Status.VIDEO_SKIPPED)
        assert item.status == Status.PRESENT or item.detail
        assert item.status != Status.REMOTE or str(item.media_url).startswith("https://")
        assert item.post_id is None or isinstance(item.post_id, str)
        assert item.posted_at is None or item.posted_at.utcoffset().total_seconds() == 0  # type: ignore[union-attr]
        assert (item.posted_at is None) == (item.posted_at_source == DateSource.NONE)
        assert json.loads(json.dumps(dict(item.extra))) == dict(item.extra)
        assert len(json.dumps(dict(item.extra))) < 2000


@pytest.mark.parametrize("path", ["x_archive/unzipped", "x_archive/twitter-2024-05-01-0000000000000000fake.zip"])
def test_x_sentence(path: str) -> None:
    with open_archive(SAMPLES / path) as archive:
        sentence = "X archive of @anytown_police, 2 parts, 4 pictures, 1 video skipped, 1 repost"
        assert archive.describe().sentence == sentence
        assert archive.reader.name == "x_archive"


def test_x_ids_and_dates() -> None:
    items, _, warnings = read("x_archive/unzipped")
    local = [item for item in items if item.status == Status.PRESENT]
    assert [(i.post_id, i.media_index) for i in local] == [
        ("1746827059000246273", 0),
        ("1759987526661046274", 0),
        ("1759987526661046274", 1),
        ("1766373354501046276", 0),
    ]
    assert [str(i.posted_at) for i in local] == [
        "2024-01-15 09:30:00+00:00",
        "2024-02-20 17:05:00+00:00",
        "2024-02-20 17:05:00+00:00",
        "2024-03-09 08:00:00+00:00",
    ]
    assert "=1+1 & more" in str(local[0].text)
    assert local[0].post_url == "https://x.com/anytown_police/status/1746827059000246273"
    assert [i.is_repost for i in local] == [False, False, False, True]
    assert local[3].original_post_id == "1755000000000000000"
    video = next(item for item in items if item.status == Status.VIDEO_SKIPPED)
    assert str(video.member).endswith("1763534649553846275-BBfake2176.mp4")
    assert warnings == ()


def test_reposts_known_by_url_are_rows_that_say_so() -> None:
    items, found, _ = read("twitter_api_v1/statuses.jsonl")
    reposts = [item for item in items if item.is_repost]
    assert [item.original_post_id for item in reposts] == ["1746827059000246273"]
    assert found.by_status[Status.REMOTE] == 4
    assert found.remote_reposts == 1


def test_alt_texts_are_kept() -> None:
    for path in ("twitter_api_v2/pages.jsonl", "twitter_api_v2/flat.jsonl", "twitter_api_v2/tweets.csv"):
        assert read(path)[0][0].alt_text == "A table with items on it"
    assert read("mastodon/unpacked")[0][0].alt_text == "A table with items on it"
    assert read("bluesky/repo.car")[0][0].alt_text == "A table"
    assert read("snscrape/tweets.jsonl")[0][0].alt_text == "A table"


def test_fourcat_zip_ties_pictures_to_posts() -> None:
    items, _, _ = read("4cat/image-downloader-fabricated.zip")
    assert max(len(item.extra.get("post_ids", [1])) for item in items) == 2  # type: ignore[arg-type]
    failed = next(item for item in items if item.status == Status.MISSING_MEDIA)
    assert failed.post_id == "1775263181829046277"
    assert "could not download" in str(failed.detail)


def test_gallery_dl_with_and_without_sidecar() -> None:
    items, _, _ = read("gallery_dl")
    assert sum(item.post_id is not None for item in items) == 3
    bare = next(item for item in items if item.post_id is None)
    assert (bare.platform, bare.account, str(bare.posted_at)[:10]) == ("bluesky", "anytown.example", "2024-03-01")
    assert bare.posted_at_source == DateSource.DAY


def test_meta_downloads_mend_text_and_drop_places() -> None:
    for path in ("instagram_dyi", "facebook_dyi"):
        items, _, _ = read(path)
        assert any("tonight’s weapons sweep 🔪" in str(item.text) for item in items)
        assert "53.38" not in repr(items)
        assert "203.0.113" not in repr(items)
    assert any(item.extra.get("gps_in_metadata") for item in read("instagram_dyi")[0])


def test_web_archive_goes_by_bytes() -> None:
    for path in ("warc/sample.warc.gz", "warc/sample.wacz"):
        with open_archive(SAMPLES / path) as archive:
            items = list(archive.items())
            pictures = [item.open()[:4] for item in items if item.status == Status.PRESENT]
        told = {str(item.media_url).rsplit("/", 1)[-1]: item.status for item in items}
        assert told["lying.jpg"] == Status.NOT_AN_IMAGE
        assert told["RES.png"] == Status.PRESENT
        assert pictures == [b"\xff\xd8\xff\xe0", b"\x89PNG", b"\xff\xd8\xff\xe0"]
        assert all(item.collected_at for item in items)


def test_plain_folder() -> None:
    items, found, _ = read("plain_folder")
    assert len(items) == 15
    assert {str(i.member) for i in items} >= {"truncated.jpg", "empty.jpg", "noextension", "iphone.heic"}
    assert set(found.ignored_names) == set(EXPECTED["plain_folder"]["ignored"])
    named = next(i for i in items if i.post_id)
    assert (named.post_id, named.posted_at_source) == ("1746827059000246273", DateSource.SNOWFLAKE)
    assert str(named.posted_at)[:10] == "2024-01-15"


def test_bluesky_blob_lies_beside_the_repository() -> None:
    (item,) = read("bluesky/repo.car")[0]
    assert item.status == Status.PRESENT
    assert (item.account, item.post_id) == ("anytown.example", "3kmabcdefgh2a")
    assert item.post_url == "https://bsky.app/profile/anytown.example/post/3kmabcdefgh2a"


def test_auto_archiver_hash_is_padded() -> None:
    item = read("auto_archiver/sheet.csv")[0][0]
    (found,) = item.extra["perceptual_hashes"]  # type: ignore[misc]
    assert found == "00" + "f" * 62


def test_tables_show_their_mapping_and_warn_of_excel() -> None:
    items, found, _ = read("csv_of_urls/urls.csv")
    assert found.mapping == {"url": "image_url", "post_id": "post_id", "account": "account", "date": "date"}
    assert [str(item.posted_at)[:10] for item in items] == ["2024-01-15", "2024-02-20", "2024-02-20"]
    items, _, warnings = read("csv_of_urls/mangled_by_excel.csv")
    assert [item.post_id for item in items] == [None]
    assert "lost digits in Excel" in warnings[0]
    assert "Text" in warnings[0]


def test_archives_beside_their_unpacked_copy_are_not_counted_twice() -> None:
    items, found, _ = read("mastodon")
    alone, _, _ = read("mastodon/unpacked")
    assert {(i.post_id, i.media_index) for i in items} == {(i.post_id, i.media_index) for i in alone}
    assert (len(items), found.merged) == (len(alone), 2 * len(alone))
