"""What all trainings of a run share: the views, what is known of them, and which of them may be trained on."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from bladecheck.core.preprocess import Pixels
from bladecheck_training import losses, predict, truth
from bladecheck_training.cache import Cache
from bladecheck_training.config import Config
from bladecheck_training.manifest import FOLDS, Row, split_by_group
from bladecheck_training.net import NAMES, WIDTH
from bladecheck_training.views import Library

TEACHER = "teacher.npy"
PREDICTIONS = "predictions.npz"
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Study:
    """Everything that the trainings share.

    Attributes:
        columns: place in the cached parent's logits of each name.
        kept: columns of this network's logits that stay the parent's.
        teacher, pixels: as in `train.Task`.
    """

    config: Config
    library: Library
    cache: Cache
    inputs: predict.Inputs
    folder: Path
    columns: Mapping[str, int] = dataclasses.field(default_factory=dict)
    kept: tuple[int, ...] = ()
    teacher: torch.Tensor | None = None
    pixels: bool = False

    @property
    def rows(self) -> list[Row]:
        return list(self.library.rows.values())

    @cached_property
    def truths(self) -> list[truth.Truth]:
        """What is known of each view."""
        return [truth.of(view, self.library, cells)
                for view, cells in zip(self.cache.views, np.asarray(self.cache.cells), strict=True)]  # fmt: skip

    @cached_property
    def targets(self) -> losses.Targets:
        """The same for the loss; police pictures count `police_weight` times."""
        police = np.array([any(self._split(name) == "police" for name in view.ids) for view in self.cache.views])
        training = np.zeros(len(police), bool)
        training[self.training_views(())] = True
        weight = np.where(police, self.config.optimisation.police_weight, 1.0)
        return losses.targets(self.truths, weight, training, self._asked())

    def _asked(self) -> torch.Tensor:
        """The parent's answers in this network's columns, NaN where it has none, float [M, WIDTH]."""
        answers = torch.full((len(self.cache.views), WIDTH), float("nan"))
        if self.cache.logits is not None:
            known = torch.from_numpy(np.array(self.cache.logits))
            for place, name in enumerate(NAMES):
                if name in self.columns:
                    answers[:, place] = known[:, self.columns[name]]
        return answers

    def _split(self, name: str) -> str:
        return self.library.rows[name].split if name in self.library.rows else "train"

    def training_views(self, police: Collection[str]) -> Index:
        """Views made of training pictures, and of the police pictures with these ids, of which something is known."""
        rows, found = self.library.rows, []
        for index, view in enumerate(self.cache.views):
            splits = {self._split(name) if name not in police else "train" for name in view.ids}
            known = all(rows[name].knife is not None for name in view.ids if name in rows)
            if splits == {"train"} and known and self.cache.made[index]:
                found.append(index)
        return np.array(found, np.int64)

    def looks(self, names: Sequence[str]) -> Index:
        """Views of held-out pictures, the whole first and then each look, [N, J]."""
        place = {(view.kind, view.ids[0], view.number): index for index, view in enumerate(self.cache.views)
                 if view.kind in ("whole", "look")}  # fmt: skip
        numbers = range(len(self.config.crops))
        found = np.array([[place["whole", name, 0], *(place["look", name, k] for k in numbers)] for name in names],
                         np.int64).reshape(len(names), 1 + len(numbers))  # fmt: skip
        if not self.cache.made[found].all():
            raise ValueError("Some held-out pictures are not cached yet; run prepare again.")
        return found

    def named(self, split: str) -> list[str]:
        """Ids of one split, labelled or not."""
        return [row.id for row in self.rows if row.split == split]

    def some_pixels(self, count: int = 16) -> Pixels:
        """The first `dev` pictures as a whole, uint8 [count, S, S, 3]."""
        return np.asarray(self.cache.pixels[self.looks(self.named("dev")[:count])[:, 0]])


def kept_inputs(cache: Cache) -> predict.Inputs:
    """What heads read if the parent's trunk is kept: its tokens and those of its middle."""
    tokens, middle = cache.tokens, cache.middle
    assert tokens is not None
    assert middle is not None

    def both(index: Index) -> torch.Tensor:
        return torch.from_numpy(np.concatenate([tokens[index], middle[index]], 2).astype(np.float32))

    return both


def police_folds(rows: Sequence[Row]) -> list[list[str]]:
    """Ids of split "police" in FOLDS parts; groups stay together. Empty parts if there is no such row."""
    police = [row for row in rows if row.split == "police"]
    fold = split_by_group(police, FOLDS)
    return [[row.id for row in police if fold[row.group] == part] for part in range(FOLDS)]
