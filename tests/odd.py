"""Odd, damaged and hostile pictures, all drawn or forged here."""

from __future__ import annotations

import base64
import struct
import zlib
from importlib.util import find_spec

import numpy as np
from PIL import Image, ImageDraw

from tiny import encode

SCENE = (61, 47)
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAaptZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAAA5waXRtAA"
    "AAAAABAAAANGlsb2MAAAAAREAAAgABAAAAAAHOAAEAAAAAAAAA9gACAAAAAALEAAEAAAAAAAAAJAAAADhpaW5mAAAAAAACAAAAFWluZmUCAAAA"
    "AAEAAGh2YzEAAAAAFWluZmUCAAABAAIAAEV4aWYAAAAA6WlwcnAAAADKaXBjbwAAAHZodmNDAQNwAAAAAAAAAAAAHvAA/P34+AAADwNgAAEAGE"
    "ABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMAIAAAAwAhYgABAAZEAcFzwIkA"
    "AAAUaXNwZQAAAAAAAABAAAAAQAAAAChjbGFwAAAAQAAAAAEAAAAwAAAAAQAAAAAAAAAC////8AAAAAIAAAAQcGl4aQAAAAADCAgIAAAAF2lwbW"
    "EAAAAAAAAAAQABBIECBIMAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAASJtZGF0AAAA8igBrwng8W7VLm7kDY1APOQFQtCZm6Ya5NJ9uyLE"
    "CH//8TEu4XCdLphSx+mImyptWKn8T0NGOsyXDv+duJfccXSLRyXu3blzU2seL3TC40gf2tuJLQhJzrfoEp8B7NTqDb96L9C0/VilEhdnejIUFM"
    "ZWRUKL3EDvGPO7tDdWYLsWicu8xir9ghLaRmdnceSSvNtfKKnogidxyrsukQtyd+OwEKbVrBCQtlDzLKHSr9uS0pj+0pHC8ApIDWIVYTvhOctK"
    "BYmi525uNyICv1wHcu8b8pWRY6I2Cdg6IocPm8rSa5sfVVhtZ2sTu/1pNp8sVI5MAAAABkV4aWYAAE1NACoAAAAIAAEBEgADAAAAAQAGAAAAAA"
    "AA"
)
"""A red drawing of 64 x 48. Its EXIF says: turned a quarter; HEIF turns by its own property, so EXIF is not obeyed."""


def scene(size: tuple[int, int] = SCENE) -> Image.Image:
    """A drawing without symmetry: turned, mirrored or transposed it differs."""
    across = Image.linear_gradient("L").rotate(90).resize(size)
    down = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", (across, down, Image.new("L", size, 90)))
    pen = ImageDraw.Draw(image)
    pen.rectangle((size[0] * 0.1, size[1] * 0.1, size[0] * 0.35, size[1] * 0.25), fill=(230, 20, 20))
    pen.polygon([(size[0] * 0.5, size[1] * 0.9), (size[0] * 0.9, size[1] * 0.7), (size[0] * 0.95, size[1] * 0.95)])
    return image


def lossless() -> dict[str, bytes]:
    """The scene, in every encoding that keeps each pixel."""
    image = scene()
    opaque = image.copy()
    opaque.putalpha(255)
    deep = np.asarray(image).astype(np.uint16) * 257
    return {
        "png": encode(image),
        "png rgba": encode(opaque),
        "png 16-bit": png16(deep),
        "png exif upright": encode(image, exif=exif(1)),
        "bmp": encode(image, "BMP"),
        "bmp rgba": encode(opaque, "BMP"),
        "tiff": encode(image, "TIFF"),
        "tiff lzw": encode(image, "TIFF", compression="tiff_lzw"),
        "tiff deflate": encode(image, "TIFF", compression="tiff_adobe_deflate"),
        "tiff rgba": encode(opaque, "TIFF"),
        "tiff big-endian": tiff_big_endian(image),
        "webp": encode(image, "WEBP", lossless=True),
        "webp rgba": encode(opaque, "WEBP", lossless=True),
    }


