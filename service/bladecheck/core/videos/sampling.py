"""Which frames of a video are looked at. Pure: times and small pictures in, choices out.

Two kinds, since either alone misses something:

- frames spread evenly over time, about one a second: whatever shows for longer than the distance between two is seen;
- key frames that look least like those chosen so far: encoders put them where the scene changes, and they cost little
  to decode. So a short shot between two even frames is seen too, and a still scene costs nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import numpy.typing as npt

FEWEST, PER_SECOND = 4, 1.0
"""Even frames of the shortest video, and how many a second of longer ones, up to two thirds of what is allowed."""
MOST_KEYS = 256
"""Key frames that are compared."""
ALIKE = 8.0
"""Mean difference of two small pictures (0 to 255 a value) below which a key frame shows nothing new."""

Small = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Coded:
    """A coded frame as it stands in the file: when it shows, and whether it can be decoded alone.

    Attributes:
        at: in ticks of the stream's clock.
        key: it needs no frame before it.
        shown: it is meant to be seen (an edit may cut frames away that others need).
    """

    at: int
    key: bool
    shown: bool = True


@dataclass(slots=True)
class Stretch:
    """Coded frames to decode in a row, by their position in the file: from a key frame to the last that is wanted.

    Attributes:
        first, last: positions, both included.
        wanted: times (ticks) of the frames to keep.
    """

    first: int
    last: int
    wanted: list[int] = field(default_factory=list)


def even_count(seconds: float, frames: int) -> int:
    """How many frames are spread evenly over a video of so many seconds, where `frames` are allowed in all."""
    most = max(1, frames - frames // 3)
    return max(1, min(most, max(FEWEST, round(seconds * PER_SECOND))))


def even_positions(coded: Sequence[Coded], count: int, end: int) -> list[int]:
    """Positions in the file of the frames that show in the middle of `count` equal pieces of time, each once.

    `end` (ticks) is when the last frame ceases to show.
    """
    order = sorted((position for position, frame in enumerate(coded) if frame.shown), key=lambda p: coded[p].at)
    times = np.array([coded[position].at for position in order], dtype=np.float64)
    first, last = times[0], max(times[-1], float(end))
    middles = first + (last - first) * (np.arange(count) + 0.5) / count
    chosen = np.searchsorted(times, middles, side="right") - 1
    return sorted({order[max(0, int(index))] for index in chosen})


def stretches(coded: Sequence[Coded], positions: Sequence[int], affordable: int) -> list[Stretch]:
    """What must be decoded to see the frames at these positions, at most `affordable` coded frames in all.

    A frame that shows before the key frame that precedes it in the file needs a still earlier one: the key frame is
    taken in its place. Without any key frame, decoding starts at the first. Each stretch gets an equal share.
    """
    keys = [position for position, frame in enumerate(coded) if frame.key] or [0]
    found: dict[int, Stretch] = {}
    for position in sorted(positions):
        key = keys[max(0, int(np.searchsorted(keys, position, side="right")) - 1)]
        if position < key or coded[position].at < coded[key].at:
            position = key
        stretch = found.setdefault(key, Stretch(key, key))
        stretch.last = max(stretch.last, position)
        stretch.wanted.append(coded[position].at)
    share = max(1, affordable // max(1, len(found)))
    return [_within(coded, stretch, share) for stretch in found.values()]


def _within(coded: Sequence[Coded], stretch: Stretch, share: int) -> Stretch:
    """The stretch cut to `share` frames; what lies beyond is replaced by the last frame in reach."""
    last = min(stretch.last, stretch.first + share - 1)
    reach = max(coded[position].at for position in range(stretch.first, last + 1))
    return Stretch(stretch.first, last, sorted({min(wanted, reach) for wanted in stretch.wanted}))


def key_positions(coded: Sequence[Coded], most: int) -> list[int]:
    """Positions of key frames to compare, at most `most` of them, spread evenly over all."""
    keys = [position for position, frame in enumerate(coded) if frame.key and frame.shown]
    if len(keys) <= most:
        return keys
    return [keys[int(index)] for index in np.linspace(0, len(keys) - 1, most)] if most > 0 else []


def unlike(chosen: Sequence[Small], others: Sequence[Small], most: int) -> list[int]:
    """Indices of up to `most` of `others`, each the one least like all chosen before it, until nothing new is left.

    Small pictures are uint8 [side, side, 3]; how alike two are is the mean difference of their values.
    """
    if not others or most < 1:
        return []
    candidates = np.stack(others).astype(np.float32)
    nearest = np.full(len(others), np.inf, np.float32)
    for small in chosen:
        nearest = np.minimum(nearest, _difference(candidates, small))
    found: list[int] = []
    while len(found) < most:
        best = int(nearest.argmax())
        if nearest[best] < ALIKE:
            break
        found.append(best)
        nearest = np.minimum(nearest, _difference(candidates, others[best]))
    return found


def _difference(candidates: npt.NDArray[np.float32], small: Small) -> npt.NDArray[np.float32]:
    found: npt.NDArray[np.float32] = np.abs(candidates - small.astype(np.float32)).mean(axis=(1, 2, 3))
    return found


def longest_gap(times: Sequence[float], seconds: float) -> float:
    """The longest stretch of a video, in seconds, between two frames that are looked at, or before or after them."""
    edges = [0.0, *sorted(times), max(seconds, *times)]
    return max(after - before for before, after in pairwise(edges))
