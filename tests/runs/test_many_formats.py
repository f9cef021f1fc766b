"""A run over many formats at once: totals by account and month are what was drawn, in every time zone."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from archives.drawn_formats import DATED, SHARING, Drawn
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.report.page import _notes, _warnings
from bladecheck.runs.summary import summarise
from score_helpers import Score, exported

# The last half hours of months, some in summer time, some not.
MOMENTS = (
    *(datetime(2024, month, 1, tzinfo=UTC) - timedelta(minutes=30) for month in (4, 5, 11)),
    *(datetime(2024, 11, 1, hour, 30, tzinfo=UTC) for hour in (3, 4, 5)),
    datetime(2024, 3, 31, 23, 30, tzinfo=UTC),
)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Path], list[Drawn]]:
    """Each format with posts of an account of its own around the turns of months."""
    root, paths, posts = tmp_path_factory.mktemp("many"), [], []
    for number, (name, make) in enumerate(DATED.items()):
        mine = [
            Drawn(100 * number + k, f"force{number:02}", moment, repost=name in SHARING and k == 2)
            for k, moment in enumerate(MOMENTS)
        ]
        paths.append(make(root / name, mine))
        posts += mine
    return paths, posts


def test_totals_are_what_was_drawn(score: Score, drawn: tuple[list[Path], list[Drawn]], tmp_path: Path) -> None:
    paths, posts = drawn
    assert len(paths) >= 12
    score(paths, tmp_path / "run")
    rows = exported(tmp_path / "run")
    assert len(rows) == len(posts)
    for zone in ("UTC", "Europe/London", "America/New_York"):
        wanted: Counter[tuple[str, str, str]] = Counter()
        for post in posts:
            month = post.moment.astimezone(ZoneInfo(zone)).strftime("%Y-%m")
            wanted[month, post.account, "reposts" if post.repost else "pictures"] += 1
        found: Counter[tuple[str, str, str]] = Counter()
        for line in summarise(rows, zone).lines()[:-1]:
            for kind in ("pictures", "reposts"):
                found[line["month"], line["account"], kind] += line[kind]
        assert +found == wanted, zone


def test_an_account_is_one_however_it_is_written(score: Score, tmp_path: Path) -> None:
    """The run grows: a later archive writes the handle in another case, and another still."""
    paths = []
    for number, account in enumerate(("anytownpolice", "AnytownPolice", "ANYTOWNPOLICE")):
        make = DATED[("api_v1", "web_exporter", "table")[number]]
        paths.append(make(tmp_path / account, [Drawn(number, account, MOMENTS[number])]))
        score(paths, tmp_path / "run")
    assert {row["account"] for row in exported(tmp_path / "run")} == {"AnytownPolice"}
    assert {line["account"] for line in summarise(exported(tmp_path / "run"), "UTC").lines()[:-1]} == {"AnytownPolice"}


def test_an_account_is_one_by_its_lasting_name_too(score: Score, tmp_path: Path) -> None:
    """Bluesky's own export (CAR) knows the account by its DID only; a feed tells the handle."""
    pytest.importorskip("libipld")
    car = shutil.copy(Path(__file__).parents[1] / "archives/samples/bluesky/repo.car", tmp_path / "repo.car")
    did = "did:plc:fakefakefakefakefakefake"
    picture = {"fullsize": f"https://cdn.bsky.app/img/feed_fullsize/plain/{did}/other@jpeg"}
    post = {"uri": f"at://{did}/app.bsky.feed.post/3kzzz", "author": {"handle": "force.example", "did": did},
            "record": {"text": "w", "createdAt": "2024-05-01T00:00:00Z"},
            "embed": {"$type": "app.bsky.embed.images#view", "images": [picture]}}  # fmt: skip
    (tmp_path / "feed.json").write_text(json.dumps({"feed": [{"post": post}]}))
    score(Path(car), tmp_path / "run")
    assert {row["account"] for row in exported(tmp_path / "run")} == {did}
    score([Path(car), tmp_path / "feed.json"], tmp_path / "run")
    assert [row["account"] for row in exported(tmp_path / "run")] == ["force.example"] * 2


def test_notes_reach_the_report() -> None:
    session = {
        "found": "table",
        "date_order": {"date in t.csv": "month first: 1 of 2"},
        "warnings": ["one was not read"],
    }
    assert _notes([session]) == ["Dates of column date in t.csv were taken month first: 1 of 2."]
    assert _warnings([session]) == ["one was not read"]


def test_times_are_typed_as_utc_in_parquet(score: Score, pictures: Path, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    from bladecheck.runs.exports import Export
    from bladecheck.runs.exports.database import write_parquet
    from bladecheck.runs.table import Ledger

    score(pictures, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    with Ledger(folder) as ledger:
        manifest = {**folder.manifest(), "model": ledger.head["model"], "policy": ledger.head["policy"]}
        write_parquet(Export(ledger.rows, manifest, "UTC"), tmp_path / "p.parquet")
    asked = f"SELECT name, type, logical_type FROM parquet_schema('{tmp_path / 'p.parquet'}') WHERE name = 'posted_at'"
    (found,) = duckdb.sql(asked).fetchall()
    assert "isAdjustedToUTC=1" in str(found) or "UTC=true" in str(found)


def test_annotations_for_4cat(score: Score, tmp_path: Path) -> None:
    from bladecheck.runs.exports import Export
    from bladecheck.runs.exports.fourcat import write
    from bladecheck.runs.table import Ledger

    posts = [Drawn(k, "a", MOMENTS[k]) for k in range(2)]
    score(DATED["x_archive"](tmp_path / "x", posts), tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    with Ledger(folder) as ledger:
        manifest = {**folder.manifest(), "model": ledger.head["model"], "policy": ledger.head["policy"]}
        write(Export(ledger.rows, manifest, "UTC"), tmp_path / "a.csv")
    header, *lines = (tmp_path / "a.csv").read_bytes().decode("utf-8").splitlines()
    assert header == "id,bladecheck_decision,bladecheck_knife_score,bladecheck_pictures,bladecheck_model"
    assert {line.split(",")[0] for line in lines} == {post.snowflake for post in posts}
    assert {line.split(",")[3] for line in lines} == {"1"}
    assert json.loads(json.dumps(lines))
