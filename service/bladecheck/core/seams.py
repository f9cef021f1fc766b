"""Collages: where one picture is pasted beside another, each is worth a look of its own.

A seam is a straight line right across a part of the picture along which nearly every pixel differs from its neighbour
beyond (pictures that touch), or a band of one colour (a gutter). Parts are cut at seams again and again, as page
layouts are read (recursive X-Y cut: Nagy and Seth 1984). A false seam costs looks, never an answer.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from PIL import Image

from bladecheck.core.looks import WHOLE, Box

SIDE = 512
"""Seams are sought in a grey copy of at most so many pixels a side."""
MOST = 24
"""Parts of one picture that are looked at: a sheet of 4 x 6. Of more, the largest."""
SMALLEST = 0.12
"""Share of each side of the picture that a part has at least."""
# Cuts within cuts at most.
DEPTH = 4
JUMP, SHARE, USUAL = 14.0, 0.8, 0.3
"""A line is a seam if the grey changes by JUMP or more along this SHARE of it, but only along USUAL of most lines."""
REGULAR, LEAST, APART = 0.62, 0.5, 0.2
"""Equal pieces: changed shares of the lines between them, in the mean and of each, and how far above nearly all."""
WIDEST = 0.35
"""Share of a part that a gutter takes at most: beside an upright picture in a broad cell."""
PLAIN, LIVELY = 4.0, 12.0
"""Spread of grey (standard deviation) of a gutter at most, and of a part that shows anything at least."""
Grey = npt.NDArray[np.float32]


def parts(frame: Image.Image) -> list[Box]:
    """The pictures that a collage is made of, in 0..1, largest first; empty if no seams are found."""
    scale = SIDE / max(frame.size)
    size = (max(1, round(frame.width * scale)), max(1, round(frame.height * scale)))
    if min(size) < 32:
        return []
    grey = np.asarray(frame.convert("L").resize(size, Image.Resampling.BOX), np.float32)
    found = [box for box in _cut(grey, WHOLE, DEPTH) if box != WHOLE]
    lively = [box for box in found if _slice(grey, box).std() >= LIVELY]
    if len(lively) < 2:
        return []
    return sorted(lively, key=lambda box: -(box[2] - box[0]) * (box[3] - box[1]))[:MOST]


def _cut(grey: Grey, box: Box, depth: int) -> list[Box]:
    """The parts of a part: cut at the seams of the direction that has more of them, then again."""
    inner = _slice(grey, box)
    if depth == 0 or min(inner.shape) < 8:
        return [box]
    across, along = _seams(inner, box, axis=0), _seams(inner, box, axis=1)
    places, axis = (across, 0) if len(across) >= len(along) else (along, 1)
    if not places:
        return [box]
    low, high = (box[1], box[3]) if axis == 0 else (box[0], box[2])
    edges = [low, *(low + place * (high - low) for place in places), high]
    pieces = []
    for start, stop in itertools.pairwise(edges):
        piece = (box[0], start, box[2], stop) if axis == 0 else (start, box[1], stop, box[3])
        pieces += _cut(grey, piece, depth - 1)
    return pieces


def _slice(grey: Grey, box: Box) -> Grey:
    height, width = grey.shape
    left, top, right, bottom = box
    found: Grey = grey[round(top * height) : round(bottom * height), round(left * width) : round(right * width)]
    return found


def _seams(grey: Grey, box: Box, axis: int) -> list[float]:
    """Where seams run across a part, in 0..1 of its height (axis 0) or width (axis 1), at least SMALLEST apart."""
    lines = grey if axis == 0 else grey.T
    extent = (box[3] - box[1]) if axis == 0 else (box[2] - box[0])
    count, apart = len(lines), SMALLEST / extent
    if apart > 0.5:
        return []
    strength = np.zeros(count)
    changes = (np.abs(lines[2:] - lines[:-2]) >= JUMP).mean(1)
    if np.median(changes) <= USUAL:
        strength[1:-1] = np.where(changes >= SHARE, changes, 0)
    strength[1:-1] = np.maximum(strength[1:-1], _regular(changes))
    strength = np.maximum(strength, _gutters(lines))
    chosen: list[float] = []
    for index in np.argsort(-strength, kind="stable"):
        place = (index + 0.5) / count
        if strength[index] <= 0 or len(chosen) >= 7:
            break
        if apart <= place <= 1 - apart and all(abs(place - other) >= apart for other in chosen):
            chosen.append(place)
    return sorted(chosen)


def _regular(changes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The strengths of lines that cut a part into 2 to 6 equal pieces, each stronger than nearly all others; else 0."""
    best, strength = REGULAR, np.zeros(len(changes))
    common = float(np.quantile(changes, 0.9))
    for pieces in range(2, 7):
        middles = [round(len(changes) * number / pieces) for number in range(1, pieces)]
        near = [max(0, middle - 2) + int(changes[max(0, middle - 2) : middle + 3].argmax()) for middle in middles]
        values = changes[near]
        if values.min() >= max(LEAST, common + APART) and values.mean() > best:
            best, strength = float(values.mean()), np.zeros(len(changes))
            strength[near] = values
    return strength


def _gutters(lines: Grey) -> npt.NDArray[np.float64]:
    """1 in the middle of each plain band between lines that are not plain, else 0."""
    plain = lines.std(1) <= PLAIN
    strength = np.zeros(len(lines))
    starts = np.flatnonzero(plain & ~np.roll(plain, 1))
    for start in starts:
        stop = start
        while stop < len(lines) and plain[stop]:
            stop += 1
        if start > 0 and stop < len(lines) and stop - start <= len(lines) * WIDEST:
            strength[(start + stop - 1) // 2] = 1
    return strength
