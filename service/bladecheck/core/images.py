"""Bytes to a Picture: sniff, refuse what is unsafe before decoding, orient, flatten. No picture is ever written."""

from __future__ import annotations

import ctypes
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageFile,
    JpegImagePlugin,
    MpoImagePlugin,  # noqa: F401  (what some phones call a JPEG with a second view; found by the JPEG factory)
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
    _imaging,
    features,
)

from bladecheck.core import damage, hazards, places
from bladecheck.core.video_limits import VideoLimits
from bladecheck.errors import (
    BrokenPicture,
    EmptyPicture,
    MissingDecoder,
    NotAPicture,
    PictureError,
    PictureTooLarge,
    UnsupportedPicture,
)
from bladecheck.file_formats import HEAD_BYTES, picture_kind

# Opened by class, not by Image.open: its pixel limit is one for the whole process and warns, ours is one for each call.
DECODERS: dict[str, Callable[[io.BytesIO, str], ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.jpeg_factory,
    "PNG": PngImagePlugin.PngImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
READABLE = frozenset((*DECODERS, "HEIF"))
"""The allow-list: what is decoded at all."""
OPTIONAL_CODECS = {"WEBP": "webp", "AVIF": "avif"}
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
FRAME_COST = 2**16
"""Pixels that a frame counts as at least, in the budget of an animation: a tiny one still costs a decoder's start."""
MAX_PARTS = 300_000
"""Strips and tiles of a TIFF; a real one has thousands, and each costs microseconds before a pixel is seen."""
BAND_PIXELS = 2**22
"""Transparency and deep greys are worked on in bands of so many pixels, so that no second full-size copy is held."""
UNSUPPORTED = re.compile(
    r"unsupported|unknown (?:pixel mode|data organization)|not (?:yet )?supported|cannot handle|not implemented", re.I
)
"""What Pillow says of files that may well be whole but are of a kind that it does not read."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    """What `load` refuses, and how far it goes into an animation.

    Attributes:
        max_bytes: of the file.
        max_pixels: of one frame, and of all sampled frames together. A pixel takes up to 16 bytes of memory.
        frames: sampled of an animation, spread evenly; fewer where so many would pass `max_pixels`.
        max_frames: that a file may have.
        max_animation_pixels: decoded on the way to the last sampled frame; frames beyond are not looked at.
        max_scan_pixels: scans of a JPEG times its pixels; each scan costs about a nanosecond a pixel.
        video: what is refused of videos (the extra `video` reads them); None refuses them all.
    """

    max_bytes: int = 32 * 2**20
    max_pixels: int = 64_000_000
    frames: int = 4
    max_frames: int = 10_000
    max_animation_pixels: int = 256_000_000
    max_scan_pixels: int = 8_000_000_000
    video: VideoLimits | None = field(default_factory=VideoLimits)


@dataclass(frozen=True, slots=True)
class Timeline:
    """When the frames show that are looked at in a video.

    Attributes:
        seconds: how long the video is.
        times: of each of `Picture.frames`, in seconds from the start.
        longest_gap: the longest stretch between two of them, or before or after, in seconds: what shows for a shorter
            time may not have been seen.
    """

    seconds: float
    times: tuple[float, ...]
    longest_gap: float


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture.

    Attributes:
        sha256: of the bytes as received, in hex.
        format: "JPEG", "PNG", "WEBP", "GIF", "AVIF", "BMP", "TIFF" or "HEIF"; of a video "MP4", "MOV", "WEBM" or "MKV".
        width, height: in pixels as a person sees it (after EXIF orientation), at full size.
        frame_count: frames in the file; 1 unless animated.
        has_gps: the metadata carries coordinates.
        frames: RGB images in viewing orientation; those of JPEG and video may be smaller than width x height.
        damaged: the file shows signs of lost or changed bytes, so that part of the picture may be missing or wrong.
        has_place_name: the metadata (IPTC or XMP) names a place: a part of a town, a town or a region.
        timeline: of a video, when its frames show; None for pictures.
    """

    sha256: str
    format: str
    width: int
    height: int
    frame_count: int
    has_gps: bool
    frames: tuple[Image.Image, ...] = field(repr=False)
    damaged: bool = False
    has_place_name: bool = False
    timeline: Timeline | None = None


def sniff(data: bytes) -> str | None:
    """Name the picture format by its magic bytes, or None if it is not on the allow-list."""
    kind = (picture_kind(data[:HEAD_BYTES]) or "").upper()
    return kind if kind in READABLE else None


def load(data: bytes, limits: PictureLimits | None = None, *, at_least: int | None = None) -> Picture:
    """Decode a picture safely.

    Args:
        data: the file's bytes.
        limits: what to refuse; the defaults suit a public service.
        at_least: if given, a JPEG may be decoded at a reduced scale whose sides are both at least this many pixels
            (several times faster on phone photos). None decodes at full size.

    Raises:
        EmptyPicture, NotAPicture, PictureTooLarge, MissingDecoder, UnsupportedPicture, BrokenPicture: all are
            `PictureError`.
    """
    limits = limits or PictureLimits()
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
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureTooLarge(f"Decoding the {kind} data would take too much memory.") from error
    except Exception as error:  # decoders raise almost anything on hostile bytes
        if UNSUPPORTED.search(str(error)):
            raise UnsupportedPicture(
                f"This kind of {kind} is not read here, or its header is damaged ({str(error)[:80]}): "
                "save it as a PNG or JPEG."
            ) from error
        raise BrokenPicture(f"The {kind} data is truncated or corrupt ({type(error).__name__}).") from error


def _decode(data: bytes, kind: str, limits: PictureLimits, at_least: int | None) -> Picture:
    _refuse_frames(data, kind, limits)
    sha256 = hashlib.sha256(data).hexdigest()
    image = _open_heif(data, limits) if kind == "HEIF" else _open(data, kind)
    width, height = image.size
    _refuse_pixels(width, height, limits)
    if kind == "JPEG":
        allowed = limits.max_scan_pixels // max(1, width * height)
        if hazards.jpeg_scans(data, allowed + 1) > allowed:
            raise PictureTooLarge(f"The JPEG has more than {allowed:,} scans of {width} x {height} pixels.")
        if (whole := damage.with_end(data)) is not data:
            image = _open(whole, kind)
            data = whole
        if at_least is not None:
            image.draft("RGB", (at_least, at_least))
    image.load()  # before the metadata, whose reader swallows errors and would leave half a picture as if whole
    damaged = damage.suspected(data, kind, image)
    orientation, has_gps = _metadata(image)
    has_place_name = places.named(image)
    if kind == "TIFF":
        orientation = 1  # Pillow turns TIFF pages itself, each by its own tag
    frame_count = 1 if kind in ("JPEG", "HEIF") else int(getattr(image, "n_frames", 1))
    frames = tuple(_upright(frame, orientation) for frame in _sample(image, frame_count, limits))
    if orientation >= 5:
        width, height = height, width
    return Picture(sha256, kind, width, height, frame_count, has_gps, frames, damaged, has_place_name)


def _open(data: bytes, kind: str) -> Image.Image:
    codec = OPTIONAL_CODECS.get(kind)
    if codec and not features.check(codec):
        raise MissingDecoder(f"This build of Pillow can't read {kind}: pip install --force-reinstall pillow.")
    if kind == "TIFF":
        _silence_libtiff()
    return DECODERS[kind](io.BytesIO(data), "")


def _silence_libtiff() -> None:
    """Keep libtiff from writing to stderr itself, between the lines of a log; its errors come as exceptions anyway.

    Pillow has no call for that. Where its library does not show libtiff's functions (Windows), it stays as it is.
    """
    try:
        library = ctypes.CDLL(_imaging.__file__)
        library.TIFFSetErrorHandler(None)
        library.TIFFSetWarningHandler(None)
    except (AttributeError, OSError):
        return


def _open_heif(data: bytes, limits: PictureLimits) -> Image.Image:
    try:
        import pi_heif
    except ImportError as error:
        raise MissingDecoder("HEIC needs an optional decoder: pip install 'bladecheck[heic]'.") from error
    container = pi_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=True)
    width, height = container.size
    _refuse_pixels(width, height, limits)  # before to_pillow, which decodes
    image: Image.Image = container.to_pillow()
    return image


def _refuse_pixels(width: int, height: int, limits: PictureLimits) -> None:
    if width * height > limits.max_pixels:
        raise PictureTooLarge(f"The picture has {width} x {height} pixels; the limit is {limits.max_pixels:,}.")


def _refuse_frames(data: bytes, kind: str, limits: PictureLimits) -> None:
    """Refuse what would take long merely to count: Pillow walks every frame of a GIF and every page of a TIFF."""
    frames, parts = 0, 0
    if kind == "GIF":
        frames = hazards.gif_frames(data, limits.max_frames + 1)
    elif kind == "TIFF":
        frames, parts = hazards.tiff_pages(data, limits.max_frames + 1)
    if frames > limits.max_frames:
        raise PictureTooLarge(f"The {kind} has more than {limits.max_frames:,} frames.")
    if parts > MAX_PARTS:
        raise PictureTooLarge(f"The TIFF comes in {parts:,} pieces; the limit is {MAX_PARTS:,}.")


def _sample(image: Image.Image, frame_count: int, limits: PictureLimits) -> Iterator[Image.Image]:
    """Yield up to `limits.frames` frames as RGB, spread evenly over those that the pixel budget reaches."""
    pixels, held = max(1, image.width * image.height), 0
    reachable = max(1, min(frame_count, limits.max_animation_pixels // max(pixels, FRAME_COST)))
    count = max(1, min(limits.frames, reachable, limits.max_pixels // pixels))
    for index in sorted({round(i) for i in np.linspace(0, reachable - 1, count)}):
        if frame_count > 1:
            image.seek(index)
        held += image.width * image.height  # pages of a TIFF differ in size
        if held > limits.max_pixels:
            raise PictureTooLarge(f"Its frames up to number {index} have more than {limits.max_pixels:,} pixels.")
        yield flatten(image)


def _upright(image: Image.Image, orientation: int) -> Image.Image:
    method = TRANSPOSE.get(orientation)
    return image if method is None else image.transpose(method)


def _metadata(image: Image.Image) -> tuple[int, bool]:
    """EXIF orientation (1 if absent) and whether a place is recorded; broken metadata never fails a picture.

    Only of a picture that is decoded: for PNG, Pillow would decode it here.
    """
    orientation, has_gps = 1, False
    try:
        exif = image.getexif()
        found = exif.get(ORIENTATION_TAG, 1)
        orientation = found if found in TRANSPOSE else 1
        has_gps = bool(exif.get_ifd(GPS_TAG))
    except Exception:  # Pillow raises almost anything on hostile or damaged EXIF; the pixels still count
        pass
    xmp = image.info.get("xmp", b"")
    text = xmp if isinstance(xmp, bytes) else str(xmp).encode("utf-8", "replace")
    return orientation, has_gps or b"GPSLatitude" in text


def flatten(image: Image.Image) -> Image.Image:
    """Any mode to 8-bit RGB: deeper greys are scaled (not clipped), transparency goes on white."""
    image.load()
    white = _white_level(image)
    if white is None and not image.has_transparency_data:
        return image.convert("RGB")
    canvas = Image.new("RGB", image.size)
    rows = max(1, BAND_PIXELS // max(1, image.width))  # in bands, so that no second full-size copy is held
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(image.height, top + rows))
        band = image.crop(box)
        canvas.paste(_on_white(band) if white is None else _to_grey(band, white), box)
    return canvas


def _white_level(image: Image.Image) -> float | None:
    """The value that stands for white in a mode deeper than 8 bits, else None."""
    if image.mode.startswith("I;16"):
        return 65535.0
    if image.mode not in ("I", "F"):
        return None
    # 32-bit files don't say their range: the smallest customary one that holds the values.
    top = float(np.nan_to_num(np.fmax.reduce(np.asarray(image), axis=None, initial=0), posinf=0))
    levels = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    return next((level for level in levels if top <= level), top)


def _to_grey(band: Image.Image, white: float) -> Image.Image:
    values = np.nan_to_num(np.asarray(band).astype(np.float64), posinf=white, neginf=0)
    return Image.fromarray(np.clip(values * (255.0 / white), 0, 255).round().astype(np.uint8)).convert("RGB")


def _on_white(band: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", band.size, "white"), band.convert("RGBA")).convert("RGB")
