"""Pictures composed from cut-outs, with exact masks: seized things on desks and floors, in bags and hands, in collages.

Where things are is kept in a map of the picture's size with one of the classes below per pixel; it moves with the
picture, so that the mask costs nobody's time and is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from PIL import Image, ImageDraw, ImageFilter

from bladecheck_training.augment import BICUBIC, BILINEAR, Box, surface

NOTHING, BLADE, REST, EITHER, UNKNOWN = range(5)
"""Classes of the map: no knife; blade; the rest of a knife; blade or rest; may be anything."""
Classes = npt.NDArray[np.uint8]
Points = Sequence[tuple[float, float]]
NEAREST = Image.Resampling.NEAREST


@dataclass(frozen=True)
class Piece:
    """A thing that was cut out: RGB picture, "L" mask of where it is, "L" map of classes; all of one size."""

    image: Image.Image
    alpha: Image.Image
    classes: Image.Image


@dataclass(frozen=True)
class Scene:
    """An RGB picture and its "L" map of classes, of the same size."""

    image: Image.Image
    classes: Image.Image


def plain(image: Image.Image, value: int = NOTHING) -> Scene:
    """A picture of which everything is of one class."""
    return Scene(image, Image.new("L", image.size, value))


def boxed(image: Image.Image, boxes: Sequence[Box]) -> Scene:
    """A knife picture: unknown in its boxes (left, top, right, bottom in 0..1), nothing outside; no box: unknown."""
    if not boxes:
        return plain(image, UNKNOWN)
    scene = plain(image)
    pen, (width, height) = ImageDraw.Draw(scene.classes), image.size
    for left, top, right, bottom in boxes:
        pen.rectangle((left * width, top * height, right * width, bottom * height), fill=UNKNOWN)
    return scene


def outlined(image: Image.Image, parts: Sequence[tuple[str, Points]]) -> Scene:
    """A picture whose knives are outlined: ("blade" or "handle", points in per cent of width and height)."""
    scene = plain(image)
    pen, (width, height) = ImageDraw.Draw(scene.classes), image.size
    for name in ("handle", "blade"):
        for part, points in parts:
            if part == name and len(points) > 2:
                pen.polygon([(x * width / 100, y * height / 100) for x, y in points],
                            fill=BLADE if name == "blade" else REST)  # fmt: skip
    return scene


def lifted(scene: Scene) -> Piece:
    """What is outlined in a scene, as a piece."""
    alpha = scene.classes.point(lambda value: 255 if value in (BLADE, REST, EITHER) else 0)
    box = alpha.getbbox() or (0, 0, *scene.image.size)
    soft = alpha.filter(ImageFilter.GaussianBlur(0.7))
    return Piece(scene.image.crop(box), soft.crop(box), scene.classes.crop(box))


def piece(image: Image.Image, alpha: Image.Image, knife: bool) -> Piece:
    """A thing with its mask; of a knife it is not known which part is the blade."""
    box = alpha.getbbox() or (0, 0, *image.size)
    classes = alpha.point(lambda value: (EITHER if knife else NOTHING) if value > 127 else NOTHING)
    return Piece(image.crop(box), alpha.crop(box), classes.crop(box))


def lay(rng: Generator, scene: Scene, thing: Piece, reach: tuple[float, float]) -> Scene:
    """Lay a piece on a scene at any angle, its longer side `reach` of the shorter side of the scene, with a shadow."""
    angle = rng.uniform(0, 360)
    image, alpha, classes = (
        thing.image.rotate(angle, BICUBIC, expand=True),
        thing.alpha.rotate(angle, BICUBIC, expand=True),
        thing.classes.rotate(angle, NEAREST, expand=True),
    )
    box = alpha.getbbox()
    if box is None:
        return scene
    image, alpha, classes = image.crop(box), alpha.crop(box), classes.crop(box)
    canvas = scene.image.size
    factor = rng.uniform(*reach) * min(canvas) / max(image.size)
    size = (max(6, int(image.width * factor)), max(6, int(image.height * factor)))
    image, alpha, classes = image.resize(size, BICUBIC), alpha.resize(size, BILINEAR), classes.resize(size, NEAREST)
    spare = [max(1, side - part) for side, part in zip(canvas, size, strict=True)]
    at = (int(rng.uniform(0, spare[0])), int(rng.uniform(0, spare[1])))
    placed = Image.new("L", canvas)
    placed.paste(alpha, at)
    strength = rng.uniform(0.1, 0.5)
    shade = placed.filter(ImageFilter.GaussianBlur(rng.uniform(2, 6))).point(lambda v: int(v * strength))
    result = Image.composite(Image.new("RGB", canvas), scene.image, shade)
    result.paste(image, at, alpha)
    found = scene.classes.copy()
    found.paste(classes, at, alpha.point(lambda value: 255 if value > 127 else 0))
    return Scene(result, found)


def desk(rng: Generator, photos: Sequence[Image.Image]) -> Image.Image:
    """What things lie on: a plain surface, often with papers and a red notebook, or a photo without a knife."""
    side = float(np.exp(rng.uniform(-0.35, 0.35)))
    size = (448, max(224, int(448 / side))) if side > 1 else (max(224, int(448 * side)), 448)
    if photos and rng.random() < 0.45:
        return photos[int(rng.integers(len(photos)))].resize(size, BICUBIC)
    image = surface(rng, size)
    for _ in range(int(rng.integers(0, 3))):
        image = _sheet(rng, image, red=rng.random() < 0.5)
    return image


def _sheet(rng: Generator, image: Image.Image, red: bool) -> Image.Image:
    """A notebook (red, perhaps with rings and a white label) or a paper with lines of writing, at an angle."""
    width, height = image.size
    w, h = int(rng.uniform(0.2, 0.5) * width), int(rng.uniform(0.2, 0.5) * height)
    low = (int(rng.uniform(150, 225)), int(rng.uniform(10, 50)), int(rng.uniform(15, 60)))
    sheet = Image.new("RGBA", (w, h), (*low, 255) if red else (*(int(v) for v in rng.uniform(200, 250, 3)), 255))
    pen = ImageDraw.Draw(sheet)
    if red:
        if rng.random() < 0.6:
            pen.rectangle((w * 0.25, h * 0.2, w * 0.75, h * 0.4), fill=(240, 240, 235, 255))
        for x in range(4, w, max(6, w // 14)):
            pen.ellipse((x, 0, x + 4, 6), fill=(60, 60, 60, 255))
    else:
        for y in range(6, h, max(5, h // 16)):
            pen.line((w * 0.1, y, w * rng.uniform(0.4, 0.9), y), fill=(90, 90, 100, 255))
    turned = sheet.rotate(rng.uniform(-60, 60), BICUBIC, expand=True)
    result = image.copy()
    at = (int(rng.uniform(-0.3, 0.9) * width), int(rng.uniform(-0.3, 0.9) * height))
    result.paste(turned.convert("RGB"), at, turned.getchannel("A"))
    return result


def bag(rng: Generator, scene: Scene) -> Scene:
    """A clear evidence bag over it: a milky veil, creases that gleam, a printed strip beside or over the thing."""
    image = scene.image.convert("RGBA")
    veil = Image.new("RGBA", image.size, (235, 238, 240, int(rng.uniform(15, 70))))
    pen, (width, height) = ImageDraw.Draw(veil), image.size
    for _ in range(int(rng.integers(3, 12))):
        x, y = rng.uniform(0, width), rng.uniform(0, height)
        points = [(x + rng.normal(0, 0.25) * width, y + rng.normal(0, 0.25) * height) for _ in range(3)]
        pen.line(points, fill=(255, 255, 255, int(rng.uniform(40, 190))), width=int(rng.uniform(1, 6)))
    if rng.random() < 0.6:
        at = rng.uniform(0, 0.85) * height
        colour = ((200, 30, 40), (30, 60, 160), (245, 245, 245))[int(rng.integers(3))]
        pen.rectangle((0, at, width, at + rng.uniform(0.03, 0.12) * height), fill=(*colour, 255))
        band = (0, int(at), width, int(at + 0.03 * height))
        classes = scene.classes.copy()
        ImageDraw.Draw(classes).rectangle(band, fill=NOTHING)
        scene = Scene(scene.image, classes)
    veil = veil.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.5)))
    return Scene(Image.alpha_composite(image, veil).convert("RGB"), scene.classes)


def fingers(rng: Generator, scene: Scene) -> Scene:
    """Some fingers of any skin colour over the scene; what they hide is no longer there."""
    image, classes = scene.image.copy(), scene.classes.copy()
    tone = np.array([228, 186, 160]) * rng.uniform(0.35, 1.05) + rng.normal(0, 8, 3)
    width, height = image.size
    x, y, angle = rng.uniform(0.1, 0.9) * width, rng.uniform(0.1, 0.9) * height, rng.uniform(0, 2 * np.pi)
    thick = rng.uniform(0.05, 0.1) * min(width, height)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    for number in range(int(rng.integers(2, 5))):
        start = np.array([x, y]) + across * number * thick * 1.1
        end = start + along * thick * rng.uniform(2.5, 6)
        colour = tuple(int(v) for v in np.clip(tone + rng.normal(0, 6, 3), 0, 255))
        for pen, fill in ((ImageDraw.Draw(image), colour), (ImageDraw.Draw(classes), NOTHING)):
            pen.line((*start, *end), fill=fill, width=int(thick))
            for point in (start, end):
                pen.ellipse((*(point - thick / 2), *(point + thick / 2)), fill=fill)
    return Scene(image, classes)


def collage(rng: Generator, tiles: Sequence[Scene], columns: int) -> Scene:
    """Scenes side by side in a grid, each filling its tile, with or without seams."""
    rows = -(-len(tiles) // columns)
    seam = int(rng.integers(0, 7))
    size = (448 // columns, 448 // columns)
    canvas = (columns * size[0] + seam * (columns - 1), rows * size[1] + seam * (rows - 1))
    colour = int(rng.choice((0, 128, 255)))
    image, classes = Image.new("RGB", canvas, (colour,) * 3), Image.new("L", canvas)
    for index, tile in enumerate(tiles):
        at = ((index % columns) * (size[0] + seam), (index // columns) * (size[1] + seam))
        image.paste(tile.image.resize(size, BICUBIC), at)
        classes.paste(tile.classes.resize(size, NEAREST), at)
    return Scene(image, classes)


def turned(rng: Generator, scene: Scene) -> Scene:
    """Mirrored, turned by quarters and a little, and cropped; what comes in at the corners is of the edge's colour."""
    image, classes = scene.image, scene.classes
    for method, chance in ((Image.Transpose.ROTATE_90, 0.5), (Image.Transpose.FLIP_LEFT_RIGHT, 0.5),
                           (Image.Transpose.FLIP_TOP_BOTTOM, 0.5)):  # fmt: skip
        if rng.random() < chance:
            image, classes = image.transpose(method), classes.transpose(method)
    if rng.random() < 0.5:
        angle = float(rng.normal(0, 25))
        edge = np.concatenate([np.asarray(image)[0], np.asarray(image)[-1]])
        fill = tuple(int(v) for v in np.median(edge, axis=0))
        image = image.rotate(angle, BICUBIC, expand=True, fillcolor=fill)
        classes = classes.rotate(angle, NEAREST, expand=True)
    return part(Scene(image, classes), random_box(rng, 0.55, 1.0))


def random_box(rng: Generator, least: float, most: float) -> Box:
    """A box of random size and place, (left, top, right, bottom) in 0..1; each side between `least` and `most`."""
    w, h = rng.uniform(least, most), rng.uniform(least, most)
    left, top = rng.uniform(0, 1 - w), rng.uniform(0, 1 - h)
    return (left, top, left + w, top + h)


def part(scene: Scene, box: Box) -> Scene:
    """What lies in a box (left, top, right, bottom in 0..1)."""
    width, height = scene.image.size
    cut = (int(box[0] * width), int(box[1] * height), max(1, int(box[2] * width)), max(1, int(box[3] * height)))
    return Scene(scene.image.crop(cut), scene.classes.crop(cut))


def cells(classes: Image.Image, side: int) -> Classes:
    """Share of each cell that is blade, rest, either and unknown, uint8 [4, side, side], 255 for all of it."""
    pixels = np.asarray(classes)
    return np.stack([
        np.asarray(Image.fromarray((pixels == value).astype(np.uint8) * 255).resize((side, side), Image.Resampling.BOX))
        for value in (BLADE, REST, EITHER, UNKNOWN)
    ])  # fmt: skip
