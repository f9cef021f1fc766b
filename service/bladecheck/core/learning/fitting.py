"""Another knife head, shrunk towards the shipped one, and cross-validated by groups.

The model is logit = scale * (x . (w + d / scale) + b) + shift: `d` is held small (ridge), `scale` and `shift` near the
shipped calibration, so that few labels change little. The look that decides is chosen anew as the head changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bladecheck.core.learning.measures import Truth, log_losses, sigmoid
from bladecheck.core.learning.seen import Looked

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.intp]
PENALTIES = (np.inf, 10.0, 3.0, 1.0, 0.3, 0.1)
"""From the shipped head, only recalibrated, to one that follows the labels; of near-equals the first is taken."""
NEAR, STEPS, ROUNDS, FOLDS, INNER, REDRAWN = 0.002, 12, 3, 5, 4, 4


@dataclass(frozen=True, slots=True)
class Head:
    """A knife head: raw logit = x . weight + bias, probability = sigmoid(scale * logit + shift)."""

    weight: Floats
    bias: float
    scale: float
    shift: float

    def probabilities(self, looked: Looked) -> Floats:
        """Of each picture."""
        return sigmoid(self.scale * looked.choose(self.weight, self.bias)[1] + self.shift)


class Table:
    """Labelled pictures: their looks, truth and groups.

    Args:
        looked: of all of them.
        truth: 1 or 0 of each.
        groups: of each.
        weight: how many pictures each stands for when something is measured; None: one. Fitting takes each once, since
            what is likelier to be drawn depends on the picture only, not on its label.
    """

    def __init__(self, looked: Looked, truth: Truth, groups: Sequence[str], weight: Floats | None = None) -> None:
        self.looked, self.truth, self.groups = looked, truth, list(groups)
        self.weight = np.ones(len(truth)) if weight is None else weight
        self.centre = looked.whole.mean(0)
        self.size = float(np.sqrt(((looked.whole - self.centre) ** 2).sum(1).mean())) or 1.0

    def folds(self, among: Indices, count: int, seed: int = 0) -> list[Indices]:
        """The pictures in `count` parts of whole groups, knives spread evenly."""
        rng = np.random.default_rng(seed)
        members: dict[str, list[int]] = {}
        for index in among:
            members.setdefault(self.groups[index], []).append(int(index))
        parts: list[list[int]] = [[] for _ in range(count)]
        weights = np.zeros((count, 2))
        order = list(members.values())
        rng.shuffle(order)
        for group in sorted(order, key=len, reverse=True):
            knives = int(self.truth[group].sum())
            more = np.array([len(group) - knives, knives])
            least = int(np.argmin((weights * (more > 0)).sum(1) + 1e-6 * weights.sum(1)))
            parts[least] += group
            weights[least] += more
        return [np.array(sorted(part), np.intp) for part in parts if part]


def fit(table: Table, among: Indices, parent: Head, penalty: float) -> Head:
    """The head that these pictures call for, held near `parent` by the penalty."""
    truth, head = table.truth[among], parent
    for _ in range(ROUNDS):
        decides, _ = table.looked.choose(head.weight, head.bias)
        x = (decides[among] - table.centre) / table.size
        raw = decides[among] @ parent.weight + parent.bias
        scale, shift = _recalibrated(raw, truth, parent)
        if np.isinf(penalty):
            return Head(parent.weight, parent.bias, scale, shift)
        change = _ridge(x, scale * raw + shift, truth, penalty) / table.size
        head = Head(parent.weight + change / scale, parent.bias - float(table.centre @ change) / scale, scale, shift)
    return head


def _recalibrated(raw: Floats, truth: Truth, parent: Head) -> tuple[float, float]:
    """Scale and shift for these logits; with few pictures near the parent's."""
    log_scale, shift = float(np.log(parent.scale)), parent.shift
    start = (log_scale, shift)
    for _ in range(STEPS):
        scale = float(np.exp(log_scale))
        p = sigmoid(scale * raw + shift)
        slope = np.stack([scale * raw, np.ones_like(raw)])
        gradient = slope @ (p - truth) + np.array([4 * (log_scale - start[0]), 0.5 * (shift - start[1])])
        curve = (slope * (p * (1 - p))) @ slope.T + np.diag([4.0, 0.5]) + 1e-6 * np.eye(2)
        step = np.clip(np.linalg.solve(curve, gradient), -1, 1)
        log_scale, shift = log_scale - step[0], shift - step[1]
    return float(np.exp(np.clip(log_scale, start[0] - 2, start[0] + 2))), float(shift)


