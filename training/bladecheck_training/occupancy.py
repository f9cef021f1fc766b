"""How well the map says where the blade is: does it peak in a box, would a blur by it hide the blade and no more."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from bladecheck.core.looks import MAP_SIDE as SIDE
from bladecheck.core.looks import Box, merged
from bladecheck.core.redact import MARGIN as SHARE
from bladecheck_training import compose, metrics
from bladecheck_training.manifest import Row

PIXELS = 336
MARGIN = max(1, SIDE // SHARE)
"""Cells added around what is occupied: the blur's margin."""
COVERED, SPILT = 0.95, 0.25
CUTS = (0.05, 0.075, 0.1, 0.125, 0.15, 0.175, 0.2, 0.225, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6)
Floats = npt.NDArray[np.float32]


def blades(maps: npt.NDArray[Any], boxes: Sequence[Box]) -> Floats:
    """One map of the blade a picture, float32 [N, SIDE, SIDE] in 0..1, from logits [N, J, 2, R, C] of looks."""
    chances = 1 / (1 + np.exp(-maps[:, :, 0].astype(np.float32)))
    return np.stack([merged(list(each), boxes, SIDE) for each in chances])


def hiding(rows: Sequence[Row], maps: Floats, cut: float) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Of outlined pictures: the share of the blade that lies under the blur, and of all else, both [N].

    Args:
        maps: [N, SIDE, SIDE], of the rows.
        cut: cells from this value on are blurred, with their margin.
    """
    covered, spilt = [], []
    for row, values in zip(rows, maps, strict=True):
        blade = np.asarray(compose.outlined(Image.new("RGB", (PIXELS, PIXELS)), row.outline).classes) == compose.BLADE
        taken = ndimage.binary_dilation(values >= cut, np.ones((3, 3)), iterations=MARGIN)
        blur = np.asarray(Image.fromarray(taken).resize((PIXELS, PIXELS), Image.Resampling.NEAREST))
        covered.append(float((blur & blade).sum() / max(1, blade.sum())))
        spilt.append(float((blur & ~blade).sum() / max(1, (~blade).sum())))
    return np.array(covered), np.array(spilt)


def useful(covered: npt.NDArray[np.float64], spilt: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Copies that hide the blade and little else."""
    found: npt.NDArray[np.bool_] = (covered >= COVERED) & (spilt <= SPILT)
    return found


def choose(rows: Sequence[Row], maps: Floats) -> float:
    """The cut with the most useful copies of outlined pictures; the lowest of equals, which hides more."""
    return max(CUTS, key=lambda cut: (useful(*hiding(rows, maps, cut)).sum(), -cut))


def measured(rows: Sequence[Row], maps: Floats, cut: float) -> dict[str, Any]:
    """Shares of outlined pictures of which a blur would be useful, hide enough, and spare enough."""
    covered, spilt = hiding(rows, maps, cut)
    n = len(rows)
    return {
        f"useful: at least {COVERED:.0%} of the blade hidden, at most {SPILT:.0%} of all else": metrics.share(
            int(useful(covered, spilt).sum()), n
        ),
        "blade hidden": metrics.share(int((covered >= COVERED).sum()), n),
        "all else spared": metrics.share(int((spilt <= SPILT).sum()), n),
    }


def pointing(rows: Sequence[Row], maps: Floats) -> dict[str, Any]:
    """Share of boxed knife pictures whose map peaks inside a box (the pointing game: Zhang et al. 2016)."""
    side = maps.shape[1]
    hits, total = 0, 0
    for row, scores in zip(rows, maps, strict=True):
        if not row.boxes:
            continue
        y, x = np.unravel_index(int(scores.argmax()), scores.shape)
        total += 1
        cells = (x / side, y / side, (x + 1) / side, (y + 1) / side)
        hits += any(_overlap(cells, box) for box in row.boxes)
    return metrics.share(hits, total)


def _overlap(cell: tuple[float, ...], box: tuple[float, ...]) -> bool:
    """The cell's centre lies in the box, or the box is thinner than a cell and crosses it."""
    x, y = (cell[0] + cell[2]) / 2, (cell[1] + cell[3]) / 2
    slack = (cell[2] - cell[0]) / 2
    wide, high = box[2] - box[0] < 2 * slack, box[3] - box[1] < 2 * slack
    return (box[0] - slack * wide <= x <= box[2] + slack * wide) and (
        box[1] - slack * high <= y <= box[3] + slack * high
    )
