"""What lies beside and below: failures of img2dataset, archives in folders below, web pages, libraries' chatter."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archives.drawn_formats import Drawn, img2dataset
from archives.test_damage import PICTURES, record
from bladecheck.archives import Item, Status, open_archive
from bladecheck.cli.score import _notes
from bladecheck.errors import ArchiveError
from serving import environment
from x_drawing import tweet, write, x_members

Make = Callable[..., Path]
POSTS = [Drawn(k, "anytown", datetime(2024, 4, 30, tzinfo=UTC) + timedelta(days=k)) for k in range(3)]


def read(*paths: Path) -> tuple[list[Item], tuple[str, ...]]:
    with open_archive(list(paths)) as archive:
        return list(archive.items()), archive.warnings


def test_what_img2dataset_could_not_fetch_is_a_row(tmp_path: Path) -> None:
    """The tar has what it fetched, the Parquet file beside it all that it tried, with why it failed."""
    duckdb = pytest.importorskip("duckdb")
    folder = img2dataset(tmp_path / "shards", POSTS)
    (folder / "00000_stats.json").write_text(json.dumps({"count": 5, "successes": 3, "failed_to_download": 2}))
    tried = [(f"{post.number:09}", post.url, "words", "success", None) for post in POSTS]
    tried += [("000000008", "https://pbs.twimg.com/media/Gone.jpg", "gone", "failed_to_download", "HTTP Error 404"),
              ("000000009", None, "no address", "failed_to_download", "unknown url type")]  # fmt: skip
    with duckdb.connect(":memory:") as database:
        database.execute("CREATE TABLE t (key TEXT, url TEXT, caption TEXT, status TEXT, error_message TEXT)")
        database.executemany("INSERT INTO t VALUES (?, ?, ?, ?, ?)", tried)
        database.execute(f"COPY t TO '{folder / '00000.parquet'}' (FORMAT parquet)")
    items, warnings = read(folder)
    assert warnings == ()
    assert sum(item.status == Status.PRESENT for item in items) == len(POSTS)
    lost = [(item.status, item.media_url, item.text, item.detail) for item in items if item.status != Status.PRESENT]
    assert lost == [
        ("remote", "https://pbs.twimg.com/media/Gone.jpg", "gone", "HTTP Error 404"),
        ("missing_media", None, "no address", "unknown url type"),
    ]


def test_a_parquet_file_that_is_none_of_img2dataset_is_named(make_folder: Make, png: bytes) -> None:
    items, warnings = read(make_folder({"a.png": png, "00000.parquet": b"PAR1PAR1", "more/posts.parquet": b"PAR1"}))
    assert len(items) == 1
    assert any("00000.parquet, more/posts.parquet" in warning for warning in warnings)
    stats = {"00000_stats.json": {"failed_to_download": 1}, "00000.parquet": b"PAR1 damaged PAR1", "a.png": png}
    items, warnings = read(make_folder(stats, "other"))
    assert len(items) == 1
    assert any("00000.parquet" in warning for warning in warnings)


def zipped(path: Path, *names: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, PICTURES[name])


def test_archives_in_folders_of_nothing_but_archives_are_opened(tmp_path: Path) -> None:
    zipped(tmp_path / "2023/a.zip", "0.jpg")
    zipped(tmp_path / "2024/spring/b.zip", "1.jpg", "2.jpg")
    (tmp_path / "2024/.DS_Store").write_bytes(b"x")
    with open_archive(tmp_path) as archive:
        found = {str(item.member): item.open() for item in archive.items()}
    assert found == {name: PICTURES[name] for name in ("0.jpg", "1.jpg", "2.jpg")}


def test_archives_among_other_files_are_rows_that_say_that_they_were_not_opened(tmp_path: Path) -> None:
    """It may be anything: a backup among the documents that somebody's download holds."""
    zipped(tmp_path / "drive/backup.zip", "0.jpg")
    (tmp_path / "drive/notes.txt").write_text("words")
    (tmp_path / "1.jpg").write_bytes(PICTURES["1.jpg"])
    items, _ = read(tmp_path)
    told = {str(item.member): (str(item.status), str(item.detail)) for item in items}
    assert told["1.jpg"][0] == "present"
    assert told["drive/backup.zip"][0] == "not_an_image"
    assert "not opened" in told["drive/backup.zip"][1]


def test_an_export_in_a_folder_below_is_opened_whatever_lies_beside_it(tmp_path: Path) -> None:
    """The zip, its unpacked copy and a readme, one folder an account."""
    posts = [tweet(1, "one", "PicOneAAA01")]
    for account in ("north", "south"):
        place = tmp_path / "exports" / account
        write(place / "unpacked", x_members(posts, name=account))
        with zipfile.ZipFile(place / "twitter.zip", "w") as archive:
            for name, data in x_members([*posts, tweet(2, "two", "PicTwoAAA02")], name=account).items():
                archive.writestr(name, data if isinstance(data, bytes) else str(data))
        (place / "README.txt").write_text("words")
    items, warnings = read(tmp_path / "exports")
    assert sorted(str(item.text) for item in items) == ["one", "two"]
    assert warnings == ()


