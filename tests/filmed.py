"""Videos that tests draw: real files, written by PyAV into memory, small enough to be made in a blink."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tiny import draw

av = pytest.importorskip("av", reason="needs the extra: pip install 'bladecheck[video]'")

SIZE = (96, 64)
Colour = tuple[int, int, int]


@lru_cache
def film(
    shots: tuple[tuple[Colour, float], ...],
    format: str = "mp4",
    codec: str = "libx264",
    rate: int = 10,
    size: tuple[int, int] = SIZE,
    options: tuple[tuple[str, str], ...] = (),
    container: tuple[tuple[str, str], ...] = (),
    pixels: str = "yuv420p",
) -> bytes:
    """A video of shots, each a picture of one colour (as `tiny.draw` makes it) for so many seconds."""
    pictures = [draw(colour, size) for colour, seconds in shots for _ in range(round(seconds * rate))]
    return encoded(pictures, format, codec, rate, dict(options), dict(container), pixels)


def encoded(
    pictures: Sequence[Image.Image],
    format: str = "mp4",
    codec: str = "libx264",
    rate: int = 10,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    pixels: str = "yuv420p",
    at: Sequence[int] | None = None,
) -> bytes:
    """Pictures as a video; `at` gives their times in frames, where they do not follow each other evenly."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=format, options=container or {}) as out:
        stream: Any = out.add_stream(codec, rate=rate, options={"threads": "1", **(options or {})})
        stream.width, stream.height = pictures[0].size
        stream.pix_fmt = pixels
        for number, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(
                np.asarray(picture), format="rgba" if picture.mode == "RGBA" else "rgb24"
            )
            frame.pts = at[number] if at else number
            frame.time_base = Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def sound_only() -> bytes:
    """An MP4 with a second of silence and no picture."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream: Any = out.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()
