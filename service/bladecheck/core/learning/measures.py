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
ROUNDS, Z = 1000, 1.959964
# Shares of pictures, surest first, for which errors are stated.
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.5)


def sigmoid(x: Floats) -> Floats:
    """Probabilities of logits."""
    found: Floats = 1 / (1 + np.exp(-np.clip(x, -60, 60)))
    return found


def auc(truth: Truth, score: Floats) -> float:
    """Area under the ROC curve: how often a knife scores above another picture, ties half; nan with one class only."""
    positives = int(truth.sum())
    negatives = len(truth) - positives
    if not positives or not negatives:
        return float("nan")
    _, place, count = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    return float((ranks[truth == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def log_losses(truth: Truth, probability: Floats) -> Floats:
    """Minus the log of the probability given to what is true, of each picture."""
    given = np.clip(np.where(truth == 1, probability, 1 - probability), 1e-6, 1)
    losses: Floats = -np.log(given)
    return losses


def share(hits: int, n: int) -> Measured:
    """A share with its Wilson interval (Wilson 1927)."""
    if not n:
        return {"value": None, "low": None, "high": None, "n": 0, "positives": 0}
    p = hits / n
    centre = (p + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z * np.sqrt(p * (1 - p) / n + Z * Z / (4 * n * n)) / (1 + Z * Z / n)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return {"value": _round(p), "low": _round(low), "high": _round(high), "n": n, "positives": hits}


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


def risk_coverage(truth: Truth, probability: Floats) -> list[dict[str, Any]]:
    """How often the score errs if only the surest share of pictures is left to it (at .5), for several shares."""
    order = np.argsort(-np.abs(probability - 0.5), kind="stable")
    wrong = ((probability >= 0.5) != (truth == 1))[order]
    found = []
    for coverage in COVERAGES:
        n = max(1, round(coverage * len(truth)))
        found.append({"coverage": coverage, "wrong": share(int(wrong[:n].sum()), n)})
    return found


def _round(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def said(measured: Measured) -> str:
    """A measure as text: value, interval and n."""
    if measured["value"] is None:
        return f"- (n {measured['n']})"
    return f"{measured['value']:.3f} ({measured['low']:.3f} to {measured['high']:.3f}, n {measured['n']})"
