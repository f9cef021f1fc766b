"""What an earlier session of a run has done: the finished rows and the scored pictures, as compact hashes."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, field
from pathlib import Path

from bladecheck.runs import journal


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
    """The finished rows (16-byte row ids), those of them that are skipped videos, and the scored pictures (hashes)."""

    rows: set[bytes] = field(default_factory=set)
    videos: set[bytes] = field(default_factory=set)
    pictures: set[bytes] = field(default_factory=set)


def look_back(path: Path, again: Again) -> Behind:
    """Read a journal for what need not be done again.

    A row counts as finished only if its picture is: the process may have died between the two. Where lines are damaged,
    a row that failed is done again: the damaged line may be a later one that says it did not.
    """
    pictures: dict[bytes, bool] = {}
    rows: dict[bytes, bytes | None] = {}
    failed: set[bytes] = set()
    videos: set[bytes] = set()
    damaged = False
    for record in journal.read(path):
        if record is None:
            damaged = True
        elif "picture" in record:
            pictures[bytes.fromhex(record["picture"])] = record["result"]["status"] == "ok"
        elif "row" in record:
            identity = bytes.fromhex(record["row"])
            rows.pop(identity, None)
            failed.discard(identity)
            videos.discard(identity)
            if record["status"] == "video_skipped":
                videos.add(identity)
            if not _once_more(record, again):
                rows[identity] = bytes.fromhex(record["sha256"]) if record.get("sha256") else None
                if record["status"] in ("failed", "remote"):
                    failed.add(identity)
    scored = {sha256 for sha256, ok in pictures.items() if ok or not (again.failed or damaged)}
    finished = {identity for identity, sha256 in rows.items() if sha256 is None or sha256 in scored}
    return Behind(finished - failed if damaged else finished, videos, scored)


def _once_more(record: journal.Record, again: Again) -> bool:
    if again.failed and record["status"] == "failed":
        return True
    if again.remote and record["status"] == "remote":
        return True
    source: str = record["item"]["source"]
    return any(source == name or source.startswith(f"{name}/") for name in again.sources)
