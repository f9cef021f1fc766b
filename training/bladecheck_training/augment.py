"""What happens to pictures: cut out of a plain ground, on other surfaces, in other light, blurred, recompressed."""

from __future__ import annotations

import io

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageEnhance, ImageFilter
from scipy import ndimage

Box = tuple[float, float, float, float]
BICUBIC, BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR


def cut_out(image: Image.Image) -> Image.Image | None:
    """Alpha mask "L" of an object on a plain light background, or None if there is no such background."""
    small = np.asarray(image).astype(int)
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    if np.median(border.min(1)) < 225 or (border.min(1) > 205).mean() < 0.85:
        return None
    regions, _ = ndimage.label(small.min(2) > max(200, np.median(border.min(1)) - 40))
    edges = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
    background = np.isin(regions, np.unique(edges[edges > 0]))
    share = 1 - background.mean()
    if not 0.03 < share < 0.85:
        return None
    mask = Image.fromarray(np.where(background, 0, 255).astype(np.uint8))
    return mask.filter(ImageFilter.MinFilter(3)).filter(ImageFilter.GaussianBlur(0.7))


def surface(rng: Generator, size: tuple[int, int]) -> Image.Image:
    """A plain table, cloth, paper or floor: one colour with smooth and fine noise."""
    base = rng.uniform(20, 235) + rng.normal(0, 25, 3)
    coarse = rng.normal(0, rng.uniform(2, 30), (rng.integers(2, 9), rng.integers(2, 9), 1))
    texture = Image.fromarray(np.clip(base + coarse, 0, 255).astype(np.uint8)).resize(size, BICUBIC)
    fine = rng.normal(0, rng.uniform(0, 14), (size[1], size[0], 1))
    if rng.random() < 0.3:  # boards, stripes, corduroy
        wave = np.sin(np.arange(size[0]) / rng.uniform(2, 30))[None, :, None] * rng.uniform(3, 20)
        fine = fine + wave
    return Image.fromarray(np.clip(np.asarray(texture) + fine, 0, 255).astype(np.uint8))


def light(rng: Generator, image: Image.Image) -> Image.Image:
    """Brightness, contrast, colour and a tint, within what phones do."""
    for tool, spread in ((ImageEnhance.Brightness, 0.3), (ImageEnhance.Contrast, 0.25), (ImageEnhance.Color, 0.4)):
        image = tool(image).enhance(float(np.exp(rng.normal(0, spread))))
    tint = np.exp(rng.normal(0, 0.06, 3))
    return Image.fromarray(np.clip(np.asarray(image) * tint, 0, 255).astype(np.uint8))


def degrade(rng: Generator, image: Image.Image) -> Image.Image:
    """Blur, a smaller copy, and JPEG recompression."""
    if rng.random() < 0.25:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.6)))
    if rng.random() < 0.25:
        factor = rng.uniform(0.35, 0.8)
        small = (max(16, int(image.width * factor)), max(16, int(image.height * factor)))
        image = image.resize(small, BICUBIC)
    if rng.random() < 0.5:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=int(rng.uniform(25, 90)))
        image = Image.open(buffer).convert("RGB")
    return image
