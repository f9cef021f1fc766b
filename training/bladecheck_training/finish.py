"""From a trained network and its held-out predictions to a measured bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bladecheck.core import bundle
from bladecheck.core.bundle import Bundle
from bladecheck.core.looks import WHOLE
from bladecheck_training import bundling, evaluate, export, left_out, metrics, novelty, occupancy, plots
from bladecheck_training.evaluate import Fitted, Scored
from bladecheck_training.net import KNIFE
from bladecheck_training.runs import Study, police_folds

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


def held_out(study: Study) -> dict[str, Scored]:
    """ "dev", and, if there are police pictures, "police" (cross-validated) and "unseen"."""
    found, rows, tools = stored(study), study.library.rows, study.config.data.tools
    names = {"dev": "final", "police": "police", "unseen": "unseen"}
    return {name: Scored.stored(rows, found, key, tools) for name, key in names.items() if f"{key}_ids" in found}


def stored(study: Study) -> dict[str, Any]:
    """What the trainings predicted."""
    return dict(np.load(study.folder / "predictions.npz"))


def fit(study: Study, sets: dict[str, Scored]) -> Fitted:
    """Looks, calibration and thresholds from dev and, if there is one, the cross-validated police set."""
    return evaluate.fit([sets[name] for name in ("dev", "police") if name in sets], study.config)


def ship(study: Study, write: Callable[[Path], export.Written], target: Path, parent: Bundle | None) -> None:
    """Write the bundle into `target`, measure what ships, and draw the plots.

    Args:
        write: writes the graph and its heads into a folder.
        parent: the bundle that was gone on from.
    """
    target.mkdir(parents=True, exist_ok=True)
    written, sets = write(target), held_out(study)
    fitted, found = fit(study, sets), stored(study)
    measured = measure(sets, fitted, bool(study.kept))
    maps, occupied = mapped(study, found)
    measured |= maps | compression(study, target, written, sets, fitted) | left_out.measured(study)
    measured |= sliced(sets, fitted, bool(study.kept))
    notes = {
        "views of training pictures": len(study.training_views(())),
        "largest difference of the graph's logits from torch's": f"{written.difference:.1e}",
    }
    trained = study.training_views({name for part in police_folds(study.rows) for name in part})
    used = {name for index in trained for name in study.cache.views[index].ids}
    embeddings = found["embedding"]
    known = novelty.fit(embeddings)
    arrays = {name: getattr(known, name) for name in ("mean", "basis")}
    facts = bundling.Facts(
        fitted, occupied, novelty.limit(embeddings), parent.sha256 if parent else None, measured, notes
    )
    bundling.write(target, study.config, study.library, used, facts, arrays)
    (study.folder / "metrics.json").write_text(json.dumps(measured, indent=1))
    draw(study.folder, sets, fitted)


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
        result[titles[name]] = evaluate.summary(looked, fitted, others)
        if scored.looks.shape[1] > 1:
            once = [other.once for other in others]
            result[f"{titles[name]}, by the first look alone"] = evaluate.summary(scored.once, fitted, once)
            every = scored.by(replace(fitted.rule, again_from=0.0, again_to=1.0))
            result[f"{titles[name]}, if every picture had all looks"] = evaluate.brief(every, fitted)
    return result


def sliced(sets: dict[str, Scored], fitted: Fitted, kept: bool = False) -> dict[str, Any]:
    """The card's tables of slices; `kept` as for `measure`."""
    return {
        f"slices of {name}{SEEN if kept and name == 'police' else ''}": evaluate.slices(scored.by(fitted.rule), fitted)
        for name, scored in sets.items()
        if name != "unseen"
    }


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


def draw(folder: Path, sets: dict[str, Scored], fitted: Fitted) -> None:
    """Save curves.png and decisions.png in the run's folder."""
    plots.curves(folder / "no-police", folder / "curves.png")
    platt = fitted.labels["knife"]
    known = {name: sets[name].by(fitted.rule).known for name in ("dev", "police") if name in sets}
    drawn = {f"{name} (n = {len(s.rows)})": (s.knife, platt(s.logits[:, KNIFE])) for name, s in known.items()}
    plots.confusion(drawn, *fitted.bands["knife"], folder / "decisions.png")
