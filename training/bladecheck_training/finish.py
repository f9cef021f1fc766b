"""From a trained network and its held-out predictions to a measured bundle."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bladecheck import bundle
from bladecheck_training import bundling, evaluate, export, left_out, metrics, plots
from bladecheck_training.calibrate import Platt
from bladecheck_training.evaluate import KNIFE, Fitted, Scored
from bladecheck_training.runs import Study


def held_out(study: Study, found: dict[str, Any], name: str) -> Scored:
    """One of the sets that `runs.run_all` wrote."""
    return Scored([study.rows[int(row)] for row in found[f"{name}_rows"]], found[f"{name}_logits"])


def ship(study: Study, write: Callable[[Platt, Path], float], target: Path, summary: str) -> None:
    """Write the bundle into `target`, measure what ships, and draw the plots.

    Args:
        write: writes the graph into a folder, given the scale of its evidence map, and returns how far torch and
            onnxruntime differed before compression.
    """
    target.mkdir(parents=True, exist_ok=True)
    found = dict(np.load(study.folder / "predictions.npz"))
    difference = write(evidence_scale(study, found), target)
    dev_views = study.plain_views("dev")
    deployed, _ = export.answers(target / bundle.MODEL, np.asarray(study.cache.pixels[dev_views]))
    np.savez(study.folder / "deployed.npz", logits=deployed)
    dev = Scored([study.rows[i] for i in study.row_of[dev_views]], deployed)
    police = held_out(study, found, "police")
    fitted = evaluate.fit([dev, police], study.config.targets)
    measured = measure(study, found, dev, police, fitted)
    notes = {"largest difference of torch and onnxruntime before compression": f"{difference:.1e}"}
    side = round((found["final_patches"].shape[1]) ** 0.5)
    bundling.write(target, study.config, study.rows, fitted, side, measured, summary, notes)
    (study.folder / "metrics.json").write_text(json.dumps(measured, indent=1))
    draw(study.folder, dev, police, fitted)


def measure(study: Study, found: dict[str, Any], dev: Scored, police: Scored, fitted: Fitted) -> dict[str, Any]:
    """Everything that the card says."""
    unseen = held_out(study, found, "unseen")
    final = held_out(study, found, "final")
    return {
        "dev (web photos, never trained on; the shipped graph)": evaluate.summary(dev, fitted, [police.known]),
        "police, cross-validated (trunk without police pictures, heads with the other folds)": evaluate.summary(
            police, fitted, [dev.known]
        ),
        "police, no police picture in training": evaluate.summary(unseen, fitted, [dev.known]),
        "evidence map": {
            "peak inside a knife box, dev": evaluate.pointing(final, found["final_patches"]),
        },
        "compression": compression(final, dev, fitted),
        **left_out.measured(study),
        "slices of dev": evaluate.slices(dev, fitted),
        "slices of police, cross-validated": evaluate.slices(police, fitted),
    }


def compression(before: Scored, after: Scored, fitted: Fitted) -> dict[str, Any]:
    """What storing the weights in few bits changed on dev."""
    a, b = before.known, after.known
    edges = fitted.bands["knife"]
    places = [np.digitize(fitted.labels["knife"](s.logits[:, KNIFE]), edges) for s in (a, b)]
    return {
        "AUC before": metrics.auc(a.knife, a.logits[:, KNIFE]),
        "AUC after": metrics.auc(b.knife, b.logits[:, KNIFE]),
        "decisions changed": metrics.share(int((places[0] != places[1]).sum()), len(a.rows)),
    }


def evidence_scale(study: Study, found: dict[str, Any]) -> Platt:
    """Scale and shift that make the map readable: near 0 without a knife, near 1 at the peak of one."""
    rows = [study.rows[int(row)] for row in found["final_rows"]]
    peak = np.sort(found["final_patches"], axis=1)[:, -4:].mean(1)
    knife = np.array([row.knife if row.knife is not None else -1 for row in rows])
    low, high = np.median(peak[knife == 0]), np.median(peak[knife == 1])
    middle, spread = (low + high) / 2, max(high - low, 1e-3)
    return Platt(round(float(6 / spread), 4), round(float(-6 * middle / spread), 4))


def draw(folder: Path, dev: Scored, police: Scored, fitted: Fitted) -> None:
    """Save curves.png and decisions.png in the run's folder."""
    plots.curves(folder / "no-police", folder / "curves.png")
    platt = fitted.labels["knife"]
    sets = {f"{name} (n = {len(s.rows)})": (s.knife, platt(s.logits[:, KNIFE]))
            for name, s in (("dev", dev.known), ("police, cross-validated", police.known))}  # fmt: skip
    plots.confusion(sets, *fitted.bands["knife"], folder / "decisions.png")
