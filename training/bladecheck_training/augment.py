"""Pictures as they might have been taken: any rotation, crop, light, blur, recompression, other scenes, things beside.

Everything works on a `Sample`: an RGB picture and, where known, a mask of where the knife is, moved along with it.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter
from scipy import ndimage

Box = tuple[float, float, float, float]
BICUBIC, BILINEAR = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR


@dataclass(frozen=True)
class Sample:
    """A picture in the making.

    Attributes:
        image: RGB.
        mask: "L", same size, 255 where the object of interest may be; None if it may be anywhere.
    """

    image: Image.Image
    mask: Image.Image | None = None


def box_mask(size: tuple[int, int], boxes: Sequence[tuple[float, float, float, float]]) -> Image.Image:
    """Mask of boxes given as (left, top, right, bottom) in 0..1."""
    mask = Image.new("L", size)
    pen = ImageDraw.Draw(mask)
    for left, top, right, bottom in boxes:
        pen.rectangle((left * size[0], top * size[1], right * size[0], bottom * size[1]), fill=255)
    return mask


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


def composite(rng: Generator, sample: Sample, alpha: Image.Image, scene: Image.Image) -> Sample:
    """Lay the cut-out object on another scene, at any angle and size, with a soft shadow."""
    angle, scale = rng.uniform(0, 360), rng.uniform(0.45, 0.95)
    turned = sample.image.rotate(angle, BICUBIC, expand=True, fillcolor=(255, 255, 255))
    mask = alpha.rotate(angle, BICUBIC, expand=True)
    box = mask.getbbox()
    if box is None:
        return sample
    turned, mask = turned.crop(box), mask.crop(box)
    side = rng.uniform(0.8, 1.25)
    canvas = (336, max(160, int(336 / side))) if side > 1 else (max(160, int(336 * side)), 336)
    factor = scale * min(canvas[0] / turned.width, canvas[1] / turned.height)
    size = (max(8, int(turned.width * factor)), max(8, int(turned.height * factor)))
    turned, mask = turned.resize(size, BICUBIC), mask.resize(size, BILINEAR)
    at = (int(rng.uniform(0, canvas[0] - size[0] + 1)), int(rng.uniform(0, canvas[1] - size[1] + 1)))
    result = scene.resize(canvas, BICUBIC)
    placed = Image.new("L", canvas)
    placed.paste(mask, at)
    strength = rng.uniform(0.1, 0.5)
    shadow = ImageChops.offset(placed.filter(ImageFilter.GaussianBlur(4)), 3, 4).point(lambda v: int(v * strength))
    result = Image.composite(Image.new("RGB", canvas), result, shadow)
    result.paste(turned, at, mask)
    return Sample(result, placed)


def rotate(rng: Generator, sample: Sample) -> Sample:
    """Quarter turns and flips always keep every pixel; other angles fill corners with the picture's own edge colour."""
    image, mask = sample.image, sample.mask
    for method, chance in ((Image.Transpose.ROTATE_90, 0.5), (Image.Transpose.FLIP_LEFT_RIGHT, 0.5),
                           (Image.Transpose.FLIP_TOP_BOTTOM, 0.5)):  # fmt: skip
        if rng.random() < chance:
            image, mask = image.transpose(method), mask and mask.transpose(method)
    if rng.random() < 0.5:
        angle = float(rng.normal(0, 25))
        edge = np.concatenate([np.asarray(image)[0], np.asarray(image)[-1]])
        fill = tuple(int(v) for v in np.median(edge, axis=0))
        image = image.rotate(angle, BICUBIC, expand=True, fillcolor=fill)
        mask = mask and mask.rotate(angle, BILINEAR, expand=True)
    return Sample(image, mask)


def crop(rng: Generator, sample: Sample) -> Sample:
    """A tighter view; where the knife is known the crop keeps most of it, elsewhere it stays loose."""
    width, height = sample.image.size
    keep = rng.uniform(0.45 if sample.mask is not None else 0.8, 1.0)
    ratio = float(np.exp(rng.uniform(-0.15, 0.15)))
    w, h = min(width, width * keep * ratio), min(height, height * keep / ratio)
    for _ in range(8):
        left, top = rng.uniform(0, width - w + 1e-6), rng.uniform(0, height - h + 1e-6)
        box = (int(left), int(top), int(left + w), int(top + h))
        if sample.mask is None:
            break
        whole = np.asarray(sample.mask).sum()
        if whole == 0 or np.asarray(sample.mask.crop(box)).sum() > 0.7 * whole:
            break
    else:
        return sample
    return Sample(sample.image.crop(box), sample.mask and sample.mask.crop(box))


def beside(rng: Generator, sample: Sample) -> Sample:
    """Put coloured cards (a red one often: notebooks lie beside seized knives) or glare streaks on the picture."""
    image = sample.image.copy()
    pen = ImageDraw.Draw(image, "RGBA")
    width, height = image.size
    for _ in range(rng.integers(1, 3)):
        w, h = rng.uniform(0.1, 0.35) * width, rng.uniform(0.1, 0.35) * height
        x, y = rng.choice([-0.3 * w, width - 0.7 * w]), rng.uniform(-0.3 * h, height - 0.7 * h)
        red = rng.random() < 0.4
        colour = (int(rng.uniform(140, 220)), 25, 40) if red else tuple(int(v) for v in rng.uniform(0, 255, 3))
        pen.rectangle((x, y, x + w, y + h), fill=(*colour, 255))
    if rng.random() < 0.4:  # an evidence bag's gleam
        for _ in range(rng.integers(1, 5)):
            points = [(rng.uniform(0, width), rng.uniform(0, height)) for _ in range(3)]
            pen.polygon(points, fill=(255, 255, 255, int(rng.uniform(15, 80))))
    return replace(sample, image=image)


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


def augment(rng: Generator, sample: Sample, scenes: Sequence[Image.Image]) -> Sample:
    """One random variant. Objects on a plain light ground are mostly moved to another scene, whatever they are."""
    alpha = cut_out(sample.image) if rng.random() < 0.65 else None
    if alpha is not None:
        real = len(scenes) > 0 and rng.random() < 0.5
        scene = scenes[int(rng.integers(len(scenes)))] if real else surface(rng, (336, 336))
        sample = composite(rng, sample, alpha, scene)
    else:
        sample = crop(rng, rotate(rng, sample))
    if rng.random() < 0.2:
        sample = beside(rng, sample)
    return replace(sample, image=degrade(rng, light(rng, sample.image)))
