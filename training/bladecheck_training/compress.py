"""Float transformer blocks to compact ones: smoothing of activations, then weights of few bits, block after block."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from bladecheck_training import gptq
from bladecheck_training.vit_graph import Block, Layer


class Watch:
    """What flows into each linear layer of a block: the largest size per channel, and the second moments."""

    def __init__(self, block: nn.Module) -> None:
        self.top: dict[str, torch.Tensor] = {}
        self.moments: dict[str, torch.Tensor] = {}
        self._layers = layers(block)

    def __enter__(self) -> Watch:
        self._handles = [layer.register_forward_pre_hook(self._hook(name)) for name, layer in self._layers.items()]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _hook(self, name: str):  # type: ignore[no-untyped-def]
        def see(_: nn.Module, inputs: tuple[torch.Tensor]) -> None:
            rows = inputs[0].detach().flatten(0, -2).float()
            top = rows.abs().amax(0)
            self.top[name] = torch.maximum(self.top[name], top) if name in self.top else top
            self.moments[name] = self.moments.get(name, torch.zeros(())) + rows.T @ rows

        return see


def layers(block: nn.Module) -> dict[str, nn.Linear]:
    """The four linear layers of a timm vision transformer block."""
    return {"qkv": block.attn.qkv, "proj": block.attn.proj, "fc1": block.mlp.fc1, "fc2": block.mlp.fc2}  # type: ignore


BITS = {"qkv": 6, "proj": 6, "fc1": 5, "fc2": 5}


def compress(
    blocks: nn.ModuleList, tokens: torch.Tensor, bits: dict[str, int] = BITS, batch: int = 16
) -> Iterator[Block]:
    """Compress blocks in order, each calibrated on what the compressed ones before it give.

    Args:
        blocks: timm blocks, float32, on the CPU; their weights are replaced by the compact ones as a side effect.
        tokens: what enters the first block, float32 [N, tokens, width]; 64 pictures are plenty.
        bits: of one stored weight, by layer.
        batch: pictures worked on at once.
    """
    with torch.inference_mode():
        for module in blocks:
            with Watch(module) as watch:
                for part in tokens.split(batch):
                    module(part)
            linears = layers(module)
            compact = {name: gptq.quantise(linears[name].weight, watch.moments[name], bits[name]) for name in linears}
            for name, small in compact.items():
                linears[name].weight.copy_(small.dequantise().T)
            yield _pack(module, watch.top, compact)
            tokens = torch.cat([module(part) for part in tokens.split(batch)])


def plain(block: nn.Module) -> Block:
    """The same block uncompressed, for the float32 graph."""
    ones = {name: torch.ones(layer.in_features) for name, layer in layers(block).items()}
    return _assemble(block, ones, {})


def _pack(block: nn.Module, top: dict[str, torch.Tensor], compact: dict[str, gptq.Compact]) -> Block:
    linears = layers(block)
    smooth = {name: smoothing(top[name], linears[name].weight) for name in ("qkv", "proj", "fc1")}
    return _assemble(block, smooth, compact)


def smoothing(top: torch.Tensor, weight: torch.Tensor, balance: float = 0.5) -> torch.Tensor:
    """SmoothQuant's divisor per input channel [in]: moves the outliers of activations into the weights."""
    divisor = top.clamp(min=1e-5).pow(balance) / weight.abs().amax(0).clamp(min=1e-5).pow(1 - balance)
    return (divisor / divisor.median()).clamp(1e-3, 1e3)


def _assemble(block: nn.Module, smooth: dict[str, torch.Tensor], compact: dict[str, gptq.Compact]) -> Block:
    state = {name: value.detach().float().numpy() for name, value in block.state_dict().items()}
    scale = {name: value.numpy() for name, value in smooth.items()}
    qkv_weight, qkv_bias = state["attn.qkv.weight"].T.copy(), state["attn.qkv.bias"].copy()
    width = len(state["attn.proj.bias"])
    qkv_weight[:, 2 * width :] /= scale["proj"]  # the values carry the smoothing of the projection's inputs
    qkv_bias[2 * width :] /= scale["proj"]

    compact = dict(compact)
    if qkv := compact.get("qkv"):
        values = torch.ones(3 * width)
        values[2 * width :] = smooth["proj"]
        compact["qkv"] = dataclasses.replace(qkv, scales=qkv.scales.float() / values)

    def layer(name: str, key: str) -> Layer:
        return Layer(state[f"{key}.weight"].T, state[f"{key}.bias"], compact.get(name), scale.get(name))

    return Block(
        norm1=(state["norm1.weight"] / scale["qkv"], state["norm1.bias"] / scale["qkv"]),
        qkv=Layer(qkv_weight, qkv_bias, compact.get("qkv"), scale["qkv"]),
        proj=layer("proj", "attn.proj"),
        norm2=(state["norm2.weight"] / scale["fc1"], state["norm2.bias"] / scale["fc1"]),
        fc1=layer("fc1", "mlp.fc1"),
        fc2=layer("fc2", "mlp.fc2"),
        heads=int(np.asarray(block.attn.num_heads)),  # type: ignore[union-attr]
    )
