"""Pictures of a run: the losses over time, and where the decisions fall."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from bladecheck_training.fitting import Fitted
from bladecheck_training.metrics import Array
from bladecheck_training.net import KNIFE
from bladecheck_training.scored import Scored


def draw(folder: Path, sets: dict[str, Scored], fitted: Fitted) -> None:
    """Save curves.png and decisions.png in the run's folder."""
    curves(folder / "no-police", folder / "curves.png")
    platt = fitted.labels["knife"]
    known = {name: sets[name].by(fitted.rule).known for name in ("dev", "police") if name in sets}
    drawn = {f"{name} (n = {len(s.rows)})": (s.knife, platt(s.logits[:, KNIFE])) for name, s in known.items()}
    confusion(drawn, *fitted.bands["knife"], folder / "decisions.png")


def curves(folder: Path, target: Path) -> None:
    """Draw every term in `folder`/curve.jsonl against steps."""
    points = [json.loads(line) for line in (folder / "curve.jsonl").read_text().splitlines()]
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name in sorted(set().union(*points) - {"step"}) if points else []:
        axes.plot([p["step"] for p in points if name in p], [p[name] for p in points if name in p], label=name)
    axes.set(xlabel="step", ylabel="loss (weighted, mean of 20 steps)", yscale="log", title=folder.name)
    axes.legend()
    figure.savefig(target, dpi=120)
    plt.close(figure)


def confusion(sets: dict[str, tuple[Array, Array]], check: float, hold: float, target: Path) -> None:
    """Draw for each held-out set (knife truth, probability) how many of each truth end in which decision."""
    figure, axes = plt.subplots(1, len(sets), figsize=(4.6 * len(sets), 3.2), layout="constrained", squeeze=False)
    names = ["clear", "check", "hold"]
    for axis, (title, (truth, probability)) in zip(axes[0], sets.items(), strict=True):
        place = np.digitize(probability, [check, hold])
        table = np.array([[int(((truth == t) & (place == d)).sum()) for d in range(3)] for t in (1, 0)])
        axis.imshow(table / table.sum(1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
        for (row, column), count in np.ndenumerate(table):
            dark = table[row, column] > 0.6 * table[row].sum()
            axis.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
        axis.set(xticks=range(3), xticklabels=names, yticks=range(2), yticklabels=["knife", "no knife"], title=title)
    figure.savefig(target, dpi=120)
    plt.close(figure)
