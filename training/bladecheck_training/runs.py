"""Which trainings there are.

First the trunk and heads without any police picture. Then, with that trunk fixed, the heads alone go on with police
pictures: once per fold for cross-validation, and once with all of them for the model that ships. Two hundred police
pictures are too few to bend a trunk to, and fixed trunks make the folds an honest picture of what ships.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from torch import nn

from bladecheck.core.preprocess import Pixels
from bladecheck_training import losses, predict, train
from bladecheck_training.cache import Cache
from bladecheck_training.config import Config, Optimisation
from bladecheck_training.manifest import FOLDS, Row, split_by_group
from bladecheck_training.net import HeadsOnly

HEAD_EPOCHS = 2.0
TEACHER = "teacher.npy"
Index = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Study:
    """Everything that the runs share; `teacher` and `pixels` as in `train.Task`."""

    config: Config
    rows: Sequence[Row]
    cache: Cache
    inputs: predict.Inputs
    folder: Path
    teacher: torch.Tensor | None = None
    pixels: bool = False

    @property
    def row_of(self) -> Index:
        return np.array([view.row for view in self.cache.views])

    def training_views(self, police: Sequence[int]) -> Index:
        """Views of train rows, and of the given police rows, where knife is known."""
        allowed = set(police) | {i for i, row in enumerate(self.rows) if row.split == "train"}
        return np.array([m for m, view in enumerate(self.cache.views)
                         if view.row in allowed and self.rows[view.row].knife is not None], np.int64)  # fmt: skip

    def plain_views(self, split: str) -> Index:
        """Unaugmented views of one split, labelled or not."""
        return np.array([m for m, view in enumerate(self.cache.views)
                         if view.number == 0 and self.rows[view.row].split == split], np.int64)  # fmt: skip

    def some_pixels(self, count: int = 16) -> Pixels:
        """The first plain `dev` pictures, uint8 [count, S, S, 3]."""
        return np.asarray(self.cache.pixels[self.plain_views("dev")[:count]])


def police_folds(rows: Sequence[Row]) -> list[list[int]]:
    """Row indices of split "police" in FOLDS parts; groups stay together. Empty parts if there is no such row."""
    police = [index for index, row in enumerate(rows) if row.split == "police"]
    fold = split_by_group([rows[index] for index in police], FOLDS)
    return [[index for index in police if fold[rows[index].group] == part] for part in range(FOLDS)]


def run_all(study: Study, net: nn.Module) -> None:
    """Train everything.

    Writes into `folder`: final.pt, the network that ships, not yet compressed; predictions.npz, logits and patches of
    "unseen" (police) from the network that saw no police picture, "police" cross-validated, and "final" (dev, from the
    network that ships), each with its row indices; and teacher.npy for students, logits of every view from the
    network that saw no police picture. Without police pictures there is neither "unseen" nor "police".
    """
    settings = study.config.optimisation
    pretrained = copy.deepcopy(net.state_dict())
    first = train_views(study, net, study.training_views([]), "no-police", settings.epochs, settings)
    blend(first, pretrained, settings.keep_pretrained)
    tuned = tuned_inputs(study, first)
    before = HeadsOnly(copy.deepcopy(first.heads))  # type: ignore[arg-type]
    dev, police = study.plain_views("dev"), study.plain_views("police")
    folds = police_folds(study.rows)
    everyone = [index for part in folds for index in part]
    final = adapt(study, tuned, first, everyone, "final") if everyone else before
    found: dict[str, npt.NDArray[Any]] = {}
    for name, heads, index in [("final", final, dev), *([("unseen", before, police)] if everyone else [])]:
        answer = predict.predict(heads, tuned, index)
        found |= {f"{name}_logits": answer.logits.numpy(), f"{name}_patches": answer.patches.numpy()}
        found[f"{name}_rows"] = study.row_of[index]
    parts: dict[int, npt.NDArray[np.float32]] = {}
    for number, held_out in enumerate(folds if everyone else ()):
        heads = adapt(study, tuned, first, [index for index in everyone if index not in held_out], f"fold-{number}")
        index = np.array([m for m in police if study.cache.views[m].row in held_out])
        parts |= dict(zip(index.tolist(), predict.predict(heads, tuned, index).logits.numpy(), strict=True))
    if everyone:
        found |= {"police_logits": np.stack([parts[m] for m in police]), "police_rows": study.row_of[police]}
    np.savez(study.folder / "predictions.npz", **found)  # type: ignore[arg-type]
    logits = predict.predict(before, tuned, np.arange(len(study.cache.views))).logits
    np.save(study.folder / TEACHER, logits.numpy())
    first.heads = final.heads
    torch.save(first.state_dict(), study.folder / "final.pt")


def blend(net: nn.Module, pretrained: dict[str, torch.Tensor], share: float) -> None:
    """Pull the trained trunk back towards where it began, in weight space; the heads stay.

    Halfway between the two, a network keeps what it learnt and loses less on pictures unlike those it was trained on
    (WiSE-FT: Wortsman et al. 2022, arXiv 2109.01903).
    """
    if share == 0:
        return
    state = net.state_dict()
    for name, value in state.items():
        if not name.startswith("heads.") and value.is_floating_point():
            state[name] = torch.lerp(value, pretrained[name], share)
    net.load_state_dict(state)


def tuned_inputs(study: Study, net: nn.Module, batch: int = 32) -> predict.Inputs:
    """What the trained trunk gives for every view, kept on disk as float16; answers for any of them."""
    path, count = study.folder / "tuned.npy", len(study.cache.views)
    if not path.exists() or len(np.load(path, mmap_mode="r")) != count:
        temporary = path.with_suffix(".part.npy")
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            shape = (count, *net.tuned(study.inputs(np.arange(1))).shape[1:])  # type: ignore[operator]
            tokens = np.lib.format.open_memmap(temporary, "w+", np.float16, shape)
            for start in track(range(0, count, batch), "views through the trained trunk"):
                index = np.arange(start, min(start + batch, count))
                tokens[index] = net.tuned(study.inputs(index)).float().numpy()  # type: ignore[operator]
        tokens.flush()
        temporary.replace(path)
    stored = np.load(path, mmap_mode="r")
    return lambda wanted: torch.from_numpy(np.asarray(stored[wanted], np.float32))


def adapt(study: Study, tuned: predict.Inputs, net: nn.Module, police: Sequence[int], name: str) -> HeadsOnly:
    """The heads, trained on with these police rows (a third of what is seen) on a fixed trunk."""
    settings = study.config.optimisation
    gentle = dataclasses.replace(settings, head_rate=settings.head_rate / 2, drop_tokens=0.0)
    heads = HeadsOnly(copy.deepcopy(net.heads))  # type: ignore[arg-type]
    # Labels only: the teacher has seen no police picture, and would hold the heads back on them.
    alone = dataclasses.replace(study, inputs=tuned, teacher=None, pixels=False)
    views = _favour(study, study.training_views(police), police)
    found = train_views(alone, heads, views, name, HEAD_EPOCHS, gentle)
    assert isinstance(found, HeadsOnly)
    return found


def train_views(
    study: Study, net: nn.Module, views: Index, name: str, epochs: float, settings: Optimisation
) -> nn.Module:
    """One training over these views; returns the averaged network."""
    targets = losses.targets(study.rows, settings.police_weight, study.config.data.easy)
    task = train.Task(study.inputs, study.cache, views, study.row_of, targets, study.teacher, study.pixels)
    return train.run(net, task, settings, round(len(views) * epochs / settings.batch), study.folder / name)


def _favour(study: Study, views: Index, police: Sequence[int]) -> Index:
    """When going on with police pictures, a third of what is seen are theirs."""
    theirs = np.isin(study.row_of[views], list(police))
    ours = np.random.default_rng(0).permutation(views[~theirs])[: 2 * theirs.sum()]
    return np.concatenate([views[theirs], ours])
