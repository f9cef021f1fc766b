"""Ranges for accounts and months with too few labels, under the assumption that the model errs alike everywhere.

Not an interval: where accounts differ, such ranges of account totals held the truth in 56 to 83 % of simulated cases.
They lie in a file of their own, are never summed and never compared.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bladecheck.errors import RunError
from bladecheck.runs.columns import Column
from bladecheck.runs.exports.cells import guarded

if TYPE_CHECKING:  # the report reads the file without scipy
    from bladecheck.runs.counts.estimate import Counted
    from bladecheck.runs.counts.limits import Cell

FILE = "assume-alike.csv"
CALLED = "range if the model errs alike everywhere"
COLUMNS = ("domain", "range_low", "range_high", "size", "labelled", "yes")
Shares = npt.NDArray[np.float64]


def ranges(counted: Counted, by: Sequence[str], level: float) -> list[dict[str, Any]]:
    """For each domain the range of its pictures with a knife, if a stratum's share of them is the same in all domains.

    What is not labelled in a domain and stratum is beta-binomial, with the stratum's labels as what is known of its
    share; strata are added up by convolution, and what is labelled yes is added as it is.

    Args:
        by: what makes a domain, such as account and month.
        level: how much of the distribution lies in the range, equal tails.
    """
    from bladecheck.runs.counts.estimate import GONE

    whole = {cell.name: cell for cell in counted.everywhere()}
    found = counted.grouped(lambda unit: unit.where(by) if unit else GONE)
    return [
        {
            "domain": domain,
            **dict(zip(("range_low", "range_high"), _range(cells, whole, level), strict=True)),
            "size": sum(cell.size for cell in cells),
            "labelled": sum(cell.labelled for cell in cells),
            "yes": sum(cell.yes for cell in cells),
        }
        for domain, cells in found.items()
    ]


def _range(cells: Sequence[Cell], whole: Mapping[str, Cell], level: float) -> tuple[int, int]:
    """The fewest and most, with (1 - level) / 2 of the distribution left at either side at most."""
    from scipy.signal import convolve
    from scipy.stats import betabinom

    spread: Shares = np.ones(1)
    for cell in cells:
        left, known = cell.size - cell.labelled, whole[cell.name]
        if left:
            part = betabinom.pmf(np.arange(left + 1), left, known.yes + 0.5, known.labelled - known.yes + 0.5)
            spread = np.clip(convolve(spread, part), 0, None)  # the fast way to convolve leaves -1e-18 here and there
    below, tail = np.cumsum(spread) / spread.sum(), (1 - level) / 2
    yes = sum(cell.yes for cell in cells)
    return yes + int(np.searchsorted(below, tail, "right")), yes + int(np.searchsorted(below, 1 - tail))


def written(found: Sequence[Mapping[str, Any]]) -> str:
    """The file's text."""
    stream = io.StringIO()
    out = csv.writer(stream, lineterminator="\n")
    out.writerow(COLUMNS)
    name = Column("domain", "text", "")
    out.writerows([guarded(name, one["domain"]), *(one[column] for column in COLUMNS[1:])] for one in found)
    return stream.getvalue()


def parsed(path: Path) -> list[dict[str, Any]]:
    """What stands in the file; nothing if there is none.

    Raises:
        RunError: it can't be read.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return [
                {"domain": line["domain"].removeprefix("'"), **{name: int(line[name]) for name in COLUMNS[1:]}}
                for line in csv.DictReader(stream)
            ]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, LookupError, AttributeError, TypeError) as error:
        raise RunError(f"{path} can't be read: {error!r}. Delete it, or write it anew with --assume-alike.") from error
