"""A vision transformer as an ONNX graph, written node by node so that every weight's storage is ours to choose.

Integer mode: weights are stored in 5 or 6 bits with a scale per group (bladecheck.weights) and become int8 columns when
the bundle is loaded; onnxruntime then runs fast integer products. Activations are quantised on the fly: per tensor
after smoothing (SmoothQuant: Xiao et al. 2023, arXiv 2211.10438), except before the second MLP layer, where single
tokens are a hundred times larger than the rest: there each token has its own scale.

Weights take seven of the eight bits, so that the sum of two products with uint8 activations fits 16 bits: processors
without VNNI add pairs in 16 bits and cut off what does not fit (vpmaddubsw), and would answer otherwise than the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from bladecheck.core import weights
from bladecheck_training.gptq import Compact

LEVELS = 64
"""The largest int8 weight: 255 * 64 twice is 32,640, and 16 bits end at 32,767."""

Array = npt.NDArray[Any]
OPSET, IR = 21, 10


@dataclass
class Graph:
    """An ONNX graph under construction; `named` initializers have names already."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    initializers: list[onnx.TensorProto] = field(default_factory=list)
    weights: dict[str, dict[str, Array]] = field(default_factory=dict)
    count: int = 0
    named: int = 0

    def op(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        """Append a node and return its output's name."""
        self.count += 1
        name = output or f"t{self.count}"
        domain = attributes.pop("domain", "")
        self.nodes.append(helper.make_node(kind, inputs, [name], name=f"n{self.count}", domain=domain, **attributes))
        return name

    def many(self, kind: str, inputs: Sequence[str], outputs: int, **attributes: Any) -> list[str]:
        """Append a node with several outputs and return their names."""
        self.count += 1
        names = [f"t{self.count}_{index}" for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name=f"n{self.count}", **attributes))
        return names

    def constant(self, value: Array) -> str:
        """Append an initializer and return its name."""
        name = f"w{self.named + len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def single(self, value: Array) -> str:
        """Append a float32 initializer and return its name."""
        return self.constant(value.astype(np.float32))

    def half(self, value: Array) -> str:
        """Append a float16 initializer and return its float32 cast, which onnxruntime folds on loading."""
        return self.op("Cast", self.constant(value.astype(np.float16)), to=TensorProto.FLOAT)

    def stored(self, name: str, shape: Sequence[int], file: str) -> str:
        """Append a float32 initializer that lies in a file of the bundle, under a name of our choice."""
        tensor = onnx.TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=file)
        self.initializers.append(tensor)
        return name

    def packed(self, compact: Compact, smooth: Array, column: Array) -> str:
        """Append an int8 weight [in, out] that is stored in few bits in the bundle's weights file."""
        name = f"q{len(self.weights)}"
        scales = (compact.scales.float().numpy() / column).astype(np.float16)
        self.weights[name] = weights.pack(compact.codes.numpy(), compact.bits) | {"scales": scales, "smooth": smooth}
        tensor = onnx.TensorProto(name=name, data_type=TensorProto.INT8, dims=compact.codes.shape)
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=weights.FILE)
        self.initializers.append(tensor)
        return name

    def model(self, inputs: list[Any], outputs: list[Any]) -> onnx.ModelProto:
        """The finished, checked model."""
        graph = helper.make_graph(self.nodes, "bladecheck", inputs, outputs, self.initializers)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR, producer_name="bladecheck")


@dataclass(frozen=True)
class Layer:
    """One linear layer, weight [in, out] float32, bias [out].

    Attributes:
        compact: if set, what is stored in place of the weight.
        smooth: divisor of the inputs that the layer before already applies, [in]; the weight is multiplied by it.
    """

    weight: Array
    bias: Array
    compact: Compact | None = None
    smooth: Array | None = None


def linear(graph: Graph, x: str, layer: Layer, integer: bool, per_token: bool = False) -> str:
    """x @ weight + bias; x is [..., in]. With `integer`, by an integer product of quantised operands."""
    bias = graph.constant(layer.bias.astype(np.float32))
    if not integer:
        weight = layer.weight if layer.smooth is None else layer.weight * layer.smooth[:, None]
        return graph.op("Add", graph.op("MatMul", x, graph.constant(weight.astype(np.float32))), bias)
    weight_name, scale = _integer_weight(graph, layer)
    row = None
    if per_token:
        top = graph.op("ReduceMax", x, graph.constant(np.array([-1], np.int64)), keepdims=1)
        row = graph.op("Max", top, graph.constant(np.array(0.5, np.float32)))
        x = graph.op("Div", x, row)
    codes, x_scale, x_zero = graph.many("DynamicQuantizeLinear", [x], 3)
    zero = graph.constant(np.zeros(layer.weight.shape[1], np.int8))
    product = graph.op("MatMulInteger", codes, weight_name, x_zero, zero)
    y = graph.op("Mul", graph.op("Cast", product, to=TensorProto.FLOAT), graph.op("Mul", x_scale, scale))
    if row is not None:
        y = graph.op("Mul", y, row)
    return graph.op("Add", y, bias)


