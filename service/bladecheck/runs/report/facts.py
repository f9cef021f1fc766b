"""What the report says, gathered in one pass over the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bladecheck.runs.columns import Row
from bladecheck.runs.summary import ALL, UNKNOWN, Summary, is_video, months_between

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
    facts.copies = Counter(dict(facts.summary.largest(LARGEST)))
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
    result = [(name, dict(found.get(name, Counter()))) for name in months_between(known[0], known[-1])] if known else []
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
