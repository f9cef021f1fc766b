"""From a drawn sample and its labels to totals: overall, by domain, and compared."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bladecheck.errors import RunError
from bladecheck.runs.counts import windows
from bladecheck.runs.counts.agreement import agreement
from bladecheck.runs.counts.draw import BANDS, Stratum, place
from bladecheck.runs.counts.frame import Count, Frame, Unit
from bladecheck.runs.counts.labels import Answer, Labels
from bladecheck.runs.counts.limits import CONFIDENCE, Cell, Interval, difference, normal, ratio, total
from bladecheck.runs.counts.sample import LABELS, Sample
from bladecheck.runs.summary import UNKNOWN

SCHEMA = "bladecheck-estimate/1"
GONE = "no longer in the run"
Chosen = Callable[[Unit], bool]


@dataclass(frozen=True, slots=True)
class Options:
    """What to estimate.

    Attributes:
        by: domains to break the total down by, such as account and month.
        compare: pairs of windows or accounts; each is set against the one before it.
        confidence: of the intervals, 0 to 1.
        count: what is counted; distinct pictures can be had from a sample of pictures, too.
    """

    by: tuple[str, ...] = ()
    compare: tuple[str, ...] = ()
    confidence: float = CONFIDENCE
    count: Count = "pictures"


class Counted:
    """A sample with its answers: which units count in each stratum, and the cells of any part of the frame.

    Raises:
        RunError: nothing is labelled yet.
    """

    def __init__(self, sample: Sample, frame: Frame, labels: Labels, count: Count) -> None:
        self.sample, self.labels, self.units = sample, labels, frame.units
        self.only_first = count == "distinct" and sample.count == "pictures"
        drawn = sample.drawn_counts
        self.answers: dict[str, Answer] = {}
        for stratum, units in sample.ranked().items():
            self.answers |= self._prefix(units[: drawn[stratum]])
        if not self.answers:
            raise RunError(f"Nothing is labelled in {sample.path} yet: bladecheck review {sample.path.parent}")
        self.waiting = sum(drawn.values()) - len(self.answers)
        self.scores = {one.name: one.score for one in sample.strata}

    def _prefix(self, units: Sequence[str]) -> dict[str, Answer]:
        """Answers up to the first gap, in the order of the draw: what is answered beyond it was not chosen by it."""
        found: dict[str, Answer] = {}
        for name in units:
            unit = self.units.get(name)
            answer = self.labels.unit(unit) if unit else None
            if answer is None:
                break
            found[name] = answer
        return found

    def cells(self, *, unsure: bool = False) -> list[Cell]:
        """N, n and x by stratum over the whole frame; `unsure` counts can't tell as yes."""
        return self.grouped(lambda unit: "", unsure=unsure).get("", [])

    def everywhere(self) -> list[Cell]:
        """N, n and x of whole strata, those that are not the first of their look-alikes among them."""
        counts: dict[str, list[int]] = {}
        for name, stratum in self.sample.frame.items():
            answer = self.answers.get(name)
            _add(counts.setdefault(stratum, [0, 0, 0]), (1, answer is not None, answer == "yes"))
        return [Cell(name, *numbers) for name, numbers in counts.items()]

    def part(self, chosen: Chosen) -> list[Cell]:
        """N, n and x by stratum, of the units that are chosen."""
        return self.grouped(lambda unit: "" if unit and chosen(unit) else None).get("", [])

    def grouped(self, key: Callable[[Unit | None], str | None], *, unsure: bool = False) -> dict[str, list[Cell]]:
        """Cells by group, in one pass; units whose key is None are in none.

        A stratum without labels in a group takes the share of yes of the whole stratum, else the model's scores, as its
        point, and 0 and N as its limits.
        """
        tallies: dict[str, dict[str, list[int]]] = {}
        everywhere: dict[str, list[int]] = {}
        for name, stratum in self.sample.frame.items():
            answer = self.answers.get(name)
            counts = (1, answer is not None, answer == "yes" or (unsure and answer == "unsure"))
            _add(everywhere.setdefault(stratum, [0, 0, 0]), counts)
            unit = self.units.get(name)
            if self.only_first and (unit is None or not unit.first):
                continue
            group = key(unit)
            if group is not None:
                _add(tallies.setdefault(group, {}).setdefault(stratum, [0, 0, 0]), counts)
        usual = {name: yes / n if n else self.scores[name] for name, (_, n, yes) in everywhere.items()}
        return {
            group: [
                Cell(name, counts[0], counts[1], counts[2], usual[name])
                for name, counts in sorted(parts.items(), key=lambda pair: place(pair[0]))
            ]
            for group, parts in sorted(tallies.items())
        }


