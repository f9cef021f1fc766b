"""Where in the picture: the coarse evidence map drawn over it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from bladecheck.core.verdict import Evidence


def overlay(frame: Image.Image, evidence: Evidence | None, strength: float = 0.6) -> Image.Image:
    """The RGB frame with a red tint where `evidence` (values 0..1, [rows, columns]) is high; unchanged without one."""
    if evidence is None:
        return frame
    grey = Image.fromarray((np.clip(evidence, 0, 1) * 255 * strength).astype(np.uint8))
    mask = grey.resize(frame.size, Image.Resampling.BICUBIC)
    return Image.composite(Image.new("RGB", frame.size, (220, 20, 20)), frame, mask)
