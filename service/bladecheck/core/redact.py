"""A copy to post: the blade made unrecognisable, every piece of metadata gone.

What lies under the blur is replaced by a grey mosaic of at most GRAIN cells along the whole picture's longer side, so
nothing finer, and no colour, is left to recover; the blur's edge is feathered outward only.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms, ImageFilter

from bladecheck.core import images
from bladecheck.core.classifier import Classifier
from bladecheck.core.images import Picture, PictureLimits
from bladecheck.core.taxonomy import RANK, Decision
from bladecheck.core.verdict import KNIFE_CODES, Evidence, Policy, Verdict
from bladecheck.errors import BrokenPicture

GRAIN = 12
VAGUE_PEAK = 0.25
"""Below this highest value the map says too little of where the blade is: the whole picture is blurred."""
STEPS = ((0.5, 1), (0.25, 2))
"""Tried in turn until no knife is found: where between the map's lowest and highest value a cell starts to count, and
how many cells are added around it."""
MEDIA_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}
OPTIONS: dict[str, dict[str, int | bool]] = {
    "JPEG": {"quality": 90, "optimize": True},
    "PNG": {"compress_level": 6},
    "WEBP": {"quality": 90, "method": 3},
}
Mask = npt.NDArray[np.bool_]
Extent = Literal["none", "part", "whole"]


@dataclass(frozen=True, slots=True)
class Redacted:
    """The copy.

    Attributes:
        data: the file's bytes; JPEG, PNG and WebP stay what they were, any other format becomes JPEG.
        media_type: of `data`.
        extent: what was blurred: "none" if no knife was found, "part" where the map points, or the "whole" picture.
        decision: on the picture before blurring (of an animation: on the first frame, the only one that is kept).
        knife_after: calibrated knife score of the copy, 0..1.
    """

    data: bytes
    media_type: str
    extent: Extent
    decision: Decision
    knife_after: float


def redact(data: bytes, classifier: Classifier, policy: Policy, limits: PictureLimits) -> Redacted:
    """Blur the blade and drop the metadata; size and orientation are as a person sees the picture.

    An animation becomes a still of its first frame.

    Raises:
        PictureError: if the picture can't be read.
    """
    still = replace(limits, frames=1)
    verdict = classifier.classify_one(classifier.load(data, still), policy)
    picture = images.load(data, still)
    frame = _standard_colours(picture.frames[0])
    extent, copy, after = _blurred(frame, verdict, classifier, policy)
    kind = picture.format if picture.format in MEDIA_TYPES else "JPEG"
    return Redacted(_encoded(copy, kind), MEDIA_TYPES[kind], extent, verdict.decision, after)


def _blurred(
    frame: Image.Image, verdict: Verdict, classifier: Classifier, policy: Policy
) -> tuple[Extent, Image.Image, float]:
    """The frame with ever more of it blurred, until the model finds no knife in it."""
    knife = verdict.scores.labels["knife"]
    if not any(reason.code in KNIFE_CODES for reason in verdict.reasons):
        return "none", frame, knife
    hidden = mosaic(frame)
    for share, margin in STEPS:
        cells = _cells(verdict.evidence, share, margin)
        if cells is None:
            break
        copy = Image.composite(hidden, frame, _soft_mask(cells, frame.size))
        again = _judged(copy, classifier, policy)
        if RANK[_knife_found(again)] < RANK[Decision.CHECK]:
            return "part", copy, again.scores.labels["knife"]
    return "whole", hidden, _judged(hidden, classifier, policy).scores.labels["knife"]


def _knife_found(verdict: Verdict) -> Decision:
    codes = {reason.code for reason in verdict.reasons}
    return Decision.HOLD if "knife" in codes else Decision.CHECK if "knife_unsure" in codes else Decision.CLEAR


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


def _cells(evidence: Evidence | None, share: float, margin: int) -> Mask | None:
    """Cells of the map to blur, with `margin` cells around them; None if the map does not say where."""
    if evidence is None or float(evidence.max()) < VAGUE_PEAK:
        return None
    low, high = float(evidence.min()), float(evidence.max())
    chosen: Mask = evidence >= low + share * (high - low)
    grown = np.zeros_like(chosen)
    for row, column in zip(*np.nonzero(chosen), strict=True):
        grown[max(0, row - margin) : row + margin + 1, max(0, column - margin) : column + margin + 1] = True
    return grown


def _soft_mask(cells: Mask, size: tuple[int, int]) -> Image.Image:
    """A mask of the picture's size: 255 on every cell, falling off outside them only."""
    hard = Image.fromarray(cells.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)
    small = hard.resize((max(1, size[0] // 8), max(1, size[1] // 8)), Image.Resampling.BOX)
    soft = small.filter(ImageFilter.GaussianBlur(max(small.size) / 100)).resize(size, Image.Resampling.BILINEAR)
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
