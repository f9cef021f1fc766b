"""A video to a Picture whose frames are those that are looked at. The decoder runs in a process of its own.

Started anew for each video: a tenth of the time that looking at its frames takes, and nothing of one file can reach
the next. Without the extra `video` a video is what it always was: no picture.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import subprocess
import sys
from dataclasses import asdict
from typing import Any

from PIL import Image

from bladecheck.core.images import Picture, PictureLimits, Timeline
from bladecheck.core.video_limits import VideoLimits
from bladecheck.errors import (
    BrokenPicture,
    NotAPicture,
    PictureError,
    PictureTooLarge,
    PictureTooSlow,
    UnsupportedPicture,
)

INSTALL = "pip install 'bladecheck[video]'"
START = "import sys; sys.path[:] = sys.argv[1:-1]; from bladecheck.core.videos import decoding; decoding.main()"
ERRORS: dict[str, type[PictureError]] = {
    error.code: error for error in (BrokenPicture, NotAPicture, PictureTooLarge, UnsupportedPicture)
}


def available() -> bool:
    """Whether videos can be looked at here: the extra `video` is installed."""
    return importlib.util.find_spec("av") is not None


def clock(seconds: float) -> str:
    """A time in a video as players show it, with tenths: "1:04.5"."""
    minutes, rest = divmod(round(seconds * 10), 600)
    return f"{minutes}:{rest / 10:04.1f}"


def load(data: bytes, limits: PictureLimits | None = None, *, at_least: int | None = None) -> Picture:
    """Decode those frames of a video that are looked at.

    Args:
        data: the file's bytes; `file_formats.video_kind` knows it.
        limits: what to refuse; without `limits.video`, every video.
        at_least: frames may be shrunk to half, a quarter or an eighth while both sides keep so many pixels.

    Raises:
        NotAPicture: videos are not looked at here, or it has sound only.
        PictureTooLarge, PictureTooSlow, UnsupportedPicture, BrokenPicture: all are `PictureError`.
    """
    told, frames = _asked(data, limits, at_least)
    timeline = Timeline(told["seconds"], tuple(told["times"]), told["longest_gap"])
    return Picture(
        sha256=hashlib.sha256(data).hexdigest(),
        format=told["format"],
        width=told["width"],
        height=told["height"],
        frame_count=told["frame_count"],
        has_gps=told["has_gps"],
        frames=tuple(frames),
        damaged=told["damaged"],
        timeline=timeline,
    )


def frame_at(data: bytes, seconds: float, limits: PictureLimits | None = None) -> Image.Image:
    """The frame of a video that shows at this time, RGB at full size.

    Raises:
        PictureError: see `load`.
    """
    _, frames = _asked(data, limits, None, seconds)
    return frames[0]


def _asked(
    data: bytes, limits: PictureLimits | None, at_least: int | None, at: float | None = None
) -> tuple[dict[str, Any], list[Image.Image]]:
    """What the decoder's process tells, and the frames: those to look at, or the one that shows `at` so many seconds.

    Raises:
        PictureError: see `load`.
    """
    allowed = (limits or PictureLimits()).video
    if allowed is None:
        raise NotAPicture("The file is a video, and videos are not looked at here.")
    if not available():
        raise NotAPicture(f"The file is a video. To look at its frames: {INSTALL}.")
    if len(data) > allowed.max_bytes:
        raise PictureTooLarge(f"The video has {len(data):,} bytes; the limit is {allowed.max_bytes:,}.")
    told, pixels = _decoded(data, allowed, {"limits": asdict(allowed), "at_least": at_least, "at": at})
    frames, position = [], 0
    for width, height in told["sizes"]:
        size = width * height * 3
        frames.append(Image.frombytes("RGB", (width, height), pixels[position : position + size]))
        position += size
    return told, frames


def _decoded(data: bytes, limits: VideoLimits, job: dict[str, Any]) -> tuple[dict[str, Any], memoryview]:
    """What the decoder's process tells, and the pixels of all frames.

    A session of its own: a Ctrl-C in the terminal is for the run, which finishes what is under way.
    """
    command = [sys.executable, "-I", "-c", START, *sys.path, json.dumps(job)]
    try:
        done = subprocess.run(  # noqa: S603 - our own module, no shell, nothing of the file in the command
            command,
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=limits.work_seconds,
            start_new_session=True,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PictureTooSlow(f"Decoding the video took longer than {limits.work_seconds:g} s.") from error
    head, _, _ = done.stdout.partition(b"\n")
    if done.returncode != 0 or not head:
        raise BrokenPicture(f"The decoder gave up on the video (it ended with {done.returncode}); it may be corrupt.")
    told = json.loads(head)
    if refusal := told.get("error"):
        raise ERRORS.get(refusal["code"], BrokenPicture)(refusal["detail"])
    return told, memoryview(done.stdout)[len(head) + 1 :]
