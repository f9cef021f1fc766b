"""The steps of a run, each picking up where the last left off: prepare, train, evaluate, export."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bladecheck.core.taxonomy import BLADES
from bladecheck_training import backbones, cache, finish, frozen, left_out, manifest, runs, student, tower
from bladecheck_training import export as graphs
from bladecheck_training.config import Config
from bladecheck_training.net import BLADE, NAMES, ConvNet, GoingOn, TransformerTop
from bladecheck_training.parent import Parent
from bladecheck_training.views import Library


@dataclass(frozen=True)
class Run:
    """A configured run: what is read from the config once."""

    config: Config
    library: Library

    @classmethod
    def open(cls, config: Config) -> Run:
        """Read the labels; sets the number of threads torch uses.

        Raises:
            ValueError: if something is missing that training or measuring needs.
        """
        torch.set_num_threads(config.threads)
        rows = manifest.load(config.data)
        manifest.check(rows, [*config.data.easy, *config.data.tools, *config.data.leave_out])
        if config.model.parent and config.data.leave_out:
            raise ValueError("leave_out: the trunk that is kept knows all sources; leave them out of its own training.")
        return cls(config, Library(rows, config.data))

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
    def parent(self) -> Parent | None:
        """The bundle that is gone on from.

        Raises:
            ValueError: if it takes pictures otherwise than this config.
        """
        if not self.config.model.parent:
            return None
        parent = Parent(Path(self.config.model.parent))
        for key in ("size", "fit", "filter"):
            theirs, ours = getattr(parent.bundle.spec, key), getattr(self.config.spec, key)
            if theirs != ours:
                raise ValueError(f"[preprocess] {key} is {ours!r}; the parent has {theirs!r}, and its trunk is kept.")
        return parent

    @property
    def is_student(self) -> bool:
        """Convolutional networks learn from a teacher's run rather than from cached tokens."""
        return bool(self.config.model.teacher)


def prepare(run: Run) -> None:
    """Compress the frozen blocks and cache every view's tokens; a student uses its teacher's cache."""
    if run.is_student:
        if backbones.is_bundle(run.config.model.teacher):
            student.prepare(run.config, run.library)
        else:
            print(f"Nothing to prepare: {run.config.model.name} uses the views of {run.config.model.teacher}.")
        return
    if parent := run.parent:
        trunk = parent.tapped(run.work / "trunk")
    else:
        blocks, folder = run.config.model.frozen_blocks, run.work / "frozen"
        rows = list(run.library.rows.values())
        graph = frozen.prepared(rows, run.config.spec, run.config.threads, run.backbone(), blocks, folder)
        trunk = cache.Trunk(graph, {"middle": "tokens"}, repr(run.config.model))
    cache.build(run.work / "cache", run.library, trunk, run.config.spec, run.config.crops, run.config.threads)


def study(run: Run) -> runs.Study:
    """The cached views and how a network reads them."""
    if run.is_student:
        return student.study(run.config, run.library)
    views = cache.read(run.work / "cache", run.library, run.config.spec, run.config.crops)
    if parent := run.parent:
        inputs, columns = runs.kept_inputs(views), parent.columns()
        kept = tuple(place for place, name in enumerate(NAMES) if name in columns and name not in BLADES)
        return runs.Study(run.config, run.library, views, inputs, run.work, columns, kept)

    def tokens(index: runs.Index) -> torch.Tensor:
        assert views.middle is not None
        return torch.from_numpy(np.asarray(views.middle[index], np.float32))

    return runs.Study(run.config, run.library, views, tokens, run.work)


def network(run: Run) -> TransformerTop | ConvNet | GoingOn:
    """The network to train, as it begins."""
    if parent := run.parent:
        torch.manual_seed(run.config.optimisation.seed)
        going_on = GoingOn(parent.shape[1])
        parent.read(going_on.heads)
        with torch.no_grad():  # kinds are learnt anew, from more pictures and from parts
            going_on.heads.out.weight[BLADE] = 0
            going_on.heads.out.bias[BLADE] = 0
        return going_on
    if run.is_student:
        settled = backbones.is_bundle(run.config.model.weights)
        return student.network(run.backbone(), run.config.optimisation.kept_stages, settled)
    return TransformerTop(run.backbone(), run.config.model.frozen_blocks)


def train(run: Run) -> None:
    """All trainings of the run, with their held-out predictions."""
    views = study(run)
    runs.run_all(views, network(run))
    if run.config.data.leave_out:
        left_out.run(views, network(run))


def trained(run: Run) -> TransformerTop | ConvNet | GoingOn:
    """The network that `train` left in the work folder."""
    net = network(run)
    net.load_state_dict(torch.load(run.work / "final.pt", map_location="cpu", weights_only=True))
    return net.eval()


def evaluate(run: Run) -> None:
    """Print what the held-out predictions say, before anything is compressed or shipped."""
    views = study(run)
    sets = finish.held_out(views)
    print(json.dumps(finish.measure(sets, finish.fit(views, sets), bool(views.kept)), indent=1))


def export(run: Run) -> None:
    """Compress, write the bundle with its card, and check it as the service would."""
    views, net = study(run), trained(run)

    def write(folder: Path) -> graphs.Written:
        if isinstance(net, ConvNet):
            return student.write(views, net, folder)
        if isinstance(net, GoingOn):
            parent = run.parent
            assert parent is not None
            return tower.going_on(views, parent, net.heads, folder)
        return tower.write(views, run.backbone(), net, run.work / "frozen", folder)

    finish.ship(views, write, run.target, run.parent.bundle if run.parent else None)
    print(f"Bundle written to {run.target}.")
