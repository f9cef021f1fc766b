"""What the report says, gathered in one pass over the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bladecheck.runs.columns import Row
from bladecheck.runs.summary import ALL, UNKNOWN, Summary, is_video

BINS, LARGEST = 20, 10


@dataclass(slots=True)
class Facts:
    """Counts beyond the summary's: spread of scores, examples of failures, the largest groups of duplicates."""

    summary: Summary
    scores: list[int] = field(default_factory=lambda: [0] * BINS)
    examples: dict[tuple[str, str], Row] = field(default_factory=dict)
    copies: Counter[str] = field(default_factory=Counter)
    formats: Counter[str] = field(default_factory=Counter)
    dates: Counter[str] = field(default_factory=Counter)


def gather(rows: Iterable[Row], timezone: str) -> Facts:
    """Go through all rows once."""
    facts = Facts(Summary(timezone))
    for row in rows:
        facts.summary.add(row)
        facts.formats[row["source_format"]] += 1
        facts.dates[row["posted_at_source"] if row["posted_at"] else "none"] += 1
        if row["status"] != "ok":
            facts.examples.setdefault((row["status"], row["error_code"] or row["status"]), row)
            continue
        if is_video(row):
            continue
        if not row["is_repost"]:
            facts.scores[min(BINS - 1, int(row["score_knife"] * BINS))] += 1
        facts.copies[row["cluster"]] += 1
    wanted = {cluster for cluster, count in facts.copies.most_common(LARGEST) if count > 1}
    facts.copies = Counter({cluster: facts.copies[cluster] for cluster in wanted})
    return facts


def months(lines: list[dict[str, Any]]) -> list[tuple[str, dict[str, int]]]:
    """Counts by month over all accounts, without gaps between the first and the last month; unknown comes last."""
    found: dict[str, Counter[str]] = {}
    for line in lines:
        if line["month"] != ALL:
            cell = found.setdefault(line["month"], Counter())
            cell.update({name: line[name] for name in ("pictures", "scored", "hold", "check", "posts", "posts_hold")})
    unknown = found.pop(UNKNOWN, None)
    known = sorted(found)
    result = [(name, dict(found.get(name, Counter()))) for name in _between(known[0], known[-1])] if known else []
    return result + ([(UNKNOWN, dict(unknown))] if unknown else [])


def years(by_month: list[tuple[str, dict[str, int]]]) -> list[tuple[str, dict[str, int]]]:
    """Counts by year from counts by month."""
    found: dict[str, Counter[str]] = {}
    for name, cell in by_month:
        found.setdefault(name if name == UNKNOWN else name[:4], Counter()).update(cell)
    return [(name, dict(cell)) for name, cell in found.items()]


def accounts(lines: list[dict[str, Any]]) -> list[tuple[str, dict[str, int]]]:
    """Counts by account over all months, those with most pictures first."""
    found: dict[str, Counter[str]] = {}
    for line in lines:
        if line["month"] != ALL:
            cell = found.setdefault(line["account"], Counter())
            cell.update({name: line[name] for name in ("pictures", "scored", "hold", "check", "posts", "posts_hold")})
    return [
        (name, dict(cell)) for name, cell in sorted(found.items(), key=lambda pair: (-pair[1]["pictures"], pair[0]))
    ]


def _between(first: str, last: str) -> list[str]:
    year, number = map(int, first.split("-"))
    names = [first]
    while names[-1] < last:
        year, number = (year + 1, 1) if number == 12 else (year, number + 1)
        names.append(f"{year:04d}-{number:02d}")
    return names
