"""A copy to post: the blade made unrecognisable, every piece of metadata gone.

What lies under the blur is replaced by a grey mosaic of at most GRAIN cells along the whole picture's longer side, so
nothing finer, and no colour, is left to recover; the blur's edge is feathered outward only. Where the blade is says the
model's map; whether the blur suffices, the map of the copy: handle, hand and notebook may keep the score up, but no
cell outside the blur may still hold blade.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from PIL import Image, ImageCms, ImageFilter

from bladecheck.core import areas as places
from bladecheck.core import images
from bladecheck.core.areas import Cells
from bladecheck.core.bundle import Manifest
from bladecheck.core.classifier import Classifier
from bladecheck.core.images import Picture, PictureLimits
from bladecheck.core.looks import WHOLE, Box
from bladecheck.core.taxonomy import Decision
from bladecheck.core.verdict import KNIFE_CODES, Evidence, Policy, Verdict
from bladecheck.errors import BrokenPicture

# Cells along the longer side that a blur keeps: too few to tell what it hides.
GRAIN = 12
VAGUE_PEAK = 0.25
"""Below this highest value the map says too little of where the blade is: the whole picture is blurred."""
MARGIN = 56
"""The margin around what the map says is 1 / MARGIN of each side: one cell of a merged map. Twice that was measured on
outlined police pictures: of 72 fewer copies were useful."""
FEATHER = 256
"""The edge falls off within about 1 / FEATHER of the longer side: what lies beyond the margin is there to be seen."""
ROUNDS = 3
"""How often the copy's own map may add to what is blurred."""
FINE = 16
"""A mask of boxes is drawn at so many pixels to a cell of the map, to say how much of each is covered."""
MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
OPTIONS: dict[str, dict[str, int | bool]] = {
    "JPEG": {"quality": 90, "optimize": True},
    "PNG": {"compress_level": 6},
    "WEBP": {"quality": 90, "method": 3},
}
Extent = Literal["none", "part", "whole"]


@dataclass(frozen=True, slots=True)
class Redacted:
    """The copy. Boxes are left, top, right, bottom in 0..1 of the whole picture, upright, before any crop.

    Attributes:
        data: the file's bytes; JPEG, PNG and WebP stay what they were, any other format becomes JPEG.
        media_type: of `data`.
        extent: what was blurred: "none", "part" of the picture, or the "whole" (where the map does not say where).
        decision: on the picture before blurring (of an animation: on the first frame, the only one that is kept).
        knife_after: calibrated knife score of the copy, 0..1; a handle or sheath in sight can keep it up.
        areas: what the model suggests to blur, margin included; none if it found no knife.
        blade_left: where the map of the copy still says blade outside the blur; none is as it should be.
    """

    data: bytes
    media_type: str
    extent: Extent
    decision: Decision
    knife_after: float
    areas: tuple[Box, ...] = ()
    blade_left: tuple[Box, ...] = ()


def redact(
    data: bytes,
    classifier: Classifier,
    policy: Policy,
    limits: PictureLimits,
    areas: Sequence[Box] | None = None,
    crop: Box | None = None,
) -> Redacted:
    """Blur the blade and drop the metadata; size and orientation are as a person sees the picture.

    An animation becomes a still of its first frame.

    Args:
        areas: blur these boxes and nothing else; None blurs what the model's map says.
        crop: keep only this part of the picture.

    Raises:
        PictureError: if the picture can't be read.
        ValueError: if a box does not lie within 0..1 or is empty.
    """
    still = replace(limits, frames=1)
    verdict = classifier.classify_one(classifier.load(data, still), policy)
    picture = images.load(data, still)
    frame = _standard_colours(picture.frames[0])
    for box in (*(areas or ()), *([crop] if crop else ())):
        places.to_pixels(box, frame.size)
    cut = places.cut(verdict.evidence, classifier.bundle.manifest)
    cells, mask, after = _blade(verdict, cut), None, verdict
    if areas is None and cells.any():
        cells = _enough(frame, cells, cut, classifier, policy)
        mask = _soft(_mask_of_cells(cells, frame.size))
    elif areas:
        mask = _soft(places.mask(areas, frame.size))
    copy = frame if mask is None else Image.composite(mosaic(frame), frame, mask)
    copy = copy if crop is None else copy.crop(places.to_pixels(crop, frame.size))
    if copy is not frame:
        after = _judged(copy, classifier, policy)
    kind = picture.format if picture.format in MEDIA_TYPES else "JPEG"
    return Redacted(
        data=_encoded(copy, kind),
        media_type=MEDIA_TYPES[kind],
        extent=_extent(mask),
        decision=verdict.decision,
        knife_after=after.scores.labels["knife"],
        areas=places.boxes(cells),
        blade_left=_left(after, cut, mask, crop or WHOLE) if cells.any() else (),
    )


def _extent(mask: Image.Image | None) -> Extent:
    if mask is None:
        return "none"
    return "whole" if np.asarray(mask).min() == 255 else "part"


def _blade(verdict: Verdict, cut: float) -> Cells:
    """Cells to blur, with their margin: none without a knife, all if the map does not say where it is."""
    evidence = verdict.evidence
    if not _says_knife(verdict):
        return np.zeros((MARGIN, MARGIN), np.bool_)
    if evidence is None or float(evidence.max()) < VAGUE_PEAK:
        return np.ones((MARGIN, MARGIN), np.bool_)
    return _with_margin(evidence >= cut)


def _says_knife(verdict: Verdict) -> bool:
    return any(reason.code in KNIFE_CODES for reason in verdict.reasons)


def _with_margin(cells: Cells) -> Cells:
    return places.grown(cells, max(1, round(max(cells.shape) / MARGIN)))


