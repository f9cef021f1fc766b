"""The steps of a run, each picking up where the last left off: prepare, train, evaluate, export."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from bladecheck.core.taxonomy import BLADES
from bladecheck_training import (
    backbones,
    bundling,
    cache,
    fitting,
    frozen,
    left_out,
    manifest,
    novelty,
    plots,
    runs,
    scored,
    student,
    tables,
    tower,
)
from bladecheck_training import export as graphs
from bladecheck_training.config import Config
from bladecheck_training.net import BLADE, NAMES, ConvNet, GoingOn, TransformerTop
from bladecheck_training.parent import Parent
from bladecheck_training.study import Index, Study, kept_inputs, police_folds
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


def study(run: Run) -> Study:
    """The cached views and how a network reads them."""
    if run.is_student:
        return student.study(run.config, run.library)
    views = cache.read(run.work / "cache", run.library, run.config.spec, run.config.crops)
    if parent := run.parent:
        inputs, columns = kept_inputs(views), parent.columns()
        kept = tuple(place for place, name in enumerate(NAMES) if name in columns and name not in BLADES)
        return Study(run.config, run.library, views, inputs, run.work, columns, kept)

    def tokens(index: Index) -> torch.Tensor:
        assert views.middle is not None
        return torch.from_numpy(np.asarray(views.middle[index], np.float32))

    return Study(run.config, run.library, views, tokens, run.work)


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


def evaluate(run: Run) -> None:
    """Print what the held-out predictions say, before anything is compressed or shipped."""
    views = study(run)
    sets = scored.held_out(views)
    fitted = fitting.fit(sets, run.config)
    print(json.dumps(tables.measure(sets, fitted, bool(views.kept)), indent=1))


def export(run: Run) -> None:
    """Compress, write the bundle with its measures and card, check it as the service would, and draw the plots."""
    views, parent = study(run), run.parent
    run.target.mkdir(parents=True, exist_ok=True)
    written = _graph(run, views, trained(run))
    sets, found = scored.held_out(views), scored.stored(views)
    fitted = fitting.fit(sets, run.config)
    measured = tables.measure(sets, fitted, bool(views.kept))
    maps, occupied = tables.mapped(views, found)
    measured |= maps | tables.compression(views, run.target, written, sets, fitted) | left_out.measured(views)
    measured |= tables.sliced(sets, fitted, bool(views.kept))
    notes = {
        "views of training pictures": len(views.training_views(())),
        "largest difference of the graph's logits from torch's": f"{written.difference:.1e}",
    }
    known, limit = novelty.fit(found["embedding"]), novelty.limit(found["embedding"])
    facts = bundling.Facts(fitted, occupied, limit, parent.bundle.sha256 if parent else None, measured, notes)
    arrays = {"mean": known.mean, "basis": known.basis}
    bundling.write(run.target, run.config, run.library, _used(views), facts, arrays)
    (run.work / "metrics.json").write_text(json.dumps(measured, indent=1))
    plots.draw(run.work, sets, fitted)
    print(f"Bundle written to {run.target}.")


def trained(run: Run) -> TransformerTop | ConvNet | GoingOn:
    """The network that `train` left in the work folder."""
    net = network(run)
    net.load_state_dict(torch.load(run.work / "final.pt", map_location="cpu", weights_only=True))
    return net.eval()


def _graph(run: Run, views: Study, net: TransformerTop | ConvNet | GoingOn) -> graphs.Written:
    """The graph and its heads into the bundle's folder."""
    if isinstance(net, ConvNet):
        return student.write(views, net, run.target)
    if isinstance(net, GoingOn):
        parent = run.parent
        assert parent is not None
        return tower.going_on(views, parent, net.heads, run.target)
    return tower.write(views, run.backbone(), net, run.work / "frozen", run.target)


def _used(views: Study) -> set[str]:
    """Ids of the pictures that took part in any training."""
    police = {name for part in police_folds(views.rows) for name in part}
    return {name for index in views.training_views(police) for name in views.cache.views[index].ids}
