"""What the model reaches on held-out pictures, overall and by slice, as data for the bundle and the card."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from bladecheck.core.taxonomy import BLADES, FEATURES, LABELS, WEAPONS
from bladecheck_training import metrics
from bladecheck_training.calibrate import HeldOut, Platt, band, gate, platt, sure, temperature
from bladecheck_training.config import Config, Targets
from bladecheck_training.looks import Rule
from bladecheck_training.manifest import Row
from bladecheck_training.net import BLADE, FEATURE, KNIFE, WEAPON

NEVER = (1.0, 1.0)
SPARED = 4
"""Ordinary photos are to be spared so many times as well as tools, seized things and the like."""
SPEAKING = 5
"""A kind or feature is named only if so many held-out pictures show it."""
Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scored:
    """Held-out rows with the logits of each look, [N, J, WIDTH], and how looks combine.

    Attributes:
        tools: sources whose pictures are no ordinary photos.
    """

    rows: Sequence[Row]
    looks: Logits
    rule: Rule = field(default_factory=Rule)
    tools: tuple[str, ...] = ()

    @classmethod
    def stored(
        cls, rows: Mapping[str, Row], found: Mapping[str, npt.NDArray[Any]], name: str, tools: tuple[str, ...] = ()
    ) -> Scored:
        """One of the sets in a file of predictions: <name>_ids and <name>_logits."""
        return cls([rows[str(key)] for key in found[f"{name}_ids"]], found[f"{name}_logits"], tools=tools)

    @property
    def logits(self) -> Logits:
        """One answer a picture, [N, WIDTH]."""
        return self.rule.combined(self.looks)

    @property
    def once(self) -> Scored:
        """The same pictures by the first look alone."""
        return replace(self, looks=self.looks[:, :1])

    def by(self, rule: Rule) -> Scored:
        """The same pictures, looked at by a rule."""
        return replace(self, rule=rule)

    def only(self, keep: Callable[[Row], bool]) -> Scored:
        """The rows for which `keep` is true."""
        index = [i for i, row in enumerate(self.rows) if keep(row)]
        return replace(self, rows=[self.rows[i] for i in index], looks=self.looks[index])

    @property
    def known(self) -> Scored:
        """The rows whose knife label is known."""
        return self.only(lambda row: row.knife is not None)

    @property
    def knife(self) -> metrics.Array:
        return np.array([row.knife or 0 for row in self.rows])

    @property
    def groups(self) -> list[str]:
        return [row.group for row in self.rows]

    @property
    def ordinary(self) -> npt.NDArray[np.bool_]:
        """Everyday photos: no knife, no tool, no weapon."""
        return np.array([
            row.knife == 0 and row.split == "dev" and not row.labels.get("gun") and row.source not in self.tools
            for row in self.rows
        ], bool)  # fmt: skip


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


def fit(sets: Sequence[Scored], config: Config) -> Fitted:
    """Looks, calibration and thresholds from held-out sets; each set counts the same, so that few police pictures are
    not drowned."""
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


def knife_fitted(fitted: Fitted, sets: Sequence[Scored], targets: Targets) -> Fitted:
    """The same but for the knife score, whose calibration and thresholds are chosen on these sets."""
    knife = _platt(sets, KNIFE, _labelled("knife"))
    bands = fitted.bands | {"knife": _knife_band(sets, knife, targets)}
    return replace(fitted, labels=fitted.labels | {"knife": knife}, bands=bands)


def _knife_band(sets: Sequence[Scored], knife: Platt, targets: Targets) -> tuple[float, float]:
    return band([_held_out(scored.known, knife) for scored in sets], targets)


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
    chances = _softmax(logits / warmth)
    return warmth, sure(chances.max(1), (chances.argmax(1) == truth).astype(float), wrong)


def _softmax(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    scores = np.exp(logits - logits.max(1, keepdims=True))
    result: npt.NDArray[Any] = scores / scores.sum(1, keepdims=True)
    return result


def _pairs(
    sets: Sequence[Scored], column: int, fitted: Platt, truth: Callable[[Row], int | None]
) -> list[tuple[metrics.Array, metrics.Array]]:
    """(probabilities, truth) of each set's rows of which it is known."""
    parts = [s.only(lambda row: truth(row) is not None) for s in sets]
    return [(fitted(p.logits[:, column]), np.array([truth(row) for row in p.rows])) for p in parts if p.rows]


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


