"""Looks, calibration and thresholds of a bundle, chosen on held-out pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from bladecheck.core.taxonomy import BLADES, FEATURES, LABELS, WEAPONS
from bladecheck_training import metrics
from bladecheck_training.calibrate import HeldOut, Platt, band, gate, platt, sure, temperature
from bladecheck_training.config import Config, Targets
from bladecheck_training.looks import Rule
from bladecheck_training.manifest import Row, split_by_group
from bladecheck_training.net import BLADE, FEATURE, KNIFE, WEAPON
from bladecheck_training.scored import Scored

NEVER = (1.0, 1.0)
SPARED = 4
"""Ordinary photos are to be spared so many times as well as tools, seized things and the like."""
SPEAKING = 5
"""A kind or feature is named only if so many held-out pictures show it."""


@dataclass(frozen=True)
class Fitted:
    """Calibration and thresholds, ready for the bundle."""

    labels: dict[str, Platt]
    features: dict[str, Platt]
    blade_temperature: float
    weapon_temperature: float
    bands: dict[str, tuple[float, float]]
    feature_seen: dict[str, float]
    blade_sure: float
    weapon_sure: float
    rule: Rule


def fit(held_out: Mapping[str, Scored], config: Config) -> Fitted:
    """Looks, calibration and thresholds from "dev" and, if there is one, the cross-validated "police"; each set counts
    the same, so that few police pictures are not drowned."""
    sets = [held_out[name] for name in ("dev", "police") if name in held_out]
    rule = look_again(sets, config)
    sets, targets = [scored.by(rule) for scored in sets], config.targets
    labels = {name: _platt(sets, index, _labelled(name)) for index, name in enumerate(LABELS)}
    features = {name: _platt(sets, FEATURE.start + index, _featured(name)) for index, name in enumerate(FEATURES)}
    warmth, blade_sure = _kinds(sets, BLADE, BLADES, lambda row: row.blade, targets.wrong_kind)
    weapon_warmth, weapon_sure = _kinds(sets, WEAPON, WEAPONS, lambda row: row.weapon, targets.wrong_kind)
    bands = {"knife": _knife_band(sets, labels["knife"], targets)}
    for index, name in enumerate(LABELS):
        if name != "knife":
            bands[name] = _gate(sets, index, labels[name], _labelled(name), targets)
    seen = {name: cut for index, name in enumerate(FEATURES)
            if (cut := _seen(sets, FEATURE.start + index, features[name], _featured(name), targets)) < 1}  # fmt: skip
    return Fitted(labels, features, warmth, weapon_warmth, bands, seen, blade_sure, weapon_sure, rule)


def look_again(sets: Sequence[Scored], config: Config) -> Rule:
    """From which to which first score a second look is taken.

    `again_from` is the highest cut below which at most `targets.again` of the knives of each set lie.
    """
    first = _platt([scored.once for scored in sets], KNIFE, lambda row: row.knife)
    if not config.crops:
        return Rule(first=first)
    cuts = []
    for scored in sets:
        known = scored.known
        score = np.sort(first(known.looks[:, 0, KNIFE])[known.knife == 1])
        cuts.append(score[int(np.floor(config.targets.again * len(score)))] * 0.999 if len(score) else 0.0)
    again_to, again_from = config.looks.sure, config.looks.again_from or min([*cuts, config.looks.sure])
    return Rule(round(float(again_from), 4), again_to, config.looks.kinds, config.looks.combine, first)


def _labelled(name: str) -> Callable[[Row], int | None]:
    return lambda row: row.labels.get(name)


def _featured(name: str) -> Callable[[Row], int | None]:
    return lambda row: row.features.get(name)


def _kinds(
    sets: Sequence[Scored], columns: slice, names: Sequence[str], kind: Callable[[Row], str | None], wrong: float
) -> tuple[float, float]:
    """Temperature of a distribution over kinds, and the probability from which a kind is named."""
    some = [s.only(lambda row: kind(row) is not None) for s in sets]
    logits = np.concatenate([s.logits[:, columns] for s in some])
    truth = np.array([names.index(str(kind(row))) for s in some for row in s.rows], np.int64)
    if len(truth) < SPEAKING:
        return 1.0, 1.0
    warmth = round(temperature(logits, truth), 4)
    chances = softmax(logits / warmth)
    return warmth, sure(chances.max(1), (chances.argmax(1) == truth).astype(float), wrong)


def softmax(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Shares that sum to one, [N, K]."""
    scores = np.exp(logits - logits.max(1, keepdims=True))
    result: npt.NDArray[Any] = scores / scores.sum(1, keepdims=True)
    return result


