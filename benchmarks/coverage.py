"""How often the interval of `bladecheck estimate` holds the truth, over archives whose truth is known.

    python benchmarks/coverage.py [--draws 8000] [--quick]

Each cell is an archive of some size, share of knives and power of the model, whose scores are right, too high or
too low, and a number of labels. Strata and allocation come from the scores; then samples are drawn again and again.
Draws in a stratum are hypergeometric, so that drawing counts is drawing pictures. Ends with an error where a cell
holds the truth in less than 94 % of the draws.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from bladecheck.runs.counts.draw import BANDS, Stratum, allocate
from bladecheck.runs.counts.limits import Cell, total

ROWS = ((100, 0.005), (300, 0.005), (1_000, 0.005), (100, 0.035), (300, 0.035), (1_000, 0.035), (1_000, 0.20))
SIZES, POWERS, SHIFTS = (3_000, 60_000, 500_000), (0.99, 0.94), (0.0, 1.5, -1.5)
LEAST = 0.94
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Population:
    """One archive: its strata as the scores make them, and how many knives really lie in each."""

    strata: tuple[Stratum, ...]
    knives: tuple[int, ...]


def population(size: int, share: float, power: float, shift: float, dice: np.random.Generator) -> Population:
    """Scores of a model with this area under the curve; `shift` moves their logits away from the right ones."""
    knife = np.zeros(size, bool)
    knife[: round(size * share)] = True
    apart = np.sqrt(2) * stats.norm.ppf(power)
    seen = dice.normal(np.where(knife, apart, 0.0))
    logits = special.logit(share) + apart * seen - apart**2 / 2 + shift
    scores: Floats = special.expit(logits)
    band = np.searchsorted([start for _, start in BANDS[1:]], scores, side="right")
    places = [place for place in range(len(BANDS)) if np.any(band == place)]
    strata = [Stratum(BANDS[p][0], int((band == p).sum()), float(scores[band == p].mean())) for p in places]
    return Population(tuple(strata), tuple(int(knife[band == p].sum()) for p in places))


def measure(
    strata: Sequence[Stratum], knives: Sequence[int], given: Sequence[int], draws: int, dice: np.random.Generator
) -> tuple[float, float]:
    """Share of draws whose interval holds the truth, and the median half-width as a share of the truth."""
    columns = [
        dice.hypergeometric(yes, one.size - yes, labels, draws)
        for one, yes, labels in zip(strata, knives, given, strict=True)
    ]
    found, counts = np.unique(np.stack(columns, axis=1), axis=0, return_counts=True)
    truth, held, halves = sum(knives), 0, []
    for line, count in zip(found.tolist(), counts.tolist(), strict=True):
        cells = [Cell(one.name, one.size, labels, yes) for one, labels, yes in zip(strata, given, line, strict=True)]
        got = total(cells)
        held += count * (np.floor(got.low + 1e-9) <= truth <= np.ceil(got.top - 1e-9))
        halves += [(got.top - got.low) / 2 / truth] * count
    return held / draws, float(np.median(halves))


def cells(labels: int, share: float, quick: bool) -> Iterator[Population]:
    sizes = SIZES[:2] if quick else SIZES
    for number, (size, power, shift) in enumerate(itertools.product(sizes, POWERS, SHIFTS)):
        if not quick or number % 4 == labels % 3:
            yield population(size, share, power, shift, np.random.default_rng([number, labels, round(share * 1000)]))


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--draws", type=int, default=8_000)
    options.add_argument("--quick", action="store_true", help="three cells a row instead of 18")
    wanted = options.parse_args()
    worst, made = 1.0, 0
    print("| labels, share of knives | cells | simple random, exact | strata, exact, MOVER |\n|---|---|---|---|")
    for labels, share in ROWS:
        simple, ours = [], []
        for one in cells(labels, share, wanted.quick):
            dice = np.random.default_rng([labels, made])
            size, made = sum(part.size for part in one.strata), made + 1
            simple.append(measure([Stratum("all", size, share)], [sum(one.knives)], [labels], wanted.draws, dice))
            given = allocate(one.strata, labels)
            ours.append(measure(one.strata, one.knives, [given[s.name] for s in one.strata], wanted.draws, dice))
        worst = min(worst, *(held for held, _ in ours))
        print(f"| {labels:,}, {100 * share:g} % | {len(ours)} | {_cell(simple)} | {_cell(ours)} |", flush=True)
    print(f"{made} cells of {wanted.draws:,} draws; lowest coverage {worst:.4f}, must be {LEAST} or more.")
    return 0 if worst >= LEAST else 1


def _cell(found: Sequence[tuple[float, float]]) -> str:
    return f"{min(held for held, _ in found):.3f} / {float(np.median([half for _, half in found])):.2f}"


if __name__ == "__main__":
    sys.exit(main())
