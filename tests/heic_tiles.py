"""A HEIC of several tiles, as telephones write them, put together of the one tile in odd.HEIC."""

from __future__ import annotations

import struct

from bladecheck.core import damage
from odd import HEIC

TILE = (64, 64)


def box(name: bytes, *parts: bytes) -> bytes:
    content = b"".join(parts)
    return struct.pack(">I4s", len(content) + 8, name) + content


def full(name: bytes, version: int, flags: int, *parts: bytes) -> bytes:
    """A box with version and flags."""
    return box(name, struct.pack(">I", version << 24 | flags), *parts)


def tiled(rows: int, columns: int, size: tuple[int, int]) -> tuple[bytes, list[tuple[int, int]]]:
    """The file, and begin and size of each tile's data. The picture is `size`, which the tiles may reach beyond."""
    meta = damage._meta(HEIC)
    begin, end = next((a, b) for name, a, b in damage._boxes(HEIC, *meta[b"iprp"]) if name == b"ipco")
    decoder = next(HEIC[a - 8 : b] for name, a, b in damage._boxes(HEIC, begin, end) if name == b"hvcC")
    ((at, length),) = next(iter(damage._coded_items(HEIC, "HEIF").values()))
    count = rows * columns
    head = box(b"ftyp", b"heic", bytes(4), b"mif1heic")
    first = len(head) + len(_meta(rows, columns, size, decoder, length, 0)) + 8
    places = [(first + number * length, length) for number in range(count)]
    coded = HEIC[at : at + length] * count
    return head + _meta(rows, columns, size, decoder, length, first) + box(b"mdat", coded), places


def _meta(rows: int, columns: int, size: tuple[int, int], decoder: bytes, length: int, first: int) -> bytes:
    count = rows * columns
    whole, numbers = count + 1, range(1, count + 1)
    hidden = [full(b"infe", 2, 1, struct.pack(">HH4s", number, 0, b"hvc1"), b"\0") for number in numbers]
    items = [*hidden, full(b"infe", 2, 0, struct.pack(">HH4s", whole, 0, b"grid"), b"\0")]
    sizes = [full(b"ispe", 0, 0, struct.pack(">II", *one)) for one in (TILE, size)]
    linked = [struct.pack(">HBBB", number, 2, 0x81, 2) for number in numbers] + [struct.pack(">HBB", whole, 1, 3)]
    grid = struct.pack(">BBBBHH", 0, 0, rows - 1, columns - 1, *size)
    lying = [struct.pack(">HHHHII", one, 0, 0, 1, first + length * (one - 1), length) for one in numbers]
    return full(
        b"meta", 0, 0,
        full(b"hdlr", 0, 0, struct.pack(">I4s12x", 0, b"pict"), b"\0"),
        full(b"pitm", 0, 0, struct.pack(">H", whole)),
        full(b"iinf", 0, 0, struct.pack(">H", whole), *items),
        full(b"iref", 0, 0, box(b"dimg", struct.pack(f">HH{count}H", whole, count, *numbers))),
        box(b"iprp", box(b"ipco", decoder, *sizes), full(b"ipma", 0, 0, struct.pack(">I", whole), *linked)),
        full(b"iloc", 1, 0, b"\x44\0", struct.pack(">H", whole), *lying,
             struct.pack(">HHHHII", whole, 1, 0, 1, 0, len(grid))),
        box(b"idat", grid),
    )  # fmt: skip
