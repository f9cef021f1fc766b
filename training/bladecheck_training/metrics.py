"""Measures with bootstrap intervals: a number without n and an interval is not a result.

Areas are worked out here, since scikit-learn's checks of its input take much longer than the sums, and a card has some
hundred thousand resamples; a test holds them to scikit-learn's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Measure = Callable[[Array, Array], float]


def auc(truth: Array, score: Array) -> float:
    """Area under the ROC curve; nan if only one class is there."""
    ones, zeros = score[truth == 1], np.sort(score[truth == 0])
    if not len(ones) or not len(zeros):
        return float("nan")
    beaten = np.searchsorted(zeros, ones, "left") + np.searchsorted(zeros, ones, "right")
    return float(beaten.mean() / 2 / len(zeros))


def average_precision(truth: Array, score: Array) -> float:
    """Average precision; nan without positives."""
    positives = truth.sum()
    if not positives:
        return float("nan")
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # equal scores are taken together
    found = np.cumsum(truth[order])[ends]
    return float((np.diff(found, prepend=0) * found / (ends + 1)).sum() / positives)


def brier(truth: Array, probability: Array) -> float:
    """Mean squared difference of probability and outcome."""
    return float(np.mean((probability - truth) ** 2))


def calibration_error(truth: Array, probability: Array, bins: int = 15) -> float:
    """Expected calibration error over equal-width bins (Guo et al. 2017, arXiv 1706.04599)."""
    place = np.minimum((probability * bins).astype(int), bins - 1)
    return float(np.abs(np.bincount(place, probability - truth, bins)).sum() / len(truth))


def calibration_floor(probability: Array, rounds: int = 300, seed: int = 0) -> dict[str, Any]:
    """The calibration error that these very probabilities would show if they were exactly right.

    It is above zero because bins of few pictures scatter (Brocker and Smith 2007, "Increasing the reliability of
    reliability diagrams"); an error within its range is no evidence of a bad calibration.

    Returns:
        {"value", "low", "high", "n"}: mean and central 95 % over outcomes drawn from the probabilities.
    """
    rng = np.random.default_rng(seed)
    drawn = [
        calibration_error((rng.random(len(probability)) < probability).astype(int), probability) for _ in range(rounds)
    ]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return {"value": _round(np.mean(drawn)), "low": _round(low), "high": _round(high), "n": len(probability)}


def interval(
    measure: Measure, truth: Array, score: Array, groups: Sequence[str], rounds: int = 1000, seed: int = 0
) -> dict[str, Any]:
    """The measure with a 95 % percentile interval from resampling whole groups.

    Returns:
        {"value", "low", "high", "n", "positives"}; low and high are None if the measure can't be bootstrapped.
    """
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(index == group) for group in range(len(names))]
    rng, values = np.random.default_rng(seed), []
    for _ in range(rounds):
        picked = np.concatenate([members[group] for group in rng.integers(0, len(names), len(names))])
        value = measure(truth[picked], score[picked])
        if np.isfinite(value):
            values.append(value)
    low, high = np.percentile(values, (2.5, 97.5)) if values else (None, None)
    return {
        "value": _round(measure(truth, score)),
        "low": _round(low),
        "high": _round(high),
        "n": len(truth),
        "positives": int(truth.sum()),
    }


def share(hits: int, n: int) -> dict[str, Any]:
    """A share with its 95 % Wilson interval (Wilson 1927)."""
    if n == 0:
        return {"value": None, "low": None, "high": None, "n": 0, "positives": 0}
    z, p = 1.959964, hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return {"value": _round(p), "low": _round(low), "high": _round(high), "n": n, "positives": hits}


def _round(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)
