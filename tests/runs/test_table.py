"""A run put into order: later lines win wherever they stand, and what was worked out once is kept."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bladecheck.archives.item import Item
from bladecheck.runs import duplicates, near
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.hashes import Hashes
from bladecheck.runs.journal import FORMAT, Journal
from bladecheck.runs.resume import Again, look_back
from bladecheck.runs.rows import header, picture_record, row_id, row_record
from bladecheck.runs.summary import Distinct
from bladecheck.runs.table import Ledger

HEAD = header(
    "run", {"name": "tiny", "version": "1.0.0", "sha256": "0" * 64}, {"name": "d", "sha256": "1" * 64}, FORMAT
)


def row(name: str, content: str | None = None, **more: Any) -> dict[str, Any]:
    item = Item("pictures", "folder", member=f"{name}.jpg", status="present" if content else "remote")
    record = row_record(row_id("folder", item, 0), "folder", item)
    return record | ({"sha256": sha256(content)} if content else {}) | more


def picture(content: str, pdq: bytes | None = None, decision: str = "clear") -> dict[str, Any]:
    image = {"sha256": sha256(content), "format": "JPEG", "width": 61, "height": 47, "frames": 1}
    result = {"status": "ok", "decision": decision, "reasons": [], "scores": {"knife": 0.1}, "image": image}
    return picture_record(sha256(content), result, 100, (pdq.hex(), 100) if pdq else None, "2025-01-01T00:00:00Z")


def sha256(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def written(folder: Path, *records: dict[str, Any]) -> RunFolder:
    run = RunFolder(folder)
    run.create()
    with Journal(run.journal) as journal:
        journal.append([HEAD, *records])
    return run


def members(run: RunFolder) -> list[str]:
    with Ledger(run) as ledger:
        found = [one["member"] for one in ledger.rows()]
        assert len(found) == ledger.count
        return found


def test_a_row_that_was_replaced_is_gone_and_one_that_came_back_is_there(tmp_path: Path) -> None:
    gone, back, kept = row("gone"), row("back"), row("kept")
    supersedes = {"supersedes": [gone["row"], back["row"]]}
    assert members(written(tmp_path / "a", gone, back, kept | supersedes)) == ["kept.jpg"]
    assert members(written(tmp_path / "b", gone, back, kept | supersedes, back)) == ["back.jpg", "kept.jpg"]
    assert members(written(tmp_path / "c", kept | supersedes, gone)) == ["gone.jpg", "kept.jpg"]


def test_the_last_word_on_a_row_and_on_a_picture_counts(tmp_path: Path) -> None:
    run = written(
        tmp_path / "run", row("a"), picture("one"), row("a", "one"), picture("one", decision="hold"), row("b", "two")
    )
    with Ledger(run) as ledger:
        (only,) = ledger.rows()
        assert (only["member"], only["decision"], ledger.unfinished) == ("a.jpg", "hold", 1)


def test_near_duplicates_are_kept_and_only_believed_if_they_are_of_these_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near, "FEWEST", 0)
    base = bytes(range(32))
    like = bytes([base[0] ^ 1, *base[1:]])
    records = [picture("one", base), row("a", "one"), picture("two", like), row("b", "two")]
    run = written(tmp_path / "run", *records, picture("three", bytes(32)), row("c", "three"))
    grouped, asked = duplicates.grouped, list[int]()

    def counted(hashes: Any, *more: Any) -> Any:
        asked.append(len(hashes))
        return grouped(hashes, *more)

    def clusters() -> list[str | None]:
        with Ledger(run) as ledger:
            return [one["near_duplicate_of"] for one in ledger.rows()]

    monkeypatch.setattr(duplicates, "grouped", counted)
    first = clusters()
    assert first == [None, row("a")["row"], None]
    assert clusters() == first
    assert asked == [3]
    kept = run.path / near.KEPT
    kept.write_bytes(kept.read_bytes()[:-1] + b"\1")
    assert clusters() == first
    assert asked == [3, 3]  # a damaged file is not believed, and mended
    with Journal(run.journal) as journal:
        journal.append([picture("four", like), row("d", "four")])
    assert clusters() == [*first, row("a")["row"]]
    assert asked == [3, 3, 4]


def test_a_run_that_may_only_be_read_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near, "FEWEST", 0)
    run = written(tmp_path / "run", picture("one", bytes(32)), row("a", "one"))
    (run.path / near.KEPT).mkdir()
    assert members(run) == ["a.jpg"]
    assert [entry.name for entry in run.path.iterdir() if entry.name.startswith(".")] == []


def test_what_is_behind_is_known_by_the_last_word(tmp_path: Path) -> None:
    failed = row("b") | {"status": "failed", "code": "broken"}
    run = written(
        tmp_path / "run", picture("one"), row("a", "one"), failed, row("c", "two"), row("d"), failed, row("d")
    )
    behind = look_back(run.journal, Again())
    ids = {name: bytes.fromhex(row(name)["row"]) for name in "abcd"}
    assert [name for name in ids if ids[name] in behind.rows] == ["a", "b", "d"]
    assert len(behind.rows) == 3
    assert bytes.fromhex(sha256("one")) in behind.pictures
    assert bytes.fromhex(sha256("two")) not in behind.pictures
    again = look_back(run.journal, Again(failed=True, remote=True))
    assert [name for name in ids if ids[name] in again.rows] == ["a"]


@settings(deadline=None)
@given(st.lists(st.binary(min_size=16, max_size=16)), st.lists(st.binary(min_size=16, max_size=32)))
def test_hashes_are_a_set(known: list[bytes], added: list[bytes]) -> None:
    hashes = Hashes(known, loose=3)
    for value in added:
        hashes.add(value)
    expected = {*known, *(value[:16] for value in added)}
    assert len(hashes) == len(expected)
    assert all(value in hashes for value in (*known, *added))
    assert all((value in hashes) == (value in expected) for value in (bytes(16), b"\xff" * 16, b"a" + bytes(15)))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 2))))
def test_distinct_things_are_counted_as_sets_would(added: list[tuple[int, int, int]]) -> None:
    distinct = Distinct()
    best: list[dict[int, int]] = [{} for _ in range(5)]
    for cell, thing, rank in added:
        distinct.add(cell, thing + 2**63, rank)
        for found in (best[cell], best[4]):
            found[thing] = max(rank, found.get(thing, 0))
    ranks = [[*found.values()] for found in best]
    assert distinct.counted(4) == [(len(one), one.count(2), one.count(1)) for one in ranks]


def test_one_array_gives_what_many_hashes_do() -> None:
    made = np.random.default_rng(0).integers(0, 256, (50, 32), np.uint8)
    made[25:] = made[:25]
    assert duplicates.grouped(made).tolist() == duplicates.clusters([one.tobytes() for one in made]) == [*range(25)] * 2
