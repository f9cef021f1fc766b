"""The list of views: pictures whole, by looks, turned and cropped, composed from cut-outs, and unlabelled ones.

Each view is made anew from its own random numbers, so that a list made today is the same tomorrow, on any machine.
"""

from __future__ import annotations

import csv
import functools
import random
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from numpy.random import Generator
from PIL import Image

from bladecheck.core import images
from bladecheck.core.preprocess import Pixels, Spec, prepare
from bladecheck.errors import BladecheckError
from bladecheck_training import augment, compose
from bladecheck_training.augment import Box
from bladecheck_training.compose import Classes, Scene
from bladecheck_training.config import Data
from bladecheck_training.manifest import Row

CELLS = 28
"""Rows and columns of the masks that views carry."""
SCENES = 250
MIX = {"zombie": 3.0, "utility": 3.0, "folding": 3.0, "fixed": 3.0, "kitchen": 3.0, "machete": 1.0, "sword": 1.0,
       "cutlery": 0.7}  # fmt: skip
"""How often cut-out knives of each kind are laid on scenes, relatively."""


@dataclass(frozen=True)
class View:
    """One input of the network.

    Attributes:
        kind: "whole"; "look" (part `number` of the looks); "turned"; "part" (a random crop); "laid", "tools" and
            "collage" (composed); "lifted" (an outlined knife on another scene); "pool" (unlabelled; odd numbers are
            random crops).
        ids: of the pictures that it is made from.
        number: chooses its random numbers.
    """

    kind: str
    ids: tuple[str, ...]
    number: int = 0


class Library:
    """The pictures that views are made from, and the cut-outs and scenes among them."""

    def __init__(self, rows: Sequence[Row], data: Data) -> None:
        self.rows, self.data = {row.id: row for row in rows}, data
        self.pool: dict[str, str] = {}
        if data.pool:
            with (Path(data.pool) / "pool.csv").open(newline="", encoding="utf-8-sig") as stream:
                self.pool = {line["id"]: line["source_repo"] for line in csv.DictReader(stream)}
        self.open = functools.lru_cache(16)(self._open)

    def _open(self, name: str) -> Image.Image:
        if name in self.rows:
            return open_row(self.rows[name])
        return _opened(Path(self.data.pool) / "images" / f"{name}.jpg")

    @property
    def training(self) -> list[Row]:
        """Rows of split "train" whose knife label is known."""
        return [row for row in self.rows.values() if row.split == "train" and row.knife is not None]

    @functools.cached_property
    def harmless(self) -> list[str]:
        """Ids of the pool's pictures from sources without weapons, shuffled."""
        found = [name for name, source in self.pool.items() if source not in self.data.no_scenes]
        random.Random(0).shuffle(found)  # noqa: S311
        return found

    @functools.cached_property
    def photos(self) -> list[Image.Image]:
        """Knife-free pictures to lay things on: of split "train" and of the pool only, never held-out ones."""
        easy = [row.id for row in self.training if row.knife == 0
                and (row.source in self.data.easy or row.other in self.data.streets)]  # fmt: skip
        found = [self._open(name).copy() for name in (*easy[::6][:SCENES], *self.harmless[:SCENES])]
        for photo in found:
            photo.thumbnail((448, 448))
        return found

    @functools.cached_property
    def cut_outs(self) -> tuple[dict[str, list[str]], list[str]]:
        """Ids of training pictures on a plain light ground: knives by kind of blade, and other things."""
        knives: dict[str, list[str]] = {}
        things: list[str] = []
        for row in self.training:
            if row.knife and row.blade and augment.cut_out(self._open(row.id)) is not None:
                knives.setdefault(row.blade, []).append(row.id)
        for row in self.training:
            tool = row.knife == 0 and not row.labels.get("gun") and row.source in self.data.tools
            if tool and augment.cut_out(self._open(row.id)) is not None:
                things.append(row.id)
        return knives, things

    def piece(self, name: str) -> compose.Piece:
        """A cut-out picture as a piece."""
        image = self.open(name)
        alpha = augment.cut_out(image)
        assert alpha is not None
        return compose.piece(image, alpha, self.rows[name].knife == 1)

    def scene(self, name: str) -> Scene:
        """A picture with what is known of where its knife is."""
        image, row = self.open(name), self.rows.get(name)
        if row is None or row.knife == 0:
            return compose.plain(image, compose.UNKNOWN if row is None else compose.NOTHING)
        if row.outline:
            return compose.outlined(image, row.outline)
        return compose.boxed(image, row.boxes)


