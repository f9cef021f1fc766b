"""What is known of a view, from what is known of the pictures it is made from; gaps stay gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bladecheck.core.taxonomy import BLADES, FEATURES, LABELS, WEAPONS
from bladecheck_training.compose import BLADE, EITHER, UNKNOWN, Classes
from bladecheck_training.manifest import Row
from bladecheck_training.views import CELLS, Library, View

GONE = float("nan")
"""Not known."""
VISIBLE = 0.004
"""Share of a view that an outlined or cut-out blade must cover to be there at all: less than half of a patch."""


@dataclass(frozen=True)
class Truth:
    """Of one view: probabilities, NaN where nothing is known.

    Attributes:
        labels, features: in the taxonomy's order.
        blade: the kind's place in BLADES, or -1. weapon: in WEAPONS, or -1.
        asked: the parent's answer is to be learnt in place of labels.
        weight: how much it counts.
    """

    labels: tuple[float, ...]
    features: tuple[float, ...]
    blade: int = -1
    weapon: int = -1
    asked: bool = False
    weight: float = 1.0


def of(view: View, library: Library, cells: Classes) -> Truth:
    """What is known of a view with these cells, uint8 [4, CELLS, CELLS]."""
    rows = [library.rows[name] for name in view.ids if name in library.rows]
    if view.kind == "pool":
        return Truth((GONE,) * len(LABELS), (GONE,) * len(FEATURES), asked=True)
    if view.kind in ("laid", "tools", "collage", "lifted"):
        return _composed(view, rows, cells)
    return _single(view, rows[0], library, cells)


def _single(view: View, row: Row, library: Library, cells: Classes) -> Truth:
    labels = [_value(row.labels.get(name)) for name in LABELS]
    features = tuple(_value(row.features.get(name)) for name in FEATURES)
    blade, weapon = _place(BLADES, row.blade), _place(WEAPONS, row.weapon)
    weight = 0.33 if row.source in library.data.easy and not row.knife else 1.0
    if view.kind not in ("look", "part"):
        return Truth(tuple(labels), features, blade, weapon, weight=weight)
    # Of a part of a picture it is known what it does not show, and where a knife's place is known, that it shows it.
    labels = [0.0 if value == 0 else GONE for value in labels]
    seen = _seen(row, cells)
    labels[0] = labels[0] if row.knife == 0 else seen
    return Truth(tuple(labels), (GONE,) * len(FEATURES), blade if seen == 1 else -1,
                 asked=row.knife == 1 and row.split == "train" and np.isnan(seen), weight=weight)  # fmt: skip


def _seen(row: Row, cells: Classes) -> float:
    """Whether a knife's blade is in the view, as far as its outline or boxes tell."""
    if row.outline:
        share = cells[BLADE - 1].mean() / 255
        return 1.0 if share > VISIBLE else 0.0 if share == 0 else GONE
    if row.boxes:
        return 0.0 if cells[UNKNOWN - 1].max() == 0 else GONE
    return GONE


def _composed(view: View, rows: Sequence[Row], cells: Classes) -> Truth:
    knives = [row for row in rows if row.knife]
    shares = cells.reshape(4, CELLS * CELLS).mean(1) / 255
    seen = shares[BLADE - 1] + 0.5 * shares[EITHER - 1]
    knife = 0.0
    if knives:
        knife = 1.0 if seen > VISIBLE or view.kind == "collage" else GONE
    weapons = [row.weapon for row in rows if row.weapon]
    known = [row.labels.get("other_weapon") for row in rows]
    other = 1.0 if weapons else GONE if None in known or len(rows) < len(view.ids) else 0.0
    guns = [row.labels.get("gun") for row in rows]
    gun = 1.0 if 1 in guns else GONE if None in guns or len(rows) < len(view.ids) else 0.0
    alone = knives[0] if len(knives) == 1 and knife == 1 and view.kind != "collage" else None
    features = tuple(
        _value(alone.features.get(name)) if alone and name in ("serrated", "holes", "points", "lurid") else GONE
        for name in FEATURES
    )
    return Truth((knife, gun, other), features, _place(BLADES, alone.blade if alone else None),
                 _place(WEAPONS, weapons[0] if len(weapons) == 1 else None))  # fmt: skip


def _value(value: int | None) -> float:
    return GONE if value is None else float(value)


def _place(names: Sequence[str], name: str | None) -> int:
    return names.index(name) if name else -1
