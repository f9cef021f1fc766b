"""Which pictures are drawn: bands of score, allocation of labels to strata, ranks by SHA-256, and the order shown.

No random number generator: the rank of a unit is SHA-256("seed:unit"), the same in any language ("permanent random
numbers", Ohlsson 1995). A larger sample holds the smaller one. Labels never enter here.
"""

from __future__ import annotations

import hashlib
import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bladecheck.errors import RunError

BANDS: tuple[tuple[str, float], ...] = (
    ("below 0.02", 0.0),
    ("0.02 to 0.2", 0.02),
    ("0.2 to 0.8", 0.2),
    ("from 0.8", 0.8),
)
"""Bands of the knife score, each with where it begins; fixed, since other schemes gained little."""
UNJUDGED = "cannot judge"
LEAST = 5
"""Labels that every stratum gets, or all it has."""
SECOND_SHARE, SECOND_LEAST = 0.2, 50


@dataclass(frozen=True, slots=True)
class Stratum:
    """A part of the frame that is drawn from by itself: how many units, and the mean of their scores."""

    name: str
    size: int
    score: float

    def spread(self, labels: int) -> float:
        """What `labels` leave open, squared: grows with the doubt within, and with what 0 of n can't exclude."""
        doubt = 1.96**2 * self.score * (1 - self.score) / labels + (3.69 / labels) ** 2
        return self.size**2 * (1 - labels / self.size) * doubt


def band(score: float | None) -> str:
    """The band that a score falls in; no score is a band of its own."""
    if score is None:
        return UNJUDGED
    return next(name for name, start in reversed(BANDS) if score >= start)


def place(stratum: str) -> tuple[str, int]:
    """Sorts strata by domain, then by band, those without a score last."""
    names = [name for name, _ in BANDS]
    domain, _, last = stratum.rpartition(" / ")
    return domain, names.index(last) if last in names else len(names)


def least(strata: Sequence[Stratum]) -> int:
    """The fewest labels that a sample over these strata may have."""
    return sum(min(stratum.size, LEAST) for stratum in strata)


def allocate(strata: Sequence[Stratum], labels: int) -> dict[str, int]:
    """Labels by stratum: five each, then each further one where it closes most.

    Raises:
        RunError: too few for five in each stratum.
    """
    if labels < least(strata):
        raise RunError(f"{labels} labels are too few for {len(strata)} strata: ask for {least(strata)} or more.")
    given = {stratum.name: min(stratum.size, LEAST) for stratum in strata}
    queue = [(-_gain(stratum, given[stratum.name]), stratum.name, stratum) for stratum in strata]
    heapq.heapify(queue)
    left = min(labels, sum(stratum.size for stratum in strata)) - sum(given.values())
    while left > 0:
        _, name, stratum = heapq.heappop(queue)
        if given[name] < stratum.size:
            given[name] += 1
            left -= 1
            heapq.heappush(queue, (-_gain(stratum, given[name]), name, stratum))
    return given


def _gain(stratum: Stratum, labels: int) -> float:
    return stratum.spread(labels) - stratum.spread(labels + 1) if labels < stratum.size else -1.0


def width(strata: Sequence[Stratum], given: Mapping[str, int]) -> float | None:
    """How far the upper limit is expected to lie above the estimate, as a share of it; None where none is expected."""
    expected = sum(stratum.size * stratum.score for stratum in strata)
    if expected <= 0:
        return None
    return math.sqrt(sum(stratum.spread(given[stratum.name]) for stratum in strata if given[stratum.name])) / expected


def seed_of(frame: bytes) -> str:
    """The default seed: the hash of the frame, so that nobody can shop for a seed."""
    return hashlib.sha256(frame).hexdigest()


def rank(seed: str, unit: str) -> str:
    """A unit's place in the draw, as 64 hex digits to sort by."""
    return hashlib.sha256(f"{seed}:{unit}".encode()).hexdigest()


def ranked(seed: str, frame: Mapping[str, str]) -> dict[str, list[str]]:
    """Units by stratum, in the order in which they are drawn. `frame`: unit to stratum."""
    found: dict[str, list[tuple[str, str]]] = {}
    for unit, stratum in frame.items():
        found.setdefault(stratum, []).append((rank(seed, unit), unit))
    return {stratum: [unit for _, unit in sorted(pairs)] for stratum, pairs in sorted(found.items())}


def shown(order: Mapping[str, Sequence[str]], batches: Iterable[Mapping[str, int]]) -> list[str]:
    """The drawn units in the order in which they are labelled: batch by batch, strata mixed evenly.

    Who stops early leaves a smaller sample of the same make.
    """
    found: list[str] = []
    before: dict[str, int] = dict.fromkeys(order, 0)
    for batch in batches:
        places = []
        for stratum, units in order.items():
            start, end = before[stratum], batch.get(stratum, before[stratum])
            places += [((k - start + 0.5) / (end - start), stratum, units[k]) for k in range(start, end)]
            before[stratum] = max(start, end)
        found += [unit for _, _, unit in sorted(places)]
    return found


def second_share(drawn: Sequence[str]) -> list[str]:
    """The units that a second labeller sees whatever the first said: a fifth, at least fifty."""
    return list(drawn[: max(SECOND_LEAST, math.ceil(SECOND_SHARE * len(drawn)))])
