"""Scores of held-out pictures, from the cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bladecheck_training.net import Answer

Inputs = Callable[[npt.NDArray[np.int64]], torch.Tensor]


def predict(net: nn.Module, inputs: Inputs, index: npt.NDArray[np.int64], batch: int = 32) -> Answer:
    """The network's answer for views `index`, all float32 (see `net.Answer`)."""
    net.eval()
    parts: dict[str, list[torch.Tensor]] = {}
    with torch.inference_mode():
        for start in range(0, len(index), batch):
            answer = net(inputs(index[start : start + batch]))
            for name in ("logits", "patches", "occupancy", "embedding"):
                if (value := getattr(answer, name)) is not None:
                    parts.setdefault(name, []).append(value.float())
    joined = {name: torch.cat(values) for name, values in parts.items()}
    return Answer(**joined)


def logits(net: nn.Module, inputs: Inputs, index: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """The scores of views `index`, float32 [N, WIDTH]."""
    answer = predict(net, inputs, index).logits
    assert answer is not None
    found: npt.NDArray[np.float32] = answer.numpy()
    return found
