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
from bladecheck_training.net import FINER, WIDTH, Heads, TransformerTop, top_count
from bladecheck_training.parent import Parent
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
        plain: the float32 graph; None if the trunk was kept and only heads are new.
        difference: largest difference of its logits from torch's.
    """

    plain: Path | None
    difference: float


@dataclass(frozen=True)
class Tokens:
    """What heads read in a graph.

    Attributes:
        last: name of the normalised tokens [N, 1 + P, D].
        middle: name of the tokens where the frozen blocks end, of the same shape.
        count: 1 + P.
    """

    last: str
    middle: str
    count: int


def transformer(trunk: Trunk, frozen_blocks: int, heads: Heads, size: int, integer: bool, folder: Path) -> None:
    """Write model.onnx and heads.npz (and weights.npz in integer mode) into `folder`."""
    graph = Graph()
    lower, upper = trunk.blocks[:frozen_blocks], trunk.blocks[frozen_blocks:]
    middle = frozen.trunk(graph, trunk.state, trunk.mean, trunk.std, lower, integer)
    last = middle
    for part in upper:
        last = vit_graph.block(graph, last, part, integer)
    last = vit_graph.norm(
        graph, last, _array(trunk.norm.get_parameter("weight")), _array(trunk.norm.get_parameter("bias"))
    )
    _finish(graph, heads, Tokens(last, middle, trunk.state["pos_embed"].shape[1]), size, folder)


def going_on(parent: Parent, heads: Heads, folder: Path) -> None:
    """The parent's trunk, node by node, with other heads: model.onnx, heads.npz and weights.npz into `folder`."""
    graph, last, middle = parent.trunk()
    _finish(graph, heads, Tokens(last, middle, parent.shape[0]), parent.bundle.spec.size, folder)


def _finish(graph: Graph, heads: Heads, tokens: Tokens, size: int, folder: Path) -> None:
    side = math.isqrt(tokens.count - 1)
    append_heads(graph, heads, tokens, side)
    outputs = {"logits": [WIDTH], "occupancy": [2, side * FINER, side * FINER], "embedding": [heads.embedding]}
    write_heads(heads, folder)
    frozen.write(graph, size, outputs, folder / bundle.MODEL)


def write_heads(heads: Heads, folder: Path, **more: Array) -> None:
    """heads.npz: the last linear layer as the graph reads it, and what else is to lie there."""
    arrays = {"weight": _array(heads.out.weight).T.copy(), "bias": _array(heads.out.bias), **more}
    np.savez(folder / weights.HEADS, **arrays)  # type: ignore[arg-type]


def append_heads(graph: Graph, heads: Heads, tokens: Tokens, side: int) -> None:
    """The nodes of `net.Heads`, from tokens to outputs `logits`, `occupancy` and `embedding`."""
    count = tokens.count - 1
    one, two = (graph.constant(np.array([value], np.int64)) for value in (1, 2))

    def cut(name: str, start: int, stop: int) -> str:
        ends = (graph.constant(np.array([value], np.int64)) for value in (start, stop))
        return graph.op("Slice", name, *ends, one)

    def dense(x: str, layer: nn.Linear) -> str:
        product = graph.op("MatMul", x, graph.constant(_array(layer.weight).T))
        return graph.op("Add", product, graph.constant(_array(layer.bias)))

    summary, patches = graph.op("Squeeze", cut(tokens.last, 0, 1), one), cut(tokens.last, 1, count + 1)
    attention = graph.op("Softmax", dense(patches, heads.query), axis=1)
    pooled = graph.op("MatMul", graph.op("Transpose", attention, perm=[0, 2, 1]), patches)
    pooled = graph.op("ReduceMean", pooled, one, keepdims=0)
    scores = graph.op("Squeeze", dense(patches, heads.patch), two)
    best = graph.many("TopK", [scores, graph.constant(np.array([top_count(count)], np.int64))], 2, axis=1)[0]
    best = graph.op("ReduceMean", best, one, keepdims=1)
    embedding = graph.op("Concat", summary, pooled, best, axis=1, output="embedding")
    weight = graph.stored("head.weight", (heads.embedding, WIDTH), weights.HEADS)
    bias = graph.stored("head.bias", (WIDTH,), weights.HEADS)
    graph.op("Add", graph.op("MatMul", embedding, weight), bias, output="logits")
    both = graph.op("Concat", patches, cut(tokens.middle, 1, count + 1), axis=2)
    width = heads.first.in_features
    plain = graph.single(np.ones(width)), graph.single(np.zeros(width))
    normed = graph.op("LayerNormalization", both, *plain, axis=-1, epsilon=float(heads.norm.eps))
    cells = dense(graph.op("Relu", dense(normed, heads.first)), heads.second)
    shape = graph.constant(np.array([-1, side, side, 2, FINER, FINER], np.int64))
    grid = graph.op("Transpose", graph.op("Reshape", cells, shape), perm=[0, 3, 1, 4, 2, 5])
    shape = graph.constant(np.array([-1, 2, side * FINER, side * FINER], np.int64))
    graph.op("Sigmoid", graph.op("Reshape", grid, shape), output="occupancy")


