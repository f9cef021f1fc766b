"""Ways in which a disk or a clumsy copy damages a journal, and what must hold after each."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from bladecheck.runs.columns import Row
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.table import Ledger
from score_helpers import exported

Damage = Callable[[bytes, random.Random], bytes]


def _flip(data: bytes, pick: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(pick.choice((1, 1, 1, 5))):
        changed[pick.randrange(len(data))] ^= 1 << pick.randrange(8)
    return bytes(changed)


def _digit(data: bytes, pick: random.Random) -> bytes:
    """Another digit in place of one, which leaves the line as good JSON as before."""
    at = pick.choice([place for place, byte in enumerate(data) if byte in b"0123456789"])
    return data[:at] + bytes([pick.choice(b"0123456789")]) + data[at + 1 :]


def _cut(data: bytes, pick: random.Random) -> bytes:
    return data[: pick.randrange(len(data))]


def _zero(data: bytes, pick: random.Random) -> bytes:
    at, size = pick.randrange(len(data)), pick.choice((1, 64, 512, 4096))
    return data[:at] + bytes(len(data[at : at + size])) + data[at + size :]


def _lose_lines(data: bytes, pick: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    at = pick.randrange(len(lines))
    del lines[at : at + pick.choice((1, 1, 3))]
    return b"".join(lines)


def _swap_lines(data: bytes, pick: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    one, other = pick.randrange(len(lines)), pick.randrange(len(lines))
    lines[one], lines[other] = lines[other], lines[one]
    return b"".join(lines)


def _double_lines(data: bytes, pick: random.Random) -> bytes:
    lines = data.splitlines(keepends=True)
    at, to = pick.randrange(len(lines)), pick.randrange(len(lines))
    return b"".join([*lines[:to], lines[at], *lines[to:]])


def _shorten_line(data: bytes, pick: random.Random) -> bytes:
    at = pick.randrange(len(data))
    return data[:at] + data[at + pick.choice((1, 10, 100)) :]


DAMAGES: tuple[Damage, ...] = (_flip, _digit, _cut, _zero, _lose_lines, _swap_lines, _double_lines, _shorten_line)


def damage(run: Path, whole: bytes, seed: int) -> str:
    """Damage the journal of a run, whose bytes are `whole`; the name of what was done."""
    pick = random.Random(seed)
    kind = DAMAGES[seed % len(DAMAGES)]
    (run / "journal.jsonl").write_bytes(kind(whole, pick))
    return kind.__name__


def assert_mended(run: Path, wanted: list[Row], again: Callable[[], object]) -> None:
    """No figure is changed: what is left of the rows is as it was, and scoring brings back what is gone."""
    known = {row["row_id"]: row for row in wanted}
    with Ledger(RunFolder(run)) as ledger:
        left = [*ledger.rows()]
    for row in left:
        same = dict(known[row["row_id"]])
        # Which row is a copy of which hangs on the others, so those columns may differ while some are missing.
        for column in ("duplicate_of", "near_duplicate_of", "cluster"):
            same[column] = row[column]
        assert row == same
    again()
    assert exported(run) == wanted
