"""The steps of a run, each picking up where the last left off: prepare, train, evaluate, export."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bladecheck_training import backbones, cache, finish, frozen, left_out, manifest, runs, student, tower
from bladecheck_training import export as graphs
from bladecheck_training.calibrate import Platt
from bladecheck_training.config import Config
from bladecheck_training.evaluate import Scored
from bladecheck_training.net import ConvNet, TransformerTop


@dataclass(frozen=True)
class Run:
    """A configured run: what is read from the config once."""

    config: Config
    rows: list[manifest.Row]

    @classmethod
    def open(cls, config: Config) -> Run:
        """Read the labels; sets the number of threads torch uses.

        Raises:
            ValueError: if something is missing that training or measuring needs.
        """
        torch.set_num_threads(config.threads)
        images = Path(config.data.images) if config.data.images else None
        rows = manifest.read(Path(config.data.labels), images)
        manifest.check(rows, [*config.data.easy, *config.data.leave_out])
        return cls(config, rows)

    @property
    def work(self) -> Path:
        return Path(self.config.work)

    @property
    def target(self) -> Path:
        return Path(self.config.models) / self.config.model.name

    def backbone(self) -> nn.Module:
        """A fresh backbone, the same on every call (without pretrained weights, by the seed)."""
        torch.manual_seed(self.config.optimisation.seed)
        model = self.config.model
        backbone = backbones.create(model.backbone, model.weights, model.options)
        if not self.is_student:
            backbones.check_transformer(backbone)
        return backbone

    @property
    def is_student(self) -> bool:
        """Convolutional networks learn from a teacher's run rather than from cached tokens."""
        return bool(self.config.model.teacher)


def prepare(run: Run) -> None:
    """Compress the frozen blocks and cache every view's tokens; a student uses its teacher's cache."""
    if run.is_student:
        print(f"Nothing to prepare: {run.config.model.name} uses the views of {run.config.model.teacher}.")
        return
    blocks = run.config.model.frozen_blocks
    folder = run.work / "frozen"
    backbone = run.backbone()
    grid: int = backbone.patch_embed.grid_size[0]  # type: ignore[union-attr, index, assignment]
    graph = frozen.prepared(run.rows, run.config.spec, run.config.threads, backbone, blocks, folder)
    cache.build(run.work / "cache", run.rows, run.config, graph, grid)


def study(run: Run) -> runs.Study:
    """The cached views and how a network reads them."""
    if run.is_student:
        return student.study(run.config, run.rows)
    views = cache.read(run.work / "cache", run.rows, run.config)

    def tokens(index: runs.Index) -> torch.Tensor:
        return torch.from_numpy(np.asarray(views.tokens[index], np.float32))

    return runs.Study(run.config, run.rows, views, tokens, run.work)


def network(run: Run) -> TransformerTop | ConvNet:
    """The network to train, as it begins."""
    if run.is_student:
        return student.network(run.backbone())
    return TransformerTop(run.backbone(), run.config.model.frozen_blocks)


def train(run: Run) -> None:
    """All trainings of the run, with their held-out predictions."""
    views = study(run)
    runs.run_all(views, network(run))
    if run.config.data.leave_out:
        left_out.run(views, network(run))


def trained(run: Run) -> TransformerTop | ConvNet:
    """The network that `train` left in the work folder."""
    net = network(run)
    net.load_state_dict(torch.load(run.work / "final.pt", map_location="cpu", weights_only=True))
    return net.eval()


def evaluate(run: Run) -> None:
    """Print what the held-out predictions say, before anything is compressed or shipped."""
    found, views = dict(np.load(run.work / "predictions.npz")), study(run)
    dev, sets = Scored.stored(run.rows, found, "final"), finish.police_sets(views, found)
    print(json.dumps(finish.measure(dev, sets, finish.fit(views, dev, sets)), indent=1))


def export(run: Run) -> None:
    """Compress, write the bundle with its card, and check it as the service would."""
    views, net = study(run), trained(run)

    def write(evidence: Platt, folder: Path) -> graphs.Written:
        if isinstance(net, ConvNet):
            return student.write(views, net, evidence, folder)
        return tower.write(views, run.backbone(), net, run.work / "frozen", evidence, folder)

    finish.ship(views, write, run.target)
    print(f"Bundle written to {run.target}.")
