"""The law of merging, format by format: any split, order or repetition of archives gives the same set of rows."""

from __future__ import annotations

import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from archives.conftest import picture
from archives.drawn_formats import DATED, SHARING, Drawn, img2dataset, takeout
from bladecheck.archives import Item, open_archive

SAMPLES = Path(__file__).parent / "samples"
FORMATS = {**DATED, "takeout": takeout, "img2dataset": img2dataset}
COUNT = 5


def told(item: Item) -> tuple[object, ...]:
    """What a row says, without where it was found."""
    bytes_ = item.open() if item.opener else b""
    return (item.source_format, item.platform, item.account, item.post_id, item.posted_at, item.text, item.is_repost,
            item.media_url, item.alt_text, item.status, bytes_)  # fmt: skip


def rows(*paths: Path) -> list[tuple[object, ...]]:
    with open_archive(list(paths)) as archive:
        found = sorted(map(told, archive.items()), key=repr)
        assert archive.describe().rows == len(found)
        return found


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_split_order_or_repetition(name: str, data: st.DataObject) -> None:
    """Given one by one, as the folder that they lie in, or beside the whole of it."""
    posts = [
        Drawn(k, "force", datetime(2024, 3, 1, tzinfo=UTC) + timedelta(days=5 * k), repost=name in SHARING and k == 2)
        for k in range(COUNT)
    ]
    one = st.lists(st.integers(0, COUNT - 1), min_size=1, unique=True)
    parts = data.draw(st.lists(one, min_size=1, max_size=3))
    rest = [k for k in range(COUNT) if not any(k in part for part in parts)]
    parts += [rest] if rest else []
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        whole = FORMATS[name](root / "whole", posts)
        split = [FORMATS[name](root / "parts" / f"p{k}", [posts[n] for n in part]) for k, part in enumerate(parts)]
        order = data.draw(st.permutations([*split, *split[:1]]))
        wanted = rows(whole)
        assert len(wanted) == COUNT
        assert rows(*order) == wanted
        assert rows(root / "parts") == wanted
        assert rows(whole, *order) == wanted


WITH_POSTS = (
    *("x_archive/unzipped", "twitter_api_v1/statuses.jsonl", "twitter_api_v1/statuses.jsonl.gz"),
    *("twitter_api_v2/pages.jsonl", "twitter_api_v2/flat.jsonl", "twitter_api_v2/tweets.csv", "snscrape/tweets.jsonl"),
    *("twscrape/tweets.jsonl", "mastodon/unpacked", "warc/sample.warc.gz"),
    *("4cat/twitterv2-export.csv", "4cat/zeeschuimer-export-x.ndjson", "4cat/image-downloader-fabricated.zip"),
    *("instagram_dyi/instagram-anytownpolice-2024-05-01-fakeAAAA", "crowdtangle", "auto_archiver", "yt_dlp"),
    *("facebook_dyi/facebook-AnytownPolice-2024-05-01-fakeBBBB", "warc/sample.wacz", "instaloader/anytownpolice"),
)


@pytest.mark.parametrize("name", WITH_POSTS)
def test_a_copy_adds_nothing(name: str, tmp_path: Path) -> None:
    for copy in ("a", "b"):
        target = tmp_path / copy / Path(name).name
        target.parent.mkdir()
        shutil.copytree(SAMPLES / name, target) if (SAMPLES / name).is_dir() else shutil.copy(SAMPLES / name, target)
    alone, copies = SAMPLES / name, [tmp_path / copy / Path(name).name for copy in "ab"]
    wanted = rows(alone)
    assert wanted
    assert rows(*copies) == rows(*reversed(copies)) == rows(tmp_path) == rows(tmp_path, alone) == wanted


def table(folder: Path, lines: str, **files: int) -> Path:
    folder.mkdir(parents=True)
    (folder / "t.csv").write_text(lines)
    for name, seed in files.items():
        (folder / f"{name}.png").write_bytes(picture(seed) + bytes(seed))
    return folder


def test_a_table_of_files_and_its_copy(tmp_path: Path) -> None:
    """Neither a platform nor ids that tell: the line and the size of the file do."""
    lines = "file,account,date\na.png,force,2024-05-01\nb.png,force,2024-05-02\n"
    parts = [table(tmp_path / part, lines, a=1, b=2) for part in ("p", "q")]
    assert len(rows(*parts)) == len(rows(tmp_path)) == 2


def test_the_same_line_beside_another_file_is_another_picture(tmp_path: Path) -> None:
    """Folders of two collections, each with its own a.png."""
    lines = "file,account,date\na.png,force,2024-05-01\n"
    parts = [table(tmp_path / part, lines, a=seed) for part, seed in (("p", 1), ("q", 2))]
    assert len(rows(*parts)) == len(rows(tmp_path)) == 2


def test_files_of_one_post_split_over_two_tables_stay_two(tmp_path: Path) -> None:
    """One line a picture: no line tells the place in the post, and the file's name does."""
    head = "tweet_url,file\n"
    address = "https://x.com/force/status/1785000000000000001"
    parts = [
        table(tmp_path / "p", f"{head}{address},a.png\n{address},b.png\n", a=1, b=2),
        table(tmp_path / "q", f"{head}{address},b.png\n{address},c.png\n", b=2, c=3),
    ]
    assert len(rows(*parts)) == len(rows(*reversed(parts))) == len(rows(tmp_path)) == 3


def test_long_ids_of_an_unnamed_platform_tell_where_file_or_address_agree(tmp_path: Path) -> None:
    first = table(tmp_path / "p", "id,file,likes\n123456789,a.png,5\n123456790,b.png,1\n", a=1, b=2)
    later = table(tmp_path / "q", "id,file,likes\n123456789,a.png,9\n123456789,c.png,9\n", a=1, c=3)
    assert len(rows(first, later)) == len(rows(tmp_path)) == 3


def test_a_list_of_addresses_in_a_folder_is_named_as_not_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(picture(1))
    (tmp_path / "urls.txt").write_text("https://pbs.twimg.com/media/A.jpg\n")
    (tmp_path / "notes.txt").write_text("see https://example.org\n")
    with open_archive(tmp_path) as archive:
        assert len(list(archive.items())) == 1
        (warning,) = archive.warnings
    assert "1 data file" in warning
    assert "urls.txt" in warning


ON_X = ("x_archive", "web_exporter", "web_exporter_csv", "graphql", "api_v1", "table", "gallery_dl")


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_same_posts_in_several_formats(data: st.DataObject) -> None:
    """Whatever formats hold them and in whatever order: one row each, with all that any of them tells."""
    posts = [
        Drawn(k, "force", datetime(2024, 3, 1, tzinfo=UTC) + timedelta(days=5 * k), repost=k == 2) for k in range(3)
    ]
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        paths = [FORMATS[name](root / "parts" / name, posts) for name in ON_X]
        wanted = rows(root / "parts")
        assert [row[6] for row in sorted(wanted, key=lambda row: str(row[4]))] == [False, False, True]
        assert all(row[8] == "A knife on a desk" and row[10] for row in wanted)
        assert rows(*data.draw(st.permutations(paths))) == wanted
        some = data.draw(st.lists(st.sampled_from(paths), min_size=2, unique=True))
        assert len(rows(*some)) == len(posts)


def test_the_folder_of_all_samples_holds_what_they_hold() -> None:
    folders = sorted(path for path in SAMPLES.iterdir() if path.is_dir())
    assert rows(SAMPLES) == rows(*folders) == rows(*reversed(folders))
