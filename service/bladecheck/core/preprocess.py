"""Picture frame to model input: Pillow and numpy only, and the very same function in training.

Tensor resizers and OpenCV differ from Pillow's by up to 97/255 on single pixels, so nothing else may stand in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from bladecheck.errors import BundleError

Pixels = npt.NDArray[np.uint8]

FITS = ("squash", "crop", "pad")
FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Mid-grey, 0 to 255.
PAD_COLOUR = (127, 127, 127)


@dataclass(frozen=True, slots=True)
class Spec:
    """How a frame becomes the model's input; travels in the bundle.

    Attributes:
        size: side of the square input in pixels.
        fit: "squash" (whole picture, aspect ignored), "crop" (centre square) or "pad" (whole picture on grey).
        filter: "bilinear", "bicubic" or "lanczos".
        headroom: JPEGs may be decoded at a reduced scale of at least headroom * size pixels a side.
    """

    size: int
    fit: str
    filter: str
    headroom: int = 2

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 1024:
            raise BundleError(f"preprocess.size is {self.size}; it must lie between 16 and 1024.")
        if self.fit not in FITS:
            raise BundleError(f"preprocess.fit is {self.fit!r}; known: {', '.join(FITS)}.")
        if self.filter not in FILTERS:
            raise BundleError(f"preprocess.filter is {self.filter!r}; known: {', '.join(FILTERS)}.")
        if not 1 <= self.headroom <= 8:
            raise BundleError(f"preprocess.headroom is {self.headroom}; it must lie between 1 and 8.")

    @property
    def at_least(self) -> int:
        """Smallest side in pixels that `images.load` must keep."""
        return self.size * self.headroom


def prepare(frame: Image.Image, spec: Spec) -> Pixels:
    """Resize an RGB frame to the model's input, a uint8 array [size, size, 3]."""
    if frame.mode != "RGB":
        raise ValueError(f"prepare takes RGB frames, not {frame.mode}; use images.load.")
    resample, side = FILTERS[spec.filter], spec.size
    if spec.fit == "squash":
        return np.asarray(frame.resize((side, side), resample))
    width, height = frame.size
    if spec.fit == "crop":
        edge = min(width, height)
        left, top = (width - edge) / 2, (height - edge) / 2
        return np.asarray(frame.resize((side, side), resample, box=(left, top, left + edge, top + edge)))
    scale = side / max(width, height)
    inner = (max(1, round(width * scale)), max(1, round(height * scale)))
    canvas = Image.new("RGB", (side, side), PAD_COLOUR)
    canvas.paste(frame.resize(inner, resample), ((side - inner[0]) // 2, (side - inner[1]) // 2))
    return np.asarray(canvas)


def prepare_part(frame: Image.Image, spec: Spec, box: tuple[float, float, float, float]) -> Pixels:
    """A part of an RGB frame (left, top, right, bottom in 0..1), squashed to the model's input in one resize."""
    (width, height), (left, top, right, bottom) = frame.size, box
    edges = (left * width, top * height, right * width, bottom * height)
    return np.asarray(frame.resize((spec.size, spec.size), FILTERS[spec.filter], box=edges))


def contrast(pixels: Pixels) -> int:
    """Spread of brightness, 0 to 255: the 99th less the 1st percentile of the mean of the channels."""
    low, high = np.percentile(pixels.mean(axis=2), (1, 99))
    return int(high - low)
