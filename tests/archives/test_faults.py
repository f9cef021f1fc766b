"""The archives that the shared generators of faults draw: the rows are what they say they drew."""

from __future__ import annotations

import runpy
import sys
from collections import Counter
from pathlib import Path

import pytest

from bladecheck.archives import Item, open_archive

GENERATORS = ("make_cases", "make_platforms", "two_exports", "two_exports_lost", "warc_plain_gzip", "warc_revisit")


@pytest.fixture(scope="module")
def drawn(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, before = tmp_path_factory.mktemp("faults"), (sys.argv, [*sys.path])
    try:
        for name in GENERATORS:
            target = root / name / ("r.warc" if name == "warc_revisit" else "")
            target.parent.mkdir(exist_ok=True)
            target.mkdir(exist_ok=True) if name != "warc_revisit" else None
            sys.argv = [name, str(target)]
            runpy.run_path(str(shared / "faults" / f"{name}.py"), run_name="__main__")
    finally:
        sys.argv, sys.path[:] = before
    return root


def rows(*paths: Path) -> list[Item]:
    with open_archive(list(paths)) as archive:
        return list(archive.items())


# Rows by status, how many of them reposts, and the days of the posts (none: no date is told).
CASES: dict[str, tuple[dict[str, int], int, list[str]]] = {
    "make_cases/telegram": ({"present": 4, "missing_media": 1}, 1, ["2024-04-30"] * 4 + ["2024-05-02"]),
    "make_cases/twe": ({"remote": 3}, 1, ["2024-04-30"] * 3),
    "make_cases/twe_csv": ({"remote": 3}, 1, ["2024-04-30"] * 3),
    "make_cases/twe_media": ({"present": 3}, 0, ["2024-04-15", "2024-04-18", "2024-04-21"]),
    "make_cases/takeout": ({"present": 2}, 0, ["2009-11-16"] * 2),
    "make_cases/00000.tar": ({"present": 3}, 0, []),
    "make_cases/ids_formula.csv": ({"remote": 3}, 0, ["2024-05-01"] * 3),
    "make_cases/ids_mixed.csv": ({"remote": 4}, 0, ["2024-05-01"] * 4),
    "make_cases/ids_comma.csv": ({"remote": 2}, 0, ["2024-05-01"] * 2),
    "make_cases/us_dates": ({"present": 6}, 0, ["2024-01-25", "2024-02-03", "2024-03-04", "2024-04-05", "2024-05-06",
                                               "2024-06-07"]),
    "make_cases/mcl.csv": ({"missing_media": 3}, 0, ["2024-05-01", "2024-05-02", "2024-05-03"]),
    "make_cases/reddit.ndjson": ({"remote": 3}, 0, ["2024-04-30"] * 3),
    "make_cases/graphql_page.json": ({"remote": 1}, 0, ["2024-04-30"]),
    "make_cases/bsky_feed.json": ({"remote": 1}, 0, ["2024-04-30"]),
    "make_cases/bsky_thread.json": ({"remote": 1}, 0, ["2024-04-30"]),
    "make_cases/bsky_posts.jsonl": ({"remote": 1}, 0, ["2024-04-30"]),
    "make_cases/tiktok": ({"missing_media": 1}, 0, ["2024-05-01"]),
    "make_cases/table_both": ({"present": 3}, 0, ["2024-05-01", "2024-05-02", "2024-05-03"]),
    "make_platforms/fb": ({"present": 1, "remote": 1}, 0, ["2024-04-30", "2024-05-01"]),
    "warc_plain_gzip/plain.warc": ({"present": 3}, 0, []),
    "warc_plain_gzip/members.warc.gz": ({"present": 3}, 0, []),
    "warc_plain_gzip/whole.warc.gz": ({"present": 3}, 0, []),
    "warc_revisit/r.warc": ({"present": 2}, 0, []),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_rows_are_what_was_drawn(drawn: Path, name: str) -> None:
    statuses, reposts, days = CASES[name]
    found = rows(drawn / name)
    assert Counter(str(item.status) for item in found) == statuses
    assert sum(bool(item.is_repost) for item in found) == reposts
    assert sorted(item.posted_at.strftime("%Y-%m-%d") for item in found if item.posted_at) == days


def test_all_of_it_at_once_loses_and_gains_nothing(drawn: Path) -> None:
    """Told more than once: Bluesky's post in three files, twitter-web-exporter's three in two and beside their media,
    the three pictures of a WARC packed in three ways, and one post of two tables.
    """
    found = rows(*(drawn / name for name in CASES))
    wanted = sum((Counter(statuses) for statuses, _, _ in CASES.values()), Counter[str]())
    wanted -= Counter(remote=2 + 3 + 3 + 1, present=2 * 3)
    assert Counter(str(item.status) for item in found) == wanted


def test_month_first_is_told_by_one_late_date(drawn: Path) -> None:
    found = rows(drawn / "make_cases/late_month_first.csv")
    assert len(found) == 601
    told = {item.post_id: item.posted_at for item in found}
    for number in range(600):
        moment = told[f"t{number}"]
        assert moment is not None
        assert (moment.month, moment.day) == (1 + number % 12, 1 + number * 5 % 12)


@pytest.mark.parametrize("order", [("old", "new"), ("new", "old"), ("old", "new", "twitter-old.zip"), (".",)])
def test_two_exports_of_one_account(drawn: Path, order: tuple[str, ...]) -> None:
    found = rows(*(drawn / "two_exports" / name for name in order))
    assert sorted((item.text, str(item.status)) for item in found) == [(f"post {k}", "present") for k in (1, 2, 3, 40)]


def test_two_exports_lose_nothing(drawn: Path) -> None:
    found = rows(drawn / "two_exports_lost/old", drawn / "two_exports_lost/new")
    assert sorted((item.text, str(item.status), bool(item.is_repost)) for item in found) == [
        ("RT @OtherForce: knife", "present", True),
        ("X left this out", "missing_media", False),
        ("common", "present", False),
        ("two", "present", False),
        ("two", "present", False),
    ]


def test_an_x_archive_with_edits_quotes_and_shares(drawn: Path) -> None:
    found = rows(drawn / "make_platforms/x", drawn / "make_platforms/x2")
    told = {str(item.text).split(" ")[0]: item for item in found}
    assert len(told) == len(found) == 7
    assert [word for word, item in told.items() if item.is_repost] == ["RT", "community"]
    assert [word for word, item in told.items() if item.is_quote] == ["Quote"]
    assert told["Quote"].quoted_id == "1780000000000000001"
    assert told["Knife"].text == "Knife seized typo fixed"
    assert len(told["Knife"].edits) == 2