def _add(tally: list[int], counts: Sequence[int]) -> None:
    for column, count in enumerate(counts):
        tally[column] += count


def estimate(sample: Sample, frame: Frame, labels: Labels, options: Options) -> dict[str, Any]:
    """Everything that `estimate.json` holds, but the looks and the sentences.

    Raises:
        RunError: nothing labelled, an unknown comparison, or a count that this sample can't give.
    """
    if options.count != sample.count and not (options.count == "distinct" and sample.count == "pictures"):
        raise RunError(
            f"{sample.path} is a sample of {sample.count}; to count {options.count}, draw one: "
            f"bladecheck review {sample.path.parent} --count {options.count} --labels 1000."
        )
    counted = Counted(sample, frame, labels, options.count)
    cells, level = counted.cells(), options.confidence
    pairs = [pair for text in options.compare for pair in _pairs(text, frame)]
    drawn = sample.drawn()
    found: dict[str, Any] = {
        "schema": SCHEMA,
        "run_id": sample.plan["run_id"],
        "count": options.count,
        "confidence": level,
        "options": {"by": list(options.by), "compare": list(options.compare)},
        "total": {**figures(cells, level), **_unsure(counted, level), "model_alone": _held(counted)},
        "strata": [_stratum(cell, level) for cell in cells],
        "lowest": _lowest(cells, level),
        "domains": _domains(counted, options),
        "comparisons": [_compared(counted, *pair, level, len(pairs), sample.plan["looks"]) for pair in pairs],
        "comparisons_made": len(pairs),
        "labels": _of_labels(counted, drawn),
        "agreement": agreement(frame.units, drawn, labels),
        "not_covered": _not_covered(counted, frame),
        "cross_check": _cross_check(cells),
        "draw": {
            name: sample.plan[name] for name in ("seed", "seed_from", "frame_sha256", "frame_units", "by", "looks")
        },
        "codebook_sha256": sample.codebook_sha256,
        "warnings": [text for pair in pairs for text in _gaps(pair, frame)],
    }
    return found


def figures(cells: Sequence[Cell], level: float) -> dict[str, Any]:
    """Estimate, limits, share of what was scored, and whether that is enough to print as an estimate."""
    got = total(cells, level)
    size, labelled = sum(cell.size for cell in cells), sum(cell.labelled for cell in cells)
    state = "estimate" if _firm(got) else "too few labels"
    return {
        "state": state,
        "estimate": got.estimate,
        "low": got.low,
        "high": got.top,
        "at_least": math.floor(got.low + 1e-9),
        "at_most": math.ceil(got.top - 1e-9),
        "size": size,
        "labelled": labelled,
        "yes": sum(cell.yes for cell in cells),
        "share": got.estimate / size if size else None,
        "share_low": got.low / size if size else None,
        "share_high": got.top / size if size else None,
        "labels_needed": None if state == "estimate" else _needed(cells),
    }


def _firm(got: Interval) -> bool:
    """Worth printing: away from nothing, and no wider to a side than it is high, on average; or known exactly."""
    return got.top == got.low or (got.low > 0 and (got.top - got.low) / 2 <= got.estimate)


def _needed(cells: Sequence[Cell]) -> int | None:
    """About how many labels within this part would do, made as those there are; None where no yes is to be expected."""
    labelled, expected = sum(cell.labelled for cell in cells), sum(cell.estimate for cell in cells)
    size = sum(cell.size for cell in cells)
    if expected <= 0 or not size:
        return None
    strata = [Stratum(cell.name, cell.size, cell.estimate / cell.size) for cell in cells if cell.size]
    for wanted in _growing(max(labelled, 1), size):
        spread = 0.0
        for stratum, cell in zip(strata, (cell for cell in cells if cell.size), strict=True):
            share = cell.labelled / labelled if labelled else cell.size / size
            spread += stratum.spread(min(stratum.size, max(1, round(wanted * share))))
        if math.sqrt(spread) <= expected:
            return wanted
    return size


def _growing(start: int, end: int) -> Iterable[int]:
    wanted = float(start)
    while wanted < end:
        yield math.ceil(wanted)
        wanted *= 1.15
    yield end


def _unsure(counted: Counted, level: float) -> dict[str, Any]:
    unsure = sum(answer == "unsure" for answer in counted.answers.values())
    if not unsure:
        return {"unsure": 0, "unsure_as_yes": None}
    got = total(counted.cells(unsure=True), level)
    return {"unsure": unsure, "unsure_as_yes": {"estimate": got.estimate, "at_most": math.ceil(got.top - 1e-9)}}


