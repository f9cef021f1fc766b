"""The training loop. It reads top to bottom: data order, model, optimiser, steps, averaging, checkpoints."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from torch import nn

from bladecheck_training import losses
from bladecheck_training import views as v
from bladecheck_training.cache import Cache
from bladecheck_training.config import Optimisation
from bladecheck_training.net import Answer

CHECKPOINT, CURVE = "checkpoint.pt", "curve.jsonl"
SAVE_SECONDS, LOG_STEPS = 120.0, 20
HALVES = torch.cuda.is_available() or bool(torch.cpu._is_avx512_bf16_supported())
"""Whether half precision pays: processors without instructions for it were sixteen times slower with it."""


@dataclass(frozen=True)
class Task:
    """What to train on.

    Attributes:
        inputs: gives the network's input for view indices, e.g. cached tokens or pixels.
        views: indices into the cache, sampled without replacement until all are used.
        targets: one entry per view of the cache.
        teacher: logits float [M, WIDTH] per view for distillation, or None.
        pixels: inputs are pixels [B, S, S, 3]; they are mirrored and turned by quarters at random.
    """

    inputs: Callable[[np.ndarray], torch.Tensor]
    cache: Cache
    views: np.ndarray
    targets: losses.Targets
    teacher: torch.Tensor | None = None
    pixels: bool = False


def run(net: nn.Module, task: Task, settings: Optimisation, steps: int, folder: Path) -> nn.Module:
    """Train `net` in place, on a CUDA device if there is one, and return its averaged copy, on the CPU.

    Continues from `folder`/checkpoint.pt if there is one; writes one line of losses per 20 steps to curve.jsonl.
    Ctrl-C loses at most two minutes of work.

    Raises:
        ValueError: if the checkpoint is of a training with other settings or pictures.
    """
    folder.mkdir(parents=True, exist_ok=True)
    device, mark = "cuda" if torch.cuda.is_available() else "cpu", _mark(net, task, settings, steps)
    torch.manual_seed(settings.seed)
    net.to(device)
    decay = min(settings.average, 1 - 5 / steps) if steps > 10 else 0.5  # a short run must forget where it began
    average = torch.optim.swa_utils.AveragedModel(
        net, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(decay), use_buffers=True
    )
    optimiser = torch.optim.AdamW(_groups(net, settings), weight_decay=settings.weight_decay, betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, steps, settings.warmup))
    start = _resume(folder, mark, net, average, optimiser, schedule)
    order, saved = _order(task.views, settings.batch * steps, settings.seed), time.monotonic()
    sums: dict[str, float] = {}
    summed = 0
    with Progress(TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"),
                  TimeRemainingColumn()) as progress:  # fmt: skip
        bar = progress.add_task(f"training {folder.name}", total=steps, completed=start)
        for step in range(start, steps):
            net.train()
            batch = np.sort(order[step * settings.batch : (step + 1) * settings.batch])
            drop = settings.drop_tokens if step < 0.75 * steps else 0.0
            terms = _step(net, task, batch, drop, device)
            total = torch.stack(list(terms.values())).sum()
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            average.update_parameters(net)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            progress.update(bar, completed=step + 1)
            summed += 1
            if summed == LOG_STEPS or step + 1 == steps:
                _log(folder, step + 1, {name: round(value / summed, 5) for name, value in sums.items()})
                sums, summed = {}, 0
            if time.monotonic() - saved > SAVE_SECONDS:
                _save(folder, mark, step + 1, net, average, optimiser, schedule)
                saved = time.monotonic()
    if start < steps:
        _save(folder, mark, steps, net, average, optimiser, schedule)
    module: nn.Module = average.module
    return module.cpu().eval()


def _step(net: nn.Module, task: Task, batch: np.ndarray, drop: float, device: str) -> dict[str, torch.Tensor]:
    target = task.targets.take(torch.from_numpy(batch))
    cells, inputs = torch.from_numpy(v.soft(task.cache.cells[batch])), task.inputs(batch).to(device)
    if task.pixels:
        cells, inputs = _turn(cells, inputs)
        inputs, drop = _shrink(inputs, drop), 0.0
    keep, side = None, 0
    whole = any(not name.startswith("heads.") for name, _ in net.named_parameters())
    with torch.autocast(device, torch.bfloat16, enabled=whole and HALVES):  # heads alone are slower in halves
        if drop > 0:
            patches = inputs.shape[1] - 1
            side = math.isqrt(patches)
            keep = torch.rand((len(batch), patches)).argsort(1)[:, : round(patches * (1 - drop))]
            answer = net(inputs, keep.to(device))
        else:
            answer = net(inputs)
    answer = _single(answer)
    terms = losses.loss(answer, target, cells, keep, side)
    if task.teacher is not None:
        terms = {name: value if name == "occupancy" else 0.3 * value for name, value in terms.items()}
        terms["teacher"] = losses.distillation(answer, task.teacher[torch.from_numpy(batch)], target.weight)
    return terms


def _single(answer: Answer) -> Answer:
    """An answer in float32, on the CPU."""
    parts = {part.name: getattr(answer, part.name) for part in dataclasses.fields(Answer)}
    return Answer(**{name: None if value is None else value.float().cpu() for name, value in parts.items()})


def _turn(cells: torch.Tensor, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Cells [B, 4, C, C] and pixels [B, S, S, 3], each half of the batch mirrored or turned its own way."""
    turned: list[tuple[torch.Tensor, torch.Tensor]] = []
    for grid, picture in zip(cells.permute(0, 2, 3, 1).chunk(2), pixels.chunk(2), strict=True):
        quarters, mirrored = (int(torch.randint(high, ())) for high in (4, 2))
        first, second = (torch.rot90(part.flip(2) if mirrored else part, quarters, (1, 2)) for part in (grid, picture))
        turned.append((first, second))
    grids, pictures = zip(*turned, strict=True)
    return torch.cat(grids).permute(0, 3, 1, 2), torch.cat(pictures)