def _knife_band(sets: Sequence[Scored], knife: Platt, targets: Targets) -> tuple[float, float]:
    return band([_held_out(scored.known, knife) for scored in sets], targets)


def _held_out(scored: Scored, knife: Platt) -> HeldOut:
    return HeldOut(knife(scored.logits[:, KNIFE]), scored.knife, scored.ordinary)


def _gate(
    sets: Sequence[Scored], column: int, fitted: Platt, truth: Callable[[Row], int | None], targets: Targets
) -> tuple[float, float]:
    if not _both_classes(sets, truth):
        return NEVER
    every = gate(_pairs(sets, column, fitted, truth), targets.other_missed, SPARED * targets.other_false_check,
                 SPARED * targets.other_false_hold)  # fmt: skip
    calm = [Scored([row for row, here in zip(s.rows, s.ordinary, strict=True) if here], s.looks[s.ordinary], s.rule)
            for s in sets]  # fmt: skip
    ordinary = gate(_pairs(calm, column, fitted, truth), targets.other_missed, targets.other_false_check,
                    targets.other_false_hold)  # fmt: skip
    return max(every[0], ordinary[0]), max(every[1], ordinary[1])


def _both_classes(sets: Sequence[Scored], truth: Callable[[Row], int | None]) -> bool:
    """Whether there was anything to learn and to measure; a head that never saw both classes says nothing."""
    return {0, 1} <= {truth(row) for scored in sets for row in scored.rows}


def _seen(
    sets: Sequence[Scored], column: int, fitted: Platt, truth: Callable[[Row], int | None], targets: Targets
) -> float:
    """The probability from which a feature is named; 1 if it can't be said well enough."""
    pairs = _pairs(sets, column, fitted, truth)
    if sum(int((known == 1).sum()) for _, known in pairs) < SPEAKING:
        return 1.0
    score, right = (np.concatenate([pair[index] for pair in pairs]) for index in (0, 1))
    return sure(score, right.astype(float), targets.wrong_feature)


def _pairs(
    sets: Sequence[Scored], column: int, fitted: Platt, truth: Callable[[Row], int | None]
) -> list[tuple[metrics.Array, metrics.Array]]:
    """(probabilities, truth) of each set's rows of which it is known."""
    parts = [s.only(lambda row: truth(row) is not None) for s in sets]
    return [(fitted(p.logits[:, column]), np.array([truth(row) for row in p.rows])) for p in parts if p.rows]


def knife_fitted(fitted: Fitted, sets: Sequence[Scored], targets: Targets) -> Fitted:
    """The same but for the knife score, whose calibration and thresholds are chosen on these sets."""
    knife = _platt(sets, KNIFE, _labelled("knife"))
    bands = fitted.bands | {"knife": _knife_band(sets, knife, targets)}
    return replace(fitted, labels=fitted.labels | {"knife": knife}, bands=bands)


def cross_fitted(scored: Scored, others: Sequence[Scored], folds: int = 5) -> metrics.Array:
    """Knife probabilities whose calibration never saw the picture's own group: the honest input for ECE and Brier."""
    fold = split_by_group(scored.rows, folds)
    place = np.array([fold[row.group] for row in scored.rows])
    result = np.zeros(len(place))
    for part in range(folds):
        rest = scored.only(partial(_outside, fold, part))
        fitted = _platt([rest, *others], KNIFE, lambda row: row.knife)
        result[place == part] = fitted(scored.logits[place == part, KNIFE])
    return result


def _outside(fold: dict[str, int], part: int, row: Row) -> bool:
    return fold[row.group] != part


def _platt(sets: Sequence[Scored], column: int, truth: Callable[[Row], int | None]) -> Platt:
    logits, known, weight = [], [], []
    for scored in sets:
        index = [i for i, row in enumerate(scored.rows) if truth(row) is not None]
        logits += scored.logits[index, column].tolist()
        known += [truth(scored.rows[i]) for i in index]
        weight += [1 / max(1, len(index))] * len(index)
    share = np.array(weight) * len(weight) / max(sum(weight), 1e-9)
    fitted = platt(np.array(logits), np.array(known), share)
    return Platt(round(fitted.scale, 6), round(fitted.shift, 6))
