"""Signs that a picture's file lost or changed bytes, where its decoder draws a picture all the same.

JPEG, WebP, AVIF, HEIC and GIF have no checksum, and their decoders make the best of what they get: blocks that a disk
or a download lost become grey, garbled or shifted rows. Each test here is one that whole files pass
(docs/operations.md has the numbers, and what can't be seen).

- JPEG: what libjpeg warns of, which Pillow does not pass on.
- WebP, AVIF, HEIC: the decoder must need the last bytes of the coded data. One that lost its place in damaged data is
  done before it reaches them. Whether it needs them shows by changing them: the picture must change, too (or fail).
  HEIC: nor must it need what lies behind them, as one that lost its place may. Each tile is looked at alone.
- PNG: all checksums, also those that a decoder has no need to read. TIFF: those of deflated strips, and JPEG strips.

Layouts: ITU T.81 annex B and F, RFC 9649, ISO/IEC 14496-12 and 23008-12, ITU H.265 7.4.2, PNG 5.3, GIF89a, TIFF 6.0.
"""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Callable, Collection, Iterator

import simplejpeg
from PIL import AvifImagePlugin, Image, WebPImagePlugin

from bladecheck.core import hazards

END_OF_JPEG = b"\xff\xd9"
CUT_SHORT = "Premature end of JPEG file"
LOST_DATA = ("Corrupt JPEG data", "Inconsistent progression", CUT_SHORT)
"""What libjpeg warns of when bytes are missing or wrong. Its other warnings are about headers of odd writers."""
NOT_FOR_US = ("Unsupported color conversion", "tjDecompressHeader3(): Could not determine subsampling")
"""What turbojpeg says of whole files that it can't turn to grey."""
HOLE = bytes(256)
"""An arithmetic coder's output looks random but for what repeats: of whole files, noisy textures had up to 114 zeros in
a row (WebP, quickest method; n = 279), drawings 48 (AVIF; n = 93). A hole that a disk leaves has 512 at least."""
LEAST_OF_END, MOST_OF_END = 24, 512
"""Bytes at the end of coded data that must matter: more than what may belong to pixels outside the picture."""
END_OF_VP8L = 4
"""The same of lossless WebP, which is read bit by bit up to its last pixel: a byte, and three that a writer may add."""
HEVC_LEAST = 8192
"""Smaller HEVC data may end with what is outside the picture: its blocks are larger, and its files end with padding."""
BEYOND = b"\x55" * 256
"""What a decoder that is still in its place never reads, behind the end of HEVC data."""
Boxes = dict[bytes, tuple[int, int]]
"""Boxes of an ISO base media file by name: begin and end of their content."""
# Frames of an animation that are decoded once more: each costs a decoding.
MOST_FRAMES = 16
# Values of TIFF's tag Compression: Adobe's deflate and the older one.
DEFLATED = (8, 32946)
FORBIDDEN_IN_HEVC = re.compile(rb"\0\0[\0\1\2]")
IMAGE_ITEMS = {b"av01": "AVIF", b"hvc1": "HEIF", b"hev1": "HEIF"}


def suspected(data: bytes, kind: str, image: Image.Image) -> bool:
    """Whether a file that its decoder accepts shows signs of damage.

    Args:
        data: the file's bytes.
        kind: its format, as `images.sniff` names it.
        image: as the decoder gives it, the first picture of several, before anything is done to it.
    """
    test = TESTS.get(kind)
    try:
        return test is not None and test(data, image)
    except (
        struct.error,
        LookupError,
        OSError,
        SyntaxError,
        ValueError,
    ):  # points outside the file, or a part is damaged
        return True


def with_end(data: bytes) -> bytes:
    """A JPEG that lacks nothing but its last two bytes, the end marker, with them; any other as it is."""
    if jpeg_complaint(data) == CUT_SHORT:
        whole = data.removesuffix(b"\xff") + END_OF_JPEG
        if jpeg_complaint(whole) is None:
            return whole
    return data


def jpeg_complaint(data: bytes) -> str | None:
    """What libjpeg has to say of the scan data at reading, or None. Pillow decodes with the same library, unheard.

    Decoded at an eighth of its size, which leaves little but the reading of the entropy-coded data itself.
    """
    try:
        simplejpeg.decode_jpeg(data, "GRAY", True, True, min_height=1, min_width=1, min_factor=8)
    except ValueError as error:  # strict: warnings are errors, too
        return str(error)
    return None


