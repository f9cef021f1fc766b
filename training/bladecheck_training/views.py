"""The list of views: each labelled picture plain, and as many random variants as its source deserves."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from bladecheck.core import images
from bladecheck.core.preprocess import Pixels, Spec, prepare
from bladecheck.errors import BladecheckError
from bladecheck_training.augment import Sample, augment, box_mask
from bladecheck_training.config import Data
from bladecheck_training.manifest import Row

NO, MAYBE = 0, 1
"""Patch labels: no knife here; a knife may be here (at least one such patch of a knife picture shows it)."""


@dataclass(frozen=True)
class View:
    """Variant `number` of row `row` (its index); number 0 is the plain picture."""

    row: int
    number: int


EASY_SHARE = 3
"""One in so many pictures of an easy source is used at all."""


def plan(rows: Sequence[Row], data: Data) -> list[View]:
    """All views, the most useful first: held-out pictures plain, police variants, then training ones in turns.

    Work can stop at any time and what was made is a sensible set.
    """
    held_out = [index for index, row in enumerate(rows) if row.split != "train"]
    training = [index for index, row in enumerate(rows) if row.split == "train" and row.knife is not None]
    easy = {index for index in training if rows[index].source in data.easy and not rows[index].knife}
    hard = [index for index in training if index not in easy]
    views = [View(index, 0) for index in held_out]
    police = [index for index in held_out if rows[index].split == "police" and rows[index].knife is not None]
    views += [View(index, number) for number in range(1, data.police_views + 1) for index in police]
    for number in range(1, data.views + 1):
        views += [View(index, number) for index in hard]
        if number == 1:
            views += [View(index, 0) for index in sorted([*hard, *sorted(easy)[::EASY_SHARE]])]
    return views


def scenes(rows: Sequence[Row], data: Data, most: int = 400) -> list[Image.Image]:
    """Training pictures without knife or gun to lay cut-out objects on."""
    plain = [row for row in rows if row.split == "train" and row.knife == 0 and row.source in data.easy]
    outdoors = ("coco_scene", "vehicle_street_cat")
    plain += [row for row in rows if row.split == "train" and row.knife == 0 and row.other in outdoors]
    return [open_row(row) for row in plain[:: max(1, len(plain) // most)][:most]]


def open_row(row: Row) -> Image.Image:
    """The picture as RGB, at full size, through the service's own loader.

    Raises:
        ValueError: naming a file that can't be read as a picture.
    """
    try:
        return images.load(row.path.read_bytes()).frames[0]
    except (OSError, BladecheckError) as error:
        raise ValueError(f"{row.path}: {error}") from error


def render(
    row: Row, number: int, spec: Spec, backgrounds: Sequence[Image.Image], grid: int
) -> tuple[Pixels, npt.NDArray[np.uint8]]:
    """Pixels uint8 [size, size, 3] of a view and its patch labels uint8 [grid, grid]; the same on every call."""
    image = open_row(row)
    sample = Sample(image, box_mask(image.size, row.boxes) if row.boxes else None)
    if number:
        rng = np.random.default_rng([zlib.crc32(row.id.encode()), number])
        sample = augment(rng, sample, backgrounds)
    return prepare(sample.image, spec), _patches(row, sample, grid)


def _patches(row: Row, sample: Sample, grid: int) -> npt.NDArray[np.uint8]:
    if row.knife != 1:
        return np.full((grid, grid), NO, np.uint8)
    if sample.mask is None:
        return np.full((grid, grid), MAYBE, np.uint8)
    share = np.asarray(sample.mask.resize((grid, grid), Image.Resampling.BOX))
    marked = np.where(share > 12, MAYBE, NO).astype(np.uint8)
    return marked if marked.any() else np.full((grid, grid), MAYBE, np.uint8)
