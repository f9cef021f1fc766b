"""Several looks at one picture as one answer: which parts, when to look again, and what then counts.

The whole picture is the first look. Training's evaluation uses these very functions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from bladecheck.core.bundle import Looks, Outputs

Floats = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]
"""Left, top, right and bottom in 0..1 of the picture."""
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
MAP_SIDE = 56
"""Rows and columns of the merged map: a crop of 62 % of each side keeps the detail of its own 28 x 28 map."""


def combined(logits: Floats, outputs: Outputs, rule: Looks, parts: int = 0) -> Floats:
    """One answer, float32 [L], from those of all looks at one picture [J, L], ordered as `outputs.names`.

    `rule` says how labels combine. Kinds and features come from the look with the highest knife logit ("best"), or are
    the mean over looks weighted by their uncalibrated knife probability ("weighted").

    Args:
        parts: the last so many looks are at pictures of a collage.
    """
    column = outputs.labels.index("knife")
    knife = logits[:, column]
    if rule.kinds == "best":
        found: Floats = logits[int(knife.argmax())].copy()
    else:
        weight = 1 / (1 + np.exp(-np.clip(knife, -30, 30))) + 1e-6
        found = (logits * (weight / weight.sum())[:, None]).sum(0).astype(np.float32)
    count = len(outputs.labels)
    found[:count] = logits[:, :count].max(0)
    if rule.combine == "first_and_max":
        whole = knife[: len(knife) - parts]
        found[column] = max([(whole[0] + whole.max()) / 2, *knife[len(whole) :]])
    return found


def merged(maps: Sequence[Floats], boxes: Sequence[Box], side: int = MAP_SIDE) -> Floats:
    """Maps [rows, columns] of looks at these parts of a picture as one map [side, side]; the highest value counts."""
    result = np.zeros((side, side), np.float32)
    for values, box in zip(maps, boxes, strict=True):
        columns, rows = _inside(box[0], box[2], side), _inside(box[1], box[3], side)
        if len(rows) and len(columns):
            place = np.ix_(rows, columns)
            result[place] = np.maximum(result[place], _resampled(values, box, rows, columns, side))
    return result


def _inside(low: float, high: float, side: int) -> npt.NDArray[np.intp]:
    """Cells of the merged map whose centre lies between `low` and `high`."""
    centres = (np.arange(side) + 0.5) / side
    return np.flatnonzero((centres >= low) & (centres < high))


def _resampled(
    values: Floats, box: Box, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp], side: int
) -> Floats:
    """What one look's map says of these cells of the merged map."""
    left, top, right, bottom = box
    count_y, count_x = values.shape
    edges = (
        _within(columns[0] / side, left, right, count_x),
        _within(rows[0] / side, top, bottom, count_y),
        _within((columns[-1] + 1) / side, left, right, count_x),
        _within((rows[-1] + 1) / side, top, bottom, count_y),
    )
    part = Image.fromarray(values.astype(np.float32))
    size = (len(columns), len(rows))
    return np.asarray(part.resize(size, Image.Resampling.BILINEAR, box=edges), np.float32)


def _within(place: float, low: float, high: float, count: int) -> float:
    """A place of the picture in cells of a map of the part from `low` to `high`."""
    return min(max(0.0, (place - low) / (high - low) * count), float(count))
