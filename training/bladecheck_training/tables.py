"""The card's tables: what the model reaches on held-out pictures, overall and by slice, as data for the bundle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bladecheck.core import bundle
from bladecheck.core.looks import WHOLE
from bladecheck.core.taxonomy import BLADES, LABELS, WEAPONS
from bladecheck_training import export, metrics, occupancy
from bladecheck_training.fitting import SPEAKING, Fitted, cross_fitted, softmax
from bladecheck_training.manifest import Row
from bladecheck_training.net import BLADE, KNIFE, WEAPON
from bladecheck_training.scored import Scored
from bladecheck_training.study import Study

TITLES = {
    "dev": "dev (never trained on)",
    "police": "police, cross-validated (trunk without police pictures, heads with the other folds)",
    "unseen": "police, no police picture in training",
}
SEEN = " (the scores of knife are the parent's, whose heads have seen these pictures)"
KEPT = {
    "dev": "dev (never trained on)",
    "police": "police: kinds, other weapons and map cross-validated; NOT the scores of knife and gun and the features, "
    "which are the parent's, whose heads have seen these very pictures",
    "unseen": "police, no police picture in training of kinds and other weapons; scores of knife and gun as above",
}


def measure(sets: dict[str, Scored], fitted: Fitted, kept: bool = False) -> dict[str, Any]:
    """The card's main tables, with looks and by the first look alone.

    Args:
        kept: whether columns are the parent's, which may have seen the police pictures.
    """
    result: dict[str, Any] = {}
    titles = KEPT if kept else TITLES
    for name, scored in sets.items():
        looked = scored.by(fitted.rule)
        others = [
            other.by(fitted.rule).known for key, other in sets.items() if key != name and "unseen" not in (key, name)
        ]
        if name == "unseen":
            others = [sets["dev"].by(fitted.rule).known]
        result[titles[name]] = summary(looked, fitted, others)
        if scored.looks.shape[1] > 1:
            once = [other.once for other in others]
            result[f"{titles[name]}, by the first look alone"] = summary(scored.once, fitted, once)
            every = scored.by(replace(fitted.rule, again_from=0.0, again_to=1.0))
            result[f"{titles[name]}, if every picture had all looks"] = brief(every, fitted)
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
    scores = softmax(logits)
    result = {"accuracy": metrics.share(int((logits.argmax(1) == truth).sum()), len(truth))}
    for index, name in enumerate(BLADES):
        if (truth == index).sum() >= 5:
            result[name] = metrics.interval(
                metrics.average_precision, (truth == index).astype(int), scores[:, index], named.groups, rounds
            )
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


def sliced(sets: dict[str, Scored], fitted: Fitted, kept: bool = False) -> dict[str, Any]:
    """The card's tables of slices; `kept` as for `measure`."""
    return {
        f"slices of {name}{SEEN if kept and name == 'police' else ''}": slices(scored.by(fitted.rule), fitted)
        for name, scored in sets.items()
        if name != "unseen"
    }


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


def _is(key: Callable[[Row], str], value: str, row: Row) -> bool:
    return key(row) == value


def mapped(study: Study, found: dict[str, Any]) -> tuple[dict[str, Any], float]:
    """What the map reaches, and from which value on a cell counts as occupied."""
    boxes, rows = [WHOLE, *study.config.crops], study.library.rows
    result: dict[str, Any] = {}
    dev = [rows[str(key)] for key in found["final_ids"]]
    boxed = [index for index, row in enumerate(dev) if row.boxes]
    if boxed:
        maps = occupancy.blades(found["final_maps"][boxed], boxes)
        result["peak inside a knife box, dev"] = occupancy.pointing([dev[index] for index in boxed], maps)
    cut = 0.5
    police = [rows[str(key)] for key in found.get("police_ids", ())]
    if outlined := [index for index, row in enumerate(police) if row.outline]:
        some = [police[index] for index in outlined]
        maps = occupancy.blades(found["police_maps"][outlined], boxes)
        cut = occupancy.choose(some, maps)
        result["outlined police pictures, cross-validated (the cut was chosen on them)"] = "all looks merged"
        result |= occupancy.measured(some, maps, cut)
        first = occupancy.blades(found["police_maps"][outlined][:, :1], boxes[:1])
        result |= {f"{key}, by the first look alone": value
                   for key, value in occupancy.measured(some, first, cut).items()}  # fmt: skip
    return ({"occupancy map": result} if result else {}), cut


def compression(
    study: Study, target: Path, written: export.Written, sets: dict[str, Scored], fitted: Fitted
) -> dict[str, Any]:
    """What storing the weights in few bits changed on dev, by the first look; nothing if the trunk was kept."""
    if written.plain is None:
        return {}
    dev = sets["dev"]
    index = study.looks([row.id for row in dev.rows])[:, 0]
    pixels = np.asarray(study.cache.pixels[index])
    answers = [export.answers(path, pixels, study.config.threads)[0][:, None]
               for path in (written.plain, target / bundle.MODEL)]  # fmt: skip
    plain, after = (Scored(dev.rows, logits).known for logits in answers)
    return {"compression": _changes(plain, dev.once.known, after, fitted)}


def _changes(plain: Scored, trained: Scored, after: Scored, fitted: Fitted) -> dict[str, Any]:
    """Of the network in float32, as it was trained, and as it ships."""
    sets, edges = (plain, trained, after), fitted.bands["knife"]
    places = [np.digitize(fitted.labels["knife"](s.logits[:, KNIFE]), edges) for s in sets]
    aucs = [metrics.auc(s.knife, s.logits[:, KNIFE]) for s in sets]
    changed = [metrics.share(int((place != places[2]).sum()), len(place)) for place in places]
    return {
        "AUC in float32": aucs[0],
        "AUC as trained": aucs[1],
        "AUC as shipped": aucs[2],
        "decisions changed from float32": changed[0],
        "decisions changed from the network as trained": changed[1],
    }
