"""What a few hostile bytes would cost a decoder, counted from the headers before anything is decoded.

Decoders bound memory by pixels, but not work by parts: 32 MB of progressive JPEG hold 300,000 scans of 50 ms each, and
a TIFF's list of strips takes a hundred times its size in memory. Layouts: ITU T.81 B.2, GIF89a, TIFF 6.0 section 2.
"""

from __future__ import annotations

import re
import struct

MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")  # none of these occurs within a scan's own data
START_OF_SCAN, END_OF_IMAGE, WITHOUT_LENGTH = 0xDA, 0xD9, (0x01, 0xD8)
FRAMES, PROGRESSIVE = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}, (0xC2, 0xC6, 0xCA, 0xCE)
TIFF_PARTS = (273, 324)  # StripOffsets, TileOffsets
TIFF_TYPES = {1: "B", 3: "H", 4: "I", 7: "B"}


def jpeg_scans(data: bytes, stop: int) -> int:
    """Scans that a decoder works through, counted up to `stop`; below it, bytes that merely look like one may count."""
    scans, position, components, progressive = 0, 2, 0, False
    while scans < stop and (found := MARKER.search(data, position)):
        marker, position = data[found.end() - 1], found.end()
        if marker in FRAMES:
            components, progressive = int.from_bytes(data[position + 7 : position + 8]), marker in PROGRESSIVE
        elif marker == START_OF_SCAN:
            scans += 1
            if scans == 1 and not progressive and data[position + 2 : position + 3] == bytes([components]):
                return 1  # all components in one scan: decoders look no further
            if scans == 1 and (most := 1 + data.count(b"\xff\xda", position)) < stop:
                return most  # a plain search, ten times faster than the walk
        elif marker == END_OF_IMAGE:
            break
        if marker not in WITHOUT_LENGTH:
            position += int.from_bytes(data[position : position + 2], "big")
    return scans


def gif_frames(data: bytes, stop: int) -> int:
    """Frames in a GIF, counted up to `stop`; bytes out of place are skipped, as decoders do."""
    frames, position = 0, 13 + _colour_table(data, 10)
    while position < len(data) and frames < stop:
        mark = data[position]
        if mark == 0x3B:
            break
        if mark == 0x2C:
            frames += 1
            position = _after_blocks(data, position + 11 + _colour_table(data, position + 9))
        elif mark == 0x21:
            position = _after_blocks(data, position + 2)
        else:
            position += 1
    return frames


def gif_is_whole(data: bytes) -> bool:
    """Whether the blocks of a GIF follow each other, nothing between them, up to the trailer or the very end."""
    position = 13 + _colour_table(data, 10)
    while position < len(data):
        mark = data[position]
        if mark == 0x3B:
            return True
        if mark == 0x2C:
            position = _after_blocks(data, position + 11 + _colour_table(data, position + 9))
        elif mark == 0x21:
            position = _after_blocks(data, position + 2)
        else:
            return False
    return position == len(data)


def tiff_pages(data: bytes, stop: int) -> tuple[int, int]:
    """Pages in a TIFF, counted up to `stop` (a ring of pages reaches it), and strips or tiles of the worst page."""
    order = "<" if data[:2] == b"II" else ">"
    pages, parts = 0, 0
    (position,) = struct.unpack_from(f"{order}I", data, 4)
    while position and pages < stop and position + 2 <= len(data):
        pages += 1
        (entries,) = struct.unpack_from(f"{order}H", data, position)
        end = position + 2 + 12 * entries
        if end + 4 > len(data):
            break
        for tag, _, count, _ in struct.iter_unpack(f"{order}HHII", data[position + 2 : end]):
            parts = max(parts, count if tag in TIFF_PARTS else 0)
        (position,) = struct.unpack_from(f"{order}I", data, end)
    return pages, parts


def tiff_values(data: bytes, wanted: int) -> tuple[int, ...]:
    """The numbers (bytes, of type UNDEFINED) that a tag of a TIFF's first page holds; none where it is absent."""
    order = "<" if data[:2] == b"II" else ">"
    (position,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, position)
    for at in range(position + 2, position + 2 + 12 * entries, 12):
        tag, kind, count = struct.unpack_from(f"{order}HHI", data, at)
        if tag == wanted and kind in TIFF_TYPES:
            size = struct.calcsize(TIFF_TYPES[kind])
            (start,) = struct.unpack_from(f"{order}I", data, at + 8) if count * size > 4 else (at + 8,)
            if start + count * size > len(data):
                raise IndexError(f"tag {wanted} lies outside the file")
            return struct.unpack_from(f"{order}{count}{TIFF_TYPES[kind]}", data, start)
    return ()


def _colour_table(data: bytes, position: int) -> int:
    """Bytes of the GIF colour table announced by the flags at `position`."""
    flags = data[position] if position < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_blocks(data: bytes, position: int) -> int:
    """The position after a GIF's chain of sub-blocks."""
    while position < len(data) and data[position]:
        position += data[position] + 1
    return position + 1
