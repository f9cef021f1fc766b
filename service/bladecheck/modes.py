"""Any pixel mode to 8-bit RGB, as a person would see it: greys deeper than 8 bits, palettes, transparency."""

from __future__ import annotations

import numpy as np
from PIL import Image

BAND_PIXELS = 2**22


def flatten(image: Image.Image) -> Image.Image:
    """Any mode to 8-bit RGB: deeper greys are scaled (not clipped), transparency goes on white."""
    image.load()
    white = _white_level(image)
    if white is None and not image.has_transparency_data:
        return image.convert("RGB")
    canvas = Image.new("RGB", image.size)
    rows = max(1, BAND_PIXELS // max(1, image.width))  # in bands, so that no second full-size copy is held
    for top in range(0, image.height, rows):
        box = (0, top, image.width, min(image.height, top + rows))
        band = image.crop(box)
        canvas.paste(_on_white(band) if white is None else _to_grey(band, white), box)
    return canvas


def _white_level(image: Image.Image) -> float | None:
    """The value that stands for white in a mode deeper than 8 bits, else None."""
    if image.mode.startswith("I;16"):
        return 65535.0
    if image.mode not in ("I", "F"):
        return None
    # 32-bit files don't say their range: the smallest customary one that holds the values.
    top = float(np.nan_to_num(np.fmax.reduce(np.asarray(image), axis=None, initial=0), posinf=0))
    levels = (1.0, 255.0, 65535.0) if image.mode == "F" else (255.0, 65535.0)
    return next((level for level in levels if top <= level), top)


def _to_grey(band: Image.Image, white: float) -> Image.Image:
    values = np.nan_to_num(np.asarray(band).astype(np.float64), posinf=white, neginf=0)
    return Image.fromarray(np.clip(values * (255.0 / white), 0, 255).round().astype(np.uint8)).convert("RGB")


def _on_white(band: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", band.size, "white"), band.convert("RGBA")).convert("RGB")