def _ridge(x: Floats, offset: Floats, truth: Truth, penalty: float) -> Floats:
    """The change [D] of least log loss plus penalty / 2 * its squared length, by Newton's steps (IRLS)."""
    change = np.zeros(x.shape[1])
    few = len(x) <= x.shape[1]
    kernel = x @ x.T if few else x
    for _ in range(STEPS):
        along = x @ change
        p = sigmoid(offset + along)
        weight = np.maximum(p * (1 - p), 1e-4)
        wanted = along + (truth - p) / weight
        if few:
            new = x.T @ np.linalg.solve(kernel + penalty * np.diag(1 / weight), wanted)
        else:
            new = np.linalg.solve((x.T * weight) @ x + penalty * np.eye(x.shape[1]), x.T @ (weight * wanted))
        moved, change = float(np.abs(new - change).max()), new
        if moved < 1e-5:
            break
    return change


def choose_penalty(table: Table, among: Indices, parent: Head) -> float:
    """The penalty of least cross-validated log loss among these pictures."""
    folds = table.folds(among, INNER, seed=1)
    best, least = PENALTIES[0], np.inf
    for penalty in PENALTIES:
        found = held_out(table, folds, lambda rest, value=penalty: fit(table, rest, parent, value))  # type: ignore[misc]
        loss = float(log_losses(table.truth[among], found[among]).mean())
        if loss < least - NEAR:
            best, least = penalty, loss
    return best


def held_out(table: Table, folds: Sequence[Indices], made: Callable[[Indices], Head]) -> Floats:
    """Probabilities [N] of each fold's pictures by a head made from the other folds'; nan of pictures in no fold."""
    found = np.full(len(table.truth), np.nan)
    for fold in folds:
        rest = np.concatenate([other for other in folds if other is not fold])
        found[fold] = made(rest).probabilities(table.looked)[fold]
    return found


def cross_validated(table: Table, parent: Head) -> Floats:
    """Probabilities [N] by heads that saw neither the picture nor its group, penalties chosen within."""
    everything = np.arange(len(table.truth))
    return held_out(
        table,
        table.folds(everything, FOLDS),
        lambda rest: fit(table, rest, parent, choose_penalty(table, rest, parent)),
    )


def learning_curve(table: Table, parent: Head, penalty: float, shares: Sequence[float]) -> list[tuple[int, float]]:
    """(labels learned from, log loss on the pictures held out), for growing shares of the labels.

    Parts of the labels are drawn several times, or chance would decide whether more seem to help.
    """
    folds = table.folds(np.arange(len(table.truth)), FOLDS)
    found = []
    for part in shares:
        losses, weights, counts = [], [], []
        for number, fold in enumerate(folds):
            rest = np.concatenate([other for other in folds if other is not fold])
            for draw in range(REDRAWN if part < 1 else 1):
                taken = np.random.default_rng((number, draw)).permutation(rest)[: max(10, round(part * len(rest)))]
                head = fit(table, np.sort(taken), parent, penalty)
                losses.append(log_losses(table.truth[fold], head.probabilities(table.looked)[fold]))
                weights.append(table.weight[fold])
                counts.append(len(taken))
        loss = float(np.average(np.concatenate(losses), weights=np.concatenate(weights)))
        found.append((round(float(np.mean(counts))), loss))
    return found


def extrapolated(curve: Sequence[tuple[int, float]], labels: int) -> float:
    """The log loss that so many labels would bring if it went on as a + b / labels; never above the last one seen."""
    counts, losses = (np.array(part, float) for part in zip(*curve, strict=True))
    slope, level = np.polyfit(1 / counts, losses, 1)
    return min(float(losses[-1]), max(0.0, float(level + max(slope, 0.0) / labels)))