def lossy() -> dict[str, bytes]:
    """The scene in encodings that change pixels a little."""
    image = scene((610, 470))
    return {
        "jpeg": encode(image, "JPEG", quality=92),
        "jpeg 4:4:4": encode(image, "JPEG", quality=92, subsampling=0),
        "jpeg progressive": encode(image, "JPEG", quality=92, progressive=True),
        "jpeg cmyk": encode(image.convert("CMYK"), "JPEG", quality=92),
        "mpo": encode(image, "MPO", quality=92, save_all=True, append_images=[scene((61, 47))]),
        "webp": encode(image, "WEBP", quality=92),
        "avif": encode(image, "AVIF", quality=92),
        "gif": encode(image, "GIF"),
        "palette png": encode(image.quantize(256)),
        "tiff jpeg": encode(image, "TIFF", compression="jpeg", quality=92),
        "tiff cmyk": encode(image.convert("CMYK"), "TIFF"),
    }


def exif(orientation: int) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def chunk(name: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, depth: int, colour: int, pixels: bytes) -> bytes:
    """A PNG of raw scanlines, each with its filter byte; Pillow can't write 16-bit colour."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels, 1)) + chunk(b"IEND", b"")
    )


def png16(values: np.ndarray) -> bytes:
    """uint16 [H, W] or [H, W, 3] as a 16-bit PNG."""
    height, width = values.shape[:2]
    lines = [b"\0" + values[row].astype(">u2").tobytes() for row in range(height)]
    return png(width, height, 16, 2 if values.ndim == 3 else 0, b"".join(lines))


def png_bomb(side: int) -> bytes:
    """A complete, valid 1-bit PNG of side x side zeros; 60,000 pixels a side pack 450 MB into half a megabyte."""
    line = bytes(1 + (side + 7) // 8)
    packer = zlib.compressobj(1)
    packed = b"".join(packer.compress(line * 100) for _ in range(side // 100)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def tiff_big_endian(image: Image.Image) -> bytes:
    """An uncompressed RGB TIFF in Motorola byte order, which Pillow does not write."""
    width, height = image.size
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8 << 16),
        (259, 3, 1, 1 << 16),
        (262, 3, 1, 2 << 16),
        (273, 4, 1, 200),
        (277, 3, 1, 3 << 16),
        (278, 4, 1, height),
        (279, 4, 1, width * height * 3),
    ]
    return (b"MM\0*" + struct.pack(">I", 8) + directory(entries, 0, ">")).ljust(200, b"\0") + image.tobytes()


def directory(entries: list[tuple[int, int, int, int]], following: int, order: str = "<") -> bytes:
    """One image file directory of a TIFF."""
    packed = b"".join(struct.pack(f"{order}HHII", *entry) for entry in entries)
    return struct.pack(f"{order}H", len(entries)) + packed + struct.pack(f"{order}I", following)


def tiff(width: int, height: int, strips: int = 1, pages: int = 1, ring: bool = False) -> bytes:
    """A bilevel-sized grey TIFF whose directories may lie about anything."""
    entries = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, strips, 8),
        (277, 3, 1, 1),
        (278, 4, 1, max(1, height // strips)),
        (279, 4, strips, 1),
    ]
    size = len(directory(entries, 0))
    following = [8 + page * size for page in range(1, pages)] + [8 if ring else 0]
    return b"II*\0" + struct.pack("<I", 8) + b"".join(directory(entries, position) for position in following)


def gif(frames: int, screen: tuple[int, int] = (8, 8)) -> bytes:
    """A GIF of many one-pixel frames on a screen of any size: 15 bytes a frame."""
    head = b"GIF89a" + struct.pack("<HH", *screen) + b"\x80\0\0\0\0\0\xff\xff\xff"
    return head + (b"\x2c" + struct.pack("<HHHH", 0, 0, 1, 1) + b"\0\x02\x02\x44\x01\0") * frames + b";"


def jpeg_scans(side: int, extra: int) -> bytes:
    """A progressive JPEG whose last refinement scan comes `extra` more times: about 100 bytes for each."""
    data = encode(Image.new("L", (side, side), 120), "JPEG", progressive=True, quality=90)
    return data[:-2] + data[data.rindex(b"\xff\xda") : -2] * extra + b"\xff\xd9"


def animation(colours: list[tuple[int, int, int]], format: str, size: tuple[int, int] = (64, 48)) -> bytes:
    """One frame a colour, each with a mark so that it isn't blank."""
    frames = []
    for colour in colours:
        image = Image.new("RGB", size, colour)
        ImageDraw.Draw(image).rectangle((4, 4, 14, 14), fill=tuple(255 - part for part in colour))
        frames.append(image)
    options = {"lossless": True} if format == "WEBP" else {}
    return encode(frames[0], format, save_all=True, append_images=frames[1:], **options)


