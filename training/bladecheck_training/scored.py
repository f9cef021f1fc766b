"""Held-out pictures with what the trained networks said of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from bladecheck_training import metrics
from bladecheck_training.looks import Rule
from bladecheck_training.manifest import Row
from bladecheck_training.study import PREDICTIONS, Study

Logits = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Scored:
    """Held-out rows with the logits of each look, [N, J, WIDTH], and how looks combine.

    Attributes:
        tools: sources whose pictures are no ordinary photos.
    """

    rows: Sequence[Row]
    looks: Logits
    rule: Rule = field(default_factory=Rule)
    tools: tuple[str, ...] = ()

    @classmethod
    def stored(
        cls, rows: Mapping[str, Row], found: Mapping[str, npt.NDArray[Any]], name: str, tools: tuple[str, ...] = ()
    ) -> Scored:
        """One of the sets in a file of predictions: <name>_ids and <name>_logits."""
        return cls([rows[str(key)] for key in found[f"{name}_ids"]], found[f"{name}_logits"], tools=tools)

    @property
    def logits(self) -> Logits:
        """One answer a picture, [N, WIDTH]."""
        return self.rule.combined(self.looks)

    @property
    def once(self) -> Scored:
        """The same pictures by the first look alone."""
        return replace(self, looks=self.looks[:, :1])

    def by(self, rule: Rule) -> Scored:
        """The same pictures, looked at by a rule."""
        return replace(self, rule=rule)

    def only(self, keep: Callable[[Row], bool]) -> Scored:
        """The rows for which `keep` is true."""
        index = [i for i, row in enumerate(self.rows) if keep(row)]
        return replace(self, rows=[self.rows[i] for i in index], looks=self.looks[index])

    @property
    def known(self) -> Scored:
        """The rows whose knife label is known."""
        return self.only(lambda row: row.knife is not None)

    @property
    def knife(self) -> metrics.Array:
        return np.array([row.knife or 0 for row in self.rows])

    @property
    def groups(self) -> list[str]:
        return [row.group for row in self.rows]

    @property
    def ordinary(self) -> npt.NDArray[np.bool_]:
        """Everyday photos: no knife, no tool, no weapon."""
        return np.array([
            row.knife == 0 and row.split == "dev" and not row.labels.get("gun") and row.source not in self.tools
            for row in self.rows
        ], bool)  # fmt: skip


def held_out(study: Study) -> dict[str, Scored]:
    """ "dev", and, if there are police pictures, "police" (cross-validated) and "unseen"."""
    found, rows, tools = stored(study), study.library.rows, study.config.data.tools
    names = {"dev": "final", "police": "police", "unseen": "unseen"}
    return {name: Scored.stored(rows, found, key, tools) for name, key in names.items() if f"{key}_ids" in found}


def stored(study: Study) -> dict[str, Any]:
    """What the trainings wrote of held-out pictures (see `runs.run_all`)."""
    return dict(np.load(study.folder / PREDICTIONS))