def _held(counted: Counted) -> int:
    units = (counted.units.get(name) for name in counted.sample.frame)
    return sum(unit.hold for unit in units if unit and (unit.first or not counted.only_first))


def _stratum(cell: Cell, level: float) -> dict[str, Any]:
    low, high = cell.limits(level)
    return {"stratum": cell.name, "N": cell.size, "n": cell.labelled, "x": cell.yes, "estimate": cell.estimate,
            "low": low, "high": high}  # fmt: skip


def _lowest(cells: Sequence[Cell], level: float) -> dict[str, Any]:
    """The lowest band printed apart: what the model passes over; and what one mistaken yes there would add."""
    low = [cell for cell in cells if cell.name.endswith(BANDS[0][0])]
    each = max((cell.size / cell.labelled for cell in low if cell.labelled), default=None)
    return {**figures(low, level), "one_mistake_adds": each} if low else {}


def _domains(counted: Counted, options: Options) -> list[dict[str, Any]]:
    """One entry for each domain that `by` makes, in order."""
    if not options.by:
        return []
    found = counted.grouped(lambda unit: unit.where(options.by) if unit else GONE)
    names = {unit.where(options.by): [getattr(unit, name) for name in options.by] for unit in counted.units.values()}
    return [
        {"domain": domain, **dict(zip(options.by, names.get(domain, [GONE] * len(options.by)), strict=True)),
         **figures(cells, options.confidence)}
        for domain, cells in found.items()
    ]  # fmt: skip


def _pairs(text: str, frame: Frame) -> list[tuple[windows.Window, windows.Window]]:
    found = windows.parse(text, {unit.account for unit in frame.units.values()})
    return list(pairwise(found))


def _gaps(pair: tuple[windows.Window, windows.Window], frame: Frame) -> list[str]:
    return [text for window in pair if (text := windows.gap(window, frame.units.values()))]


def _compared(
    counted: Counted, before: windows.Window, after: windows.Window, level: float, made: int, looks: int
) -> dict[str, Any]:
    """after - before and after / before; the verdict at a level that allows for all comparisons and looks."""
    one, other = counted.part(before.holds), counted.part(after.holds)
    for window, cells in ((before, one), (after, other)):
        if not cells:
            raise RunError(f"--compare: {window.name} has no scored picture in this run.")
    a, b = total(one, level), total(other, level)
    strict = 1 - (1 - level) / (made * looks)
    firm = difference(total(one, strict), total(other, strict))
    gap, times = difference(a, b), ratio(a, b)
    verdict = "higher" if firm.low > 0 else "lower" if firm.top < 0 else "these labels can't tell"
    return {
        "before": {"name": before.name, "months": len(before.months), **figures(one, level)},
        "after": {"name": after.name, "months": len(after.months), **figures(other, level)},
        "difference": {"estimate": gap.estimate, "low": gap.low, "high": gap.top},
        "ratio": None if times is None else {"estimate": times.estimate, "low": times.low, "high": times.high},
        "verdict": verdict,
        "verdict_confidence": strict,
    }


def _of_labels(counted: Counted, drawn: Sequence[str]) -> dict[str, Any]:
    path = counted.sample.path / LABELS
    answers = Counter(counted.answers.values())
    who = {given.who for role in counted.labels.by_row.values() for given in role.values()}
    return {
        "drawn": len(drawn),
        "counted": len(counted.answers),
        "waiting": counted.waiting,
        **{name: answers[name] for name in ("yes", "no", "unsure")},
        "labellers": len(who),
        "damaged_lines": counted.labels.damaged,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None,
    }


def _not_covered(counted: Counted, frame: Frame) -> dict[str, Any]:
    """What the total says nothing of, with counts; and units that came into the run, or left it, after the draw."""
    statuses: Counter[str] = Counter()
    for (status, _, _), count in frame.left_out.items():
        statuses[status] += count
    return {
        "by_status": dict(sorted(statuses.items())),
        "by_account_and_year": [
            {"status": status, "account": account, "year": year, "rows": count}
            for (status, account, year), count in sorted(frame.left_out.items())
        ],
        "scored_after_the_draw": sum(name not in counted.sample.frame for name in counted.units),
        "no_longer_in_the_run": sum(name not in counted.units for name in counted.sample.frame),
        "without_a_date": sum(unit.month == UNKNOWN for unit in counted.units.values()),
    }


def _cross_check(cells: Sequence[Cell]) -> dict[str, Any]:
    value, error = normal(cells)
    return {
        "estimate": value,
        "standard_error": error,
        "note": "Stratified total with finite population correction, as R survey's svytotal: for comparison only, "
        "since its intervals fall short where knives are rare.",
    }  # fmt: skip
