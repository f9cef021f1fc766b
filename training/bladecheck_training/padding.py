"""SAME padding as TensorFlow's, worked out once for a fixed input size instead of on every call."""

from __future__ import annotations

import copy
from functools import partial
from typing import Any

import torch
from timm.layers import Conv2dSame  # type: ignore[attr-defined]
from timm.layers.padding import pad_same
from torch import nn


class _Padded(nn.Module):
    """A convolution behind zeros on each side: left, right, top, bottom."""

    def __init__(self, conv: Any, pads: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.pad = nn.ZeroPad2d(pads)
        self.conv = nn.Conv2d(
            conv.in_channels, conv.out_channels, conv.kernel_size, conv.stride, 0, conv.dilation, conv.groups,
            conv.bias is not None,
        )  # fmt: skip
        self.conv.load_state_dict(conv.state_dict())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.conv(self.pad(x))
        return result


def fixed(net: nn.Module, example: torch.Tensor) -> nn.Module:
    """A copy of the network for inputs of the example's size, its SAME convolutions with constant padding.

    onnxruntime can then lay the whole network out for vector instructions; sizes that are worked out in the graph
    break that up (on an EfficientNet-Lite2 they cost a sixth of the time).
    """
    result, sizes = copy.deepcopy(net).eval(), dict[str, torch.Size]()

    def note(name: str, _module: nn.Module, inputs: tuple[Any, ...]) -> None:
        sizes[name] = inputs[0].shape[-2:]

    same = {name: module for name, module in result.named_modules() if isinstance(module, Conv2dSame)}
    hooks = [module.register_forward_pre_hook(partial(note, name)) for name, module in same.items()]
    with torch.inference_mode():
        result(example)
    for hook in hooks:
        hook.remove()
    for name, conv in same.items():
        parent, _, child = name.rpartition(".")
        blank = pad_same(torch.ones(1, 1, *sizes[name]), *_layout(conv))
        setattr(result.get_submodule(parent), child, _Padded(conv, _zeros_around(blank[0, 0])))
    return result


def _layout(conv: Any) -> tuple[list[int], list[int], list[int]]:
    return list(conv.kernel_size), list(conv.stride), list(conv.dilation)


def _zeros_around(padded: torch.Tensor) -> tuple[int, int, int, int]:
    """How many columns left and right, and rows above and below, of [H, W] hold only zeros."""
    rows, columns = (padded.any(axis).nonzero().flatten() for axis in (1, 0))
    top, left = int(rows[0]), int(columns[0])
    return left, padded.shape[1] - 1 - int(columns[-1]), top, padded.shape[0] - 1 - int(rows[-1])
