"""Raw counts by month and account: per picture, per distinct picture and per post. Nothing here is corrected."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import numpy.typing as npt

from bladecheck.archives.item import DateSource
from bladecheck.errors import RunError
from bladecheck.runs.columns import Row

ALL = "all"
UNKNOWN = "unknown"
DECISIONS = ("hold", "check", "clear", "cannot_judge")
FIELDS = (
    "month", "account", "pictures", "scored", "failed", "not_available", "not_pictures", *DECISIONS, "share_hold",
    "distinct", "distinct_hold", "distinct_check", "posts", "posts_hold", "posts_check", "reposts", "reposts_hold",
    "videos", "videos_looked_at", "videos_hold", "videos_check",
)  # fmt: skip
"""Columns of the summary; docs/outputs.md says what each counts."""
RANK = {"hold": 2, "check": 1}
MASK = 2**64 - 1


class Distinct:
    """How many distinct things there are in each cell, and the highest rank of each.

    What is added lies in plain arrays, 13 bytes a piece, until it is counted: sets of a million rows take a hundred
    times that.
    """

    def __init__(self) -> None:
        self._cells, self._things, self._ranks = array("I"), array("Q"), array("B")

    def add(self, cell: int, thing: int, rank: int) -> None:
        """One more: `thing` is a short hash (64 bits)."""
        self._cells.append(cell)
        self._things.append(thing)
        self._ranks.append(rank)

    def counted(self, cells: int) -> list[tuple[int, int, int]]:
        """For each cell, and last over all of them: distinct things, and those of rank 2 and 1 at most."""
        cell, thing = np.frombuffer(self._cells, np.uint32), np.frombuffer(self._things, np.uint64)
        rank = np.frombuffer(self._ranks, np.uint8)
        order = np.lexsort((rank, thing, cell))
        last = _ends(cell[order], thing[order])
        cell_of, rank_of = cell[order][last], rank[order][last]
        found = [np.bincount(cell_of[chosen], minlength=cells) for chosen in (rank_of >= 0, rank_of == 2, rank_of == 1)]
        order = np.lexsort((rank, thing))
        over_all = rank[order][_ends(thing[order])]
        return [
            *((int(all_), int(two), int(one)) for all_, two, one in zip(*found, strict=True)),
            (len(over_all), int((over_all == 2).sum()), int((over_all == 1).sum())),
        ]


def _ends(*keys: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where, in sorted keys, the last of equal ones is."""
    last = np.ones(len(keys[0]), np.bool_)
    if len(last):
        last[:-1] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    return last


PLACES = {
    "failed": "failed",
    "remote": "not_available",
    "missing_media": "not_available",
    "video_skipped": "not_pictures",
    "not_an_image": "not_pictures",
}