def transformer_blocks(net: TransformerTop, tokens: torch.Tensor) -> list[Block]:
    """The trained blocks, compressed after calibration on cached tokens [N, T, D]; changes the net's weights."""
    return list(compress.compress(net.blocks, tokens))


class _Convolutional(nn.Module):
    """A ConvNet with the outputs that a bundle needs."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
        answer = self.net(pixels)
        return answer.logits, torch.sigmoid(answer.occupancy), answer.embedding


def convolutional(net: nn.Module, size: int, path: Path) -> None:
    """Write a ConvNet's float32 graph with torch's exporter."""
    example = torch.zeros((1, size, size, 3), dtype=torch.uint8)
    module = _Convolutional(net.eval()).eval()
    names = ("pixels", "logits", "occupancy", "embedding")
    with warnings.catch_warnings():  # tracing warns of every fixed size; sizes are fixed here on purpose
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, (example,), str(path), input_names=["pixels"], output_names=list(names[1:]),
            opset_version=OPSET, dynamo=False, dynamic_axes={name: {0: "n"} for name in names},
        )  # fmt: skip
    with torch.inference_mode():
        sizes = dict(zip(names[1:], (answer.shape[1:] for answer in module(example)), strict=True))
    model = onnx.load(path)
    for output in model.graph.output:  # the exporter leaves sizes open that it can't follow
        del output.type.tensor_type.shape.dim[1:]
        for size in sizes[output.name]:
            output.type.tensor_type.shape.dim.add().dim_value = size
    onnx.checker.check_model(model)
    onnx.save(model, path)


def apart(path: Path, heads: Heads, folder: Path) -> None:
    """Move a convolutional graph's last linear layer out into heads.npz, as the transformers' graphs have it."""
    model = onnx.load(path)
    last = next(node for node in model.graph.node if "logits" in node.output)
    if last.op_type != "Gemm":
        raise RuntimeError(f"{path}: logits come from {last.op_type}, not from one linear layer.")
    last.input[1], last.input[2] = "head.weight", "head.bias"
    del last.attribute[:]
    for name, shape in (("head.weight", (heads.embedding, WIDTH)), ("head.bias", (WIDTH,))):
        Graph.stored(holder := Graph(), name, shape, weights.HEADS)
        model.graph.initializer.extend(holder.initializers)
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    write_heads(heads, folder)
    path.write_bytes(model.SerializeToString())


def named(path: Path, **facts: str) -> None:
    """Fill the graph's metadata, for those who meet the file alone; a description is its doc string, too."""
    model = onnx.load(path, load_external_data=False)
    model.producer_name, model.doc_string = "bladecheck", facts.get("description", "")
    helper.set_model_props(model, facts)
    path.write_bytes(model.SerializeToString())


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
    """logits [N, WIDTH] and occupancy [N, 2, R, C] of a graph on prepared pixels, one picture at a time."""
    session = frozen.session(path)

    def answer(picture: npt.NDArray[np.uint8]) -> Any:
        return session.run(["logits", "occupancy"], {"pixels": picture[None]})

    with ThreadPoolExecutor(threads) as pool:
        found = list(track(pool.map(answer, pixels), f"pictures through {path}", len(pixels)))
    return np.concatenate([pair[0] for pair in found]), np.concatenate([pair[1] for pair in found])


def files(folder: Path) -> list[str]:
    """Names of the data files that a bundle in `folder` consists of, beside bundle.json and the card."""
    names = (bundle.MODEL, bundle.GOLDEN, weights.FILE, weights.HEADS)
    return [name for name in names if (folder / name).exists()]


def _array(tensor: torch.Tensor) -> Array:
    return tensor.detach().float().cpu().numpy()