def broken() -> dict[str, tuple[bytes, str]]:
    """What can't be read, with the error code that says so."""
    jpeg, whole = encode(scene((320, 240)), "JPEG"), encode(scene((320, 240)))
    webp, avif = encode(scene((320, 240)), "WEBP"), encode(scene((320, 240)), "AVIF")
    return {
        "zero bytes": (b"", "empty"),
        "text": (b"Appeal for witnesses after an incident\n", "not_an_image"),
        "html": (b"<!DOCTYPE html><html><body>404</body></html>", "not_an_image"),
        "json": (b'{"error": "rate limit"}', "not_an_image"),
        "svg": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "not_an_image"),
        "pdf": (b"%PDF-1.7\n1 0 obj", "not_an_image"),
        "mp4": (b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41", "broken" if find_spec("av") else "not_an_image"),
        "postscript": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not_an_image"),
        "one byte": (b"\xff", "not_an_image"),
        "jpeg magic only": (b"\xff\xd8\xff", "broken"),
        "jpeg magic, then text": (b"\xff\xd8\xff\xe0" + b"garbage " * 100, "broken"),
        "jpeg cut in half": (jpeg[: len(jpeg) // 2], "broken"),
        "png magic only": (whole[:8], "broken"),
        "png cut in half": (whole[: len(whole) // 2], "broken"),
        "png bad checksum": (whole[:40] + bytes([whole[40] ^ 255]) + whole[41:], "broken"),
        "webp cut in half": (webp[: len(webp) // 2], "broken"),
        "avif cut in half": (avif[: len(avif) // 2], "broken"),
        "gif magic only": (b"GIF89a", "broken"),
        "gif without frames": (gif(0), "broken"),
        "bmp magic, then zeros": (b"BM" + bytes(100), "not_an_image"),
        "tiff without pages": (b"II*\0" + struct.pack("<I", 0), "broken"),
        "tiff pointing outside": (b"MM\0*" + struct.pack(">I", 2**31), "broken"),
        "heic brand, then zeros": (b"\0\0\0\x18ftypheic" + bytes(200), "broken"),
        "png claims 60,000 x 60,000": (png(60_000, 60_000, 8, 2, bytes(1000)), "too_large"),
        "png of no pixels": (png(0, 0, 8, 2, b""), "broken"),
        "gif on a screen of 65,535 x 65,535": (gif(1, (65_535, 65_535)), "too_large"),
        "gif of 20,000 frames": (gif(20_000), "too_large"),
        "tiff claims 4 billion pixels a side": (tiff(2**32 - 1, 2**32 - 1), "too_large"),
        "tiff of 20,000 pages": (tiff(1, 1, pages=20_000), "too_large"),
        "tiff whose pages form a ring": (tiff(1, 1, pages=3, ring=True), "too_large"),
        "tiff in four million strips": (tiff(1, 4_000_000, strips=4_000_000), "too_large"),
        "jpeg claims 65,500 x 65,500": (claim_jpeg(jpeg, 65_500, 65_500), "too_large"),
        "jpeg of 20,000 scans": (jpeg_scans(2000, 20_000), "too_large"),
        "bmp claims 100,000 x 100,000": (claim_bmp(100_000, 100_000), "too_large"),
        "avif claims 40,000 x 40,000": (claim_avif(avif, 40_000, 40_000), "broken"),
        "animated webp claims 16,384 x 16,384": (claim_webp(16_384, 16_384), "too_large"),
        "more bytes than the limit": (jpeg + bytes(33 * 2**20), "too_large"),
    }


def claim_jpeg(data: bytes, width: int, height: int) -> bytes:
    """A JPEG whose frame header (SOF0) states another size."""
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def claim_bmp(width: int, height: int) -> bytes:
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54) + header + bytes(100)


def claim_avif(data: bytes, width: int, height: int) -> bytes:
    """An AVIF whose image spatial extents state another size."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def claim_webp(width: int, height: int) -> bytes:
    """An animated WebP whose canvas states another size."""
    data = bytearray(animation([(230, 20, 20), (20, 200, 20)], "WEBP"))
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(data)
