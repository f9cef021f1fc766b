"""What an earlier session has done, told from its journal: which rows are finished, and what is done once more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bladecheck.archives.item import Item
from bladecheck.runs.journal import FORMAT, Journal
from bladecheck.runs.resume import Again, Behind, look_back
from bladecheck.runs.rows import gone_record, header, picture_record, row_record

NAMED = {"name": "tiny", "version": "1.0.0", "sha256": "0" * 64}
IDS = {name: f"{number:02x}" * 16 for number, name in enumerate(("ok", "copy", "bad", "far", "late", "lost"), 1)}
OK, BAD, NEVER = "a" * 64, "b" * 64, "c" * 64


def row(name: str, source: str = "one.zip", **more: Any) -> dict[str, Any]:
    return row_record(IDS[name], source, Item("pictures", f"/x/{source}", member=f"{name}.jpg")) | more


def picture(sha256: str, status: str = "ok") -> dict[str, Any]:
    result = {"status": status, "decision": "clear", "reasons": [], "image": {"sha256": sha256}}
    return picture_record(sha256, result, 1, None, "2024-05-01T12:00:00Z")


def records() -> list[dict[str, Any]]:
    """A scored picture and its copy, one that can't be decoded, one known by address, one whose scoring was cut off."""
    return [
        picture(OK), row("ok", sha256=OK), row("copy", "two.zip", sha256=OK), picture(BAD, "failed"),
        row("bad", "one.zip/sub", sha256=BAD), row("far", status="remote"), row("late", sha256=NEVER),
        row("lost", "three.zip", status="failed", code="damaged", detail="Cut short."),
    ]  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.jsonl"


def write(path: Path, found: list[dict[str, Any]]) -> None:
    with Journal(path) as journal:
        journal.append([header("run", NAMED, {"name": "default", "sha256": ""}, FORMAT), *found])


def names(found: set[bytes]) -> set[str]:
    return {name for name, identity in IDS.items() if bytes.fromhex(identity) in found}


def seen(path: Path, again: Again) -> tuple[set[str], set[str]]:
    """Names of the finished rows, and the first letters of the scored pictures' hashes."""
    behind: Behind = look_back(path, again)
    return names(behind.rows), {sha256.hex()[0] for sha256 in behind.pictures}


def test_unless_asked_nothing_is_done_twice(path: Path) -> None:
    write(path, records())
    assert seen(path, Again()) == ({"ok", "copy", "bad", "far", "lost"}, {"a", "b"})
    assert Again() == Again(failed=False, remote=False, sources=frozenset())


def test_failures_are_tried_again_when_asked(path: Path) -> None:
    """Rows that failed, and pictures that can't be decoded, which may be another version's doing."""
    write(path, records())
    assert seen(path, Again(failed=True)) == ({"ok", "copy", "far"}, {"a"})


def test_addresses_are_fetched_when_asked(path: Path) -> None:
    write(path, records())
    assert seen(path, Again(remote=True)) == ({"ok", "copy", "bad", "lost"}, {"a", "b"})


@pytest.mark.parametrize(
    ("changed", "left"),
    [
        ("one.zip", {"copy", "lost"}),
        ("two.zip", {"ok", "bad", "far", "lost"}),
        ("one", {"ok", "copy", "bad", "far", "lost"}),
        ("one.zip/sub", {"ok", "copy", "far", "lost"}),
        ("zzz", {"ok", "copy", "bad", "far", "lost"}),
        ("", {"ok", "copy", "bad", "far", "lost"}),
    ],
)
def test_a_changed_input_is_read_again_with_what_lies_in_it_and_no_other(
    path: Path, changed: str, left: set[str]
) -> None:
    write(path, records())
    assert seen(path, Again(sources=frozenset((changed,)))) == (left, {"a", "b"}), "scored pictures stay scored"


def test_the_last_word_on_a_row_counts(path: Path) -> None:
    write(path, [*records(), row("lost", "three.zip", sha256=OK), row("ok", status="failed", code="vanished")])
    assert seen(path, Again(failed=True))[0] == {"copy", "far", "lost"}


def test_where_a_line_is_damaged_failed_rows_are_done_again(path: Path) -> None:
    """The damaged line may be the later one, that says they did not fail."""
    write(path, records())
    lines = path.read_bytes().splitlines(keepends=True)
    lines[3] = lines[3].replace(b"copy", b"cpoy")
    path.write_bytes(b"".join(lines))
    assert seen(path, Again()) == ({"ok"}, {"a"})


def test_what_a_damaged_container_failed_is_known_until_it_is_gone(path: Path) -> None:
    write(path, records())
    assert names(look_back(path, Again(sources=frozenset(("three.zip",)))).damaged) == {"lost"}
    assert look_back(path, Again(sources=frozenset(("one.zip",)))).damaged == set()
    with Journal(path) as journal:
        journal.append([gone_record([bytes.fromhex(IDS["lost"])])])
    behind = look_back(path, Again(sources=frozenset(("three.zip",))))
    assert (names(behind.rows), behind.damaged) == ({"ok", "copy", "bad", "far"}, set())
