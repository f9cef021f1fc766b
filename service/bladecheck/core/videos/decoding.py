"""The decoder's own process: a video on stdin, the frames to look at on stdout. Never imported by what judges.

FFmpeg's decoders are large and read hostile bytes. Here a file can crash, hang or bloat this process only: it has
limits of its own on memory, time and files, opens nothing but what it is given, and its log goes nowhere.

stdout: one line of JSON, then the pixels of each frame, RGB, in the order that the JSON lists them.
"""

from __future__ import annotations

import io
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import av
import av.logging
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from PIL import Image

from bladecheck.core.video_limits import VideoLimits
from bladecheck.core.videos import sampling
from bladecheck.core.videos.layout import ends_early
from bladecheck.core.videos.sampling import Coded, Small
from bladecheck.errors import BrokenPicture, NotAPicture, PictureError, PictureTooLarge, UnsupportedPicture
from bladecheck.file_formats import video_kind

CODECS = frozenset(("h264", "hevc", "av1", "vp8", "vp9", "mpeg4", "h263", "mjpeg", "prores"))
"""The allow-list of what is decoded: cameras, phones, browsers and editors write these."""
MOST_STREAMS = 64
SMALL = 24
FRAME_COST = 2**16
"""Pixels that a frame counts as at least: a tiny one still costs a call."""
PLACES = ("location", "com.apple.quicktime.location.ISO6709")
Chosen = dict[int, tuple[Image.Image, Small]]


@dataclass(frozen=True, slots=True)
class Told:
    """What the JSON line says: see `core.images.Picture` and `Timeline` for the fields of the same names."""

    format: str
    width: int
    height: int
    frame_count: int
    seconds: float
    longest_gap: float
    has_gps: bool
    damaged: bool
    times: list[float]
    sizes: list[tuple[int, int]]


