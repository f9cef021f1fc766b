"""What the network makes of a source of pictures that it never trained on, for each source in turn."""

from __future__ import annotations

import copy
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bladecheck_training import evaluate, metrics, predict, runs
from bladecheck_training.evaluate import KNIFE, Scored

FILE, FALSE_ALARMS = "left_out.npz", 0.02


def run(study: runs.Study, net: nn.Module) -> None:
    """Train without each source of `data.leave_out`, from the same start, and write logits to left_out.npz.

    These trainings are shorter (`optimisation.leave_out_epochs`) and end without blending: a lower bound, rather, on
    what the whole recipe would reach.
    """
    settings, sources = study.config.optimisation, study.config.data.leave_out
    found: dict[str, npt.NDArray[Any]] = {}
    views, dev = study.training_views([]), study.plain_views("dev")
    source_of = np.array([study.rows[row].source for row in study.row_of])
    plain = np.array([view.number == 0 for view in study.cache.views])
    for source in sources:
        others, elsewhere = (index[source_of[index] != source] for index in (views, dev))
        name = f"without-{zlib.crc32(source.encode()):08x}"
        trained = runs.train_views(study, copy.deepcopy(net), others, name, settings.leave_out_epochs, settings)
        theirs = np.flatnonzero(plain & (source_of == source))
        for key, index in ((source, theirs), (f"{source} dev", elsewhere)):
            with torch.autocast("cpu", torch.bfloat16):
                found[f"{key}_logits"] = predict.predict(trained, study.inputs, index).logits.numpy()
            found[f"{key}_rows"] = study.row_of[index]
    np.savez(study.folder / FILE, **found)  # type: ignore[arg-type]


def measured(study: runs.Study) -> dict[str, Any]:
    """Card sections, one per source left out; none if `run` was not called."""
    if not (study.folder / FILE).exists():
        return {}
    found = dict(np.load(study.folder / FILE))
    return {
        f"never trained on: {source}": _section(
            *(Scored.stored(study.rows, found, name).known for name in (source, f"{source} dev"))
        )
        for source in study.config.data.leave_out
        if f"{source}_rows" in found
    }


def _section(scored: Scored, dev: Scored) -> dict[str, Any]:
    """Ranking, and what a threshold that alarms at 2 % of the other sources' knife-free `dev` pictures would do."""
    cut = np.quantile(dev.logits[dev.knife == 0, KNIFE], 1 - FALSE_ALARMS)
    above, knife = scored.logits[:, KNIFE] >= cut, scored.knife == 1
    return {
        "knife_auc": metrics.interval(metrics.auc, scored.knife, scored.logits[:, KNIFE], scored.groups, 1000),
        "knives above the score that 2 % of the knife-free dev pictures of other sources reach": metrics.share(
            int((above & knife).sum()), int(knife.sum())
        ),
        "others above it": metrics.share(int((above & ~knife).sum()), int((~knife).sum())),
        "kinds": evaluate.kinds(scored, 300),
    }
