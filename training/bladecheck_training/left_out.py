"""What the network makes of a source of pictures that it never trained on, for each source in turn."""

from __future__ import annotations

import copy
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bladecheck_training import metrics, predict, runs, tables
from bladecheck_training.net import KNIFE
from bladecheck_training.scored import Scored
from bladecheck_training.study import Study

FILE, FALSE_ALARMS = "left_out.npz", 0.02


def run(study: Study, net: nn.Module) -> None:
    """Train without each source of `data.leave_out`, from the same start, and write logits to left_out.npz.

    These trainings are shorter (`optimisation.leave_out_epochs`) and end without blending: a lower bound, rather, on
    what the whole recipe would reach.
    """
    settings, sources = study.config.optimisation, study.config.data.leave_out
    found: dict[str, npt.NDArray[Any]] = {}
    views, rows = study.training_views(()), study.library.rows
    source_of = {name: row.source for name, row in rows.items()} | study.library.pool
    whole = {view.ids[0]: index for index, view in enumerate(study.cache.views) if view.kind == "whole"}
    for source in sources:
        others = np.array([index for index in views
                           if all(source_of[name] != source for name in study.cache.views[index].ids)])  # fmt: skip
        elsewhere = [name for name in study.named("dev") if source_of[name] != source]
        name = f"without-{zlib.crc32(source.encode()):08x}"
        trained = runs.train_views(study, copy.deepcopy(net), others, name, settings.leave_out_epochs, settings)
        theirs = [name for name in whole if source_of[name] == source]
        for key, names in ((source, theirs), (f"{source} dev", elsewhere)):
            index = np.array([whole[name] for name in names], np.int64)
            with torch.autocast("cpu", torch.bfloat16):
                found[f"{key}_logits"] = predict.logits(trained, study.inputs, index)[:, None]
            found[f"{key}_ids"] = np.array(names)
    np.savez(study.folder / FILE, **found)  # type: ignore[arg-type]


def measured(study: Study) -> dict[str, Any]:
    """Card sections, one per source left out; none if `run` was not called."""
    if not (study.folder / FILE).exists():
        return {}
    found = dict(np.load(study.folder / FILE))
    return {
        f"never trained on: {source}": _section(
            *(Scored.stored(study.library.rows, found, name).known for name in (source, f"{source} dev"))
        )
        for source in study.config.data.leave_out
        if f"{source}_ids" in found
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
        "kinds": tables.kinds(scored, 300),
    }