def _enough(frame: Image.Image, cells: Cells, cut: float, classifier: Classifier, policy: Policy) -> Cells:
    """The cells, and what the map of the copy still calls blade beside them, again and again."""
    hidden = mosaic(frame)
    for _ in range(ROUNDS):
        copy = Image.composite(hidden, frame, _soft(_mask_of_cells(cells, frame.size)))
        left = _still(_judged(copy, classifier, policy), cut, cells)
        if not left.any():
            break
        cells = cells | _with_margin(left)
    return cells


def _still(after: Verdict, cut: float, blurred: Cells) -> Cells:
    """Cells outside the blur that the copy's map calls blade; what touches the blur reflects what is under it."""
    if after.evidence is None or after.evidence.shape != blurred.shape:
        return np.zeros_like(blurred)
    found: Cells = (after.evidence >= cut) & ~places.grown(blurred, 1)
    return found


def _left(after: Verdict, cut: float, mask: Image.Image | None, crop: Box) -> tuple[Box, ...]:
    """Boxes of blade that the copy still shows, in 0..1 of the whole picture."""
    if after.evidence is None:
        return ()
    rows, columns = after.evidence.shape
    blurred = np.zeros((rows, columns), np.bool_)
    if mask is not None:
        part = mask.crop(places.to_pixels(crop, mask.size)).resize((columns, rows), Image.Resampling.BOX)
        blurred = np.asarray(part) >= 128
    return tuple(places.within(box, crop) for box in places.boxes(_still(after, cut, blurred)))


def _judged(frame: Image.Image, classifier: Classifier, policy: Policy) -> Verdict:
    return classifier.classify_one(Picture("", "PNG", frame.width, frame.height, 1, False, (frame,)), policy)


def mosaic(frame: Image.Image) -> Image.Image:
    """The frame as a grey, smooth blur of at most GRAIN cells along its longer side."""
    scale = GRAIN / max(frame.size)
    cells = (max(1, round(frame.width * scale)), max(1, round(frame.height * scale)))
    return (
        frame.convert("L")
        .resize(cells, Image.Resampling.BOX)
        .resize(frame.size, Image.Resampling.BICUBIC)
        .convert("RGB")
    )


def _mask_of_cells(cells: Cells, size: tuple[int, int]) -> Image.Image:
    return Image.fromarray(cells.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)


def _soft(hard: Image.Image) -> Image.Image:
    """A mask that stays 255 where it is, and falls off outside."""
    size, shrunk = hard.size, max(1, max(hard.size) // FEATHER)  # worked out small: it is smooth anyway
    small = hard.resize((max(1, size[0] // shrunk), max(1, size[1] // shrunk)), Image.Resampling.BOX)
    soft = small.filter(ImageFilter.GaussianBlur(max(small.size) / FEATHER)).resize(size, Image.Resampling.BILINEAR)
    return Image.fromarray(np.maximum(np.asarray(hard), np.asarray(soft)))


def _standard_colours(frame: Image.Image) -> Image.Image:
    """Convert from an embedded RGB colour profile to sRGB, since the profile is dropped with the metadata."""
    profile = frame.info.get("icc_profile")
    if not profile:
        return frame
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != "RGB":
            return frame
        converted = ImageCms.profileToProfile(frame, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return frame  # a damaged profile costs exact colours, not the copy
    return frame if converted is None else converted


def _encoded(frame: Image.Image, kind: str) -> bytes:
    """The pixels alone as a file: a picture made anew from them can't carry anything else."""
    clean = Image.frombytes("RGB", frame.size, frame.tobytes())
    buffer = io.BytesIO()
    try:
        clean.save(buffer, kind, **OPTIONS[kind])
    except (OSError, ValueError) as error:
        raise BrokenPicture(f"The copy can't be written as {kind}: {error}.") from error
    return buffer.getvalue()


def suggested(evidence: Evidence | None, manifest: Manifest) -> tuple[Box, ...]:
    """Boxes to cover in a picture that was found to show a knife, by its map; the whole if that does not say where."""
    if evidence is None or float(evidence.max()) < VAGUE_PEAK:
        return (WHOLE,)
    return places.boxes(_with_margin(evidence >= places.cut(evidence, manifest)))


def covered(frame: Image.Image, areas: Sequence[Box], crop: Box | None = None) -> Image.Image:
    """The frame in standard colours with these boxes blurred beyond recovery, and only `crop` of it kept.

    Raises:
        ValueError: if a box does not lie within 0..1 or is empty.
    """
    frame = _standard_colours(frame)
    if areas:
        frame = Image.composite(mosaic(frame), frame, _soft(places.mask(areas, frame.size)))
    return frame if crop is None else frame.crop(places.to_pixels(crop, frame.size))


def uncovered(evidence: Evidence | None, manifest: Manifest, areas: Sequence[Box], crop: Box | None) -> tuple[Box, ...]:
    """Where the map of a copy still says blade outside what is covered: boxes in 0..1 of that copy.

    Args:
        evidence: the copy's map, [rows, columns] in 0..1.
        areas, crop: what `covered` made the copy with, in 0..1 of the whole picture.
    """
    if evidence is None:
        return ()
    rows, columns = evidence.shape
    large = places.mask(areas, (columns * FINE, rows * FINE))
    part = large.crop(places.to_pixels(crop or WHOLE, large.size)).resize((columns, rows), Image.Resampling.BOX)
    under = places.grown(np.asarray(part) >= 128, 1)
    blade = evidence >= (manifest.thresholds.occupied if manifest.outputs.occupancy else 0.5)
    return places.boxes(blade & ~under)