def plan(library: Library, crops: Sequence[Box]) -> list[View]:
    """All views: held-out pictures by every look first, then what is trained on."""
    rows, data = list(library.rows.values()), library.data
    held = [row.id for split in ("police", "dev") for row in rows if row.split == split]
    police = [row for row in rows if row.split == "police" and row.knife is not None]
    views = [View("whole", (name,)) for name in held]
    views += [View("look", (name,), number) for name in held for number in range(len(crops))]
    views += [View("turned", (row.id,), number) for number in range(1, data.police_views + 1) for row in police]
    views += [View("whole", (name,)) for name in _whole(library)]
    views += _parts(library)
    views += _composed(library)
    outlined = sorted(row.id for row in police if row.outline)
    views += [View("lifted", (name,), number) for number in range(11, 11 + data.lifted) for name in outlined]
    names = list(library.pool)
    random.Random(9).shuffle(names)  # noqa: S311
    return views + [View("pool", (name,), index % 2) for index, name in enumerate(names[: data.unlabelled])]


def _whole(library: Library) -> list[str]:
    """Training pictures to use whole: rare kinds and other weapons all, the rest as far as wanted."""
    wanted, rng = library.data.whole, random.Random(0)  # noqa: S311
    rare = [row.id for row in library.training
            if (row.knife and row.blade not in ("kitchen", "cutlery", None)) or row.weapon]  # fmt: skip
    taken = set(rare)
    rest = [row.id for row in library.training if row.id not in taken]
    rng.shuffle(rest)
    return rare + (rest[: max(0, wanted - len(rare))] if wanted else rest)