def _seen(
    sets: Sequence[Scored], column: int, fitted: Platt, truth: Callable[[Row], int | None], targets: Targets
) -> float:
    """The probability from which a feature is named; 1 if it can't be said well enough."""
    pairs = _pairs(sets, column, fitted, truth)
    if sum(int((known == 1).sum()) for _, known in pairs) < SPEAKING:
        return 1.0
    score, right = (np.concatenate([pair[index] for pair in pairs]) for index in (0, 1))
    return sure(score, right.astype(float), targets.wrong_feature)


def _both_classes(sets: Sequence[Scored], truth: Callable[[Row], int | None]) -> bool:
    """Whether there was anything to learn and to measure; a head that never saw both classes says nothing."""
    return {0, 1} <= {truth(row) for scored in sets for row in scored.rows}


def _labelled(name: str) -> Callable[[Row], int | None]:
    return lambda row: row.labels.get(name)


def _featured(name: str) -> Callable[[Row], int | None]:
    return lambda row: row.features.get(name)


def _outside(fold: dict[str, int], part: int, row: Row) -> bool:
    return fold[row.group] != part


def _is(key: Callable[[Row], str], value: str, row: Row) -> bool:
    return key(row) == value


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


def _held_out(scored: Scored, knife: Platt) -> HeldOut:
    return HeldOut(knife(scored.logits[:, KNIFE]), scored.knife, scored.ordinary)


def cross_fitted(scored: Scored, others: Sequence[Scored], folds: int = 5) -> metrics.Array:
    """Knife probabilities whose calibration never saw the picture's own group: the honest input for ECE and Brier."""
    from bladecheck_training.manifest import split_by_group

    fold = split_by_group(scored.rows, folds)
    place = np.array([fold[row.group] for row in scored.rows])
    result = np.zeros(len(place))
    for part in range(folds):
        rest = scored.only(partial(_outside, fold, part))
        fitted = _platt([rest, *others], KNIFE, lambda row: row.knife)
        result[place == part] = fitted(scored.logits[place == part, KNIFE])
    return result


def summary(scored: Scored, fitted: Fitted, others: Sequence[Scored], rounds: int = 1000) -> dict[str, Any]:
    """All measures of one held-out set: ranking, calibration, decisions at the shipped thresholds, kinds, slices."""
    known = scored.known
    probability = cross_fitted(known, others)
    groups, truth = known.groups, known.knife
    result: dict[str, Any] = {
        "pictures": len(known.rows),
        "knife_auc": metrics.interval(metrics.auc, truth, known.logits[:, KNIFE], groups, rounds),
        "knife_average_precision": metrics.interval(
            metrics.average_precision, truth, known.logits[:, KNIFE], groups, rounds
        ),
        "ece": metrics.interval(metrics.calibration_error, truth, probability, groups, rounds),
        "ece_floor": metrics.calibration_floor(probability),
        "brier": metrics.interval(metrics.brier, truth, probability, groups, rounds),
        "decisions": decisions(known, fitted),
        "kinds": kinds(known, rounds),
    }
    for index, name in enumerate(LABELS):
        if index != KNIFE and (more := _other(scored, fitted, index, name, rounds)):
            result[name] = more
    result["looks"] = 1 + (scored.looks.shape[1] - 1) * float(scored.rule.again(scored.looks).mean())
    return result


