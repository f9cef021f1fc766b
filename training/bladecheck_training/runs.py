"""Which trainings there are.

First the trunk and heads without any police picture. Then, with that trunk fixed, the heads alone go on with police
pictures: once per fold for cross-validation, and once with all of them for the model that ships. Two hundred police
pictures are too few to bend a trunk to, and fixed trunks make the folds an honest picture of what ships. A run that
goes on from a bundle keeps its trunk, and trains the heads anew.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from rich.progress import track
from torch import nn

from bladecheck_training import last, predict, train
from bladecheck_training.config import Optimisation
from bladecheck_training.net import Heads, HeadsOnly, MapOnly
from bladecheck_training.study import PREDICTIONS, TEACHER, Index, Study, kept_inputs, police_folds

FRESH = 3.0
"""A layer that begins at nothing is held to it so many times as strongly."""
MAP_EPOCHS = 4.0
"""Of adapting the map to outlined police pictures."""


def run_all(study: Study, net: nn.Module) -> None:
    """Train everything.

    Writes into `folder`: final.pt, the network that ships, not yet compressed; predictions.npz, for "unseen" (police,
    by the network that saw no police picture), "police" (cross-validated) and "final" (dev, by the network that
    ships): ids, logits [N, J, WIDTH] and occupancy logits [N, J, 2, R, C] of the whole and of each look; the
    embeddings [N, E] of the whole pictures of dev and police by the network that ships; and teacher.npy for students,
    logits of every view from the network that saw no police picture. Without police pictures there is neither "unseen"
    nor "police".
    """
    before, tuned = _without_police(study, net)
    known = _embedded(study, before, tuned)
    folds = police_folds(study.rows)
    everyone = [name for part in folds for name in part]
    final = adapt(study, tuned, known, before, everyone, "final") if everyone else before
    dev = study.named("dev")
    found: dict[str, npt.NDArray[Any]] = _answers("final", final, tuned, study, dev)
    if everyone:
        found |= _answers("unseen", before, tuned, study, everyone)
        parts = []
        for number, held_out in enumerate(folds):
            rest = [name for name in everyone if name not in set(held_out)]
            heads = adapt(study, tuned, known, before, rest, f"fold-{number}")
            parts.append(_answers("police", heads, tuned, study, held_out))
        found |= {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    found["embedding"] = known[study.looks([*dev, *everyone])[:, 0]]
    np.savez(study.folder / PREDICTIONS, **found)  # type: ignore[arg-type]
    with torch.inference_mode():
        logits = before.heads.out(torch.from_numpy(known))
    np.save(study.folder / TEACHER, logits.numpy())
    state = net.state_dict() | {f"heads.{name}": value for name, value in final.heads.state_dict().items()}
    torch.save(state, study.folder / "final.pt")


def _without_police(study: Study, net: nn.Module) -> tuple[HeadsOnly, predict.Inputs]:
    """The heads that saw no police picture, and what they read of every view."""
    settings, views = study.config.optimisation, study.training_views(())
    if study.cache.tokens is not None and not study.pixels:
        tuned = kept_inputs(study.cache)
        alone = dataclasses.replace(study, inputs=tuned)
        heads: Heads = copy.deepcopy(net.heads)  # type: ignore[assignment]
        flat = dataclasses.replace(settings, drop_tokens=0.0)
        trained = train_views(alone, MapOnly(heads), views, "no-police", settings.epochs, flat)
        _take_map(heads, trained)
        whole = HeadsOnly(heads)
        known = torch.from_numpy(_embedded(study, whole, tuned)[views])
        last.refit(heads, known, study.targets.take(torch.from_numpy(views)), FRESH * settings.hold, study.kept)
        return whole, tuned
    pretrained = copy.deepcopy(net.state_dict())
    first = train_views(study, net, views, "no-police", settings.epochs, settings)
    blend(first, pretrained, settings.keep_pretrained)
    net.load_state_dict(first.state_dict())
    tuned = tuned_inputs(study, first)
    heads_of: Heads = copy.deepcopy(first.heads)  # type: ignore[assignment]
    return HeadsOnly(heads_of), tuned


def train_views(
    study: Study, net: nn.Module, views: Index, name: str, epochs: float, settings: Optimisation
) -> nn.Module:
    """One training over these views; returns the averaged network."""
    task = train.Task(study.inputs, study.cache, views, study.targets, study.teacher, study.pixels)
    return train.run(net, task, settings, round(len(views) * epochs / settings.batch), study.folder / name)


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
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=train.HALVES):
            shape = (count, *net.tuned(study.inputs(np.arange(1))).shape[1:])  # type: ignore[operator]
            tokens = np.lib.format.open_memmap(temporary, "w+", np.float16, shape)
            made = np.flatnonzero(study.cache.made)
            for start in track(range(0, len(made), batch), "views through the trained trunk"):
                index = made[start : start + batch]
                tokens[index] = net.tuned(study.inputs(index)).float().numpy()  # type: ignore[operator]
        tokens.flush()
        temporary.replace(path)
    stored = np.load(path, mmap_mode="r")
    return lambda wanted: torch.from_numpy(np.asarray(stored[wanted], np.float32))


def _embedded(study: Study, heads: HeadsOnly, tuned: predict.Inputs) -> npt.NDArray[np.float32]:
    """What the last linear layer reads of every view, float32 [M, E]; zeros for views not made yet."""
    made = np.flatnonzero(study.cache.made)
    found = np.zeros((len(study.cache.views), heads.heads.embedding), np.float32)
    for part in np.split(made, range(1024, len(made), 1024)):
        embedding = predict.predict(heads, tuned, part).embedding
        assert embedding is not None
        found[part] = embedding.numpy()
    return found


def adapt(
    study: Study, tuned: predict.Inputs, known: npt.NDArray[np.float32], before: HeadsOnly, police: Sequence[str],
    name: str,
) -> HeadsOnly:  # fmt: skip
    """The heads, going on with these police pictures.

    Only the last linear layer and the map change: what is read of a picture stays, so that the embeddings [M, E] of
    all views are worked out once, and later adaptation by others changes the same tensors.
    """
    settings = study.config.optimisation
    heads: Heads = copy.deepcopy(before.heads)
    views = study.training_views(set(police))
    last.refit(
        heads, torch.from_numpy(known[views]), study.targets.take(torch.from_numpy(views)), settings.hold, study.kept
    )
    if masked := [row.id for row in study.rows if row.outline and row.id in set(police)]:
        views = _favour(study, _masked(study, study.training_views(set(masked))), masked)
        # Labels only: the teacher has seen no police picture, and would hold the heads back on them.
        shapes = dataclasses.replace(study, inputs=tuned, teacher=None, pixels=False)
        gentle = dataclasses.replace(settings, head_rate=settings.head_rate / 2, drop_tokens=0.0)
        trained = train_views(shapes, MapOnly(heads), views, f"{name}-map", MAP_EPOCHS, gentle)
        _take_map(heads, trained)
    return HeadsOnly(heads.eval())


def _masked(study: Study, views: Index) -> Index:
    """Those of which it is known where a knife is."""
    cells = study.cache.cells
    return np.array([index for index in views if cells[index][:3].any()], np.int64)


def _favour(study: Study, views: Index, police: Sequence[str]) -> Index:
    """When going on with police pictures, a third of what is seen are theirs."""
    ids = set(police)
    theirs = np.array([bool(ids & set(study.cache.views[index].ids)) for index in views])
    ours = np.random.default_rng(0).permutation(views[~theirs])[: 2 * theirs.sum()]
    return np.concatenate([views[theirs], ours])


def _take_map(heads: Heads, trained: nn.Module) -> None:
    """Copy the averaged layers of a trained MapOnly into the heads."""
    for part in ("first", "second"):
        state = trained.heads[part].state_dict()  # type: ignore[index, union-attr]
        heads.get_submodule(part).load_state_dict(state)


def _answers(name: str, heads: HeadsOnly, tuned: predict.Inputs, study: Study, ids: Sequence[str]) -> dict[str, Any]:
    """What heads say of held-out pictures, by every look."""
    index = study.looks(ids)
    answer = predict.predict(heads, tuned, index.reshape(-1))
    assert answer.occupancy is not None
    assert answer.logits is not None
    maps = answer.occupancy.numpy().astype(np.float16)
    return {
        f"{name}_ids": np.array(ids),
        f"{name}_logits": answer.logits.numpy().reshape(*index.shape, -1),
        f"{name}_maps": maps.reshape(*index.shape, *maps.shape[1:]),
    }