class Summary:
    """Counts rows as they pass by.

    Args:
        timezone: whose months; posts near midnight fall into another month elsewhere.

    Attributes:
        placed: scored pictures of which the model says how far they lie from those that it was measured on.
        unlike: those of them that lie outside the measured range.
        examples: what the first row of each status but `ok` says of itself, where it says anything.

    Raises:
        RunError: no such time zone.
    """

    def __init__(self, timezone: str = "UTC") -> None:
        self.timezone = timezone
        self._zone = zone(timezone)
        self._cells: dict[tuple[str, str], int] = {}
        self._counts: list[Counter[str]] = []
        self._distinct, self._posts = Distinct(), Distinct()
        self.statuses: Counter[str] = Counter()
        self.decisions: Counter[str] = Counter()
        self.videos: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.examples: dict[str, str] = {}
        self.duplicates = self.near = self.rows = 0
        self.placed = self.unlike = 0
        self._clusters = bytearray()

    def add(self, row: Row) -> None:
        """Count one row."""
        key = (month(row, self._zone), row["account"] or UNKNOWN)
        cell = self._cells.setdefault(key, len(self._cells))
        if cell == len(self._counts):
            self._counts.append(Counter())
        self._add(cell, row)
        self.rows += 1
        self.statuses[row["status"]] += 1
        if row["status"] not in ("ok", "video_skipped"):
            self.errors[row["status"], row["error_code"] or row["status"]] += 1
            if row["error_detail"]:
                self.examples.setdefault(row["status"], row["error_detail"])
        if is_video(row) and row["decision"]:
            self.videos[row["decision"]] += 1
            return
        self.decisions[row["decision"] or "none"] += 1
        self.duplicates += row["duplicate_of"] is not None
        self.near += row["near_duplicate_of"] is not None and row["duplicate_of"] is None
        if row["status"] == "ok":
            self._clusters += bytes.fromhex(row["cluster"])
            self.placed += row["unlike"] is not None
            self.unlike += (row["unlike"] or 0) > 1
        if row["decision"] == "hold":
            self.kinds[row["kind"] or "not sure"] += 1

    def _add(self, cell: int, row: Row) -> None:
        """Into the counts of its month and account; reposts apart, since the account did not make them."""
        counts = self._counts[cell]
        if row["is_repost"]:
            counts["reposts"] += 1
            counts["reposts_hold"] += row["decision"] == "hold" and not is_video(row)
            return
        counts["pictures"] += 1
        if is_video(row):
            _add_video(counts, row)
            return
        if row["status"] != "ok":
            counts[PLACES[row["status"]]] += 1
            return
        counts["scored"] += 1
        counts[row["decision"]] += 1
        rank = RANK.get(row["decision"], 0)
        self._distinct.add(cell, int(row["cluster"][:16], 16), rank)
        named = (row["platform"], row["account"], row["post_id"])
        post = hash(named) & MASK if row["post_id"] else int(row["row_id"][:16], 16)
        self._posts.add(cell, post, rank)

    def lines(self) -> list[dict[str, Any]]:
        """One line per month and account, in order, then the total over all."""
        distinct, posts = self._distinct.counted(len(self._cells)), self._posts.counted(len(self._cells))
        total: Counter[str] = Counter()
        for counts in self._counts:
            total.update(counts)
        cells = [*sorted(self._cells.items()), ((ALL, ALL), -1)]
        return [_line(key, self._counts[at] if at >= 0 else total, distinct[at], posts[at]) for key, at in cells]

    def largest(self, most: int) -> list[tuple[str, int]]:
        """The clusters with most scored rows, reposts too, and how many each has; only those with more than one."""
        _, first, counts = self._grouped()
        order = np.lexsort((first, -counts))[:most]
        return [(bytes(self._clusters[32 * first[at] :][:32]).hex(), int(counts[at])) for at in order if counts[at] > 1]

    def _grouped(self) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Clusters by the first 64 bits of their hash: the value, where it came first, and how often it came."""
        hashes = np.frombuffer(bytes(self._clusters), ">u8")[::4].astype(np.uint64)
        return np.unique(hashes, return_index=True, return_counts=True)

    def counts(self) -> dict[str, Any]:
        """What run.json records."""
        return {
            "rows": self.rows,
            "status": dict(sorted(self.statuses.items())),
            "decision": dict(sorted(self.decisions.items())),
            **({"videos": dict(sorted(self.videos.items()))} if self.videos else {}),
            "exact_duplicates": self.duplicates,
            "near_duplicates": self.near,
            "distinct_pictures": len(self._grouped()[0]),
            "unlike": {"pictures": self.unlike, "of": self.placed} if self.placed else None,
        }


def is_video(row: Row) -> bool:
    """Whether a row counts as a video, looked at or not: in no count of pictures."""
    return bool(row["media_kind"] == "video")


def _add_video(counts: Counter[str], row: Row) -> None:
    """A video counts among what is no picture, as it always did; what was found in it is counted apart."""
    counts["videos"] += 1
    counts["not_pictures"] += 1
    if row["status"] == "ok":
        counts["videos_looked_at"] += 1
        for decision in ("hold", "check"):
            counts[f"videos_{decision}"] += row["decision"] == decision


def _line(
    key: tuple[str, str], counts: Counter[str], distinct: tuple[int, int, int], posts: tuple[int, int, int]
) -> dict[str, Any]:
    """One line of the summary; share_hold is None where nothing was scored."""
    found: dict[str, Any] = {name: counts[name] for name in FIELDS if name not in ("month", "account")}
    found["share_hold"] = counts["hold"] / counts["scored"] if counts["scored"] else None
    for name, (whole, hold, check) in (("distinct", distinct), ("posts", posts)):
        found |= {name: whole, f"{name}_hold": hold, f"{name}_check": check}
    return {"month": key[0], "account": key[1], **found}


def summarise(rows: Iterable[Row], timezone: str = "UTC") -> Summary:
    """Count all rows."""
    summary = Summary(timezone)
    for row in rows:
        summary.add(row)
    return summary


def zone(name: str) -> ZoneInfo:
    """A time zone by name.

    Raises:
        RunError: no such time zone.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise RunError(f"No time zone {name!r}; they are named like Europe/London.") from error


def month(row: Row, where: ZoneInfo) -> str:
    """The month as YYYY-MM in that time zone, of a row's UTC time."""
    moment = local(row, where)
    return f"{moment.year:04d}-{moment.month:02d}" if moment else UNKNOWN


def local(row: Row, where: ZoneInfo) -> datetime | None:
    """When a row was posted, in that time zone; a day without a time is that day in every zone."""
    if row["posted_at"] is None:
        return None
    moment = datetime.fromisoformat(row["posted_at"])
    return moment.replace(tzinfo=where) if row["posted_at_source"] == DateSource.DAY else moment.astimezone(where)


def months_between(first: str, last: str) -> list[str]:
    """Every month from one to the other, both included, as YYYY-MM."""
    year, number = map(int, first.split("-"))
    names = [first]
    while names[-1] < last:
        year, number = (year + 1, 1) if number == 12 else (year, number + 1)
        names.append(f"{year:04d}-{number:02d}")
    return names
