"""Damaged pictures without end: seeds in every accepted format, and the ways in which files are damaged or forged."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image

from tiny import BLUE, GREEN, RED, draw, encode

Mutation = Callable[[bytearray, random.Random], bytearray]


def seeds() -> list[bytes]:
    """One small picture per format and flavour of format."""
    noise = Image.fromarray(np.random.default_rng(5).integers(0, 255, (37, 53, 3), np.uint8))
    red, frames = draw(RED), [draw(GREEN), draw(BLUE)]
    exif = Image.Exif()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    sixteen = Image.fromarray((np.arange(40 * 50, dtype=np.uint16) * 31).reshape(40, 50))
    animated = {"save_all": True, "append_images": frames, "duration": 50}
    return [
        encode(red, "JPEG", exif=exif.tobytes()),
        encode(noise, "JPEG", progressive=True),
        encode(red.convert("CMYK"), "JPEG"),
        encode(red.convert("L"), "JPEG"),
        encode(red, "PNG"),
        encode(noise.convert("P"), "PNG"),
        encode(red.convert("RGBA"), "PNG"),
        encode(sixteen, "PNG"),
        encode(red.convert("1"), "PNG"),
        encode(red, "WEBP"),
        encode(noise, "WEBP", lossless=True),
        encode(red, "WEBP", **animated),
        encode(red, "GIF", **animated),
        encode(red, "PNG", **animated),
        encode(red, "AVIF"),
        encode(red, "BMP"),
        encode(red, "TIFF"),
        encode(noise, "TIFF", compression="tiff_lzw"),
        encode(red.convert("1"), "TIFF", compression="group4"),
        encode(red, "TIFF", compression="jpeg"),
    ]


def _truncate(data: bytearray, pick: random.Random) -> bytearray:
    return data[: pick.randrange(len(data))]


def _flip(data: bytearray, pick: random.Random) -> bytearray:
    for _ in range(pick.choice((1, 1, 3, 20))):
        data[pick.randrange(len(data))] ^= 1 << pick.randrange(8)
    return data


def _overwrite(data: bytearray, pick: random.Random) -> bytearray:
    start, size = pick.randrange(len(data)), pick.choice((1, 4, 16, 200))
    fill = pick.choice((b"\0" * size, b"\xff" * size, pick.randbytes(size)))
    data[start : start + size] = fill
    return data


def _delete(data: bytearray, pick: random.Random) -> bytearray:
    start = pick.randrange(len(data))
    del data[start : start + pick.choice((1, 2, 8, 100))]
    return data


def _repeat(data: bytearray, pick: random.Random) -> bytearray:
    start, size = pick.randrange(len(data)), pick.choice((2, 8, 64, 400))
    data[start:start] = data[start : start + size] * pick.choice((1, 2, 50))
    return data


def _forge_number(data: bytearray, pick: random.Random) -> bytearray:
    """Put an extreme number where headers keep sizes, counts and offsets."""
    at = pick.randrange(min(len(data), 400))
    value = pick.choice((0, 1, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF, 50_000, 100_000))
    size = pick.choice(("<H", ">H", "<I", ">I"))
    forged = struct.pack(size, value & (0xFFFF if size[1] == "H" else 0xFFFFFFFF))
    data[at : at + len(forged)] = forged
    return data


MUTATIONS: tuple[Mutation, ...] = (_truncate, _flip, _overwrite, _delete, _repeat, _forge_number, _forge_number)


def mutated(seed: int = 0) -> Iterator[bytes]:
    """Damaged pictures, the same ones for the same seed, for ever."""
    return (data for data, _ in mutated_with_original(seed))


def mutated_with_original(seed: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """`mutated`, each with the picture that it was."""
    pick, originals = random.Random(seed), seeds()
    while True:
        original = pick.choice(originals)
        data = bytearray(original)
        for _ in range(pick.choice((1, 1, 2, 4))):
            if data:
                data = pick.choice(MUTATIONS)(data, pick)
        if pick.random() < 0.05:
            data = data[: pick.randrange(len(data) + 1)] + pick.choice(originals)
        yield bytes(data), original