def _integer_weight(graph: Graph, layer: Layer) -> tuple[str, str]:
    """Names of the int8 weight [in, out] and of its float32 scale per output."""
    source = layer.compact.dequantise().numpy() if layer.compact else layer.weight
    smooth = np.ones(len(source), np.float32) if layer.smooth is None else layer.smooth.astype(np.float32)
    scale = np.maximum(np.abs(source * smooth[:, None]).max(0), 1e-8).astype(np.float32) / LEVELS
    if layer.compact is None:
        codes = np.clip(np.round(source * smooth[:, None] / scale), -LEVELS, LEVELS).astype(np.int8)
        return graph.constant(codes), graph.constant(scale)
    return graph.packed(layer.compact, smooth, scale), graph.constant(scale)


def norm(graph: Graph, x: str, weight: Array, bias: Array) -> str:
    """Layer normalisation over the last axis, epsilon 1e-5 as in CLIP."""
    names = graph.constant(weight.astype(np.float32)), graph.constant(bias.astype(np.float32))
    return graph.op("LayerNormalization", x, *names, axis=-1, epsilon=1e-5)


def quick_gelu(graph: Graph, x: str) -> str:
    """x * sigmoid(1.702 x), CLIP's activation, as one fused node."""
    return graph.op("QuickGelu", x, domain="com.microsoft", alpha=1.702)


def embed(graph: Graph, pixels: str, state: Mapping[str, Array], mean: Array, std: Array, compact: bool) -> str:
    """uint8 pixels [N, H, W, 3] to tokens [N, 1 + patches, width]; normalisation is folded into the convolution.

    With `compact`, the convolution and the positions are stored in float16.
    """
    store = graph.half if compact else graph.single
    kernel = state["patch_embed.proj.weight"].astype(np.float64)
    mean, std = mean.astype(np.float64), std.astype(np.float64)
    folded = kernel / (255.0 * std.reshape(1, 3, 1, 1))
    bias = -(kernel * (mean / std).reshape(1, 3, 1, 1)).sum((1, 2, 3))
    patch = kernel.shape[-1]
    x = graph.op("Transpose", graph.op("Cast", pixels, to=TensorProto.FLOAT), perm=[0, 3, 1, 2])
    names = store(folded), graph.constant(bias.astype(np.float32))
    x = graph.op("Conv", x, *names, kernel_shape=[patch, patch], strides=[patch, patch])
    width = kernel.shape[0]
    x = graph.op("Reshape", x, graph.constant(np.array([0, width, -1], np.int64)))
    x = graph.op("Transpose", x, perm=[0, 2, 1])
    position = state["pos_embed"].astype(np.float32)
    x = graph.op("Add", x, store(position[:, 1:]))
    first = graph.constant(state["cls_token"].astype(np.float32) + position[:, :1])
    size = graph.op("Shape", pixels, start=0, end=1)
    shape = graph.op("Concat", size, graph.constant(np.array([1, width], np.int64)), axis=0)
    x = graph.op("Concat", graph.op("Expand", first, shape), x, axis=1)
    return norm(graph, x, state["norm_pre.weight"], state["norm_pre.bias"])


@dataclass(frozen=True)
class Block:
    """Weights of one transformer block; norms as (weight, bias), already divided by the smoothing."""

    norm1: tuple[Array, Array]
    qkv: Layer
    proj: Layer
    norm2: tuple[Array, Array]
    fc1: Layer
    fc2: Layer
    heads: int = 12


def block(graph: Graph, x: str, part: Block, integer: bool) -> str:
    """Pre-norm attention and MLP with residuals; x is [N, tokens, width]."""
    qkv = linear(graph, norm(graph, x, *part.norm1), part.qkv, integer)
    width = part.proj.weight.shape[0]
    shape = graph.constant(np.array([0, 0, 3, part.heads, width // part.heads], np.int64))
    parts = graph.op("Transpose", graph.op("Reshape", qkv, shape), perm=[2, 0, 3, 1, 4])
    pieces = graph.many("Split", [parts], 3, axis=0, num_outputs=3)
    first = graph.constant(np.array([0], np.int64))
    q, k, v = (graph.op("Squeeze", piece, first) for piece in pieces)
    scale = graph.constant(np.array((width // part.heads) ** -0.5, np.float32))
    attention = graph.op("MatMul", graph.op("Mul", q, scale), graph.op("Transpose", k, perm=[0, 1, 3, 2]))
    mixed = graph.op("Transpose", graph.op("MatMul", graph.op("Softmax", attention, axis=-1), v), perm=[0, 2, 1, 3])
    mixed = graph.op("Reshape", mixed, graph.constant(np.array([0, 0, width], np.int64)))
    x = graph.op("Add", x, linear(graph, mixed, part.proj, integer))
    hidden = quick_gelu(graph, linear(graph, norm(graph, x, *part.norm2), part.fc1, integer))
    return graph.op("Add", x, linear(graph, hidden, part.fc2, integer, per_token=True))
