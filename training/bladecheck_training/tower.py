"""A trained transformer as the graph that ships: its trained blocks compressed like the frozen ones below them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from bladecheck.core import bundle
from bladecheck_training import compress, export, frozen, predict
from bladecheck_training.net import Heads, HeadsOnly, TransformerTop
from bladecheck_training.parent import Parent
from bladecheck_training.study import Index, Study

CALIBRATION_VIEWS = 96
ROUNDING = 0.05
"""Of logits, by keeping tokens in half precision."""


def write(study: Study, backbone: nn.Module, net: TransformerTop, prepared: Path, folder: Path) -> export.Written:
    """The graph and its compact weights into `folder`.

    Args:
        prepared: folder of the frozen blocks.

    Raises:
        RuntimeError: if torch and onnxruntime differ by too much in float32.
    """
    found = _parity(study, backbone, net, study.folder / "float")
    mean, std = frozen.normalisation(backbone)
    assert study.cache.middle is not None
    tokens = torch.from_numpy(np.asarray(study.cache.middle[_calibration(study)], np.float32))
    compacted = copy.deepcopy(net)
    blocks = [*frozen.compact_blocks(prepared), *export.transformer_blocks(compacted, tokens)]
    trunk = export.Trunk(_state(backbone), mean, std, blocks, net.norm)
    export.transformer(trunk, study.config.model.frozen_blocks, net.heads, study.config.spec.size, True, folder)
    return export.Written(study.folder / "float" / bundle.MODEL, found)


def _parity(study: Study, backbone: nn.Module, net: TransformerTop, folder: Path) -> float:
    """Largest difference of any logit between torch and onnxruntime, both float32 from pixels on."""
    folder.mkdir(parents=True, exist_ok=True)
    mean, std = frozen.normalisation(backbone)
    pixels = study.some_pixels()
    lower = backbone.blocks[: study.config.model.frozen_blocks]  # type: ignore[index]
    with torch.inference_mode():
        tokens = frozen.embedded(backbone, pixels)
        for block in lower:
            tokens = block(tokens)
        expected = net(tokens).logits.numpy()
    trunk = export.Trunk(
        _state(backbone), mean, std, [compress.plain(block) for block in [*lower, *net.blocks]], net.norm
    )
    export.transformer(trunk, study.config.model.frozen_blocks, net.heads, study.config.spec.size, False, folder)
    return export.difference(folder / bundle.MODEL, pixels, expected)


def going_on(study: Study, parent: Parent, heads: Heads, folder: Path) -> export.Written:
    """The parent's graph with other heads into `folder`.

    Raises:
        RuntimeError: if the graph answers otherwise than the heads do on the tokens they were trained on.
    """
    export.going_on(parent, heads, folder)
    pixels = study.some_pixels()
    index = study.looks(study.named("dev")[: len(pixels)])[:, 0]
    expected = predict.logits(HeadsOnly(heads), study.inputs, index)
    found = float(np.abs(export.answers(folder / bundle.MODEL, pixels)[0] - expected).max())
    if found > ROUNDING:
        raise RuntimeError(f"The graph and the heads differ by {found:.2g} in a logit; at most {ROUNDING} is accepted.")
    return export.Written(None, found)


def _calibration(study: Study) -> Index:
    views = study.training_views(())
    return np.sort(np.random.default_rng(0).choice(views, min(CALIBRATION_VIEWS, len(views)), replace=False))


def _state(backbone: nn.Module) -> dict[str, Any]:
    return {name: value.detach().numpy() for name, value in backbone.state_dict().items()}
