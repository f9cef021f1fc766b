"""What the model reaches on held-out pictures, overall and by slice, as data for the bundle and the card."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from bladecheck.core.taxonomy import BLADES, FEATURES, LABELS
from bladecheck_training import metrics
from bladecheck_training.calibrate import HeldOut, Platt, band, platt, temperature
from bladecheck_training.config import Targets
from bladecheck_training.manifest import Row

KNIFE = LABELS.index("knife")
BLADE = slice(len(LABELS), len(LABELS) + len(BLADES))
FIRST_FEATURE = len(LABELS) + len(BLADES)
TOOL_SOURCES = ("weapon-classification", "Rokey")  # tools and weapons photographed as objects
NEVER = (1.0, 1.0)
Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scored:
    """Held-out rows with their logits [N, WIDTH]."""

    rows: Sequence[Row]
    logits: Logits

    @classmethod
    def stored(cls, rows: Sequence[Row], found: Mapping[str, npt.NDArray[Any]], name: str) -> Scored:
        """One of the sets in a file of predictions: <name>_rows, indices into `rows`, and <name>_logits."""
        return cls([rows[int(row)] for row in found[f"{name}_rows"]], found[f"{name}_logits"])

    def only(self, keep: Callable[[Row], bool]) -> Scored:
        """The rows for which `keep` is true."""
        index = [i for i, row in enumerate(self.rows) if keep(row)]
        return Scored([self.rows[i] for i in index], self.logits[index])

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


def is_ordinary(row: Row) -> bool:
    """An everyday photo: no knife, no tool, no weapon."""
    return (
        row.knife == 0
        and row.split == "dev"
        and not row.labels.get("gun")
        and not any(name in row.source for name in TOOL_SOURCES)
    )


@dataclass(frozen=True)
class Fitted:
    """Calibration and thresholds, ready for the bundle."""

    labels: dict[str, Platt]
    features: dict[str, Platt]
    blade_temperature: float
    bands: dict[str, tuple[float, float]]
    feature_seen: dict[str, float]


def fit(sets: Sequence[Scored], targets: Targets) -> Fitted:
    """Calibrate on held-out sets; each set counts the same, so that few police pictures are not drowned."""
    labels = {name: _platt(sets, index, _labelled(name)) for index, name in enumerate(LABELS)}
    features = {name: _platt(sets, FIRST_FEATURE + index, _featured(name)) for index, name in enumerate(FEATURES)}
    blades = [s.only(lambda row: row.blade is not None) for s in sets]
    warmth = temperature(
        np.concatenate([s.logits[:, BLADE] for s in blades]),
        np.array([BLADES.index(row.blade) for s in blades for row in s.rows if row.blade]),
    )
    held = [_held_out(s.known, labels["knife"]) for s in sets]
    gun_seen = _both_classes(sets, _labelled("gun"))
    bands = {"knife": band(held, targets), "gun": (0.3, 0.7) if gun_seen else NEVER}
    seen = {name: 0.6 for name in FEATURES if _both_classes(sets, _featured(name))}
    return Fitted(labels, features, round(warmth, 4), bands, seen)


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
    return HeldOut(knife(scored.logits[:, KNIFE]), scored.knife, np.array([is_ordinary(row) for row in scored.rows]))


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
    guns = scored.only(lambda row: row.labels.get("gun") is not None)
    gun = np.array([row.labels["gun"] for row in guns.rows])
    if gun.sum() >= 5:
        result["gun_auc"] = metrics.interval(metrics.auc, gun, guns.logits[:, 1], guns.groups, rounds)
    return result


def decisions(scored: Scored, fitted: Fitted) -> dict[str, Any]:
    """Shares with Wilson intervals of what the knife score alone leads to at the shipped thresholds."""
    probability = fitted.labels["knife"](scored.logits[:, KNIFE])
    check, hold = fitted.bands["knife"]
    knife, ordinary = scored.knife == 1, np.array([is_ordinary(row) for row in scored.rows])

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
    scores = np.exp(logits - logits.max(1, keepdims=True))
    scores /= scores.sum(1, keepdims=True)
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


def pointing(scored: Scored, evidence: npt.NDArray[np.float32]) -> dict[str, Any]:
    """Share of boxed knife pictures whose map peaks inside a box (the pointing game: Zhang et al. 2016)."""
    side = evidence.shape[1]
    hits, total = 0, 0
    for row, scores in zip(scored.rows, evidence, strict=True):
        if not row.boxes:
            continue
        y, x = np.unravel_index(int(scores.argmax()), scores.shape)
        total += 1
        cells = (x / side, y / side, (x + 1) / side, (y + 1) / side)
        hits += any(_overlap(cells, box) for box in row.boxes)
    return metrics.share(hits, total)


def _overlap(cell: tuple[float, ...], box: tuple[float, ...]) -> bool:
    """The cell's centre lies in the box, or the box is thinner than a cell and crosses it."""
    x, y = (cell[0] + cell[2]) / 2, (cell[1] + cell[3]) / 2
    slack = (cell[2] - cell[0]) / 2
    wide, high = box[2] - box[0] < 2 * slack, box[3] - box[1] < 2 * slack
    return (box[0] - slack * wide <= x <= box[2] + slack * wide) and (
        box[1] - slack * high <= y <= box[3] + slack * high
    )
