"""A small convolutional network that learns from the transformer's answers as well as from the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import nn

from bladecheck.core import bundle, weights
from bladecheck_training import cache, export, frozen, padding
from bladecheck_training.config import Config
from bladecheck_training.net import ConvNet
from bladecheck_training.study import TEACHER, Index, Study
from bladecheck_training.views import Library


def network(backbone: nn.Module) -> ConvNet:
    """Backbone and heads, with the backbone's own normalisation."""
    mean, std = frozen.normalisation(backbone)
    return ConvNet(backbone, tuple(mean.tolist()), tuple(std.tolist()))


def study(config: Config, library: Library) -> Study:
    """The teacher's views as pixels, with the answers of the teacher that saw no police picture."""
    folder = Path(config.model.teacher)
    views = cache.read(folder / "cache", library, config.spec, config.crops)

    def pixels(index: Index) -> torch.Tensor:
        return torch.from_numpy(np.asarray(views.pixels[index]))

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
