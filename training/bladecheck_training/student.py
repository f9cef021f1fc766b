"""A small convolutional network that learns from the labels, and from the answers of a run or of a bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from bladecheck.core import bundle, weights
from bladecheck_training import backbones, cache, export, frozen, padding
from bladecheck_training.cache import Trunk
from bladecheck_training.config import Config
from bladecheck_training.net import ConvNet
from bladecheck_training.study import TEACHER, Index, Study
from bladecheck_training.views import Library

ASKED = ("pool", "part")
"""Kinds of views of which labels say little: a bundle that teaches is asked about these."""


def network(backbone: nn.Module, kept: int = 0, settled: bool = False) -> ConvNet:
    """Backbone and heads, with the backbone's own normalisation; `kept` and `settled` as for ConvNet."""
    mean, std = frozen.normalisation(backbone)
    return ConvNet(backbone, tuple(mean.tolist()), tuple(std.tolist()), kept, settled)


def prepare(config: Config, library: Library) -> None:
    """Render all views, and ask a bundle that teaches about those of `ASKED`."""
    teacher = bundle.load(Path(config.model.teacher))
    trunk = Trunk(teacher.model_path, {"logits": "logits"}, teacher.sha256, ASKED)
    cache.build(Path(config.work) / "cache", library, trunk, config.spec, config.crops, config.threads)


def study(config: Config, library: Library) -> Study:
    """Views as pixels, with a bundle's answers to some, or those of a run's network without police pictures to all."""
    taught = backbones.is_bundle(config.model.teacher)
    folder = Path(config.work if taught else config.model.teacher)
    views = cache.read(folder / "cache", library, config.spec, config.crops)

    def pixels(index: Index) -> torch.Tensor:
        return torch.from_numpy(np.asarray(views.pixels[index]))

    if taught:
        names = bundle.load(Path(config.model.teacher)).manifest.outputs.names
        columns = {name: place for place, name in enumerate(names)}
        return Study(config, library, views, pixels, folder, columns, pixels=True)
    teacher = torch.from_numpy(np.load(folder / TEACHER))
    if len(teacher) != len(views.views):
        raise ValueError(
            f"{folder} has answers to {len(teacher)} of {len(views.views)} views; train the teacher again."
        )
    return Study(config, library, views, pixels, Path(config.work), teacher=teacher, pixels=True)


def write(pupil: Study, net: ConvNet, folder: Path) -> export.Written:
    """The graph into `folder`, its weights in half precision.

    Raises:
        RuntimeError: if torch and onnxruntime differ by too much.
    """
    plain, pixels = pupil.folder / "float.onnx", pupil.some_pixels()
    example = torch.from_numpy(pixels)
    with torch.inference_mode():
        expected = net.eval()(example).logits.numpy()
    export.convolutional(padding.fixed(net, example[:1]), pupil.config.spec.size, plain)
    found = export.difference(plain, pixels, expected)
    export.halve(plain, folder / bundle.MODEL)
    export.apart(folder / bundle.MODEL, net.heads, folder)
    (folder / weights.FILE).unlink(missing_ok=True)
    return export.Written(plain, found)
