"""What an earlier session of a run has done: the finished rows and the scored pictures, as compact hashes."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bladecheck.errors import DamagedArchive
from bladecheck.runs import journal
from bladecheck.runs.hashes import WIDTH, Hashes, keys, latest

DAMAGED = DamagedArchive.code


@dataclass(frozen=True, slots=True)
class Again:
    """What to do once more although the journal has it.

    Attributes:
        failed: rows and pictures that failed.
        remote: rows known by address only, now that fetching is on.
        sources: inputs whose content has changed since: their rows are read again (scored pictures stay scored).
    """

    failed: bool = False
    remote: bool = False
    sources: Set[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Behind:
    """The finished rows (by row id) and the scored pictures (by sha256).

    Attributes:
        videos: ids of rows of videos that were skipped.
        damaged: ids of rows of changed inputs that a damaged container failed; what is not listed any more was mended.
    """

    rows: Hashes = field(default_factory=Hashes)
    videos: Hashes = field(default_factory=Hashes)
    pictures: Hashes = field(default_factory=Hashes)
    damaged: set[bytes] = field(default_factory=set)


def look_back(path: Path, again: Again) -> Behind:
    """Read a journal for what need not be done again.

    A row counts as finished only if its picture is: the process may have died between the two. Where lines are damaged,
    a row that failed is done again: the damaged line may be a later one that says it did not.
    """
    seen = _Seen()
    for record in journal.read(path):
        if record is None:
            seen.damaged = True
        elif "picture" in record:
            seen.pictures += bytes.fromhex(record["picture"])[:WIDTH]
            seen.judged.append(record["result"]["status"] == "ok")
        elif "row" in record:
            seen.rows += bytes.fromhex(record["row"])
            seen.shown += bytes.fromhex(record["sha256"])[:WIDTH] if record.get("sha256") else bytes(WIDTH)
            seen.states.append(
                HAS_PICTURE * bool(record.get("sha256"))
                | FAILED * (record["status"] in ("failed", "remote"))
                | ONCE_MORE * _once_more(record, again)
                | SKIPPED * (record["status"] == "video_skipped")
                | LOST * (record.get("code") == DAMAGED and _of(record, again.sources))
            )
        elif "gone" in record:
            for identity in map(bytes.fromhex, record["gone"]):
                seen.rows += identity
                seen.shown += bytes(WIDTH)
                seen.states.append(ONCE_MORE)
    return seen.behind(again)


HAS_PICTURE, FAILED, ONCE_MORE, LOST, SKIPPED = 1, 2, 4, 8, 16


@dataclass(slots=True)
class _Seen:
    """What the lines of a journal say, 33 bytes a row and 17 a picture: later lines about the same are yet to win."""

    rows: bytearray = field(default_factory=bytearray)
    shown: bytearray = field(default_factory=bytearray)
    states: bytearray = field(default_factory=bytearray)
    pictures: bytearray = field(default_factory=bytearray)
    judged: bytearray = field(default_factory=bytearray)
    damaged: bool = False

    def behind(self, again: Again) -> Behind:
        pictures, judged = keys(self.pictures), np.frombuffer(bytes(self.judged), np.bool_)
        last = latest(pictures)
        scored = pictures[last] if not (again.failed or self.damaged) else pictures[last][judged[last]]
        rows, states = keys(self.rows), np.frombuffer(bytes(self.states), np.uint8)
        last = latest(rows)
        done = (states[last] & HAS_PICTURE == 0) | np.isin(keys(self.shown)[last], scored)
        done &= states[last] & (ONCE_MORE | (FAILED if self.damaged else 0)) == 0
        skipped = states[last] & SKIPPED != 0
        lost = rows[last][states[last] & LOST != 0].tobytes()
        damaged = {lost[at : at + WIDTH] for at in range(0, len(lost), WIDTH)}
        return Behind(Hashes(rows[last][done]), Hashes(rows[last][skipped]), Hashes(scored), damaged)


def _once_more(record: journal.Record, again: Again) -> bool:
    if again.failed and record["status"] == "failed":
        return True
    if again.remote and record["status"] == "remote":
        return True
    return _of(record, again.sources)


def _of(record: journal.Record, sources: Set[str]) -> bool:
    """Whether a row is of one of these inputs."""
    source: str = record["item"]["source"]
    return any(source == name or source.startswith(f"{name}/") for name in sources)
