"""The frame: what can be drawn from a run, unit by unit, and what is not covered."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from bladecheck.errors import RunError
from bladecheck.runs.columns import Row
from bladecheck.runs.counts.draw import Stratum, band, place
from bladecheck.runs.summary import UNKNOWN, month, zone

Count = Literal["pictures", "distinct", "posts"]
COUNTS: tuple[Count, ...] = get_args(Count)
BY = ("account", "year", "month", "platform")


@dataclass(slots=True)
class Unit:
    """What is drawn and counted as one.

    Attributes:
        id: row_id of its first row.
        rows: its pictures, as row_id and sha256: one, or all those of a post.
        score: highest knife score; None where nothing could be judged.
        hold: whether the model alone would count it.
        first: whether it is the first of its cluster of look-alikes (of pictures only).
    """

    id: str
    rows: list[tuple[str, str]]
    score: float | None
    hold: bool
    first: bool
    account: str
    month: str
    platform: str

    @property
    def year(self) -> str:
        return self.month if self.month == UNKNOWN else self.month[:4]

    def where(self, by: Sequence[str]) -> str:
        """The domain it lies in, such as "anytown, 2024-03"."""
        return ", ".join(str(getattr(self, name)) for name in by)


@dataclass(slots=True)
class Frame:
    """All units, and the rows that are in none, by status, account and year."""

    units: dict[str, Unit] = field(default_factory=dict)
    left_out: Counter[tuple[str, str, str]] = field(default_factory=Counter)


def gather(rows: Iterable[Row], timezone: str, count: Count = "pictures", reposts: bool = False) -> Frame:
    """Go through all rows once.

    Args:
        rows: published rows, in their order.
        timezone: whose months.
        count: what is one unit: a picture posted, a distinct picture (first of its cluster), a post.
        reposts: whether other people's posts are in it.
    """
    frame, where, clusters = Frame(), zone(timezone), set[str]()
    for row in rows:
        account, posted = row["account"] or UNKNOWN, month(row, where)
        if row["is_repost"] and not reposts:
            frame.left_out["repost", account, posted[:4] if posted != UNKNOWN else posted] += 1
            continue
        if row["status"] == "ok" and row.get("media_kind") == "video":  # the wall gives bare rows, of pictures only
            frame.left_out["video", account, posted[:4] if posted != UNKNOWN else posted] += 1
            continue
        if row["status"] != "ok":
            frame.left_out[row["status"], account, posted[:4] if posted != UNKNOWN else posted] += 1
            continue
        first = row["cluster"] not in clusters
        clusters.add(row["cluster"])
        if count == "distinct" and not first:
            continue
        score = None if row["decision"] == "cannot_judge" else row["score_knife"]
        identity = _post(row) if count == "posts" else row["row_id"]
        known = frame.units.get(identity)
        if known is None:
            frame.units[identity] = Unit(
                row["row_id"], [(row["row_id"], row["sha256"])], score, row["decision"] == "hold", first,
                account, posted, row["platform"] or UNKNOWN,
            )  # fmt: skip
            continue
        known.rows.append((row["row_id"], row["sha256"]))
        known.hold |= row["decision"] == "hold"
        known.score = score if known.score is None else max(known.score, score or 0.0)
    frame.units = {unit.id: unit for unit in frame.units.values()}
    return frame


def _post(row: Row) -> str:
    return f"{row['platform']}\0{row['account']}\0{row['post_id']}" if row["post_id"] else str(row["row_id"])


def stratify(frame: Frame, by: Sequence[str]) -> dict[str, str]:
    """Unit to stratum: the band of its score, within its planned domain if there are any.

    Raises:
        RunError: nothing to draw from.
    """
    if not frame.units:
        raise RunError("This run has no scored picture to draw from (reposts are left out unless --reposts is given).")
    domains = {name: unit.where(by) + " / " if by else "" for name, unit in frame.units.items()}
    return {name: domains[name] + band(unit.score) for name, unit in frame.units.items()}


def strata(frame: Frame, of: Mapping[str, str]) -> list[Stratum]:
    """Size and mean score of each stratum; pictures that could not be judged are given the mean of all others."""
    sizes: Counter[str] = Counter()
    sums: dict[str, list[float]] = {}
    for name, stratum in of.items():
        sizes[stratum] += 1
        if (score := frame.units[name].score) is not None:
            sums.setdefault(stratum, []).append(score)
    known = [score for scores in sums.values() for score in scores]
    usual = sum(known) / len(known) if known else 0.5
    means = {name: sum(sums[name]) / len(sums[name]) if name in sums else usual for name in sizes}
    return [Stratum(name, size, means[name]) for name, size in sorted(sizes.items(), key=lambda pair: place(pair[0]))]


def written(of: Mapping[str, str]) -> bytes:
    """The frame as frame.csv has it: sorted, so that its sha256 is the same wherever it is made."""
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    out.writerow(("row_id", "stratum"))
    out.writerows(sorted(of.items()))
    return stream.getvalue().encode("utf-8", "replace")


def parsed(data: bytes) -> dict[str, str]:
    """Unit to stratum, from frame.csv."""
    lines = csv.reader(io.StringIO(data.decode("utf-8")))
    next(lines, None)
    return {line[0]: line[1] for line in lines if len(line) == 2}
