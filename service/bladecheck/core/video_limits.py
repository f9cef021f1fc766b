"""How much of a video is read, decoded and looked at."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VideoLimits:
    """What is refused of videos, and how many of their frames are looked at.

    Attributes:
        max_bytes: of the file.
        max_seconds: it may last.
        max_pixels: of one frame.
        frames: looked at, at most. Each costs as much as a picture.
        max_decoded_pixels: decoded on the way to those; where key frames lie so far apart that it would take more, a
            frame nearer to the key frame is looked at. Counted, not timed, so that the same file always gives the same
            frames.
        max_packets: coded frames in the file.
        work_seconds: for decoding, after which the decoder is stopped and the video is too slow to judge.
        max_memory: of the decoder's process, in bytes, beside twice the file.
    """

    max_bytes: int = 256 * 2**20
    max_seconds: float = 3600
    max_pixels: int = 36_000_000
    frames: int = 24
    max_decoded_pixels: int = 4_000_000_000
    max_packets: int = 1_000_000
    work_seconds: float = 60
    max_memory: int = 3 * 2**30
