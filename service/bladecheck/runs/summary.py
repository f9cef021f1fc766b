"""Raw counts by month and account: per picture, per distinct picture and per post. Nothing here is corrected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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


@dataclass(slots=True)
class Cell:
    """Counts of one month and account. Sets hold short hashes, so that a long archive stays small."""

    counts: Counter[str] = field(default_factory=Counter)
    distinct: dict[int, int] = field(default_factory=dict)
    posts: dict[int, int] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count one row; reposts are counted apart, since the account did not make them."""
        if row["is_repost"]:
            self.counts["reposts"] += 1
            self.counts["reposts_hold"] += row["decision"] == "hold" and not is_video(row)
            return
        self.counts["pictures"] += 1
        if is_video(row):
            self._add_video(row)
            return
        if row["status"] != "ok":
            self.counts[PLACES[row["status"]]] += 1
            return
        self.counts["scored"] += 1
        self.counts[row["decision"]] += 1
        rank = RANK.get(row["decision"], 0)
        picture = int(row["cluster"][:15], 16)
        self.distinct[picture] = max(rank, self.distinct.get(picture, 0))
        post = (
            hash((row["platform"], row["account"], row["post_id"])) if row["post_id"] else int(row["row_id"][:15], 16)
        )
        self.posts[post] = max(rank, self.posts.get(post, 0))

    def _add_video(self, row: Row) -> None:
        """A video counts among what is no picture, as it always did; what was found in it is counted apart."""
        self.counts["videos"] += 1
        self.counts["not_pictures"] += 1
        if row["status"] == "ok":
            self.counts["videos_looked_at"] += 1
            for decision in ("hold", "check"):
                self.counts[f"videos_{decision}"] += row["decision"] == decision

    def line(self, month: str, account: str) -> dict[str, Any]:
        """One line of the summary; share_hold is None where nothing was scored."""
        counts: dict[str, Any] = {name: self.counts[name] for name in FIELDS if name not in ("month", "account")}
        counts["share_hold"] = counts["hold"] / counts["scored"] if counts["scored"] else None
        for name, found in (("distinct", self.distinct), ("posts", self.posts)):
            ranks = Counter(found.values())
            counts |= {name: len(found), f"{name}_hold": ranks[2], f"{name}_check": ranks[1]}
        return {"month": month, "account": account, **counts}


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

    Raises:
        RunError: no such time zone.
    """

    def __init__(self, timezone: str = "UTC") -> None:
        self.timezone = timezone
        self._zone = zone(timezone)
        self._cells: dict[tuple[str, str], Cell] = {}
        self._total = Cell()
        self.statuses: Counter[str] = Counter()
        self.decisions: Counter[str] = Counter()
        self.videos: Counter[str] = Counter()
        self.kinds: Counter[str] = Counter()
        self.errors: Counter[tuple[str, str]] = Counter()
        self.duplicates = self.near = self.rows = 0
        self._clusters: set[int] = set()

    def add(self, row: Row) -> None:
        """Count one row."""
        key = (month(row["posted_at"], self._zone), row["account"] or UNKNOWN)
        for cell in (self._cells.setdefault(key, Cell()), self._total):
            cell.add(row)
        self.rows += 1
        self.statuses[row["status"]] += 1
        if row["status"] not in ("ok", "video_skipped"):
            self.errors[row["status"], row["error_code"] or row["status"]] += 1
        if is_video(row) and row["decision"]:
            self.videos[row["decision"]] += 1
            return
        self.decisions[row["decision"] or "none"] += 1
        self.duplicates += row["duplicate_of"] is not None
        self.near += row["near_duplicate_of"] is not None and row["duplicate_of"] is None
        if row["status"] == "ok":
            self._clusters.add(int(row["cluster"][:15], 16))
        if row["decision"] == "hold":
            self.kinds[row["kind"] or "not sure"] += 1

    def lines(self) -> list[dict[str, Any]]:
        """One line per month and account, in order, then the total over all."""
        found = [cell.line(*key) for key, cell in sorted(self._cells.items())]
        return [*found, self._total.line(ALL, ALL)]

    def counts(self) -> dict[str, Any]:
        """What run.json records."""
        return {
            "rows": self.rows,
            "status": dict(sorted(self.statuses.items())),
            "decision": dict(sorted(self.decisions.items())),
            **({"videos": dict(sorted(self.videos.items()))} if self.videos else {}),
            "exact_duplicates": self.duplicates,
            "near_duplicates": self.near,
            "distinct_pictures": len(self._clusters),
        }


def is_video(row: Row) -> bool:
    """Whether a row counts as a video, looked at or not: in no count of pictures."""
    return bool(row["media_kind"] == "video")


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


def month(posted_at: str | None, where: ZoneInfo) -> str:
    """The month as YYYY-MM in that time zone, of a UTC time as rows have it."""
    if posted_at is None:
        return UNKNOWN
    moment = datetime.strptime(posted_at, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return moment.astimezone(where).strftime("%Y-%m")
