"""Measures with their intervals: a number without n and an interval is not a result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Truth = npt.NDArray[np.int64]
Measured = dict[str, Any]
"""{"value", "low", "high", "n"}: a value with its 95 % interval; None where there is none."""
ROUNDS, Z, ONE_SIDED = 1000, 1.959964, 1.644854
# Shares of pictures, surest first, for which errors are stated.
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)


def sigmoid(x: Floats) -> Floats:
    """Probabilities of logits."""
    found: Floats = 1 / (1 + np.exp(-np.clip(x, -60, 60)))
    return found


def auc(truth: Truth, score: Floats, weight: Floats | None = None) -> float:
    """Area under the ROC curve: how often a knife scores above another picture, ties half; nan with one class only."""
    weight = np.ones(len(truth)) if weight is None else weight
    knives, others = weight * (truth == 1), weight * (truth == 0)
    if not knives.any() or not others.any():
        return float("nan")
    _, place = np.unique(score, return_inverse=True)
    at = np.bincount(place, others)
    below = np.cumsum(at) - at / 2
    return float((knives * below[place]).sum() / (knives.sum() * others.sum()))


def log_losses(truth: Truth, probability: Floats) -> Floats:
    """Minus the log of the probability given to what is true, of each picture."""
    given = np.clip(np.where(truth == 1, probability, 1 - probability), 1e-6, 1)
    losses: Floats = -np.log(given)
    return losses


def share(hits: int, n: int) -> Measured:
    """A share with its Wilson interval (Wilson 1927)."""
    if not n:
        return {"value": None, "low": None, "high": None, "n": 0, "positives": 0}
    low, high = _wilson(hits / n, n)
    return {"value": _round(hits / n), "low": _round(low), "high": _round(high), "n": n, "positives": hits}


def weighted_share(hit: npt.NDArray[np.bool_], weight: Floats) -> Measured:
    """The share of the weight that is hit; with equal weights the same as `share`.

    The Wilson interval is that of as many equally weighted pictures as these are worth, see `effective`.
    """
    n, hits = len(hit), int(hit.sum())
    if not n or np.all(weight == weight[0]):
        return share(hits, n)
    value = float(weight[hit].sum() / weight.sum())
    low, high = _wilson(value, effective(weight))
    return {"value": _round(value), "low": _round(low), "high": _round(high), "n": n, "positives": hits}


def effective(weight: Floats) -> float:
    """How many equally weighted pictures are worth as much (Kish 1965)."""
    return float(weight.sum() ** 2 / (weight**2).sum())


def at_most(p: float, n: float) -> float:
    """What a share of p seen in n pictures is surely below, at 95 % (one-sided Wilson)."""
    return _wilson(p, n, ONE_SIDED)[1]


def _wilson(p: float, n: float, z: float = Z) -> tuple[float, float]:
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def interval(measure: Callable[[npt.NDArray[np.intp]], float], groups: Sequence[str], rounds: int = ROUNDS) -> Measured:
    """A measure of all pictures, with the interval from resampling whole groups.

    Args:
        measure: of the pictures with these indices.
    """
    values = resampled(measure, groups, rounds)
    low, high = np.percentile(values, (2.5, 97.5)) if len(values) else (None, None)
    everything = measure(np.arange(len(groups)))
    return {"value": _round(everything), "low": _round(low), "high": _round(high), "n": len(groups)}


def resampled(measure: Callable[[npt.NDArray[np.intp]], float], groups: Sequence[str], rounds: int = ROUNDS) -> Floats:
    """The measure of so many resamples of whole groups; those where it is no number are left out."""
    names, index = np.unique(np.asarray(groups), return_inverse=True)
    members = [np.flatnonzero(index == place) for place in range(len(names))]
    rng = np.random.default_rng(0)
    values = [measure(np.concatenate([members[place] for place in rng.integers(0, len(names), len(names))]))
              for _ in range(rounds)]  # fmt: skip
    return np.array([value for value in values if np.isfinite(value)])


def risk_coverage(truth: Truth, probability: Floats, weight: Floats) -> list[dict[str, Any]]:
    """How often the score errs if only the surest share of pictures is left to it (at .5), for several shares."""
    order = np.argsort(-np.abs(probability - 0.5), kind="stable")
    wrong = ((probability >= 0.5) != (truth == 1))[order]
    covered = np.cumsum(weight[order]) / weight.sum()
    found = []
    for coverage in COVERAGES:
        n = max(1, int(np.searchsorted(covered, coverage - 1e-9)) + 1)
        found.append({"coverage": coverage, "wrong": weighted_share(wrong[:n], weight[order][:n])})
    return found


def _round(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def said(measured: Measured) -> str:
    """A measure as text: value, interval and n."""
    if measured["value"] is None:
        return f"- (n {measured['n']})"
    return f"{measured['value']:.3f} ({measured['low']:.3f} to {measured['high']:.3f}, n {measured['n']})"
