"""Views through the frozen, compressed blocks once; what comes out is kept, so that training the rest is cheap.

The tokens come from the very graph that will be shipped, so the trained blocks learn with its rounding.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
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
from bladecheck_training.config import Config
from bladecheck_training.manifest import Row

SAVE_EVERY = 512
Tokens = npt.NDArray[np.float16]


@dataclass(frozen=True)
class Cache:
    """Cached views, memory-mapped; `views` names each of the M.

    Attributes:
        pixels: uint8 [M, S, S, 3].
        tokens: float16 [M, T, D].
        patches: uint8 [M, G, G], views.NO or views.MAYBE.
    """

    views: list[v.View]
    pixels: Pixels
    tokens: Tokens
    patches: npt.NDArray[np.uint8]


def build(folder: Path, rows: list[Row], config: Config, graph: Path, grid: int) -> None:
    """Fill `folder`; continues where an earlier call stopped, as long as labels and settings are the same.

    Args:
        graph: ONNX file, pixels uint8 [1, H, W, 3] to tokens float32 [1, T, D].
        grid: patches a side.

    Raises:
        ValueError: if the folder was made from others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    todo, spec = v.plan(rows, config.data), config.spec
    session = frozen.session(graph)
    shape = session.run(None, {"pixels": np.zeros((1, spec.size, spec.size, 3), np.uint8)})[0].shape[1:]
    plan_file, done_file = folder / "plan.json", folder / "done.txt"
    plan = _plan(todo, rows, spec) | {"trunk": _trunk(config)}
    if plan_file.exists() and json.loads(plan_file.read_text()) != plan:
        raise ValueError(f"{folder} was made from other labels or settings; remove {folder.parent} to start afresh.")
    plan_file.write_text(json.dumps(plan))
    tokens = _open(folder / "tokens.npy", np.float16, (len(todo), *shape))
    pixels = _open(folder / "pixels.npy", np.uint8, (len(todo), spec.size, spec.size, 3))
    patches = _open(folder / "patches.npy", np.uint8, (len(todo), grid, grid))
    done = int(done_file.read_text()) if done_file.exists() else 0
    backgrounds = v.scenes(rows, config.data)

    def work(index: int) -> None:
        view = todo[index]
        pixels[index], patches[index] = v.render(rows[view.row], view.number, spec, backgrounds, grid)
        tokens[index] = session.run(None, {"pixels": pixels[index][None]})[0][0].astype(np.float16)

    with ThreadPoolExecutor(config.threads) as pool, Progress() as progress:
        task = progress.add_task("views through the frozen blocks", total=len(todo), completed=done)
        for start in range(done, len(todo), SAVE_EVERY):
            stop = min(start + SAVE_EVERY, len(todo))
            for _ in pool.map(work, range(start, stop)):
                progress.advance(task)
            for array in (pixels, tokens, patches):
                array.flush()
            done_file.write_text(str(stop))


def _open(path: Path, dtype: type, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    if path.exists():
        return np.lib.format.open_memmap(path, "r+")
    return np.lib.format.open_memmap(path, "w+", dtype, shape)


def _plan(todo: list[v.View], rows: list[Row], spec: Spec) -> dict[str, Any]:
    """What the cached pixels and patch labels depend on."""
    labels = hashlib.sha256(repr([(row.id, row.knife, row.boxes) for row in rows]).encode()).hexdigest()
    views = [[rows[view.row].id, view.number] for view in todo]
    return {"views": views, "labels": labels, "preprocess": dataclasses.asdict(spec)}


def _trunk(config: Config) -> dict[str, Any]:
    """What the cached tokens depend on as well."""
    model = config.model
    return {"backbone": model.backbone, "weights": model.weights, "frozen_blocks": model.frozen_blocks,
            "options": model.options}  # fmt: skip


def read(folder: Path, rows: list[Row], config: Config) -> Cache:
    """The views made so far; also for a student, whose trunk is another.

    Raises:
        ValueError: if the cache belongs to other labels, views or preprocessing.
    """
    todo = v.plan(rows, config.data)
    found = json.loads((folder / "plan.json").read_text())
    for key, value in _plan(todo, rows, config.spec).items():
        if found[key] != value:
            raise ValueError(
                f"{folder} was made from other {key} than this config's; remove {folder.parent} or mend it."
            )
    done = int((folder / "done.txt").read_text())
    arrays = (np.load(folder / f"{name}.npy", mmap_mode="r")[:done] for name in ("pixels", "tokens", "patches"))
    return Cache(todo[:done], *arrays)
