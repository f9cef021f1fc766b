"""A small convolutional network that learns from the transformer's answers as well as from the labels."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bladecheck_training import bundling, cache, evaluate, export, finish, frozen, predict, runs
from bladecheck_training.config import Config
from bladecheck_training.evaluate import Scored
from bladecheck_training.manifest import Row
from bladecheck_training.net import ConvNet

CALIBRATION_PICTURES = 256


def network(backbone: nn.Module) -> ConvNet:
    """Backbone and heads, with the backbone's own normalisation."""
    mean, std = frozen.normalisation(backbone)
    return ConvNet(backbone, tuple(mean.tolist()), tuple(std.tolist()))


def study(config: Config, rows: list[Row], work: Path, teacher: npt.NDArray[np.float32] | None = None) -> runs.Study:
    """The teacher's views as pixels, with the teacher's logits."""
    views = cache.read(Path(config.model.teacher) / "cache", rows, config.data)

    def pixels(index: runs.Index) -> torch.Tensor:
        return torch.from_numpy(np.asarray(views.pixels[index]))

    return runs.Study(config, rows, views, pixels, work, None if teacher is None else torch.from_numpy(teacher))


def train(config: Config, rows: list[Row], backbone: nn.Module, work: Path) -> None:
    """Two trainings: without any police picture (and from a teacher without), and the one that ships.

    Cross-validating a student over police folds would need a teacher per fold; the card reports the first instead,
    which is the stricter test.
    """
    teacher = Path(config.model.teacher)
    found: dict[str, npt.NDArray[Any]] = {}
    settings = dataclasses.replace(config.optimisation, drop_tokens=0.0)  # a grid of cells can't be thinned out
    base = study(config, rows, work)
    dev, police = base.plain_views("dev"), base.plain_views("police")
    first = copy.deepcopy(network(backbone))
    unseen = dataclasses.replace(base, teacher=torch.from_numpy(np.load(teacher / "teacher_unseen.npy")))
    first = runs.train_views(unseen, first, base.training_views([]), "no-police", settings.epochs,
                             settings)  # type: ignore[assignment]  # fmt: skip
    for name, index in (("dev", dev), ("unseen", police)):
        answer = predict.predict(first, base.inputs, index)
        found[f"{name}_logits"], found[f"{name}_rows"] = answer.logits.numpy(), base.row_of[index]
    final = dataclasses.replace(base, teacher=torch.from_numpy(np.load(teacher / "teacher_final.npy")))
    everyone = base.training_views([i for i, row in enumerate(rows) if row.split == "police"])
    gentle = dataclasses.replace(settings, head_rate=settings.head_rate / 2,
                                 body_rate=settings.body_rate / 2)  # fmt: skip
    shipped = runs.train_views(final, first, everyone, "final", settings.epochs / 4, gentle)
    answer = predict.predict(shipped, base.inputs, dev)
    found["final_logits"], found["final_patches"] = answer.logits.numpy(), answer.patches.numpy()
    found["final_rows"] = base.row_of[dev]
    np.savez(work / "predictions.npz", **found)  # type: ignore[arg-type]
    torch.save(shipped.state_dict(), work / "final.pt")


def ship(config: Config, rows: list[Row], backbone: nn.Module, work: Path, target: Path, summary: str) -> None:
    """Export, quantise if that keeps the answers, measure what ships, and write the bundle."""
    target.mkdir(parents=True, exist_ok=True)
    base = study(config, rows, work)
    found = dict(np.load(work / "predictions.npz"))
    net = network(backbone)
    net.load_state_dict(torch.load(work / "final.pt", map_location="cpu", weights_only=True))
    dev = base.plain_views("dev")
    plain = work / "float.onnx"
    side = export.convolutional(net, config.spec.size, finish.evidence_scale(base, found), plain)
    pixels = np.asarray(base.cache.pixels[dev])
    float_logits, _ = export.answers(plain, pixels)
    difference = float(np.abs(float_logits - found["final_logits"]).max())
    if difference > finish.PARITY:
        raise RuntimeError(f"torch and onnxruntime differ by {difference:.2g} in a logit.")
    sample = base.training_views([])[:: max(1, len(base.training_views([])) // CALIBRATION_PICTURES)]
    export.quantise_convolutions(plain, target / "model.onnx", np.asarray(base.cache.pixels[sample]))
    logits, _ = export.answers(target / "model.onnx", pixels)
    shipped_rows = [rows[i] for i in base.row_of[dev]]
    before, after = Scored(shipped_rows, float_logits), Scored(shipped_rows, logits)
    unseen = finish.held_out(base, found, "unseen")
    fitted = evaluate.fit([after, unseen], config.targets)
    change = finish.compression(before, after, fitted)
    kept = change["AUC after"] >= change["AUC before"] - 0.001 and change["decisions changed"]["value"] <= 0.01
    if not kept:  # an honest float model beats a fast one that changed its mind
        (target / "model.onnx").write_bytes(plain.read_bytes())
        after, fitted = before, evaluate.fit([before, unseen], config.targets)
    measured = {
        "dev (web photos, never trained on; the shipped graph)": evaluate.summary(after, fitted, [unseen.known]),
        "police, no police picture in training (nor in its teacher's)": evaluate.summary(unseen, fitted, [after.known]),
        "evidence map": {"peak inside a knife box, dev": evaluate.pointing(Scored(shipped_rows, logits),
                                                                          found["final_patches"])},
        "compression": {"shipped": "int8" if kept else "float32, since int8 changed too many decisions", **change},
        "slices of dev": evaluate.slices(after, fitted),
        "slices of police": evaluate.slices(unseen, fitted),
    }  # fmt: skip
    notes = {"largest difference of torch and onnxruntime before compression": f"{difference:.1e}"}
    bundling.write(target, config, rows, fitted, side, measured, summary, notes)
    (work / "metrics.json").write_text(json.dumps(measured, indent=1))
    finish.draw(work, after, unseen, fitted)
