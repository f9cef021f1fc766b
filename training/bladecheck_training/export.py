"""A trained network to a graph for onnxruntime, checked against torch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import helper, numpy_helper
from rich.progress import track
from torch import nn

from bladecheck.core import bundle, weights
from bladecheck_training import compress, frozen, vit_graph
from bladecheck_training.calibrate import Platt
from bladecheck_training.net import KNIFE, WIDTH, Heads, TransformerTop, top_count
from bladecheck_training.vit_graph import Array, Block, Graph

OPSET, PARITY = 18, 1e-3
SMALL = 256  # tensors of fewer values stay as they are


@dataclass(frozen=True)
class Trunk:
    """The parts of a transformer's graph that come before its heads."""

    state: Mapping[str, Array]
    mean: Array
    std: Array
    blocks: Sequence[Block]
    norm: nn.Module


@dataclass(frozen=True)
class Written:
    """What a bundle's graph was before its weights were compressed.

    Attributes:
        plain: the float32 graph.
        difference: largest difference of its logits from torch's.
    """

    plain: Path
    difference: float


def transformer(trunk: Trunk, heads: Heads, size: int, patch: Platt, integer: bool, folder: Path) -> None:
    """Write model.onnx (and weights.npz in integer mode) into `folder`."""
    graph = Graph()
    tokens = frozen.trunk(graph, trunk.state, trunk.mean, trunk.std, trunk.blocks, integer)
    tokens = vit_graph.norm(
        graph, tokens, _array(trunk.norm.get_parameter("weight")), _array(trunk.norm.get_parameter("bias"))
    )
    count = trunk.state["pos_embed"].shape[1]
    axis = graph.constant(np.array([1], np.int64))

    def cut(start: int, stop: int) -> str:
        ends = (graph.constant(np.array([value], np.int64)) for value in (start, stop))
        return graph.op("Slice", tokens, *ends, axis)

    summary = graph.op("Squeeze", cut(0, 1), axis)
    side = round((count - 1) ** 0.5)
    append_heads(graph, heads, summary, cut(1, count), count - 1, side, patch)
    frozen.write(graph, size, {"logits": [WIDTH], "evidence": [side, side]}, folder / bundle.MODEL)


def append_heads(graph: Graph, heads: Heads, summary: str, patches: str, count: int, side: int, patch: Platt) -> None:
    """The nodes of `net.Heads`: summary [N, D], patches [N, P, D] to outputs `logits` and `evidence`."""

    def dense(x: str, layer: nn.Linear) -> str:
        product = graph.op("MatMul", x, graph.constant(_array(layer.weight).T))
        return graph.op("Add", product, graph.constant(_array(layer.bias)))

    attention = graph.op("Softmax", dense(patches, heads.query), axis=1)
    pooled = graph.op("MatMul", graph.op("Transpose", attention, perm=[0, 2, 1]), patches)
    one = graph.constant(np.array([1], np.int64))
    pooled = graph.op("ReduceMean", pooled, one, keepdims=0)
    logits = dense(graph.op("Concat", summary, pooled, axis=1), heads.out)
    scores = graph.op("Squeeze", dense(patches, heads.patch), graph.constant(np.array([2], np.int64)))
    top = graph.constant(np.array([top_count(count)], np.int64))
    best = graph.many("TopK", [scores, top], 2, axis=1)[0]
    best = graph.op("ReduceMean", best, one, keepdims=1)
    share = np.zeros((1, WIDTH), np.float32)
    share[0, KNIFE] = float(heads.share.detach())
    graph.op("Add", logits, graph.op("MatMul", best, graph.constant(share)), output="logits")
    scaled = graph.op("Mul", scores, graph.constant(np.array(patch.scale, np.float32)))
    warm = graph.op("Sigmoid", graph.op("Add", scaled, graph.constant(np.array(patch.shift, np.float32))))
    graph.op("Reshape", warm, graph.constant(np.array([-1, side, side], np.int64)), output="evidence")


def transformer_blocks(net: TransformerTop, tokens: torch.Tensor) -> list[Block]:
    """The trained blocks, compressed after calibration on cached tokens [N, T, D]; changes the net's weights."""
    return list(compress.compress(net.blocks, tokens))


class _Convolutional(nn.Module):
    """A ConvNet with the outputs that a bundle needs."""

    def __init__(self, net: nn.Module, patch: Platt, side: int) -> None:
        super().__init__()
        self.net, self.scale, self.shift, self.side = net, patch.scale, patch.shift, side

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        answer = self.net(pixels)
        warm = torch.sigmoid(answer.patches * self.scale + self.shift)
        return answer.logits, warm.reshape(-1, self.side, self.side)


def convolutional(net: nn.Module, size: int, patch: Platt, path: Path) -> None:
    """Write a ConvNet's float32 graph with torch's exporter."""
    example = torch.zeros((1, size, size, 3), dtype=torch.uint8)
    side = math.isqrt(int(net.eval()(example).patches.shape[1]))
    module = _Convolutional(net, patch, side).eval()
    names = ("pixels", "logits", "evidence")
    with warnings.catch_warnings():  # tracing warns of every fixed size; sizes are fixed here on purpose
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (example,), str(path), input_names=["pixels"], output_names=["logits", "evidence"],
            opset_version=OPSET, dynamo=False, dynamic_axes={name: {0: "n"} for name in names},
        )  # fmt: skip
    onnx.checker.check_model(onnx.load(path))


def halve(source: Path, target: Path) -> None:
    """A copy of a float32 graph with its weights stored as float16; a runtime turns them back once, when it loads it.

    Sums stay in float32. Rounding activations to int8 as well would halve the time, but changed every sixth decision of
    an EfficientNet-Lite2.
    """
    model = onnx.load(source)
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and math.prod(tensor.dims) >= SMALL:
            name, half = tensor.name, numpy_helper.to_array(tensor).astype(np.float16)
            tensor.CopyFrom(numpy_helper.from_array(half, f"{name}.half"))
            if not np.isfinite(half).all():
                raise RuntimeError(f"{source}: {name} has values beyond the range of float16.")
            casts.append(helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    onnx.save(model, target)


def difference(path: Path, pixels: npt.NDArray[np.uint8], expected: Array) -> float:
    """Largest difference of a graph's logits on prepared pixels from torch's.

    Raises:
        RuntimeError: if it is larger than PARITY.
    """
    found = float(np.abs(answers(path, pixels)[0] - expected).max())
    if found > PARITY:
        raise RuntimeError(f"torch and onnxruntime differ by {found:.2g} in a logit; at most {PARITY} is accepted.")
    return found


def answers(path: Path, pixels: npt.NDArray[np.uint8], threads: int = 1) -> tuple[Array, Array]:
    """logits [N, WIDTH] and evidence [N, side, side] of a graph on prepared pixels, one picture at a time."""
    session = frozen.session(path)

    def answer(picture: npt.NDArray[np.uint8]) -> Any:
        return session.run(["logits", "evidence"], {"pixels": picture[None]})

    with ThreadPoolExecutor(threads) as pool:
        found = list(track(pool.map(answer, pixels), f"pictures through {path}", len(pixels)))
    return np.concatenate([pair[0] for pair in found]), np.concatenate([pair[1] for pair in found])


def files(folder: Path) -> list[str]:
    """Names of the data files that a bundle in `folder` consists of, beside bundle.json and the card."""
    names = (bundle.MODEL, bundle.GOLDEN, weights.FILE)
    return [name for name in names if (folder / name).exists()]


def _array(tensor: torch.Tensor) -> Array:
    return tensor.detach().float().cpu().numpy()