def _shrink(pixels: torch.Tensor, share: float) -> torch.Tensor:
    """Pixels [B, S, S, 3] without about that share of them, at a multiple of 32 a side."""
    size = round(pixels.shape[1] * (1 - share) ** 0.5 / 32) * 32
    if share == 0 or not 0 < size < pixels.shape[1]:
        return pixels
    planes = pixels.permute(0, 3, 1, 2).float()
    small = nn.functional.interpolate(planes, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return small.round().to(torch.uint8).permute(0, 2, 3, 1)


def _groups(net: nn.Module, settings: Optimisation) -> list[dict[str, object]]:
    """Heads learn fast, the pretrained body slowly; biases and norms are not decayed."""
    groups: dict[tuple[bool, bool], list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            groups.setdefault((name.startswith("heads."), parameter.ndim > 1), []).append(parameter)
    return [
        {"params": found, "lr": settings.head_rate if head else settings.body_rate}
        | ({} if decay else {"weight_decay": 0.0})
        for (head, decay), found in groups.items()
    ]


def _rate(step: int, steps: int, warmup: float) -> float:
    rise = max(1, int(steps * warmup))
    return min(1.0, (step + 1) / rise) * 0.5 * (1 + math.cos(math.pi * min(1.0, step / max(1, steps))))


def _order(views: np.ndarray, needed: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rounds: Sequence[np.ndarray] = [rng.permutation(views) for _ in range(-(-needed // len(views)))]
    return np.concatenate(rounds)[:needed]


def _log(folder: Path, step: int, values: dict[str, float]) -> None:
    with (folder / CURVE).open("a") as stream:
        stream.write(json.dumps({"step": step, **values}) + "\n")


def _mark(net: nn.Module, task: Task, settings: Optimisation, steps: int) -> str:
    """What makes two trainings the same: settings, pictures, labels, teacher, and the weights they begin with."""
    digest = hashlib.sha256(f"{steps} {settings}".encode())
    known = [value for value in dataclasses.astuple(task.targets) if isinstance(value, torch.Tensor)]
    teacher = [] if task.teacher is None else [task.teacher]
    for values in (torch.from_numpy(task.views), *known, *teacher, *net.state_dict().values()):
        digest.update(values.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _save(folder: Path, mark: str, step: int, *parts: object) -> None:
    state = {"mark": mark, "step": step, "parts": [part.state_dict() for part in parts]}  # type: ignore[attr-defined]
    temporary = folder / (CHECKPOINT + ".part")
    torch.save(state, temporary)
    temporary.replace(folder / CHECKPOINT)


def _resume(folder: Path, mark: str, *parts: object) -> int:
    if not (folder / CHECKPOINT).exists():
        return 0
    state = torch.load(folder / CHECKPOINT, map_location="cpu", weights_only=True)
    if state.get("mark") != mark:
        raise ValueError(
            f"{folder} holds a training with other settings, pictures or labels. To train afresh, remove everything "
            f"in {folder.parent} but the folders cache and frozen."
        )
    for part, saved in zip(parts, state["parts"], strict=True):
        part.load_state_dict(saved)  # type: ignore[attr-defined]
    step, curve = int(state["step"]), folder / CURVE
    if curve.exists():  # what was logged after the checkpoint will be logged again
        lines = [line for line in curve.read_text().splitlines() if json.loads(line)["step"] <= step]
        curve.write_text("".join(f"{line}\n" for line in lines))
    return step