@pytest.mark.parametrize("name", ["posts.rds", "posts.feather", "posts.sqlite3", "posts.xml", "posts.jsonl.zst"])
def test_data_of_other_programs_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "1.jpg").write_bytes(PICTURES["1.jpg"])
    (tmp_path / name).write_bytes(b"data")
    _, (warning,) = read(tmp_path)
    assert name in warning


def test_archives_that_were_not_opened_are_named(tmp_path: Path) -> None:
    zipped(tmp_path / "drive/backup.zip", "0.jpg")
    (tmp_path / "drive/1.jpg").write_bytes(PICTURES["1.jpg"])
    _, (warning,) = read(tmp_path)
    assert "1 archive " in warning
    assert "drive/backup.zip" in warning


@pytest.mark.parametrize("packed", [True, False])
def test_what_cannot_be_read_in_a_folder_is_a_failed_row_and_the_rest_is_read(tmp_path: Path, packed: bool) -> None:
    write(tmp_path / "new", x_members([tweet(1, "one", "PicOneAAA01")]))
    write(tmp_path / "old", {"data/js/tweets/2013_01.js": "[]"})
    if packed:
        shutil.make_archive(str(tmp_path / "old"), "zip", tmp_path / "old")
        shutil.rmtree(tmp_path / "old")
    items, warnings = read(tmp_path)
    failed, one = sorted(items, key=lambda item: str(item.text))
    assert one.text == "one"
    with pytest.raises(ArchiveError, match="2012 to 2018"):
        failed.open()
    assert any("2012 to 2018" in warning for warning in warnings)
    with pytest.raises(ArchiveError, match="2012 to 2018"):
        read(tmp_path / ("old.zip" if packed else "old"))


def test_the_threads_download(make_folder: Make, png: bytes) -> None:
    """Posts with pictures are Threads posts; a text has an empty address and no row."""
    media = "media/posts/202405/1.png"
    posts = [
        {"media": [{"uri": media, "creation_timestamp": 1714556096, "title": "Seized \u00e2\u0080\u0094 today"}]},
        {"media": [{"uri": "", "creation_timestamp": 1714556200, "title": "words alone"}]},
    ]
    folder = "your_instagram_activity/threads"
    data = {"text_post_app_text_posts": posts}
    items, warnings = read(make_folder({f"{folder}/threads_and_replies.json": data, media: png}, "instagram-anytown"))
    assert warnings == ()
    (item,) = items
    assert (item.platform, item.status, item.text) == ("threads", "present", "Seized — today")
    assert item.posted_at == datetime.fromtimestamp(1714556096, UTC)
    assert item.extra["kind"] == "threads"


def test_telegram_as_web_pages_gives_pictures_and_says_what_is_lost(make_folder: Make, png: bytes) -> None:
    page = "<div class='message default clearfix' id='message7'><a class='photo_wrap' href='photos/p.jpg'></a></div>"
    photo = "photos/photo_1@01-05-2024_12-00-00.jpg"
    items, warnings = read(make_folder({"messages.html": page, photo: png}, "ChatExport_2024-05-01"))
    assert [(item.member, item.status, item.post_id) for item in items] == [(photo, "present", None)]
    assert any("messages.html" in warning and "JSON" in warning for warning in warnings)


def test_a_damaged_web_archive_says_nothing_on_its_own(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """warcio writes to stderr of a record that is longer than it says; what is damaged is in rows and warnings."""
    pytest.importorskip("warcio")
    records = record(0, PICTURES["0.jpg"], digest=False), record(1, PICTURES["1.jpg"], digest=False)
    (tmp_path / "a.warc").write_bytes(records[0][:-4] + b"more\r\n\r\n" + records[1])
    read(tmp_path / "a.warc")
    assert capfd.readouterr() == ("", "")


def test_libraries_are_hushed() -> None:
    program = (
        "import logging, warnings\n"
        "from bladecheck.cli.quiet import hush\n"
        "hush()\n"
        "logging.getLogger('some.library').error('chatter')\n"
        "warnings.warn('chatter')\n"
        "print('said')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], env=environment(), capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("said\n", "")


def test_the_last_lines_name_ten_notes_and_count_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever comes back to a finished run sees what its rows lack, and where the rest is said."""
    for number in range(13):
        (tmp_path / f"{number:02}.zip").write_bytes(b"")
    (tmp_path / "1.jpg").write_bytes(PICTURES["1.jpg"])
    with open_archive(tmp_path) as archive:
        list(archive.items())
        _notes(archive)
    *shown, last = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in shown] == [f"{number:02}.zip" for number in range(10)]
    assert last == "Note: 3 more notes stand in run.json."
