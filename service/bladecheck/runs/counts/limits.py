"""Exact limits for one stratum, and how strata combine: totals, differences and ratios.

Nothing is asymptotic within a stratum: the number of yes among the labelled is hypergeometric by the draw alone.
Strata are combined by MOVER (Zou and Donner 2008): distances of limits from their estimates, root of sum of squares.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from scipy import optimize, stats

CONFIDENCE = 0.95
SMALL_SHARE = 0.01
"""Up to this share of a stratum labelled, drawing without replacement is as good as with: binomial limits."""


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its limits; `high` is None where there is no upper limit (a ratio to what may be 0)."""

    estimate: float
    low: float
    high: float | None

    @property
    def top(self) -> float:
        """The upper limit as a number, infinite where there is none."""
        return math.inf if self.high is None else self.high


@dataclass(frozen=True, slots=True)
class Cell:
    """One stratum, or the part of it that lies in a domain.

    Attributes:
        name: of the stratum.
        size, labelled, yes: N, n and x.
        guess: share of yes to take where nothing is labelled here; its limits are then 0 and N.
    """

    name: str
    size: int
    labelled: int
    yes: int
    guess: float = 0.0

    @property
    def estimate(self) -> float:
        """N x / n."""
        return self.size * (self.yes / self.labelled if self.labelled else self.guess)

    def limits(self, confidence: float = CONFIDENCE) -> tuple[float, float]:
        return limits(self.size, self.labelled, self.yes, confidence)


@lru_cache(maxsize=100_000)
def limits(size: int, labelled: int, yes: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Equal-tailed, conservative limits for the number of yes among `size`, of which `labelled` were drawn at random.

    Clopper-Pearson where at most 1 % is labelled, else the inverted hypergeometric distribution.

    Raises:
        ValueError: counts that can't be.
    """
    if not 0 <= yes <= labelled <= size:
        raise ValueError(f"{yes} yes of {labelled} labelled of {size}: each must be at most the next")
    if labelled == 0:
        return 0.0, float(size)
    if labelled == size:
        return float(yes), float(yes)
    least, most, tail = yes, size - labelled + yes, (1 - confidence) / 2
    if labelled / size <= SMALL_SHARE:
        low = stats.beta.ppf(tail, yes, labelled - yes + 1) if yes else 0.0
        high = stats.beta.ppf(1 - tail, yes + 1, labelled - yes) if yes < labelled else 1.0
        return max(size * float(low), float(least)), min(size * float(high), float(most))
    low_count = _first(lambda k: stats.hypergeom.sf(yes - 1, size, k, labelled) > tail, least, most)
    high_count = _first(lambda k: stats.hypergeom.cdf(yes, size, k, labelled) <= tail, least, most + 1) - 1
    return float(low_count), float(high_count)


def _first(holds: Callable[[int], bool], low: int, high: int) -> int:
    """The smallest number in low..high for which `holds`, which stays true from there on; `high` if none before it."""
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def total(cells: Iterable[Cell], confidence: float = CONFIDENCE) -> Interval:
    """Sum over strata, never below the yes seen nor above what is not labelled "no"."""
    parts = list(cells)
    estimate = math.fsum(cell.estimate for cell in parts)
    below = above = 0.0
    for cell in parts:
        low, high = cell.limits(confidence)
        below += (cell.estimate - low) ** 2
        above += (high - cell.estimate) ** 2
    seen = sum(cell.yes for cell in parts)
    possible = sum(cell.size - cell.labelled + cell.yes for cell in parts)
    return Interval(estimate, max(estimate - math.sqrt(below), seen), min(estimate + math.sqrt(above), possible))


def difference(before: Interval, after: Interval) -> Interval:
    """after - before, of totals over different pictures."""
    gap = after.estimate - before.estimate
    low = math.hypot(after.estimate - after.low, before.top - before.estimate)
    high = math.hypot(after.top - after.estimate, before.estimate - before.low)
    return Interval(gap, gap - low, gap + high)


def ratio(before: Interval, after: Interval) -> Interval | None:
    """after / before; None where `before` is estimated as 0; without an upper limit where it may be 0."""
    if before.estimate <= 0:
        return None
    a, b = before.estimate, after.estimate

    def lower(r: float) -> float:
        return b - r * a - math.hypot(b - after.low, r * (before.top - a))

    def upper(r: float) -> float:
        return b - r * a + math.hypot(after.top - b, r * (a - before.low))

    low = _root(lower, b / a) if after.low > 0 else 0.0
    high = _root(upper, b / a) if before.low > 0 else None
    return Interval(b / a, low, high)


def _root(function: Callable[[float], float], near: float) -> float:
    """Where a function that is positive at 0 crosses it."""
    far = max(near, 1.0)
    while function(far) > 0:
        far *= 2
    return float(optimize.brentq(function, 0.0, far, xtol=1e-12, rtol=1e-14))


def normal(cells: Sequence[Cell]) -> tuple[float, float]:
    """Estimate and standard error as survey packages give them, with finite population correction.

    Only printed beside the exact limits for comparison: among low scores, 0 of n gives a variance of 0.
    """
    variance = 0.0
    for cell in cells:
        if cell.labelled > 1:
            share = cell.yes / cell.labelled
            spread = share * (1 - share) * cell.labelled / (cell.labelled - 1)
            variance += cell.size**2 * (1 - cell.labelled / cell.size) * spread / cell.labelled
    return math.fsum(cell.estimate for cell in cells), math.sqrt(variance)
