"""The trunk of a finished convolutional bundle, to go on from: its convolutions, with the norms folded into them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from bladecheck.core import bundle


def take(backbone: nn.Module, folder: Path) -> None:
    """Set a timm backbone's convolutions to those of the bundle in `folder`, in the order of its graph.

    The export has folded each norm into its convolution; so norms are left to do nothing but add the bias.

    Raises:
        ValueError: if the bundle's network is another one.
    """
    graph = onnx.load(bundle.load(folder).model_path, load_external_data=False).graph
    known = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer
             if tensor.data_location != onnx.TensorProto.EXTERNAL}  # fmt: skip
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in known:  # weights are stored in halves
            known[node.output[0]] = known[node.input[0]].astype(np.float32)
    theirs = [[known[name] for name in node.input[1:]] for node in graph.node if node.op_type == "Conv"]
    ours = [module for module in backbone.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for module in backbone.modules() if isinstance(module, nn.BatchNorm2d)]
    fits = len(ours) == len(theirs) == len(norms) and all(
        conv.weight.shape == parts[0].shape and len(parts) == 2 and conv.bias is None
        for conv, parts in zip(ours, theirs, strict=True)
    )
    if not fits:
        raise ValueError(f"{folder} is no bundle of this backbone, so its weights can't be gone on from.")
    with torch.no_grad():
        for conv, norm, (weight, bias) in zip(ours, norms, theirs, strict=True):
            conv.weight.copy_(torch.from_numpy(weight.copy()))
            norm.running_mean.zero_()  # type: ignore[union-attr]
            norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
            norm.weight.fill_(1)
            norm.bias.copy_(torch.from_numpy(bias.astype(np.float32)))
