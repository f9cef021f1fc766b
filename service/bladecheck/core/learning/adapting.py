"""A bundle adapted to a user's own labels: another knife head on the same trunk, judged against the shipped one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bladecheck.core.bundle import Bundle
from bladecheck.core.learning import fitting, measures
from bladecheck.core.learning.fitting import Head, Table
from bladecheck.core.learning.labels import Labelled
from bladecheck.core.learning.seen import Looked, Reading, groups
from bladecheck.core.unlike import MeasuredRange
from bladecheck.core.weights import HEADS
from bladecheck.errors import LabelsError

LEAST = 20
"""Labelled pictures of each kind, knife and other, that adapting needs."""
CONFIDENT, AREA_LOST = 0.95, 0.002
"""Better means: less log loss in this share of resamples, and no more than so much less area under the ROC curve."""
# Shares of the labels for which it is worked out what they alone would have given.
CURVE = (0.25, 0.5, 0.75, 1.0)
Bands = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Targets:
    """Error rates that thresholds are chosen for: knives that end as clear, and other pictures that are held."""

    missed: float = 0.02
    false_hold: float = 0.02


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came of it.

    Attributes:
        head: fitted on all labels.
        bands: check and hold of the knife score.
        targets: the error rates that they were chosen for.
        penalty: what it was fitted with; infinite: the shipped head, recalibrated.
        parent, new: measures side by side, the new ones cross-validated.
        likely: share of resamples in which the new one has less log loss.
        better: whether it is worth installing.
        curve: (labels learned from, log loss), for what more labels would buy.
        counts: pictures, knives and groups.
        unlike: share of the pictures outside the range of those that the parent was measured on; None if unknown.
    """

    head: Head
    bands: Bands
    targets: Targets
    penalty: float
    parent: dict[str, Any]
    new: dict[str, Any]
    likely: float
    better: bool
    curve: list[tuple[int, float]]
    counts: dict[str, int]
    unlike: measures.Measured | None = None

    @property
    def chosen_for(self) -> str:
        """What the thresholds of the knife score were chosen for."""
        missed, held = self.targets.missed, self.targets.false_hold
        return f"at most {missed:.1%} of knives clear and {held:.1%} of other pictures held, on {self.stated}"

    @property
    def stated(self) -> str:
        return f"{self.counts['pictures']} of the user's own labels ({self.counts['knives']} knives)"

    def what_more_would_buy(self) -> list[str]:
        """What twice as many labels would bring, in sentences."""
        count, known = self.counts["pictures"], self.new["knives not clear"]
        learned = ", ".join(f"{loss:.3f} with {n}" for n, loss in self.curve)
        loss = fitting.extrapolated(self.curve, 2 * self.curve[-1][0])
        twice = measures.share(2 * known["positives"], 2 * known["n"])
        return [
            f"Log loss on pictures held out, by number of labels learned from: {learned}.",
            f"Twice as many labels ({2 * count}) would bring it to about {loss:.3f}, if it goes on like that, and make "
            f"the interval of knives not clear {twice['high'] - twice['low']:.3f} wide, not "
            f"{known['high'] - known['low']:.3f}.",
        ]


def adapt(labelled: Sequence[Labelled], readings: Sequence[Reading], bundle: Bundle, targets: Targets) -> Adapted:
    """Fit a knife head to labelled pictures and judge it by cross-validation."""
    manifest = bundle.manifest
    first = manifest.calibration.first_look
    looked = Looked(readings, manifest.preprocess.looks, (first.scale, first.shift) if first else (1.0, 0.0))
    truth = np.array([one.knife for one in labelled], np.int64)
    weight = np.array([one.weight for one in labelled])
    table = Table(looked, truth, groups(labelled, looked.whole), weight / weight.mean())
    if len(set(table.groups)) < 2 * fitting.FOLDS:
        raise LabelsError(f"The pictures fall into {len(set(table.groups))} groups of look-alikes; at least "
                          f"{2 * fitting.FOLDS} are needed to tell whether anything got better.")  # fmt: skip
    shipped = shipped_head(bundle)
    before, after = shipped.probabilities(looked), fitting.cross_validated(table, shipped)
    everything = np.arange(len(truth))
    penalty = fitting.choose_penalty(table, everything, shipped)
    loss_before, loss_after = (measures.log_losses(truth, score) for score in (before, after))
    gain, weight = loss_before - loss_after, table.weight
    gains = measures.resampled(lambda among: float(np.average(gain[among], weights=weight[among])), table.groups)
    likely = float((gains > 0).mean())
    band = manifest.thresholds.labels["knife"]
    held = _crossed_bands(table, after, targets, (band.check, band.hold))
    parent = _measured(table, before, np.full(len(truth), band.check), np.full(len(truth), band.hold))
    new = _measured(table, after, *held)
    return Adapted(
        head=fitting.fit(table, everything, shipped, penalty),
        bands=chosen_bands(truth, after, targets, (band.check, band.hold), table.weight),
        penalty=penalty,
        parent=parent,
        new=new,
        likely=likely,
        better=likely >= CONFIDENT and new["auc"]["value"] >= parent["auc"]["value"] - AREA_LOST,
        curve=fitting.learning_curve(table, shipped, penalty, CURVE),
        counts={"pictures": len(truth), "knives": int(truth.sum()), "groups": len(set(table.groups))},
        targets=targets,
        unlike=_unlike(table, bundle),
    )


