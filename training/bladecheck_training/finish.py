"""From a trained transformer and its held-out predictions to a measured bundle."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bladecheck_training import bundling, compress, evaluate, export, frozen, metrics, plots
from bladecheck_training.calibrate import Platt
from bladecheck_training.evaluate import KNIFE, Fitted, Scored
from bladecheck_training.net import TransformerTop
from bladecheck_training.runs import Index, Study

PARITY_PICTURES, PARITY = 16, 1e-3
CALIBRATION_VIEWS = 96


def held_out(study: Study, found: dict[str, Any], name: str) -> Scored:
    """One of the sets that `runs.run_all` wrote."""
    return Scored([study.rows[int(row)] for row in found[f"{name}_rows"]], found[f"{name}_logits"])


def parity(study: Study, backbone: nn.Module, net: TransformerTop, folder: Path) -> float:
    """Largest difference of any logit between torch and onnxruntime, both float32 from pixels on.

    Raises:
        RuntimeError: if it is larger than PARITY.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mean, std = frozen.normalisation(backbone)
    pixels = np.asarray(study.cache.pixels[study.plain_views("dev")[:PARITY_PICTURES]])
    lower = backbone.blocks[: study.config.model.frozen_blocks]  # type: ignore[index]
    x = torch.from_numpy(((pixels.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2).copy())
    with torch.inference_mode():
        tokens = backbone.norm_pre(backbone._pos_embed(backbone.patch_embed(x)))  # type: ignore[operator]
        for block in lower:
            tokens = block(tokens)
        expected = net(tokens).logits.numpy()
    trunk = export.Trunk(
        _state(backbone), mean, std, [compress.plain(block) for block in [*lower, *net.blocks]], net.norm
    )
    export.transformer(trunk, net.heads, study.config.spec.size, Platt(), False, folder)
    actual, _ = export.answers(folder / "model.onnx", pixels)
    difference = float(np.abs(actual - expected).max())
    if difference > PARITY:
        raise RuntimeError(
            f"torch and onnxruntime differ by {difference:.2g} in a logit; at most {PARITY} is accepted."
        )
    return difference


def ship(study: Study, backbone: nn.Module, net: TransformerTop, prepared: Path, target: Path, summary: str) -> None:
    """Compress the trained blocks, write the bundle into `target`, measure what ships, and draw the plots."""
    target.mkdir(parents=True, exist_ok=True)
    found = dict(np.load(study.folder / "predictions.npz"))
    mean, std = frozen.normalisation(backbone)
    difference = parity(study, backbone, net, study.folder / "float")
    tokens = torch.from_numpy(np.asarray(study.cache.tokens[_calibration(study)], np.float32))
    compacted = copy.deepcopy(net)
    blocks = [*frozen.compact_blocks(prepared), *export.transformer_blocks(compacted, tokens)]
    trunk = export.Trunk(_state(backbone), mean, std, blocks, net.norm)
    evidence = evidence_scale(study, found)
    export.transformer(trunk, net.heads, study.config.spec.size, evidence, True, target)
    dev_views = study.plain_views("dev")
    deployed, _ = export.answers(target / "model.onnx", np.asarray(study.cache.pixels[dev_views]))
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


def _calibration(study: Study) -> Index:
    views = study.training_views([])
    return np.sort(np.random.default_rng(0).choice(views, min(CALIBRATION_VIEWS, len(views)), replace=False))


def _state(backbone: nn.Module) -> dict[str, Any]:
    return {name: value.detach().numpy() for name, value in backbone.state_dict().items()}
