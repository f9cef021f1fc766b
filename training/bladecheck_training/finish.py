"""From a trained network and its held-out predictions to a measured bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bladecheck.core import bundle
from bladecheck_training import bundling, evaluate, export, left_out, metrics, plots
from bladecheck_training.calibrate import Platt
from bladecheck_training.evaluate import KNIFE, Fitted, Scored
from bladecheck_training.runs import Study, police_folds


def police_sets(study: Study, found: dict[str, Any]) -> dict[str, Scored]:
    """ "police" and "unseen" of predictions.npz; none if there was no police picture."""
    return {name: Scored.stored(study.rows, found, name) for name in ("police", "unseen") if f"{name}_rows" in found}


def fit(study: Study, dev: Scored, sets: dict[str, Scored]) -> Fitted:
    """Calibration and thresholds from dev and, if there is one, the cross-validated police set."""
    return evaluate.fit([dev, *(scored for name, scored in sets.items() if name == "police")], study.config.targets)


def ship(study: Study, write: Callable[[Platt, Path], export.Written], target: Path) -> None:
    """Write the bundle into `target`, measure what ships, and draw the plots.

    Args:
        write: writes the graph into a folder, given the scale of its evidence map.
    """
    target.mkdir(parents=True, exist_ok=True)
    found = dict(np.load(study.folder / "predictions.npz"))
    written = write(evidence_scale(study, found), target)
    dev_views = study.plain_views("dev")
    pixels, rows = np.asarray(study.cache.pixels[dev_views]), [study.rows[i] for i in study.row_of[dev_views]]
    logits, evidence = export.answers(target / bundle.MODEL, pixels, study.config.threads)
    plain, _ = export.answers(written.plain, pixels, study.config.threads)
    dev = Scored(rows, logits)
    sets = police_sets(study, found)
    police, fitted = sets.get("police"), fit(study, dev, sets)
    measured = measure(dev, sets, fitted) | {
        "evidence map": {"peak inside a knife box, dev": evaluate.pointing(dev, evidence)},
        "compression": compression(Scored(rows, plain), Scored.stored(study.rows, found, "final"), dev, fitted),
        **left_out.measured(study),
        "slices of dev": evaluate.slices(dev, fitted),
    }
    if police:
        measured["slices of police, cross-validated"] = evaluate.slices(police, fitted)
    notes = {
        "views of training pictures": len(study.training_views([])),
        "largest difference of torch and onnxruntime before compression": f"{written.difference:.1e}",
    }
    trained = study.training_views([index for part in police_folds(study.rows) for index in part])
    used = {int(row) for row in study.row_of[trained]}
    bundling.write(target, study.config, study.rows, used, fitted, evidence.shape[1], measured, notes)
    (study.folder / "metrics.json").write_text(json.dumps(measured, indent=1))
    draw(study.folder, dev, police, fitted)


def measure(dev: Scored, sets: dict[str, Scored], fitted: Fitted) -> dict[str, Any]:
    """The card's main tables. `sets`: "police" and "unseen", both scored before compression; or none."""
    police = sets.get("police")
    others = [police.known] if police else []
    result = {"dev (never trained on; the shipped graph)": evaluate.summary(dev, fitted, others)}
    titles = {
        "police": "police, cross-validated (trunk without police pictures, heads with the other folds; uncompressed)",
        "unseen": "police, no police picture in training (uncompressed)",
    }
    for name, scored in sets.items():
        result[titles[name]] = evaluate.summary(scored, fitted, [dev.known])
    return result


def compression(plain: Scored, trained: Scored, after: Scored, fitted: Fitted) -> dict[str, Any]:
    """What storing the weights in few bits changed on dev.

    Args:
        plain: the same network in float32 throughout.
        trained: as it was trained: on a trunk that is compressed already, if there is one, and in bfloat16.
    """
    sets, edges = [s.known for s in (plain, trained, after)], fitted.bands["knife"]
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


def evidence_scale(study: Study, found: dict[str, Any]) -> Platt:
    """Scale and shift that make the map readable: near 0 without a knife, near 1 at the peak of one."""
    rows = [study.rows[int(row)] for row in found["final_rows"]]
    peak = np.sort(found["final_patches"], axis=1)[:, -4:].mean(1)
    knife = np.array([row.knife if row.knife is not None else -1 for row in rows])
    low, high = np.median(peak[knife == 0]), np.median(peak[knife == 1])
    middle, spread = (low + high) / 2, max(high - low, 1e-3)
    return Platt(round(float(6 / spread), 4), round(float(-6 * middle / spread), 4))


def draw(folder: Path, dev: Scored, police: Scored | None, fitted: Fitted) -> None:
    """Save curves.png and decisions.png in the run's folder."""
    plots.curves(folder / "no-police", folder / "curves.png")
    platt = fitted.labels["knife"]
    known = {"dev": dev.known} | ({"police, cross-validated": police.known} if police else {})
    sets = {f"{name} (n = {len(s.rows)})": (s.knife, platt(s.logits[:, KNIFE])) for name, s in known.items()}
    plots.confusion(sets, *fitted.bands["knife"], folder / "decisions.png")
