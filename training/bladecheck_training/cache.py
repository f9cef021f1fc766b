"""Views through a trunk once; what comes out is kept, so that training what reads it is cheap.

It comes from the very graph that will be shipped, so that what is trained on it learns with its rounding.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import Progress

from bladecheck.core.preprocess import Pixels, Spec
from bladecheck_training import frozen
from bladecheck_training import views as v
from bladecheck_training.augment import Box
from bladecheck_training.compose import Classes

SAVE_EVERY = 256
Tokens = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Trunk:
    """What views are sent through.

    Attributes:
        graph: ONNX file, pixels uint8 [1, S, S, 3] to `outputs`.
        outputs: by the name of the cached array ("middle", "tokens", "logits"), the graph's name for it.
        identity: changes with the graph.
        kinds: kinds of views that are sent through it (see `views.View`); the others get NaN. None: all.
    """

    graph: Path
    outputs: dict[str, str]
    identity: str
    kinds: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Cache:
    """Cached views, memory-mapped; `views` names each of the M.

    Attributes:
        pixels: uint8 [M, S, S, 3].
        cells: uint8 [M, 4, CELLS, CELLS], see `compose.cells`.
        middle: float16 [M, T, D], tokens in the middle of the transformer, where its frozen blocks end; None for
            students that are fed with pixels.
        tokens: float16 [M, T, D], tokens that the parent's heads read, or None without a parent.
        logits: float32 [M, L], the answer of the parent or teacher, NaN where it was not asked, or None.
        made: bool [M], which of the views there are: work can stop at any time, and training takes what was made.
    """

    views: list[v.View]
    made: npt.NDArray[np.bool_]
    pixels: Pixels
    cells: Classes
    middle: Tokens | None = None
    tokens: Tokens | None = None
    logits: npt.NDArray[np.float32] | None = None


def build(folder: Path, library: v.Library, trunk: Trunk, spec: Spec, crops: Sequence[Box], threads: int) -> None:
    """Fill `folder`; continues where an earlier call stopped, as long as views, preprocessing and trunk are the same.

    Raises:
        ValueError: if the folder was made from others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    todo = v.plan(library, crops)
    plan_file, done_file = folder / "plan.json", folder / "done.npy"
    plan = _plan(todo, library, spec, crops) | {"trunk": trunk.identity}
    if plan_file.exists() and json.loads(plan_file.read_text()) != plan:
        raise ValueError(f"{folder} was made from other pictures, labels or settings; remove it to start afresh.")
    plan_file.write_text(json.dumps(plan))
    session = frozen.session(trunk.graph)
    names, side = list(trunk.outputs), spec.size
    sample: list[Any] = session.run(list(trunk.outputs.values()), {"pixels": np.zeros((1, side, side, 3), np.uint8)})
    shapes: dict[str, tuple[type, tuple[int, ...]]] = {
        "pixels": (np.uint8, (side, side, 3)), "cells": (np.uint8, (4, v.CELLS, v.CELLS)),
        **{name: (np.float32 if name == "logits" else np.float16, value.shape[1:])
           for name, value in zip(names, sample, strict=True)},
    }  # fmt: skip
    count = len(todo)
    arrays = {name: _open(folder / f"{name}.npy", kind, (count, *shape)) for name, (kind, shape) in shapes.items()}
    done = np.load(done_file) if done_file.exists() else np.zeros(count, bool)

    def work(index: int) -> None:
        arrays["pixels"][index], arrays["cells"][index] = v.render(todo[index], library, spec, crops)
        if trunk.kinds is not None and todo[index].kind not in trunk.kinds:
            for name in names:
                arrays[name][index] = np.nan
            return
        answer: list[Any] = session.run(list(trunk.outputs.values()), {"pixels": arrays["pixels"][index][None]})
        for name, value in zip(names, answer, strict=True):
            arrays[name][index] = value[0]

    left = np.flatnonzero(~done)
    with ThreadPoolExecutor(threads) as pool, Progress() as progress:
        task = progress.add_task("views through the trunk", total=count, completed=count - len(left))
        for part in np.split(left, range(SAVE_EVERY, len(left), SAVE_EVERY)):
            for _ in pool.map(work, part.tolist()):
                progress.advance(task)
            for array in arrays.values():
                array.flush()
            done[part] = True
            np.save(done_file, done)


def _open(path: Path, dtype: type, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    if path.exists():
        return np.lib.format.open_memmap(path, "r+")
    return np.lib.format.open_memmap(path, "w+", dtype, shape)


def _plan(todo: Sequence[v.View], library: v.Library, spec: Spec, crops: Sequence[Box]) -> dict[str, Any]:
    """What the cached pixels and cells depend on."""
    rows = [(row.id, row.knife, row.boxes, row.outline) for row in library.rows.values()]
    return {
        "views": [[view.kind, view.number, list(view.ids)] for view in todo],
        "labels": hashlib.sha256(repr(rows).encode()).hexdigest(),
        "preprocess": dataclasses.asdict(spec),
        "crops": [list(crop) for crop in crops],
    }


def read(folder: Path, library: v.Library, spec: Spec, crops: Sequence[Box]) -> Cache:
    """The views made so far; also for a student, whose trunk is another.

    Raises:
        ValueError: if the cache belongs to other pictures, labels or settings.
    """
    todo = v.plan(library, crops)
    found = json.loads((folder / "plan.json").read_text())
    for key, value in _plan(todo, library, spec, crops).items():
        if found[key] != value:
            raise ValueError(f"{folder} was made from other {key} than this config's; remove it or mend the config.")
    names = ("pixels", "cells", "middle", "tokens", "logits")
    arrays = {name: np.load(path, mmap_mode="r") for name in names if (path := folder / f"{name}.npy").exists()}
    return Cache(todo, np.load(folder / "done.npy"), **arrays)
