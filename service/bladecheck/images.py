"""Bytes to a Picture: sniff, refuse what is unsafe before decoding, orient, flatten. No picture is ever written."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from bladecheck.errors import BrokenPicture, EmptyPicture, MissingDecoder, NotAPicture, PictureError, PictureTooLarge

Image.init()  # registers every decoder once, so that threads never race to import them

ORIENTATION_TAG, GPS_TAG = 0x0112, 0x8825
TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


@dataclass(frozen=True, slots=True)
class Limits:
    """What `load` refuses. Bytes of the file, pixels of one frame, frames sampled, pixels decoded over all frames."""

    max_bytes: int = 32 * 2**20
    max_pixels: int = 64_000_000
    frames: int = 4
    max_animation_pixels: int = 256_000_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    Attributes:
        sha256: of the bytes as received, in hex.
        format: "JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF" or "HEIF".
        width, height: in pixels as a person sees it (after EXIF orientation), at full size.
        frame_count: frames in the file; 1 unless animated.
        has_gps: the metadata carries a place.
        frames: RGB images in viewing orientation; JPEG may be decoded smaller than width x height.
    """

    sha256: str
    format: str
    width: int
    height: int
    frame_count: int
    has_gps: bool
    frames: tuple[Image.Image, ...] = field(repr=False)


def sniff(data: bytes) -> str | None:
    """Name the picture format by its magic bytes, or None if it is not on the allow-list."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[:6] in (b"GIF87a", b"GIF89a"):
        return "GIF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:4] in (b"II*\0", b"MM\0*"):
        return "TIFF"
    if data[:2] == b"BM" and len(data) > 26:
        return "BMP"
    if data[4:8] == b"ftyp":
        if data[8:12] in (b"avif", b"avis"):
            return "AVIF"
        # Generic brands come first in some AVIF files; the compatible brands then tell.
        if data[8:12] in HEIF_BRANDS:
            return "AVIF" if b"avif" in data[16:64] and b"heic" not in data[16:64] else "HEIF"
    return None


def load(data: bytes, limits: Limits | None = None, *, at_least: int | None = None) -> Picture:
    """Decode a picture safely.

    Args:
        data: the file's bytes.
        limits: what to refuse; the defaults suit a public service.
        at_least: if given, a JPEG may be decoded at a reduced scale whose sides are both at least this many pixels
            (several times faster on phone photos). None decodes at full size.

    Raises:
        EmptyPicture, NotAPicture, PictureTooLarge, MissingDecoder, BrokenPicture: all are `PictureError`.
    """
    limits = limits or Limits()
    if not data:
        raise EmptyPicture("The file has zero bytes.")
    if len(data) > limits.max_bytes:
        raise PictureTooLarge(f"The file has {len(data):,} bytes; the limit is {limits.max_bytes:,}.")
    kind = sniff(data)
    if kind is None:
        raise NotAPicture(f"The bytes start with {data[:8].hex(' ')}, which is no picture format that is accepted.")
    try:
        return _decode(data, kind, limits, at_least)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureTooLarge(f"The picture has more pixels than the limit of {limits.max_pixels:,}.") from error
    except Exception as error:  # decoders raise almost anything on hostile bytes
        raise BrokenPicture(f"The {kind} data is truncated or corrupt ({type(error).__name__}).") from error


def _open(data: bytes, kind: str) -> Image.Image:
    if kind == "HEIF":
        try:
            import pi_heif
        except ImportError as error:
            raise MissingDecoder("HEIC needs an optional decoder: pip install 'bladecheck[heic]'.") from error
        return pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)[0].to_pillow()  # type: ignore[no-any-return]
    # MPO is what some phones call a JPEG with a second view; Pillow decides that from the same magic bytes.
    return Image.open(io.BytesIO(data), formats=["JPEG", "MPO"] if kind == "JPEG" else [kind])


def _decode(data: bytes, kind: str, limits: Limits, at_least: int | None) -> Picture:
    image = _open(data, kind)
    width, height = image.size
    if width * height > limits.max_pixels:
        raise PictureTooLarge(f"The picture has {width} x {height} pixels; the limit is {limits.max_pixels:,}.")
    orientation, has_gps = _metadata(image)
    if at_least is not None and kind == "JPEG":
        image.draft("RGB", (at_least, at_least))
    frame_count = 1 if kind in ("JPEG", "HEIF") else int(getattr(image, "n_frames", 1))
    frames = tuple(_upright(frame, orientation) for frame in _sample(image, frame_count, limits))
    if orientation >= 5:
        width, height = height, width
    return Picture(hashlib.sha256(data).hexdigest(), kind, width, height, frame_count, has_gps, frames)


def _sample(image: Image.Image, frame_count: int, limits: Limits) -> Iterator[Image.Image]:
    """Yield up to `limits.frames` frames as RGB, spread evenly over those that the pixel budget reaches."""
    reachable = max(1, min(frame_count, limits.max_animation_pixels // max(1, image.width * image.height)))
    for index in sorted({round(i) for i in np.linspace(0, reachable - 1, min(limits.frames, reachable))}):
        if frame_count > 1:
            image.seek(index)
        if image.width * image.height > limits.max_pixels:
            raise PictureTooLarge(f"Frame {index} has {image.width} x {image.height} pixels.")
        yield flatten(image)


def flatten(image: Image.Image) -> Image.Image:
    """Any mode to 8-bit RGB: 16-bit is scaled (not clipped), transparency goes on white."""
    if image.mode.startswith("I") or image.mode == "F":
        values = np.asarray(image).astype(np.float64)
        top = 65535.0 if image.mode.startswith("I;16") or values.max(initial=0) > 255 else 255.0
        image = Image.fromarray(np.clip(values * (255.0 / top), 0, 255).round().astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    method = TRANSPOSE.get(orientation)
    return image if method is None else image.transpose(method)


def _metadata(image: Image.Image) -> tuple[int, bool]:
    """EXIF orientation (1 if absent) and whether a place is recorded; broken metadata never fails a picture."""
    orientation, has_gps = 1, False
    try:
        exif = image.getexif()
        has_gps = bool(exif.get_ifd(GPS_TAG))
        orientation = int(exif.get(ORIENTATION_TAG, 1))
    except Exception:  # hostile or damaged EXIF: the pixels still count
        pass
    xmp = image.info.get("xmp", b"")
    text = xmp if isinstance(xmp, bytes) else str(xmp).encode("utf-8", "replace")
    return orientation, has_gps or b"GPSLatitude" in text