def _jpeg(data: bytes, image: Image.Image) -> bool:
    return (jpeg_complaint(data) or "").startswith(LOST_DATA)


def _needs_its_end(coded: bytes, decode: Callable[[bytes], Image.Image], whole: bytes) -> bool:
    """Whether the picture, of the pixels `whole`, changes (or fails) with the last bytes of its coded data."""
    count = min(MOST_OF_END, max(LEAST_OF_END, len(coded) // 100))
    if len(coded) < 5 * count:
        return True  # too small to tell
    return _changes(coded[:-count] + _inverted(coded[-count:], 0xFF), decode, whole)


def _inverted(coded: bytes, bits: int) -> bytes:
    return bytes(byte ^ bits for byte in coded)


def _changes(changed: bytes, decode: Callable[[bytes], Image.Image], whole: bytes) -> bool:
    """Whether changed data gives another picture than `whole`, or none."""
    try:
        return decode(changed).tobytes() != whole
    except Exception:  # decoders raise almost anything on what is damaged, as this is on purpose
        return True


def _webp(data: bytes, image: Image.Image) -> bool:
    frames = [(name, payload) for name, payload in _riff_chunks(data) if name in (b"VP8 ", b"VP8L")]
    if any(HOLE in payload for name, payload in frames if name == b"VP8 "):
        return True
    return not all(_webp_frame_is_whole(name, payload) for name, payload in frames[:MOST_FRAMES])


def _webp_frame_is_whole(name: bytes, payload: bytes) -> bool:
    def decode(coded: bytes) -> Image.Image:
        """As a file of its own, so that neither transparency nor another frame hides it."""
        chunk = name + struct.pack("<I", len(coded)) + coded + bytes(len(coded) % 2)
        file = WebPImagePlugin.WebPImageFile(io.BytesIO(b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk))
        file.load()
        return file

    whole = decode(payload).tobytes()
    if name == b"VP8 ":
        return _needs_its_end(payload, decode, whole)
    # One other end may happen to mean the same, where a colour repeats; two others and none don't.
    start, end = payload[:-END_OF_VP8L], payload[-END_OF_VP8L:]
    return any(
        _changes(other, decode, whole) for other in (start + _inverted(end, 0xFF), start, start + _inverted(end, 0x55))
    )


def _riff_chunks(data: bytes, position: int = 12, end: int | None = None) -> Iterator[tuple[bytes, bytes]]:
    """Name and payload of each chunk of a WebP, those of animation frames included."""
    end = len(data) if end is None else end
    while position + 8 <= end:
        name, size = struct.unpack_from("<4sI", data, position)
        begin = position + 8
        yield name, data[begin : begin + size]
        if name == b"ANMF":
            yield from _riff_chunks(data, begin + 16, min(end, begin + size))
        position = begin + size + size % 2


def _avif(data: bytes, image: Image.Image) -> bool:
    items = _coded_items(data, "AVIF").values()
    if any(HOLE in data[start : start + size] for extents in items for start, size in extents):
        return True

    def decode(changed: bytes) -> Image.Image:
        file = AvifImagePlugin.AvifImageFile(io.BytesIO(changed), "")
        file.load()
        return file

    return not _needs_last_item(data, items, decode, image)


def _heif(data: bytes, image: Image.Image) -> bool:
    """HEVC: units must fill each item, and no unit may hold what announces the next one; tiles end where they end."""
    tiles = _coded_items(data, "HEIF")
    if any(not _is_units(b"".join(data[a : a + size] for a, size in extents)) for extents in tiles.values()):
        return True
    meta = _meta(data) if tiles else {}
    primary = _primary(data, meta) if tiles else 0
    parts = [number for number in _parts(data, meta, primary) if number in tiles]
    whole = image.tobytes() if parts == [primary] else None
    return not all(_tile_is_whole(data, meta, number, tiles[number], whole) for number in parts)


def _tile_is_whole(data: bytes, meta: Boxes, number: int, extents: list[tuple[int, int]], whole: bytes | None) -> bool:
    """Whether one tile, decoded alone, needs its last bytes and none beyond. Its pixels, if not given, are decoded.

    Alone, since what of a tile lies outside the picture would hide its end.
    """
    (start, size), *more = extents
    if more:
        return True  # in pieces: not tested
    alone = _with_primary(data, meta, number)

    def decode(coded: bytes) -> Image.Image:
        import pi_heif

        file = io.BytesIO(alone[:start] + coded + alone[start + size :])
        return pi_heif.open_heif(file, convert_hdr_to_8bit=True).to_pillow()  # type: ignore[no-any-return]

    coded = alone[start : start + size]
    try:
        pixels = decode(coded).tobytes() if whole is None else whole
    except (OSError, RuntimeError, ValueError):
        return True  # a tile that can't be decoded alone, though the picture can: not tested
    if size >= HEVC_LEAST and not _needs_its_end(coded, decode, pixels):
        return False
    alone = _with_length(alone, meta, number, size + len(BEYOND))
    return not _changes(_last_unit_extended(coded), decode, pixels)


def _last_unit_extended(coded: bytes) -> bytes:
    """HEVC in units with more behind what its last unit holds: a decoder that lost its place may go on to read it."""
    last = position = 0
    while position + 4 <= len(coded):
        last = position
        position += 4 + int.from_bytes(coded[position : position + 4], "big")
    length = len(coded) - last - 4 + len(BEYOND)
    return coded[:last] + length.to_bytes(4, "big") + coded[last + 4 :] + BEYOND


def _with_length(data: bytes, meta: Boxes, number: int, length: int) -> bytes:
    """The file with another length of an item that lies in one piece."""
    changed = bytearray(data)
    for item, _, end, width in _item_places(data, meta[b"iloc"][0]):
        if item == number:
            changed[end - width : end] = length.to_bytes(width, "big")
    return bytes(changed)


def _primary(data: bytes, meta: Boxes) -> int:
    """The number of the item that is the picture."""
    begin, _ = meta[b"pitm"]
    return int.from_bytes(data[begin + 4 : begin + (8 if data[begin] else 6)], "big")


def _parts(data: bytes, meta: Boxes, primary: int) -> list[int]:
    """The items that the picture is made of: its tiles, or itself."""
    if b"iref" not in meta:
        return [primary]
    begin, end = meta[b"iref"]
    form, step = (">I", 4) if data[begin] else (">H", 2)
    for name, start, stop in _boxes(data, begin + 4, end):
        if name == b"dimg" and struct.unpack_from(form, data, start)[0] == primary:
            return [struct.unpack_from(form, data, at)[0] for at in range(start + step + 2, stop, step)]
    return [primary]


def _with_primary(data: bytes, meta: Boxes, number: int) -> bytes:
    """The file with another item as its picture, to be decoded alone."""
    changed = bytearray(data)
    begin, _ = meta[b"pitm"]
    width = 4 if data[begin] else 2
    changed[begin + 4 : begin + 4 + width] = number.to_bytes(width, "big")
    for item, flags, _ in _item_types(data, *meta[b"iinf"]):
        if item == number:
            changed[flags] &= 0xFE  # "hidden"
    return bytes(changed)


def _needs_last_item(
    data: bytes,
    items: Collection[list[tuple[int, int]]],
    decode: Callable[[bytes], Image.Image],
    image: Image.Image,
) -> bool:
    """`_needs_its_end` of the largest item that lies in one piece: the picture itself, not its thumbnail or alpha."""
    whole = [extents[0] for extents in items if len(extents) == 1]
    if not whole or len(whole) != len(items):
        return True  # in pieces: not tested
    start, size = max(whole, key=lambda extent: extent[1])
    before, after = data[:start], data[start + size :]
    return _needs_its_end(data[start : start + size], lambda coded: decode(before + coded + after), image.tobytes())


def _is_units(payload: bytes) -> bool:
    position = 0
    while position + 4 <= len(payload):
        (size,) = struct.unpack_from(">I", payload, position)
        unit = payload[position + 4 : position + 4 + size]
        if not size or FORBIDDEN_IN_HEVC.search(unit):
            return False
        position += 4 + size
    return position == len(payload)


def _boxes(data: bytes, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of the content of each box of an ISO base media file."""
    while position + 8 <= end:
        size, name = struct.unpack_from(">I4s", data, position)
        begin = position + 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, begin)
            begin += 8
        stop = end if size == 0 else min(end, position + size)
        if stop < begin:
            return
        yield name, begin, stop
        position = stop


def _meta(data: bytes) -> Boxes:
    """The boxes of the file's `meta`: begin and end of their content."""
    found: Boxes = {}
    for name, begin, end in _boxes(data, 0, len(data)):
        if name == b"meta":
            found |= {inner: (start, stop) for inner, start, stop in _boxes(data, begin + 4, end)}
    return found


def _coded_items(data: bytes, kind: str) -> dict[int, list[tuple[int, int]]]:
    """Items that hold coded pixels (not Exif, XMP or the like): number, and begin and size of each extent."""
    meta = _meta(data)
    if b"iinf" not in meta or b"iloc" not in meta:
        return {}  # an image sequence keeps its pictures in tracks
    wanted = {number for number, _, item in _item_types(data, *meta[b"iinf"]) if IMAGE_ITEMS.get(item) == kind}
    return {number: extents for number, extents, *_ in _item_places(data, meta[b"iloc"][0]) if number in wanted}


def _item_types(data: bytes, begin: int, end: int) -> Iterator[tuple[int, int, bytes]]:
    """Number of each item, where the last byte of its flags lies, and its type."""
    begin += 6 if data[begin] == 0 else 8
    for name, start, _ in _boxes(data, begin, end):
        if name == b"infe" and data[start] in (2, 3):
            wide = data[start] == 3
            (number,) = struct.unpack_from(">I" if wide else ">H", data, start + 4)
            at = start + 4 + (4 if wide else 2) + 2
            yield number, start + 3, data[at : at + 4]


def _item_places(data: bytes, position: int) -> Iterator[tuple[int, list[tuple[int, int]], int, int]]:
    """Item number and its extents (offset in the file, length); where the last length is written ends, and its width.

    Items that lie elsewhere are left out.
    """
    version, sizes = data[position], struct.unpack_from(">H", data, position + 4)[0]
    offset_size, length_size, base_size = sizes >> 12, sizes >> 8 & 15, sizes >> 4 & 15
    index_size = sizes & 15 if version else 0
    position += 6

    def number(size: int) -> int:
        nonlocal position
        position += size
        if position > len(data):
            raise IndexError("the box ends before its content")
        return int.from_bytes(data[position - size : position], "big")

    for _ in range(number(4 if version == 2 else 2)):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(base_size)
        extents = []
        for _ in range(number(2)):
            number(index_size)
            start, length = number(offset_size), number(length_size)
            extents.append((base + start, length))
        if method == 0 and all(length for _, length in extents):
            yield item, extents, position, length_size


def _png(data: bytes, image: Image.Image) -> bool:
    """Checksums of all chunks that hold pixels; a decoder that has its pixels reads no further."""
    position = 8
    while position + 12 <= len(data):
        (size,) = struct.unpack_from(">I", data, position)
        name, end = data[position + 4 : position + 8], position + 8 + size
        if name == b"IEND":
            return False
        if name in (b"IDAT", b"PLTE", b"tRNS", b"fdAT"):
            (stated,) = struct.unpack_from(">I", data, end)
            if zlib.crc32(data[position + 4 : end]) != stated:
                return True
        position = end + 4
    return False


def _gif(data: bytes, image: Image.Image) -> bool:
    """Blocks must follow each other without bytes between them, up to the trailer or the end."""
    return not hazards.gif_is_whole(data)


def _tiff(data: bytes, image: Image.Image) -> bool:
    """The strips of the first page, where their packing has a checksum (deflate) or tells (JPEG)."""
    tags: dict[int, tuple[int, ...]] = {tag: hazards.tiff_values(data, tag) for tag in (259, 273, 279, 324, 325, 347)}
    packing = tags[259][0] if tags[259] else 1
    starts, sizes = tags[273] or tags[324], tags[279] or tags[325]
    strips = [data[start : start + size] for start, size in zip(starts, sizes, strict=False)]
    if packing in DEFLATED:
        return not all(_inflates(strip) for strip in strips)
    if packing == 7:
        tables = bytes(tags[347])
        found = [jpeg_complaint(tables[:-2] + strip[2:] if tables else strip) for strip in strips]
        return any(complaint and not complaint.startswith(NOT_FOR_US) for complaint in found)
    return False


def _inflates(strip: bytes) -> bool:
    """Whether a zlib stream is whole, by its own checksum; in pieces, so that a bomb takes no memory."""
    engine = zlib.decompressobj()
    try:
        while strip and not engine.eof:
            engine.decompress(strip, 1 << 20)
            strip = engine.unconsumed_tail
    except zlib.error:
        return False
    return engine.eof


TESTS: dict[str, Callable[[bytes, Image.Image], bool]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "WEBP": _webp,
    "AVIF": _avif,
    "HEIF": _heif,
    "GIF": _gif,
    "TIFF": _tiff,
}
