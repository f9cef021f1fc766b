"""Small copies of a picture to show back, as data: URIs inside the page, so that nothing needs to be stored.

All of it is re-encoded from pixels: no metadata of the original survives.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from bladecheck.core import images
from bladecheck.core.images import PictureLimits
from bladecheck.core.redact import VAGUE_PEAK

THUMB_SIDE, SIDE, COPY_SIDE = 200, 640, 2048
"""Longest sides, in pixels, of a thumbnail, a preview and a copy to post (no platform shows more than about this)."""
Size = tuple[int, int]
SMALLEST, RIM = 32, 4
OUTLINE, HALO, TINT = (0, 0, 0, 255), (255, 255, 255, 255), (255, 190, 0, 70)


@dataclass(frozen=True, slots=True)
class Preview:
    """data: URIs of the picture (JPEG) and of the marks over it (PNG with alpha, or None); size in pixels."""

    picture: str
    marks: str | None
    width: int
    height: int


def preview(data: bytes, evidence: dict[str, Any] | None, limits: PictureLimits) -> Preview:
    """A small copy of a picture's first frame, and marks where `evidence` (a result's map) stands out.

    Raises:
        PictureError: if the picture can't be read.
    """
    frame = images.load(data, limits, at_least=SIDE).frames[0]
    frame.thumbnail((SIDE, SIDE))
    marks = None if evidence is None else _marks(np.array(evidence["values"]), frame.size)
    return Preview(_jpeg(frame, 82), marks, *frame.size)


def thumbnail(data: bytes, limits: PictureLimits) -> str:
    """A very small JPEG as a data: URI, to tell pictures apart by.

    Raises:
        PictureError: if the picture can't be read.
    """
    frame = images.load(data, limits, at_least=THUMB_SIDE).frames[0]
    frame.thumbnail((THUMB_SIDE, THUMB_SIDE))
    return _jpeg(frame, 70)


def marked(data: bytes, boxes: Sequence[tuple[float, float, float, float]]) -> tuple[str, Size, Size]:
    """A small JPEG of a copy with outlines around `boxes` (shares of its sides); the copy's size, and the small one's.

    Raises:
        PictureError: if the picture can't be read.
    """
    frame = images.load(data).frames[0]
    size = frame.size
    frame.thumbnail((SIDE, SIDE))
    pen = ImageDraw.Draw(frame)
    for left, top, right, bottom in boxes:
        corners = (left * frame.width, top * frame.height, right * frame.width - 1, bottom * frame.height - 1)
        pen.rectangle(corners, outline=HALO[:3], width=6)
        pen.rectangle([corners[0] + 1, corners[1] + 1, corners[2] - 1, corners[3] - 1], outline=OUTLINE[:3], width=3)
    return _jpeg(frame, 80), size, frame.size


def clean(frame: Image.Image) -> Image.Image:
    """The same RGB pixels without anything that a file may have carried along."""
    return Image.frombytes("RGB", frame.size, frame.tobytes())


def data_uri(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def jpeg(frame: Image.Image, quality: int) -> bytes:
    """The pixels alone as a JPEG file."""
    buffer = io.BytesIO()
    clean(frame).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def _jpeg(frame: Image.Image, quality: int) -> str:
    return data_uri(jpeg(frame, quality), "image/jpeg")


def _marks(evidence: np.ndarray[Any, np.dtype[np.float64]], size: tuple[int, int]) -> str | None:
    """A tint over what stands out, with an outline so that it shows without colour; None if nothing stands out."""
    peak = float(evidence.max(initial=0.0))
    if peak < VAGUE_PEAK:
        return None
    grey = Image.fromarray((evidence / peak * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    # A rim of nothing, so that the outline closes where what stands out touches the picture's edge.
    inside = ImageOps.expand(ImageOps.crop(grey.point(lambda value: 255 if value >= 128 else 0), RIM), RIM)
    edge = np.asarray(inside.filter(ImageFilter.MaxFilter(5))) > np.asarray(inside.filter(ImageFilter.MinFilter(3)))
    halo = np.asarray(inside.filter(ImageFilter.MaxFilter(9))) > np.asarray(inside)
    layers = np.zeros((size[1], size[0], 4), np.uint8)
    layers[np.asarray(inside) > 0] = TINT
    layers[halo] = HALO
    layers[edge] = OUTLINE
    buffer = io.BytesIO()
    Image.fromarray(layers, "RGBA").save(buffer, "PNG", optimize=True)
    return data_uri(buffer.getvalue(), "image/png")
