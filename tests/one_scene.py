"""One scene in about a hundred encodings: whatever a phone, a scanner or an editor makes of a picture.

`tests/core/test_encodings.py` and `benchmarks/encodings.py` ask the shipped models about each: it shows the same.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageFilter

from odd import exif, png16, tiff_big_endian
from tiny import encode

UNDONE = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_90",
          7: "TRANSVERSE", 8: "ROTATE_270"}  # fmt: skip
"""By EXIF orientation: how a picture is stored that this orientation turns upright."""
PRIMARIES: dict[str, tuple[tuple[float, ...], float]] = {
    "Adobe RGB": ((0.64, 0.33, 0.21, 0.71, 0.15, 0.06), 2.2),
    "Display P3": ((0.68, 0.32, 0.265, 0.69, 0.15, 0.06), 2.2),
    "sRGB-like": ((0.64, 0.33, 0.30, 0.60, 0.15, 0.06), 2.2),
}
"""Colour spaces by chromaticities x, y of red, green and blue, and exponent; white is D65."""


def knife_scene(size: tuple[int, int] = (640, 480)) -> Image.Image:
    """A drawn knife on a wooden table: sawteeth, guard and a green handle."""
    width, height = size
    across = np.sin(np.arange(width) / 21 + np.arange(height)[:, None] / 160)
    noise = np.random.default_rng(3).normal(0, 6, (height, width, 3))
    table = np.stack([120 + 30 * across, 84 + 22 * across, np.full_like(across, 50)], axis=2) + noise
    image = Image.fromarray(table.clip(0, 255).astype(np.uint8)).resize((1200, 900))
    pen = ImageDraw.Draw(image)
    teeth = [(340 + 17 * step, 520 - 3.1 * step + (26 if step % 2 else 0)) for step in range(28)]
    pen.polygon([*teeth, (1010, 470), (820, 560), (340, 600)], fill=(206, 210, 216), outline=(90, 90, 96))
    pen.line([(350, 575), (820, 535)], fill=(245, 246, 250), width=5)
    pen.rounded_rectangle([110, 500, 345, 612], 22, fill=(34, 160, 60), outline=(10, 20, 10), width=4)
    pen.rectangle([328, 470, 350, 640], fill=(40, 40, 44))
    return image.filter(ImageFilter.GaussianBlur(1.2)).resize(size, Image.Resampling.LANCZOS)


def encodings(image: Image.Image) -> dict[str, bytes]:
    """The scene by the name of its encoding. Colours and pixels change a little at most."""
    return dict((*_plain(image), *_turned(image), *_colours(image), *_deep(image), *_framed(image)))


def grey_encodings(image: Image.Image) -> dict[str, bytes]:
    """The scene without colour, in every depth that a scanner gives; to be compared with "grey"."""
    grey = image.convert("L")
    deep = np.asarray(grey, np.uint32)
    sixteen = Image.fromarray((deep * 257).astype(np.uint16))
    return {
        "grey": encode(grey),
        "grey jpeg": encode(grey, "JPEG", quality=95),
        "grey webp": encode(grey.convert("RGB"), "WEBP", quality=95),
        "grey tiff": encode(grey, "TIFF"),
        "grey with alpha": encode(grey.convert("LA")),
        "grey 16-bit png": encode(sixteen),
        "grey 16-bit tiff": encode(sixteen, "TIFF"),
        "grey float tiff": encode(Image.fromarray(np.asarray(grey, np.float32) / 255), "TIFF"),
        "grey 32-bit tiff": encode(Image.fromarray((deep * 257).astype(np.int32)), "TIFF"),
        "grey gif": encode(grey, "GIF"),
        "grey bmp": encode(grey, "BMP"),
    }


def _plain(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    for quality in (60, 75, 85, 95):
        yield f"jpeg {quality}", encode(image, "JPEG", quality=quality)
        yield f"webp {quality}", encode(image, "WEBP", quality=quality, method=0)
    for name, sampling in (("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)):
        yield f"jpeg {name}", encode(image, "JPEG", quality=92, subsampling=sampling)
    yield "jpeg progressive", encode(image, "JPEG", quality=92, progressive=True)
    yield "jpeg optimised", encode(image, "JPEG", quality=92, optimize=True)
    yield "jpeg restarts", encode(image, "JPEG", quality=92, restart_marker_rows=1)
    yield "jpeg rgb", encode(image, "JPEG", quality=92, keep_rgb=True)
    for quality in (60, 90):
        yield f"avif {quality}", encode(image, "AVIF", quality=quality, speed=10)
    yield "png", encode(image)
    yield "png 256 colours", encode(image.quantize(256))
    yield "png 64 colours", encode(image.quantize(64))
    yield "webp lossless", encode(image, "WEBP", lossless=True, method=0)
    yield "gif", encode(image, "GIF")
    yield "bmp", encode(image, "BMP")
    for packing in ("raw", "tiff_lzw", "tiff_adobe_deflate", "packbits"):
        yield f"tiff {packing}", encode(image, "TIFF", compression=packing)
    yield "tiff jpeg", encode(image, "TIFF", compression="jpeg", quality=92)
    yield "tiff big-endian", tiff_big_endian(image)


def _turned(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    for orientation in range(1, 9):
        stored = image.transpose(getattr(Image.Transpose, UNDONE[orientation])) if orientation > 1 else image
        tags = exif(orientation)
        for format, options in (
            ("JPEG", {"quality": 95}), ("PNG", {"compress_level": 1}), ("TIFF", {}),
            ("WEBP", {"quality": 95, "method": 0}),
        ):  # fmt: skip
            yield f"{format.lower()} orientation {orientation}", encode(stored, format, exif=tags, **options)
        if orientation in (1, 6):
            # AVIF turns by a property of its own, which Pillow writes from the EXIF.
            yield f"avif orientation {orientation}", encode(stored, "AVIF", exif=tags, quality=90, speed=10)


def _colours(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    opaque = image.copy()
    opaque.putalpha(255)
    for format, options in (("PNG", {}), ("WEBP", {"quality": 95, "method": 0}), ("TIFF", {}), ("BMP", {})):
        yield f"{format.lower()} with alpha", encode(opaque, format, **options)
    yield "avif with alpha", encode(opaque, "AVIF", quality=90, speed=10)
    inks = image.convert("CMYK")
    yield "jpeg cmyk", encode(inks, "JPEG", quality=95)
    yield "tiff cmyk", encode(inks, "TIFF")
    yield "tiff ycbcr", encode(image.convert("YCbCr"), "TIFF")
    yield "tiff lab", encode(image.convert("LAB"), "TIFF")
    for name, (places, exponent) in PRIMARIES.items():
        profile = icc(places, exponent)
        there = ImageCms.profileToProfile(
            image, ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(profile)), outputMode="RGB"
        )
        yield f"jpeg in {name}", encode(there, "JPEG", quality=95, icc_profile=profile)
        yield f"png in {name}", encode(there, icc_profile=profile)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield "webp in sRGB", encode(image, "WEBP", quality=95, method=0, icc_profile=srgb)


def _deep(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    yield "png 16-bit", png16(np.asarray(image).astype(np.uint16) * 257)


def _framed(image: Image.Image) -> Iterator[tuple[str, bytes]]:
    """What comes with more than one picture, or with bytes before and after."""
    black, jpeg = Image.new("RGB", image.size), encode(image, "JPEG", quality=95)
    yield "mpo", encode(image, "MPO", quality=95, save_all=True, append_images=[black])
    yield "tiff of two pages", encode(image, "TIFF", save_all=True, append_images=[image])
    yield (
        "jpeg with a gain map",
        jpeg[:2] + _gain_map_mark() + jpeg[2:] + encode(Image.new("L", (160, 120), 90), "JPEG"),
    )
    yield "jpeg with a film after it", jpeg + b"\0\0\0\x18ftypmp42" + bytes(100_000)
    yield "jpeg with zeros after it", jpeg + bytes(5000)
    yield "png with bytes after it", encode(image) + b"more" * 100
    still = [image.copy() for _ in range(2)]
    yield "gif of three alike", encode(image, "GIF", save_all=True, append_images=still)
    yield "webp of three alike", encode(image, "WEBP", save_all=True, append_images=still, quality=95, method=0)
    yield "png of three alike", encode(image, save_all=True, append_images=still)


def _gain_map_mark() -> bytes:
    """The segment by which an Ultra HDR picture says that a second JPEG, its gain map, follows."""
    text = (b'http://ns.adobe.com/xap/1.0/\0<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
            b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description '
            b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0"/></rdf:RDF>'
            b"</x:xmpmeta>")  # fmt: skip
    return b"\xff\xe1" + struct.pack(">H", len(text) + 2) + text


def icc(places: tuple[float, ...], exponent: float) -> bytes:
    """A colour profile (ICC, version 2) of three primaries and one exponent, as cameras and editors embed it.

    Args:
        places: chromaticities x, y of red, green and blue under D65.
        exponent: of the tone curve.
    """

    def tristimulus(x: float, y: float) -> np.ndarray:
        return np.array([x / y, 1, (1 - x - y) / y])

    white, d50 = tristimulus(0.3127, 0.3290), np.array([0.9642, 1, 0.8249])
    columns = np.array([tristimulus(*places[at : at + 2]) for at in (0, 2, 4)]).T
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    adapted = np.linalg.inv(bradford) @ np.diag((bradford @ d50) / (bradford @ white)) @ bradford
    columns = adapted @ (columns * np.linalg.solve(columns, white))

    def point(values: np.ndarray) -> bytes:
        return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)

    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256)) + b"\0\0"
    tags = [
        (b"desc", (b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0").ljust(96, b"\0")),
        (b"cprt", b"text\0\0\0\0none".ljust(16, b"\0")),
        (b"wtpt", point(d50)),
        *((name, point(columns[:, at])) for at, name in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))),
        *((name, curve) for name in (b"rTRC", b"gTRC", b"bTRC")),
    ]
    at, table, body = 132 + 12 * len(tags), b"", b""
    for name, value in tags:
        table += name + struct.pack(">II", at + len(body), len(value))
        body += value
    head = struct.pack(">I4sI4s4s4s", at + len(body), b"none", 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    head += struct.pack(">6H4s", 2024, 1, 1, 0, 0, 0, b"acsp").ljust(32, b"\0") + struct.pack(
        ">3I", 63190, 65536, 54061
    )
    return head.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + body
