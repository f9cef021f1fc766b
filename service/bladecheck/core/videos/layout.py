"""What the outermost layer of a video file tells: of which kind it is, and whether its end is missing.

Layouts: ISO/IEC 14496-12 4.2 (boxes), RFC 8794 (EBML) and RFC 9559 (Matroska).
"""

from __future__ import annotations

import struct

from bladecheck.file_formats import video_kind

SEGMENT = b"\x18\x53\x80\x67"


def ends_early(data: bytes) -> bool:
    """Whether an element states more bytes than the file has."""
    try:
        return _segment_is_cut(data) if video_kind(data) in ("webm", "mkv") else _box_is_cut(data)
    except (struct.error, IndexError):
        return True  # a header is cut through


def _box_is_cut(data: bytes) -> bool:
    position = 0
    while position + 8 <= len(data):
        size, name = struct.unpack_from(">I4s", data, position)
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, position + 8)
        if size == 0 or not name.isascii() or size < 8:  # up to the end of the file, or no box any more
            return False
        position += size
    return position > len(data)


def _segment_is_cut(data: bytes) -> bool:
    """Live recordings state no size: then nothing can be told here."""
    _, size, start = _element(data, 0)
    if size is None:
        return False
    name, size, start = _element(data, start + size)
    return name == SEGMENT and size is not None and start + size > len(data)


def _element(data: bytes, position: int) -> tuple[bytes, int | None, int]:
    """Name, size of the content (None: unknown) and where the content begins."""
    name_length = 9 - data[position].bit_length()
    after = position + name_length
    length = 9 - data[after].bit_length()
    value = int.from_bytes(data[after : after + length], "big") & ((1 << (7 * length)) - 1)
    unknown = value == (1 << (7 * length)) - 1
    return data[position:after], None if unknown else value, after + length
