"""Compact weights of a bundle: 5 and 6 bits on disk, int8 in memory.

`weights.npz` holds for each weight W, int8 [inputs, outputs] in the graph:
    W.low     uint8, the low four bits of unsigned codes, two to a byte (low half first), row by row
    W.high    uint8, the bits above them, 8 / (bits - 4) codes to a byte, lowest first; absent for 4 bits
    W.scales  float16 [groups, outputs], what a code is worth in units of the int8 weight's column scale
    W.smooth  float32 [inputs], factor per input
    W.bits    int
and the int8 weight is round(code * scale * smooth).
"""

from __future__ import annotations

from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

FILE, HEADS = "weights.npz", "heads.npz"
HEAD_TENSORS = {"weight": "head.weight", "bias": "head.bias"}
"""What heads.npz calls them, and the graph."""
Codes = npt.NDArray[np.int8]


def initializers(folder: Path, stored: Collection[str]) -> dict[str, npt.NDArray[Any]]:
    """Tensors that a graph reads from the files beside it, by the graph's names for them.

    Args:
        stored: names of the bundle's files; those that hold no tensors are passed over.
    """
    found: dict[str, npt.NDArray[Any]] = {**unpack(folder / FILE)} if FILE in stored else {}
    if HEADS in stored:
        with np.load(folder / HEADS, allow_pickle=False) as heads:
            found |= {name: heads[key] for key, name in HEAD_TENSORS.items()}
    return found


def pack(codes: Codes, bits: int) -> dict[str, npt.NDArray[Any]]:
    """Signed `bits`-bit codes (4, 5 or 6 bits), int8 [inputs, outputs], as the arrays low, high and bits."""
    unsigned = (codes.astype(np.int16) + 2 ** (bits - 1)).astype(np.uint8).reshape(-1)
    low = unsigned & 15
    packed: dict[str, npt.NDArray[Any]] = {"low": low[0::2] | (low[1::2] << 4), "bits": np.array(bits)}
    if extra := bits - 4:
        share = 8 // extra
        high = (unsigned >> 4).reshape(-1, share)
        packed["high"] = np.bitwise_or.reduce(high << (extra * np.arange(share, dtype=np.uint8)), axis=1)
    return packed


def unpack(path: Path) -> dict[str, Codes]:
    """All weights of the file as int8 [inputs, outputs], by name."""
    with np.load(path, allow_pickle=False) as stored:
        names = sorted({key.split(".")[0] for key in stored.files})
        parts = {name: {key.split(".")[1]: stored[key] for key in stored.files if key.startswith(name + ".")}
                 for name in names}  # fmt: skip
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(_unpack, parts.values()), strict=True))


def _unpack(part: dict[str, npt.NDArray[Any]]) -> Codes:
    scales, smooth, bits = part["scales"].astype(np.float32), part["smooth"], int(part["bits"])
    low = part["low"]
    unsigned = np.empty(low.size * 2, np.uint8)
    np.bitwise_and(low, 15, out=unsigned[0::2])
    np.right_shift(low, 4, out=unsigned[1::2])
    if extra := bits - 4:
        high, share, mask = part["high"], 8 // extra, 2**extra - 1
        for place in range(share):
            unsigned[place::share] |= ((high >> (extra * place)) & mask) << 4
    values = unsigned.astype(np.float32)
    values -= 2 ** (bits - 1)
    groups, outputs = scales.shape
    grouped = values.reshape(groups, -1, outputs)
    grouped *= scales[:, None, :]
    weight = values.reshape(len(smooth), outputs)
    weight *= smooth[:, None]
    return np.clip(np.rint(weight, out=weight), -127, 127, out=weight).astype(np.int8)