def _other(scored: Scored, fitted: Fitted, column: int, name: str, rounds: int) -> dict[str, Any]:
    """Ranking and decisions of a further label; nothing if fewer than five pictures show it."""
    rows = scored.only(lambda row: row.labels.get(name) is not None)
    truth = np.array([row.labels[name] for row in rows.rows], int)
    if truth.sum() < SPEAKING:
        return {}
    logits, (check, hold) = rows.logits[:, column], fitted.bands[name]
    score = fitted.labels[name](logits)
    yes = truth == 1
    found = {
        "auc": metrics.interval(metrics.auc, truth, logits, rows.groups, rounds),
        "not clear, of those that show it": metrics.share(int((yes & (score >= check)).sum()), int(yes.sum())),
        "hold, of those that show it": metrics.share(int((yes & (score >= hold)).sum()), int(yes.sum())),
        "not clear, of the others": metrics.share(int((~yes & (score >= check)).sum()), int((~yes).sum())),
        "hold, of the others": metrics.share(int((~yes & (score >= hold)).sum()), int((~yes).sum())),
    }
    kinds = rows.only(lambda row: row.weapon is not None)
    if name == "other_weapon" and kinds.rows:
        right = [WEAPONS[place] == row.weapon for place, row in zip(kinds.logits[:, WEAPON].argmax(1), kinds.rows,
                                                                    strict=True)]  # fmt: skip
        found["kind named right"] = metrics.share(sum(right), len(right))
    return found


def brief(scored: Scored, fitted: Fitted, rounds: int = 1000) -> dict[str, Any]:
    """Ranking, decisions and kinds alone."""
    known = scored.known
    return {
        "knife_auc": metrics.interval(metrics.auc, known.knife, known.logits[:, KNIFE], known.groups, rounds),
        "decisions": decisions(known, fitted),
        "kinds": {"accuracy": kinds(known, 1).get("accuracy", metrics.share(0, 0))},
    }


def decisions(scored: Scored, fitted: Fitted) -> dict[str, Any]:
    """Shares with Wilson intervals of what the knife score alone leads to at the shipped thresholds."""
    probability = fitted.labels["knife"](scored.logits[:, KNIFE])
    check, hold = fitted.bands["knife"]
    knife, ordinary = scored.knife == 1, scored.ordinary

    def part(hit: metrics.Array, among: metrics.Array) -> dict[str, Any]:
        return metrics.share(int((hit & among).sum()), int(among.sum()))

    result = {
        "knife_not_clear": part(probability >= check, knife),
        "knife_hold": part(probability >= hold, knife),
        "other_hold": part(probability >= hold, ~knife),
        "other_not_clear": part(probability >= check, ~knife),
    }
    if ordinary.any():
        result["ordinary_hold"] = part(probability >= hold, ordinary)
        result["ordinary_not_clear"] = part(probability >= check, ordinary)
    return result


def kinds(scored: Scored, rounds: int) -> dict[str, Any]:
    """How well the kind of blade is told among knife pictures: accuracy, and average precision per kind."""
    named = scored.only(lambda row: row.blade is not None)
    if not named.rows:
        return {}
    truth = np.array([BLADES.index(row.blade or "") for row in named.rows])
    logits = named.logits[:, BLADE]
    scores = _softmax(logits)
    result = {"accuracy": metrics.share(int((logits.argmax(1) == truth).sum()), len(truth))}
    for index, name in enumerate(BLADES):
        if (truth == index).sum() >= 5:
            result[name] = metrics.interval(
                metrics.average_precision, (truth == index).astype(int), scores[:, index], named.groups, rounds
            )
    return result


def slices(scored: Scored, fitted: Fitted) -> dict[str, dict[str, Any]]:
    """Decisions by source, setting, kind of blade and whether a red notebook lies beside; slices of 10 or more."""
    known = scored.known
    keys: dict[str, Callable[[Row], str]] = {
        "source": lambda row: row.source,
        "setting": lambda row: row.setting,
        "blade": lambda row: row.blade or "",
        "red notebook": lambda row: "yes" if "red_pad" in row.flags else "no" if row.split == "police" else "",
    }
    result: dict[str, dict[str, Any]] = {}
    for name, key in keys.items():
        for value in sorted({key(row) for row in known.rows} - {""}):
            part = known.only(partial(_is, key, value))
            if len(part.rows) >= 10:
                result[f"{name}: {value}"] = {"pictures": len(part.rows), **decisions(part, fitted)}
    return result
