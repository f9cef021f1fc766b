"""Days without a time, times in a column of their own, and the ways in which tools write both."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from bladecheck.archives import Item, open_archive
from bladecheck.archives.dates import is_day, parse_date

X_ID = "1785446532510646272"
"""Of 23:10:00 on the 30th of April 2024, UTC."""


def read(tmp_path: Path, *lines: str) -> tuple[list[Item], tuple[str, ...]]:
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    with open_archive(tmp_path / "t.csv") as archive:
        return list(archive.items()), archive.warnings


def told(item: Item) -> tuple[str, str]:
    return str(item.posted_at)[:19], str(item.posted_at_source)


@pytest.mark.parametrize(
    "text",
    [
        "2024-04-30 19:10:00 EDT",
        "2024-04-30 18:10:00 CDT",
        "2024-05-01 01:10:00 CEST",
        "2024-05-01 00:10:00 BST",
        "11:10 PM · Apr 30, 2024",
        "11:10 PM - 30 Apr 2024",
        "Apr 30, 2024 · 11:10 PM UTC",
        "30 April 2024 at 23:10",
    ],
)
def test_ways_of_writing_one_moment(text: str) -> None:
    assert str(parse_date(text)) == "2024-04-30 23:10:00+00:00"
    assert not is_day(text)


@pytest.mark.parametrize("text", ["2024-05-01", "20240501", "01/05/2024", "1 May 2024", "May 1, 2024"])
def test_days(text: str) -> None:
    assert str(parse_date(text)) == "2024-05-01 00:00:00+00:00"
    assert is_day(text)


def test_a_day_is_marked_and_an_id_of_about_that_day_tells_its_time(tmp_path: Path) -> None:
    picture = "https://pbs.twimg.com/media/A.jpg"
    lines = [
        f"2024-05-01,{X_ID},{picture}?1",
        f"2024-01-05,{X_ID},{picture}?2",
        f"2024-05-02,,{picture}?3",
    ]
    items, _ = read(tmp_path, "date,tweet_id,image_url", *lines)
    assert list(map(told, items)) == [
        ("2024-04-30 23:10:00", "snowflake"),
        ("2024-01-05 00:00:00", "day"),
        ("2024-05-02 00:00:00", "day"),
    ]


@pytest.mark.parametrize(
    ("header", "line"),
    [
        ("date,time", "2024-04-30,23:10:00"),
        ("time,posted", "23:10,2024-04-30"),
        ("Date (UTC),Time (UTC)", "30/04/2024,11:10:00 PM"),
        ("created,hour", "2024-04-30,11:10 pm"),
    ],
)
def test_a_time_in_a_column_of_its_own(tmp_path: Path, header: str, line: str) -> None:
    (item,), warnings = read(tmp_path, f"{header},image_url", f"{line},https://example.org/a.jpg")
    assert told(item) == ("2024-04-30 23:10:00", "field")
    assert warnings == ()


def test_two_columns_of_a_date_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,image_url\n2024-04-30,23:10,https://example.org/a.jpg\n")
    with open_archive(tmp_path / "t.csv", mapping={"date": "a+b"}) as archive:
        (item,) = archive.items()
    assert told(item) == ("2024-04-30 23:10:00", "field")


def test_a_column_without_dates_is_not_the_date(tmp_path: Path) -> None:
    (item,), _ = read(tmp_path, "time,posted,image_url", "12 s,2024-04-30 23:10,https://example.org/a.jpg")
    assert told(item) == ("2024-04-30 23:10:00", "field")
    (item,), (warning,) = read(tmp_path, "date,image_url", "spring,https://example.org/a.jpg")
    assert told(item) == ("None", "none")
    assert "'spring'" in warning


def test_a_midnight_of_a_workbook_is_a_day(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for line in (
        ("date", "image_url"),
        (datetime(2024, 5, 1), "https://example.org/a.jpg"),
        (datetime(2024, 4, 30, 23, 10), "https://example.org/b.jpg"),
    ):
        book.active.append(line)
    book.save(tmp_path / "t.xlsx")
    with open_archive(tmp_path / "t.xlsx") as archive:
        assert list(map(told, archive.items())) == [("2024-05-01 00:00:00", "day"), ("2024-04-30 23:10:00", "field")]


def test_months_that_a_spreadsheet_took_for_days_are_suspected(tmp_path: Path) -> None:
    """American dates, opened by an Excel that puts the day first: what it could read is turned, the rest stays text."""
    openpyxl = pytest.importorskip("openpyxl")
    for late in (False, True):
        book = openpyxl.Workbook()
        book.active.append(("date", "image_url"))
        for day in range(1, 32):
            turned = day <= 12 or late
            date = datetime(2024, 1 if late else day, day if late else 1) if turned else f"01/{day}/2024"
            book.active.append((date, f"https://example.org/{day}.jpg"))
        book.save(tmp_path / "t.xlsx")
        with open_archive(tmp_path / "t.xlsx") as archive:
            assert len(list(archive.items())) == 31
            assert any("took the month for the day" in warning for warning in archive.warnings) is not late


def test_a_column_of_dates_is_known_by_its_cells(tmp_path: Path) -> None:
    """Unless its name says that they are of something else."""
    picture = "https://example.org/a.jpg"
    (item,), _ = read(tmp_path, "when,likes,image_url", f"2024-04-30 23:10,20240501,{picture}")
    assert told(item) == ("2024-04-30 23:10:00", "field")
    (item,), _ = read(tmp_path, "downloaded,user joined,image_url", f"2024-04-30 23:10,2012-01-01,{picture}")
    assert told(item) == ("None", "none")
