"""The frozen half of a transformer: compressed once, kept, and used both for the cache and in the shipped graph."""

from __future__ import annotations

import pickle
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from onnx import TensorProto, helper
from timm.data import resolve_data_config  # type: ignore[attr-defined]
from torch import nn

from bladecheck.core import weights
from bladecheck.core.classifier import open_session
from bladecheck.core.preprocess import Pixels, Spec, prepare
from bladecheck_training import compress, views, vit_graph
from bladecheck_training.manifest import Row
from bladecheck_training.vit_graph import Block, Graph

if TYPE_CHECKING:
    import onnxruntime

BLOCKS, GRAPH = "frozen.pkl", "frozen.onnx"
CALIBRATION_PICTURES = 64


def prepared(rows: Sequence[Row], spec: Spec, threads: int, backbone: nn.Module, blocks: int, folder: Path) -> Path:
    """Compress the first `blocks` blocks and write the graph from pixels to their tokens; returns its path.

    Args:
        backbone: timm vision transformer, float32.
    """
    path = folder / GRAPH
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(threads)
    pixels = calibration_pixels(rows, spec)
    mean, std = normalisation(backbone)
    first = embedded(backbone, pixels)
    state = {name: value.detach().numpy().copy() for name, value in backbone.state_dict().items()}
    compact = list(compress.compress(backbone.blocks[:blocks], first))  # type: ignore[index, arg-type]
    (folder / BLOCKS).write_bytes(pickle.dumps(compact))
    graph = Graph()
    tokens = trunk(graph, state, mean, std, compact, integer=True)
    graph.op("Identity", tokens, output="tokens")
    width, count = state["cls_token"].shape[-1], state["pos_embed"].shape[1]
    write(graph, spec.size, {"tokens": [count, width]}, path)
    return path


def compact_blocks(folder: Path) -> list[Block]:
    """The compressed blocks that `prepared` wrote into this folder."""
    blocks: list[Block] = pickle.loads((folder / BLOCKS).read_bytes())  # noqa: S301  our own file in the work folder
    return blocks


def calibration_pixels(rows: Sequence[Row], spec: Spec) -> Pixels:
    """A fixed random choice of training pictures, knives in the majority, uint8 [N, S, S, 3]."""
    train = [row for row in rows if row.split == "train"]
    rng = random.Random(0)  # noqa: S311
    knives = [row for row in train if row.knife == 1]
    others = [row for row in train if row.knife != 1]
    picked = rng.sample(knives, min(40, len(knives))) + rng.sample(others, min(40, len(others)))
    return np.stack([prepare(views.open_row(row), spec) for row in picked[:CALIBRATION_PICTURES]])


def normalisation(backbone: nn.Module) -> tuple[vit_graph.Array, vit_graph.Array]:
    """Mean and standard deviation per channel, in 0..1, that the backbone was pretrained with."""
    config = resolve_data_config({}, model=backbone)
    return np.array(config["mean"], np.float32), np.array(config["std"], np.float32)


def embedded(backbone: nn.Module, pixels: Pixels) -> torch.Tensor:
    """What goes into the first block, float [N, T, D], of prepared pixels uint8 [N, S, S, 3]."""
    mean, std = normalisation(backbone)
    x = torch.from_numpy(((pixels.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2).copy())
    with torch.inference_mode():
        parts = [backbone.norm_pre(backbone._pos_embed(backbone.patch_embed(part))) for part in x.split(16)]  # type: ignore[operator]
        return torch.cat(parts)


def trunk(
    graph: Graph,
    state: Mapping[str, vit_graph.Array],
    mean: vit_graph.Array,
    std: vit_graph.Array,
    blocks: Sequence[Block],
    integer: bool,
) -> str:
    """Append embedding and blocks; returns the name of the tokens."""
    x = vit_graph.embed(graph, "pixels", state, mean, std, compact=integer)
    for part in blocks:
        x = vit_graph.block(graph, x, part, integer)
    return x


def write(graph: Graph, size: int, outputs: Mapping[str, list[int]], path: Path) -> None:
    """Save the graph, and its compact weights beside it."""
    inputs = [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", size, size, 3])]
    answers = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape]) for name, shape in outputs.items()]
    if graph.weights:
        arrays = {f"{name}.{key}": value for name, part in graph.weights.items() for key, value in part.items()}
        np.savez_compressed(path.parent / weights.FILE, **arrays)  # type: ignore[arg-type]
    else:
        (path.parent / weights.FILE).unlink(missing_ok=True)
    path.write_bytes(graph.model(inputs, answers).SerializeToString())  # last: it stands for a finished pair


def session(path: Path) -> onnxruntime.InferenceSession:
    """A session on a graph with the compact weights beside it, if there are any."""
    return open_session(path, [name for name in (weights.FILE, weights.HEADS) if (path.parent / name).exists()])
