"""An estimate in sentences that can be printed, and as the two tables that a reader can recompute."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

from bladecheck.runs.columns import Column
from bladecheck.runs.exports.cells import guarded

UNITS = {"pictures": "pictures", "distinct": "distinct pictures", "posts": "posts"}
Figures = Mapping[str, Any]


def headline(found: Figures) -> str:
    """The sentence that a newspaper can print."""
    total, what = found["total"], UNITS[found["count"]]
    level = f"{100 * found['confidence']:g} %"
    made = f"estimated from {found['labels']['counted']:,} {what} drawn at random and labelled by hand"
    alone = f"The model alone would have said {total['model_alone']:,}."
    if total["high"] == total["low"]:
        return f"{total['yes']:,} of {total['size']:,} {what} show a knife: all were labelled by hand. {alone}"
    if total["state"] != "estimate":
        return (
            f"Too few labels for an estimate: at least {total['at_least']:,} and at most {total['at_most']:,} of "
            f"{total['size']:,} {what} show a knife ({level} interval, from {found['labels']['counted']:,} {what} "
            f"drawn at random and labelled by hand).{needed(total)} {alone}"
        )
    return (
        f"{total['estimate']:,.0f} of {total['size']:,} {what} ({level} interval {total['at_least']:,} to "
        f"{total['at_most']:,}) show a knife, {made}. {alone}"
    )


def needed(figures: Figures) -> str:
    """How many labels would do, as a further sentence, or nothing."""
    if figures["labels_needed"] is None:
        return "" if figures["state"] == "estimate" or figures["yes"] else " No knife is among the labels yet."
    return f" About {figures['labels_needed']:,} labels would do."


def sentences(found: Figures) -> list[str]:
    """Everything worth saying, the headline first."""
    total, labels = found["total"], found["labels"]
    one_sided = 100 - (100 - 100 * found["confidence"]) / 2
    said = [headline(found)]
    if total["state"] == "estimate" and total["high"] != total["low"]:
        said.append(
            f"At least {total['at_least']:,} ({one_sided:g} % sure): the lower limit is firm before the upper one."
        )
    if total["unsure"]:
        as_yes = total["unsure_as_yes"]
        said.append(
            f"{total['unsure']:,} of the labelled can't be told by a person and count as no; as yes, the estimate "
            f"would be {as_yes['estimate']:,.0f}, at most {as_yes['at_most']:,}."
        )
    if low := found["lowest"]:
        said.append(
            f"{low['yes']:,} of {low['labelled']:,} low-score {UNITS[found['count']]} showed a knife: "
            f"{low['at_least']:,} to {low['at_most']:,} of these {low['size']:,} may."
        )
        if low["one_mistake_adds"]:
            said.append(f"One mistaken yes among low scores adds {low['one_mistake_adds']:,.0f} to the total.")
    if labels["waiting"]:
        said.append(
            f"{labels['waiting']:,} of the {labels['drawn']:,} drawn wait for a label, or come after one that does."
        )
    return (
        said
        + [compared(one) for one in found["comparisons"]]
        + _agreed(found["agreement"])
        + _left(found["not_covered"])
    )


def compared(one: Figures) -> str:
    """A comparison, such as "2024 against 2023: 526 more (27 fewer to 1,145 more): these labels can't tell."."""
    gap = one["difference"]
    return (
        f"{one['after']['name']} against {one['before']['name']}: {_more(gap['estimate'])} ({_more(gap['low'])} to "
        f"{_more(gap['high'])}): {one['verdict']}."
    )


def domain(one: Figures) -> str:
    """A domain in a sentence: an estimate with its interval, or limits only."""
    if one["state"] == "estimate":
        return (
            f"{one['domain']}: {one['estimate']:,.0f} ({one['at_least']:,} to {one['at_most']:,}) of {one['size']:,}."
        )
    return (
        f"{one['domain']}: too few labels ({one['yes']:,} of {one['labelled']:,}): at least {one['at_least']:,}, at "
        f"most {one['at_most']:,}.{needed(one)}"
    )


def _more(value: float) -> str:
    return f"{abs(value):,.0f} {'fewer' if round(value) < 0 else 'more'}"


def _agreed(found: Figures | None) -> list[str]:
    if not found:
        return []
    return [
        f"Two labellers agreed on {found['agree']:,} of {found['pictures']:,} pictures "
        f"({100 * found['low']:.0f} to {100 * found['high']:.0f} %, 95 % interval)."
    ]


def _left(found: Figures) -> list[str]:
    said = []
    if parts := ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in found["by_status"].items()):
        said.append(f"Not covered: {parts}.")
    unread = sum(found["by_status"].get(status, 0) for status in ("failed", "remote", "missing_media"))
    if unread:
        said.append(
            f"If all {unread:,} that could not be read or had showed knives, the total would be {unread:,} higher."
        )
    if found["scored_after_the_draw"]:
        said.append(f"{found['scored_after_the_draw']:,} pictures came into the run after the draw: not covered.")
    if found["no_longer_in_the_run"]:
        said.append(f"{found['no_longer_in_the_run']:,} that were drawn from are no longer in the run.")
    return said


def strata_csv(found: Figures) -> str:
    """The table to recompute the total from."""
    return _table(("stratum", "N", "n", "x", "estimate", "low", "high"), found["strata"])


COLUMNS = ("domain", "state", "estimate", "low", "high", "size", "labelled", "yes", "share", "labels_needed")


def estimate_csv(found: Figures) -> str:
    """The total, each domain, and both sides of each comparison; no point where there are too few labels."""
    lines = [{"domain": "all", **found["total"]}, *found["domains"]]
    for one in found["comparisons"]:
        lines += [{"domain": one[side]["name"], **one[side]} for side in ("before", "after")]
    firm = [line if line["state"] == "estimate" else {**line, "estimate": None, "share": None} for line in lines]
    return _table(COLUMNS, firm)


def _table(columns: Sequence[str], lines: Sequence[Figures]) -> str:
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    out.writerow(columns)
    out.writerows([[_cell(line[name]) for name in columns] for line in lines])
    return stream.getvalue()


def _cell(value: Any) -> Any:
    """Numbers as they are; names of accounts guarded against spreadsheets that run them."""
    return guarded(Column("", "text", ""), value) if isinstance(value, str) else "" if value is None else value