def _unlike(table: Table, bundle: Bundle) -> measures.Measured | None:
    """The share of pictures outside the range of the measured ones."""
    known = MeasuredRange.of(bundle)
    if known is None:
        return None
    outside = np.array([known.distance(one.astype(np.float32)) > 1 for one in table.looked.whole])
    return measures.weighted_share(outside, table.weight)


def shipped_head(bundle: Bundle) -> Head:
    """A bundle's own knife head."""
    column, platt = bundle.manifest.outputs.names.index("knife"), bundle.manifest.calibration.labels["knife"]
    with np.load(bundle.path / HEADS, allow_pickle=False) as heads:
        weight, bias = heads["weight"][:, column].astype(np.float64), float(heads["bias"][column])
    return Head(weight, bias, platt.scale, platt.shift)


def chosen_bands(
    truth: measures.Truth,
    score: measures.Floats,
    targets: Targets,
    parent: Bands,
    weight: measures.Floats | None = None,
) -> Bands:
    """The highest `check` that misses no more knives than allowed; the lowest `hold` that holds no more others.

    Neither is looser than the parent's unless the labels prove the rate at 95 %: with few of them it is kept by luck.
    `hold` is at least .5. Each lies midway between the scores that it parts.
    """
    weight = np.ones(len(truth)) if weight is None else weight
    order = np.argsort(score)
    lowest, highest = order[truth[order] == 1], order[::-1][truth[order[::-1]] == 0]
    wished, proven = _cuts(score[lowest], weight[lowest], targets.missed, 0.0)
    check = min(wished, max(parent[0], proven))
    wished, proven = _cuts(score[highest], weight[highest], targets.false_hold, 1.0)
    hold = max(0.5, wished, min(parent[1], proven))
    return round(float(min(check, hold)), 4), round(float(min(hold, 0.999)), 4)


def _cuts(score: measures.Floats, weight: measures.Floats, rate: float, end: float) -> tuple[float, float]:
    """Where to cut so that at most this share of the weight lies before the cut: as counted, and as proven at 95 %.

    Args:
        score: in the order in which they fall to the wrong side.
        end: of the scale, on that side.
    """
    total, n = np.append(0.0, np.cumsum(weight)), measures.effective(weight)
    places = np.append(end, score)
    counted = [k for k in range(len(score)) if total[k] <= rate * total[-1] + 1e-9]
    proven = [k for k in counted if measures.at_most(total[k] / total[-1], n) <= rate]

    def cut(before: int) -> float:
        return float(places[before] + places[before + 1]) / 2

    return cut(counted[-1]), cut(proven[-1]) if proven else end


def _crossed_bands(
    table: Table, score: measures.Floats, targets: Targets, parent: Bands
) -> tuple[measures.Floats, measures.Floats]:
    """check and hold [N] of each picture, chosen on the pictures of the other folds."""
    check, hold = np.zeros(len(score)), np.zeros(len(score))
    folds = table.folds(np.arange(len(score)), fitting.FOLDS)
    for fold in folds:
        rest = np.concatenate([other for other in folds if other is not fold])
        check[fold], hold[fold] = chosen_bands(table.truth[rest], score[rest], targets, parent, table.weight[rest])
    return check, hold


def _measured(
    table: Table, score: measures.Floats, check: measures.Floats, hold: measures.Floats
) -> dict[str, measures.Measured]:
    truth, groups_, weight = table.truth, table.groups, table.weight
    losses = measures.log_losses(truth, score)

    def share(label: int, hit: npt.NDArray[np.bool_]) -> measures.Measured:
        return measures.weighted_share(hit[truth == label], weight[truth == label])

    return {
        "auc": measures.interval(lambda among: measures.auc(truth[among], score[among], weight[among]), groups_),
        "log loss": measures.interval(lambda among: float(np.average(losses[among], weights=weight[among])), groups_),
        "knives not clear": share(1, score >= check),
        "knives held": share(1, score >= hold),
        "others not clear": share(0, score >= check),
        "others held": share(0, score >= hold),
    }


def lines(found: Adapted, parent: Bundle) -> list[str]:
    """The comparison as text."""
    identity = parent.identity
    counts, said = found.counts, measures.said
    rows = [f"{name:<18}{said(found.parent[name]):<34}{said(found.new[name])}" for name in found.parent]
    return [
        f"{counts['pictures']} pictures, {counts['knives']} with a knife, in {counts['groups']} groups of look-alikes.",
        "",
        f"{'':<18}{identity['name'] + ' ' + identity['version']:<34}adapted (cross-validated)",
        *rows,
        "",
        f"Knife: check from {found.bands[0]:.3f}, hold from {found.bands[1]:.3f}; {found.chosen_for}.",
        *([f"Unlike what {identity['name']} was measured on: {said(found.unlike)} of your pictures."]
          if found.unlike else []),
        *found.what_more_would_buy(),
        f"The adapted head has less log loss in {found.likely:.0%} of resamples.",
    ]  # fmt: skip
