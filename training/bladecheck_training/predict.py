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
    """The network's answer for views `index`: logits float32 [N, WIDTH] and patches float32 [N, P]."""
    net.eval()
    logits, patches = [], []
    with torch.inference_mode():
        for start in range(0, len(index), batch):
            answer = net(inputs(index[start : start + batch]))
            logits.append(answer.logits.float())
            patches.append(answer.patches.float())
    return Answer(torch.cat(logits), torch.cat(patches))
