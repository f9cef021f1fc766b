"""Probabilities that mean what they say, and thresholds for stated error rates; both from held-out logits only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from bladecheck_training.config import Targets
from bladecheck_training.metrics import Array

SHIFT_LIMIT = 12.0


@dataclass(frozen=True)
class Platt:
    """probability = sigmoid(scale * logit + shift)."""

    scale: float = 1.0
    shift: float = 0.0

    def __call__(self, logits: Array) -> Array:
        """Probabilities of an array of logits."""
        values: Array = 1 / (1 + np.exp(-np.clip(self.scale * logits + self.shift, -60, 60)))
        return values


def platt(logits: Array, truth: Array, weight: Array | None = None) -> Platt:
    """Fit Platt scaling with a mild ridge, so that a perfectly separated set does not give infinite confidence.

    Falls back to the identity when one class is missing or the logit is worth nothing.
    """
    if len(np.unique(truth)) < 2:
        return Platt()
    spread = float(logits.std()) or 1.0
    model = LogisticRegression(C=10.0).fit((logits / spread)[:, None], truth, weight)
    scale, shift = float(model.coef_[0, 0]) / spread, float(model.intercept_[0])
    return Platt(scale, float(np.clip(shift, -SHIFT_LIMIT, SHIFT_LIMIT))) if scale > 1e-3 else Platt()


def temperature(logits: npt.NDArray[np.float32], truth: npt.NDArray[np.int64]) -> float:
    """One temperature for a softmax [N, K] by least negative log-likelihood over a grid (Guo et al. 2017)."""

    def cost(value: float) -> float:
        scaled = logits / value
        top = scaled.max(1, keepdims=True)
        log_sum = top[:, 0] + np.log(np.exp(scaled - top).sum(1))
        return float((log_sum - scaled[np.arange(len(truth)), truth]).mean())

    return float(min(np.geomspace(0.4, 4.0, 47), key=cost)) if len(truth) else 1.0


@dataclass(frozen=True)
class HeldOut:
    """One held-out set's knife probabilities and what is known of each picture.

    Attributes:
        ordinary: neither knife nor tool: an ordinary photo, on which a false `hold` is least forgivable.
    """

    probability: Array
    knife: Array
    ordinary: Array


def band(sets: Sequence[HeldOut], targets: Targets) -> tuple[float, float]:
    """The `check` and `hold` cut-offs of the knife score.

    `check` is the highest cut at which no set misses more than `targets.missed` of its knives; `hold` the lowest at
    which no set holds more than `targets.false_hold` of its ordinary pictures, or ten times that of all its
    knife-free pictures (tools and police pictures without a knife resemble knives, and few are there to measure).
    """
    check = min(_lower(s.probability[s.knife == 1], targets.missed) for s in sets)
    holds = [_upper(s.probability[(s.knife == 0) & s.ordinary], targets.false_hold) for s in sets]
    holds += [_upper(s.probability[s.knife == 0], 10 * targets.false_hold) for s in sets]
    hold = max([*holds, 0.5])
    return round(min(check, hold), 4), round(min(hold, 0.999), 4)


def gate(
    scores: Sequence[tuple[Array, Array]], missed: float, false_check: float, false_hold: float
) -> tuple[float, float]:
    """The `check` and `hold` cut-offs of any other label, from (probabilities, truth) of each held-out set.

    `check` is the highest cut at which no set misses more than `missed` of what shows it, but no lower than the lowest
    at which no set checks more than `false_check` of the rest (or one picture): a score that asks about every other
    picture helps nobody. `hold` is the lowest, from 0.5 on, at which no set wrongly holds more than `false_hold`.
    """
    check = min((_lower(p[truth == 1], missed) for p, truth in scores if (truth == 1).any()), default=0.5)
    for p, truth in scores:
        others = p[truth == 0]
        check = max(check, _upper(others, max(false_check, 1 / max(1, len(others)))))
    hold = max([0.5, check, *(_upper(p[truth == 0], false_hold) for p, truth in scores)])
    return round(min(check, 0.999), 4), round(min(hold, 0.999), 4)


def sure(score: Array, right: Array, wrong: float, least: float = 0.3) -> float:
    """The lowest cut at which at most a share `wrong` of what is at or above it is wrong; 1 if there is none.

    Args:
        score: of what would be said, [N]; right: whether it is so.
        least: below this nothing is said.
    """
    order = np.argsort(-score)
    errors = np.cumsum(1 - right[order]) / np.arange(1, len(order) + 1)
    fine = np.flatnonzero((errors <= wrong) & (score[order] >= least))
    return round(float(score[order][fine[-1]]), 4) if len(fine) else 1.0


def _lower(scores: Array, share: float) -> float:
    """Highest cut with at most `share` of the scores below it; midway to the next score down."""
    if len(scores) == 0:
        return 0.5
    ordered = np.sort(scores)
    allowed = int(np.floor(share * len(ordered)))
    below = ordered[allowed - 1] if allowed else 0.0
    return float((ordered[allowed] + below) / 2)


def _upper(scores: Array, share: float) -> float:
    """Lowest cut with at most `share` of the scores at or above it; midway to the next score up, if there is one."""
    if len(scores) == 0:
        return 0.0
    ordered = np.sort(scores)[::-1]
    allowed = int(np.floor(share * len(ordered)))
    above = ordered[allowed - 1] if allowed else min(1.0, ordered[0] + 0.2 * (1 - ordered[0]))
    return float((ordered[allowed] + above) / 2) if allowed < len(ordered) else 0.0