def _parts(library: Library) -> list[View]:
    easy, rng, wanted = library.data.easy, random.Random(3), library.data.parts  # noqa: S311
    knives = [row.id for row in library.training if row.knife]
    others = [row.id for row in library.training if row.knife == 0 and row.source not in easy]
    picked = rng.sample(knives, min(len(knives), wanted * 2 // 3)) + rng.sample(others, min(len(others), wanted // 3))
    return [View("part", (name,), 21) for name in picked]


def _composed(library: Library) -> list[View]:
    """Knives and tools laid on scenes, and 2 x 2 collages with one knife or none."""
    if not library.data.laid:
        return []
    rng, (knives, things), easy = random.Random(5), library.cut_outs, library.data.easy  # noqa: S311
    kinds = [kind for kind in MIX if kind in knives]
    hard = [row.id for row in library.training if row.knife == 0 and row.source not in easy]
    every = [row.id for row in library.training if row.knife]
    harmless, views = library.harmless, []
    for number in range(library.data.laid):
        chance = rng.random()
        if chance < 0.5 and kinds:
            ids = [rng.choice(knives[rng.choices(kinds, [MIX[kind] for kind in kinds])[0]])]
            if rng.random() < 0.35 and len(things) > 1:
                ids += rng.sample(things, rng.choice((1, 2)))
            views.append(View("laid", tuple(ids), number))
        elif chance < 0.78 and len(things) > 2:
            views.append(View("tools", tuple(rng.sample(things, rng.choice((1, 1, 2, 3)))), number))
        else:
            mixed, calm = hard + harmless, harmless or hard
            ids = [rng.choice(mixed) if rng.random() < 0.6 else rng.choice(calm) for _ in range(4)]
            if rng.random() < 0.6:
                ids[rng.randrange(4)] = rng.choice(every)
            views.append(View("collage", tuple(ids), number))
    return views


def open_row(row: Row) -> Image.Image:
    """The picture as RGB, at full size, through the service's own loader.

    Raises:
        ValueError: naming a file that can't be read as a picture.
    """
    return _opened(row.path)


def _opened(path: Path) -> Image.Image:
    try:
        return images.load(path.read_bytes()).frames[0]
    except (OSError, BladecheckError) as error:
        raise ValueError(f"{path}: {error}") from error


def render(view: View, library: Library, spec: Spec, crops: Sequence[Box]) -> tuple[Pixels, Classes]:
    """Pixels uint8 [size, size, 3] of a view and its cells uint8 [4, CELLS, CELLS] (see `compose.cells`)."""
    box = _box(view, crops)
    if box:
        scene = library.scene(view.ids[0])
        return look(scene.image, spec, box), compose.cells(compose.part(scene, box).classes, CELLS)
    scene = _scene(view, library)
    return prepare(scene.image, spec), compose.cells(scene.classes, CELLS)


def _box(view: View, crops: Sequence[Box]) -> Box | None:
    """The part of its picture that a view is, if it is nothing but a part."""
    if view.kind == "look":
        return crops[view.number]
    return compose.random_box(_rng(view), 0.5, 0.75) if view.kind == "pool" and view.number % 2 else None


def look(image: Image.Image, spec: Spec, crop: Box) -> Pixels:
    """A crop of a picture as the network's input, in one resize, as the service does it."""
    (width, height), (left, top, right, bottom) = image.size, crop
    box = (left * width, top * height, right * width, bottom * height)
    return np.asarray(image.resize((spec.size, spec.size), Image.Resampling.BICUBIC, box=box))


def _scene(view: View, library: Library) -> Scene:
    rng = _rng(view)
    if view.kind in ("laid", "tools", "collage"):
        return _worn(rng, _compose(view, library, rng))
    scene = library.scene(view.ids[0])
    if view.kind in ("whole", "pool"):
        return scene
    return _worn(rng, _moved(view, library, scene, rng))


def _moved(view: View, library: Library, scene: Scene, rng: Generator) -> Scene:
    """The picture turned, cropped, or with its knife lifted onto another scene."""
    if view.kind == "turned":
        scene = compose.turned(rng, scene)
        return compose.bag(rng, scene) if rng.random() < 0.2 else scene
    if view.kind == "part":
        return compose.part(scene, compose.random_box(rng, 0.5, 0.75))
    knife = compose.lifted(scene)
    scene = compose.plain(compose.desk(rng, library.photos))
    things = library.cut_outs[1]
    if rng.random() < 0.3 and things:
        scene = compose.lay(rng, scene, library.piece(things[int(rng.integers(len(things)))]), (0.2, 0.6))
    scene = compose.lay(rng, scene, knife, (0.25, 1.1))
    if rng.random() < 0.3:
        scene = compose.fingers(rng, scene)
    return compose.bag(rng, scene) if rng.random() < 0.25 else scene


def _compose(view: View, library: Library, rng: Generator) -> Scene:
    if view.kind == "collage":
        return compose.collage(rng, [library.scene(name) for name in view.ids], 2)
    scene = compose.plain(compose.desk(rng, library.photos))
    order = list(view.ids)
    if view.kind == "laid":
        rng.shuffle(order)
    for name in order:
        scene = compose.lay(rng, scene, library.piece(name), (0.25, 1.1) if len(order) == 1 else (0.2, 0.7))
    if rng.random() < 0.25:
        scene = compose.fingers(rng, scene)
    return compose.bag(rng, scene) if rng.random() < 0.25 else scene


def _worn(rng: Generator, scene: Scene) -> Scene:
    """In other light, blurred and recompressed."""
    return Scene(augment.degrade(rng, augment.light(rng, scene.image)), scene.classes)


def _rng(view: View) -> Generator:
    if view.kind in ("laid", "tools", "collage"):
        return np.random.default_rng([view.number, 11])
    return np.random.default_rng([zlib.crc32(view.ids[0].encode()), view.number, 7])


def soft(cells: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """Shares 0..1 of cells' classes, [..., 4, CELLS, CELLS]."""
    return (cells / np.float32(255)).astype(np.float32)