class Video:
    """One open video: its coded frames in the order of the file, and what of them is decoded.

    Args:
        data: the file's bytes.
        limits: what is refused.
        at_least: sides of the frames that are handed on, at least, where the video has so many pixels; None: all.

    Raises:
        PictureError: it can't be opened, or is refused.
    """

    def __init__(self, data: bytes, limits: VideoLimits, at_least: int | None) -> None:
        self._data, self._limits, self._at_least = data, limits, at_least
        self._damaged = ends_early(data)
        container, stream = self._open()
        with container:
            self._refuse(container, stream)
            self._clock = stream.time_base or Fraction(1, 1000)
            self._aspect = float(stream.sample_aspect_ratio or 1)
            self._has_gps = any(container.metadata.get(name) or stream.metadata.get(name) for name in PLACES)
            self._stated = stream.frames
            self._size = stream.codec_context.width, stream.codec_context.height
            self.coded, self._end = self._index(container, stream)
        if not any(frame.shown for frame in self.coded):
            raise BrokenPicture("The video has no frame that could be shown.")
        self._start = min(frame.at for frame in self.coded if frame.shown)
        self.seconds = float((max(self._end, self._start) - self._start) * self._clock)
        if self.seconds > limits.max_seconds:
            raise PictureTooLarge(f"The video lasts {self.seconds:,.0f} s; the limit is {limits.max_seconds:,.0f} s.")
        self._affordable = max(1, limits.max_decoded_pixels // max(FRAME_COST, self._size[0] * self._size[1]))
        self._shown_size = self._size

    def look(self) -> tuple[Told, list[Image.Image]]:
        """The frames that are looked at, in the order of time, and what is told of them.

        Raises:
            PictureError: not one of them can be decoded, or one is too large.
        """
        limits = self._limits
        positions = sampling.even_positions(self.coded, sampling.even_count(self.seconds, limits.frames), self._end)
        chosen = self._decoded(sampling.stretches(self.coded, positions, self._affordable), keep=True)
        room = limits.frames - len(chosen)
        keys = sampling.key_positions(self.coded, min(sampling.MOST_KEYS, self._affordable) if room > 0 else 0)
        alone = [sampling.Stretch(key, key, [self.coded[key].at]) for key in keys if self.coded[key].at not in chosen]
        compared = self._decoded(alone, keep=False)
        times = list(compared)
        new = sampling.unlike([small for _, small in chosen.values()], [compared[time][1] for time in times], room)
        wanted = {times[index] for index in new}
        chosen |= self._decoded([one for one in alone if one.wanted[0] in wanted], keep=True)
        if not chosen:
            raise BrokenPicture("No frame of the video could be decoded: it is truncated or corrupt.")
        return self._told(chosen), [chosen[time][0] for time in sorted(chosen)]

    def look_at(self, seconds: float) -> tuple[Told, list[Image.Image]]:
        """The one frame that shows nearest to this time, as `look` gives it.

        Raises:
            PictureError: see `look`.
        """
        time = self._start + round(Fraction(seconds) / self._clock)
        shown = [position for position, frame in enumerate(self.coded) if frame.shown]
        nearest = min(shown, key=lambda position: abs(self.coded[position].at - time))
        chosen = self._decoded(sampling.stretches(self.coded, [nearest], self._affordable), keep=True)
        if not chosen:
            raise BrokenPicture("This frame of the video could not be decoded: it is truncated or corrupt.")
        return self._told(chosen), [chosen[at][0] for at in sorted(chosen)]

    def _told(self, chosen: Chosen) -> Told:
        times = [max(0.0, float((time - self._start) * self._clock)) for time in sorted(chosen)]
        return Told(
            format=(video_kind(self._data) or "").upper(),
            width=self._shown_size[0],
            height=self._shown_size[1],
            frame_count=len(self.coded),
            seconds=round(self.seconds, 3),
            longest_gap=round(sampling.longest_gap(times, self.seconds), 3),
            has_gps=self._has_gps,
            damaged=self._damaged or self._stated > len(self.coded),
            times=[round(time, 3) for time in times],
            sizes=[chosen[time][0].size for time in sorted(chosen)],
        )

    def _open(self) -> tuple[InputContainer, VideoStream]:
        """Opened as the format that its first bytes name: no playlist or script can come to be followed."""
        family = "matroska" if video_kind(self._data) in ("webm", "mkv") else "mov"
        try:
            container = av.open(io.BytesIO(self._data), "r", format=family, metadata_errors="replace")
        except (av.FFmpegError, ValueError) as error:
            raise BrokenPicture(f"The video is truncated or corrupt ({type(error).__name__}).") from error
        films = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
        if not films:
            raise NotAPicture("The file has no moving picture, sound at most.")
        return container, films[0]

    def _refuse(self, container: InputContainer, stream: VideoStream) -> None:
        if len(container.streams) > MOST_STREAMS:
            raise PictureTooLarge(f"The video has {len(container.streams)} tracks; the limit is {MOST_STREAMS}.")
        codec = stream.codec_context.codec.canonical_name if stream.codec_context else "unknown"
        if codec not in CODECS:
            raise UnsupportedPicture(f"Video of the kind {codec[:20]} is not read here: save it as MP4 (H.264).")
        self._refuse_size(stream.codec_context.width, stream.codec_context.height)

    def _refuse_size(self, width: int, height: int) -> None:
        if width * height > self._limits.max_pixels:
            raise PictureTooLarge(
                f"A frame of the video has {width} x {height} pixels; the limit is {self._limits.max_pixels:,}."
            )

    def _index(self, container: InputContainer, stream: VideoStream) -> tuple[list[Coded], int]:
        """All coded frames, undecoded, and when the last one ends (ticks)."""
        found: list[Coded] = []
        end = -(2**63)
        for packet in self._packets(container, stream):
            at = packet.pts if packet.pts is not None else packet.dts
            self._damaged |= packet.is_corrupt
            if at is None:
                at = found[-1].at + 1 if found else 0
            found.append(Coded(at, packet.is_keyframe, not packet.is_discard))
            if not packet.is_discard:
                end = max(end, at + max(0, packet.duration or 0))
            if len(found) > self._limits.max_packets:
                raise PictureTooLarge(f"The video has more than {self._limits.max_packets:,} frames.")
        return found, end

    def _packets(self, container: InputContainer, stream: VideoStream) -> Iterator[Any]:
        try:
            for packet in container.demux(stream):
                if packet.size:
                    yield packet
        except av.FFmpegError:
            self._damaged = True

    def _decoded(self, wanted: Iterable[sampling.Stretch], *, keep: bool) -> Chosen:
        """The frames that these stretches want, by their time, in one pass over the file.

        Without `keep` only their small pictures are made.
        """
        waiting = sorted(wanted, key=lambda stretch: stretch.first, reverse=True)
        found: Chosen = {}
        if not waiting:
            return found
        container, stream = self._open()
        with container:
            context = stream.codec_context
            context.thread_count = 1
            context.options = {"max_pixels": str(self._limits.max_pixels)}
            current, best = waiting.pop(), dict[int, VideoFrame]()
            for position, packet in enumerate(self._packets(container, stream)):
                if position < current.first:
                    continue
                self._feed(stream, packet, current, best)
                if position == current.last:
                    self._feed(stream, None, current, best)
                    context.flush_buffers()
                    self._take(best, found, keep)
                    if not waiting:
                        break
                    current, best = waiting.pop(), {}
        return found

    def _feed(self, stream: VideoStream, packet: Any, stretch: sampling.Stretch, best: dict[int, VideoFrame]) -> None:
        """Decode one packet (None: what is still held back); keep the latest frame up to each time that is wanted."""
        try:
            for frame in stream.codec_context.decode(packet):
                at = frame.pts if frame.pts is not None else frame.dts or 0
                self._refuse_size(frame.width, frame.height)
                self._damaged |= frame.is_corrupt
                for time in stretch.wanted:
                    if time not in best or at <= time:
                        best[time] = frame
        except av.EOFError:
            pass
        except av.FFmpegError:
            self._damaged = True

    def _take(self, best: Mapping[int, VideoFrame], found: Chosen, keep: bool) -> None:
        for time, frame in best.items():
            at = frame.pts if frame.pts is not None else time
            if at in found:
                continue
            small = frame.reformat(width=SMALL, height=SMALL, format="rgb24", interpolation="AREA").to_ndarray()
            image = self._image(frame) if keep else Image.new("RGB", (1, 1))
            found[at] = image, np.asarray(small, np.uint8)

    def _image(self, frame: VideoFrame) -> Image.Image:
        """RGB as a person sees it: upright, pixels square, transparency on white; shrunk if it may be."""
        alpha = any(component.is_alpha for component in frame.format.components)
        pixels = frame.reformat(format="rgba" if alpha else "rgb24").to_ndarray()
        image = Image.fromarray(np.asarray(pixels, np.uint8))
        if alpha:
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
        width = round(image.width * self._aspect) if 0.1 < self._aspect < 10 else image.width
        self._refuse_size(width, image.height)
        if width != image.width:
            image = image.resize((max(1, width), image.height))
        if quarter := round(frame.rotation / 90) % 4:
            image = image.transpose(TURNS[quarter])
        self._shown_size = image.size
        shorter = min(image.size)
        factor = next((by for by in (8, 4, 2) if self._at_least and shorter // by >= self._at_least), 1)
        return image.reduce(factor) if factor > 1 else image


TURNS = {1: Image.Transpose.ROTATE_90, 2: Image.Transpose.ROTATE_180, 3: Image.Transpose.ROTATE_270}


def confine(limits: VideoLimits, size: int) -> None:
    """Bound this process: memory, processor time, no core dump, no file that grows."""
    try:
        import resource
    except ImportError:  # Windows: only the parent's clock bounds it
        return
    for kind, most in (
        (resource.RLIMIT_AS, limits.max_memory + 2 * size),
        (resource.RLIMIT_CPU, math.ceil(limits.work_seconds) + 1),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with suppress(ValueError, OSError):
            resource.setrlimit(kind, (most, most))


def main() -> None:
    """Read the job from the last argument (JSON) and the video from stdin; write what `Told` says, and the frames."""
    job = json.loads(sys.argv[-1])
    limits = VideoLimits(**job["limits"])
    av.logging.set_level(None)
    data = sys.stdin.buffer.read()
    confine(limits, len(data))
    frames: list[Image.Image] = []
    try:
        video = Video(data, limits, job["at_least"])
        told, frames = video.look() if job["at"] is None else video.look_at(job["at"])
        answer: dict[str, Any] = asdict(told)
    except PictureError as error:
        answer = {"error": {"code": error.code, "detail": error.detail}}
    except MemoryError:
        answer = {"error": {"code": PictureTooLarge.code, "detail": "Decoding the video would take too much memory."}}
    except Exception as error:  # decoders raise almost anything on hostile bytes
        answer = {"error": {"code": BrokenPicture.code, "detail": f"The video is corrupt ({type(error).__name__})."}}
    out = sys.stdout.buffer
    out.write(json.dumps(answer).encode() + b"\n")
    for frame in frames:
        out.write(frame.tobytes())
    out.flush()
