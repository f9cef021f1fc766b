"""Where in a picture, as cells of a map and as boxes: what a blur covers, what is left, and what an editor can show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from bladecheck.core.bundle import Manifest
from bladecheck.core.looks import Box, Floats

Cells = npt.NDArray[np.bool_]
"""[rows, columns] of a map: which cells."""
FULL, MOST = 0.6, 12
"""A box is split where less than this share of its cells is meant, into at most so many boxes."""


def cut(evidence: Floats | None, manifest: Manifest) -> float:
    """From which value on a cell counts as blade: as the bundle says, or half the highest where none reaches that.

    A map of where a score comes from (bundles of schema 1) has no such value; there it is midway between its extremes.
    """
    if evidence is None:
        return 1.0
    low, high = float(evidence.min()), float(evidence.max())
    return min(manifest.thresholds.occupied, high / 2) if manifest.outputs.occupancy else (low + high) / 2


def peak(evidence: Floats, from_: float) -> Box:
    """The box around the highest cell and those joined to it by cells from this value on."""
    rows, columns = evidence.shape
    first = divmod(int(evidence.argmax()), columns)
    joined, waiting = {first}, [first]
    while waiting:
        row, column = waiting.pop()
        for place in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            inside = 0 <= place[0] < rows and 0 <= place[1] < columns
            if inside and place not in joined and evidence[place] >= from_:
                joined.add(place)
                waiting.append(place)
    ys, xs = zip(*joined, strict=True)
    return (min(xs) / columns, min(ys) / rows, (max(xs) + 1) / columns, (max(ys) + 1) / rows)


def grown(cells: Cells, margin: int) -> Cells:
    """The cells and those up to `margin` cells away, diagonally too."""
    found = cells.copy()
    for row, column in zip(*np.nonzero(cells), strict=True):
        found[max(0, row - margin) : row + margin + 1, max(0, column - margin) : column + margin + 1] = True
    return found


def boxes(cells: Cells) -> tuple[Box, ...]:
    """Boxes that cover these cells and little else, largest first; none if there are no cells.

    A box is cut in two where that saves the most, as long as much of it is not meant: a slanting knife takes several.
    """
    if not cells.any():
        return ()
    found = [_around(cells, (0, 0, *cells.shape))]
    while len(found) < MOST:
        worst = max(found, key=lambda part: _idle(cells, part))
        top, left, bottom, right = worst
        if _idle(cells, worst) <= (1 - FULL) * (bottom - top) * (right - left):
            break
        found.remove(worst)
        found += _halves(cells, worst)
    rows, columns = cells.shape
    scaled: list[Box] = [(left / columns, top / rows, right / columns, bottom / rows)
                         for top, left, bottom, right in found]  # fmt: skip
    return tuple(sorted(scaled, key=lambda box: -(box[2] - box[0]) * (box[3] - box[1])))


_Part = tuple[int, int, int, int]
"""First row, first column, and one past the last of each."""


def _around(cells: Cells, part: _Part) -> _Part:
    """The smallest part that holds all cells of a part."""
    top, left, bottom, right = part
    rows, columns = (np.flatnonzero(cells[top:bottom, left:right].any(axis)) for axis in (1, 0))
    return top + int(rows[0]), left + int(columns[0]), top + int(rows[-1]) + 1, left + int(columns[-1]) + 1


def _idle(cells: Cells, part: _Part) -> int:
    """Cells of a part that are not meant."""
    top, left, bottom, right = part
    return int((~cells[top:bottom, left:right]).sum())


def _halves(cells: Cells, part: _Part) -> list[_Part]:
    """A part cut in two, each drawn tight, where that leaves the fewest cells that are not meant."""
    top, left, bottom, right = part
    cuts = [((top, left, row, right), (row, left, bottom, right)) for row in range(top + 1, bottom)]
    cuts += [((top, left, bottom, column), (top, column, bottom, right)) for column in range(left + 1, right)]
    options = [[_around(cells, half) for half in cut if cells[half[0] : half[2], half[1] : half[3]].any()]
               for cut in cuts]  # fmt: skip
    return min(options, key=lambda halves: sum(_idle(cells, half) for half in halves))


def mask(found: Sequence[Box], size: tuple[int, int]) -> Image.Image:
    """A mask ("L") of this size in pixels: 255 in the boxes, rounded outward, else 0."""
    drawn = Image.new("L", size, 0)
    pen = ImageDraw.Draw(drawn)
    for box in found:
        pixels = to_pixels(box, size)
        pen.rectangle((pixels[0], pixels[1], pixels[2] - 1, pixels[3] - 1), fill=255)
    return drawn


def to_pixels(box: Box, size: tuple[int, int]) -> tuple[int, int, int, int]:
    """A box in whole pixels of a picture of this size, rounded outward.

    Raises:
        ValueError: if it does not lie within 0..1 or is empty.
    """
    left, top, right, bottom = box
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise ValueError(f"The box {list(box)} must be left, top, right, bottom within 0 to 1, and not empty.")
    width, height = size
    return (
        int(np.floor(left * width)),
        int(np.floor(top * height)),
        min(width, int(np.ceil(right * width))),
        min(height, int(np.ceil(bottom * height))),
    )


def within(box: Box, outer: Box) -> Box:
    """A box given in 0..1 of `outer`, in 0..1 of the picture."""
    wide, high = outer[2] - outer[0], outer[3] - outer[1]
    return (outer[0] + box[0] * wide, outer[1] + box[1] * high, outer[0] + box[2] * wide, outer[1] + box[3] * high)
