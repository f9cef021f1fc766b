"""A shipped bundle as the trunk to go on from: its blocks are kept bit for bit, only what reads them is made anew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper

from bladecheck.core import bundle, weights
from bladecheck.core.bundle import Bundle
from bladecheck_training.cache import Trunk
from bladecheck_training.net import NAMES, Heads
from bladecheck_training.vit_graph import Array, Graph

MIDDLE_BLOCK = 9
"""Its output still knows where things are; the last block's knows better what they are."""


class Parent:
    """A transformer bundle, taken apart.

    Attributes:
        bundle: as the service loads it.
        tokens: name of the normalised tokens that its heads read.
        middle: name of the tokens after block MIDDLE_BLOCK, or half of the blocks if there are not so many.
    """

    def __init__(self, folder: Path) -> None:
        self.bundle: Bundle = bundle.load(folder)
        self.model = onnx.load(self.bundle.model_path, load_external_data=False)
        norms = [node for node in self.model.graph.node if node.op_type == "LayerNormalization"]
        sizes = {tensor.name: tuple(tensor.dims) for tensor in self.model.graph.initializer}
        norms = [node for node in norms if sizes[node.input[1]] == sizes[norms[0].input[1]]]  # not that of the map
        blocks = (len(norms) - 2) // 2  # two in each block, one before the first and one after the last
        if len(norms) < 4 or len(norms) % 2:
            raise ValueError(f"{folder} is no bundle of a vision transformer; only such a one can be gone on from.")
        middle = MIDDLE_BLOCK if blocks > MIDDLE_BLOCK else blocks // 2
        self.tokens, self.middle = str(norms[2 * blocks + 1].output[0]), str(norms[1 + 2 * middle].input[0])

    @property
    def shape(self) -> tuple[int, int]:
        """Tokens of a picture and their width."""
        size = self.bundle.spec.size
        norm = next(node for node in self.model.graph.node if node.op_type == "LayerNormalization")
        width = next(tensor.dims[0] for tensor in self.model.graph.initializer if tensor.name == norm.input[1])
        conv = next(node for node in self.model.graph.node if node.op_type == "Conv")
        patch = next(item.ints[0] for item in conv.attribute if item.name == "kernel_shape")
        return 1 + (size // int(patch)) ** 2, int(width)

    def tapped(self, folder: Path) -> Trunk:
        """Its graph in `folder`, with the tokens as further outputs, and the weights it needs beside it."""
        path = folder / "tapped.onnx"
        model = onnx.ModelProto()
        model.CopyFrom(self.model)
        for name in (self.tokens, self.middle):
            model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *self.shape]))
        folder.mkdir(parents=True, exist_ok=True)
        for name in (weights.FILE, weights.HEADS):
            if name in self.bundle.manifest.files:
                (folder / name).write_bytes((self.bundle.path / name).read_bytes())
        path.write_bytes(model.SerializeToString())
        outputs = {"middle": self.middle, "tokens": self.tokens, "logits": "logits"}
        return Trunk(path, outputs, self.bundle.sha256)

    def trunk(self) -> tuple[Graph, str, str]:
        """A graph of the nodes up to the tokens, with the names of the tokens and of the middle ones."""
        graph, wanted = Graph(), {self.tokens, self.middle}
        kept: list[onnx.NodeProto] = []
        for node in reversed(self.model.graph.node):
            if wanted & set(node.output):
                kept.append(node)
                wanted |= set(node.input)
        graph.nodes = kept[::-1]
        graph.initializers = [tensor for tensor in self.model.graph.initializer if tensor.name in wanted]
        graph.count = len(self.model.graph.node) + 1
        graph.named = len(self.model.graph.initializer)
        graph.weights = self._stored(wanted)
        return graph, self.tokens, self.middle

    def _stored(self, wanted: set[str]) -> dict[str, dict[str, Any]]:
        """The compact weights as they lie in its weights file."""
        found: dict[str, dict[str, Any]] = {}
        if weights.FILE in self.bundle.manifest.files:
            with np.load(self.bundle.path / weights.FILE, allow_pickle=False) as stored:
                for key in stored.files:
                    name, part = key.split(".")
                    if name in wanted:
                        found.setdefault(name, {})[part] = stored[key]
        return found

    def read(self, heads: Heads) -> None:
        """Set heads to what the parent's say, in the columns that it has.

        Raises:
            ValueError: if its graph does not read its tokens as `Heads` does.
        """
        tensors = {tensor.name: tensor for tensor in self.model.graph.initializer
                   if tensor.data_location != TensorProto.EXTERNAL}  # fmt: skip
        width, outputs = self.shape[1], self.bundle.manifest.outputs.width
        found: dict[tuple[int, ...], tuple[Array, Array]] = {}
        adds = {node.input[0]: node.input[1] for node in self.model.graph.node if node.op_type == "Add"}
        for node in self.model.graph.node:
            if node.op_type == "MatMul" and node.input[1] in tensors:
                weight = numpy_helper.to_array(tensors[node.input[1]])
                bias = tensors.get(adds.get(node.output[0], ""))
                found[weight.shape] = (weight, numpy_helper.to_array(bias) if bias else np.zeros(0))
        try:
            query, patch = found[width, heads.query.out_features], found[width, 1]
            if weights.HEADS in self.bundle.manifest.files:
                weight, bias = self._last()
            else:  # schema 1: the mean of the highest patches is added after the layer
                last, share = found[2 * width, outputs], found[1, outputs][0]
                weight, bias = np.concatenate([last[0], share]), last[1]
        except KeyError as error:
            raise ValueError(f"{self.bundle.path}: its heads have no part of the shape {error}.") from error
        with torch.no_grad():
            for layer, (kernel, offset) in ((heads.query, query), (heads.patch, patch)):
                layer.weight.copy_(torch.from_numpy(kernel.T.copy()))
                layer.bias.copy_(torch.from_numpy(offset.copy()))
            for place, name in enumerate(NAMES):
                if name in (columns := self.columns()):
                    heads.out.weight[place] = torch.from_numpy(weight[:, columns[name]].copy())
                    heads.out.bias[place] = float(bias[columns[name]])

    def _last(self) -> tuple[Array, Array]:
        """Its last linear layer, from heads.npz."""
        with np.load(self.bundle.path / weights.HEADS, allow_pickle=False) as stored:
            return stored["weight"], stored["bias"]

    def columns(self) -> Mapping[str, int]:
        """Where in its logits each name stands."""
        return {name: place for place, name in enumerate(self.bundle.manifest.outputs.names)}
