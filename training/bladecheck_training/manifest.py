"""Labels in, rows out: what is known of each picture, with gaps kept as gaps."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bladecheck.core.taxonomy import BLADES, WEAPONS
from bladecheck_training.config import Data

Box = tuple[float, float, float, float]
Part = tuple[str, tuple[tuple[float, float], ...]]
FEATURE_LETTERS = {"S": "serrated", "H": "holes", "P": "points", "C": "lurid", "M": "several_knives", "B": "blood"}
HAND_SETTINGS, DRAWN = ("hand", "attack"), ("drawing", "toy", "poster")
SPLITS, FOLDS = ("train", "dev", "police"), 5
OPTIONAL = ("features", "setting", "style", "boxes", "blade", "group", "source_repo", "other", "flags")
YES, NO = ("1", "knife", "yes", "true"), ("0", "none", "no", "false", "no_knife", "other")


@dataclass(frozen=True)
class Row:
    """One labelled picture. None means "not known" and takes no part in the loss or the measure concerned.

    Attributes:
        id, path: name and file.
        split: "train", "dev" or "police".
        labels: by taxonomy.LABELS, 0, 1 or None.
        blade: one of taxonomy.BLADES or None.
        weapon: one of taxonomy.WEAPONS or None.
        features: by taxonomy.FEATURES, 0, 1 or None.
        group: never split over training and validation.
        boxes: of knives, (left, top, right, bottom) in 0..1.
        outline: of the knives' parts, ("blade" or "handle", points in per cent of width and height).
    """

    id: str
    path: Path
    split: str
    labels: dict[str, int | None]
    blade: str | None = None
    weapon: str | None = None
    features: dict[str, int | None] = field(default_factory=dict)
    group: str = ""
    source: str = ""
    setting: str = ""
    other: str = ""
    flags: str = ""
    boxes: tuple[Box, ...] = ()
    outline: tuple[Part, ...] = ()

    @property
    def knife(self) -> int | None:
        return self.labels["knife"]


def load(data: Data) -> list[Row]:
    """The rows that a config's [data] speaks of, with other weapons and outlines.

    Raises:
        ValueError: naming what is not understood.
    """
    rows = read(Path(data.labels), Path(data.images) if data.images else None)
    if unknown := set(data.weapons.values()) - set(WEAPONS):
        raise ValueError(f"[data] weapons: unknown kind {sorted(unknown)[0]!r}; known: {', '.join(WEAPONS)}.")
    outlines = json.loads(Path(data.outlines).read_text()) if data.outlines else {}
    return [replace(_armed(row, data), outline=_outline(outlines.get(row.id, []))) for row in rows]


def _armed(row: Row, data: Data) -> Row:
    """The row with what its `other` says of further weapons; without a list of them, nothing is known."""
    if not data.weapons:
        return row
    names = set(row.other.split("+")) - {""}
    kinds = {data.weapons[name] for name in names & set(data.weapons)}
    label: int | None = 0
    if kinds:
        label = 1
    elif names & set(data.unsaid) or row.knife is None or (row.split == "police" and row.knife):
        label = None  # beside seized knives there may be more than was written down
    weapon = kinds.pop() if len(kinds) == 1 else None
    return replace(row, labels=row.labels | {"other_weapon": label}, weapon=weapon)


def _outline(parts: Sequence[dict[str, Any]]) -> tuple[Part, ...]:
    return tuple((part["part"], tuple((float(x), float(y)) for x, y in part["points"])) for part in parts)


def read(labels: Path, images: Path | None = None) -> list[Row]:
    """Read a labels file.

    Args:
        labels: CSV with the project's columns (id, split, knife, ...), or with `path` and `label`
            (knife, gun, none, 1, 0, or a kind of blade: the most prominent thing), and optionally `split` and `group`.
        images: folder of <id>.jpg for the first form; defaults to "images" beside the file.

    Raises:
        ValueError: naming the line and value that is not understood.
    """
    with labels.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.DictReader(stream)
        columns = set(reader.fieldnames or ())
        if {"id", "split", "knife"} <= columns:
            folder = images or labels.parent / "images"
            return [_full(row, folder, f"{labels}, line {number}") for number, row in enumerate(reader, 2)]
        if {"path", "label"} <= columns:
            return [_simple(row, labels, f"{labels}, line {number}") for number, row in enumerate(reader, 2)]
    raise ValueError(f"{labels}: needs columns id,split,knife or path,label; it has {', '.join(sorted(columns))}.")


def check(rows: Sequence[Row], sources: Iterable[str]) -> None:
    """Refuse, before hours of work, what could not be trained or measured.

    Args:
        sources: names that the config expects to find.

    Raises:
        ValueError: saying what is missing.
    """
    splits: dict[str, str] = {}
    for row in rows:
        if splits.setdefault(row.group, row.split) != row.split:
            raise ValueError(f"group {row.group!r} has pictures in {splits[row.group]!r} and {row.split!r}; use one.")
    for split in SPLITS:
        found = [row for row in rows if row.split == split and row.knife is not None]
        knives = sum(row.knife == 1 for row in found)
        groups = len({row.group for row in found})
        if (found or split != "police") and knives in (0, len(found)):
            raise ValueError(
                f"split {split!r} needs pictures with and without a knife; it has {knives} and {len(found) - knives}."
            )
        if split == "police" and 0 < groups < FOLDS:
            raise ValueError(f"split 'police' needs {FOLDS} groups to cross-validate, or no picture; it has {groups}.")
    known = {row.source for row in rows}
    if unknown := [source for source in sources if source not in known]:
        raise ValueError(f"no picture has the source {unknown[0]!r}; there are: {', '.join(sorted(known)) or 'none'}.")


def _tri(row: dict[str, str], column: str, where: str) -> int | None:
    value = (row.get(column) or "").strip()
    if value not in ("", "0", "1"):
        raise ValueError(f"{where}: {column} {value!r}; use 1, 0 or nothing.")
    return int(value) if value else None


def _split(value: str | None, where: str) -> str:
    if value not in SPLITS:
        raise ValueError(f"{where}: split {value!r}; use {', '.join(SPLITS)}.")
    return str(value)


def _full(row: dict[str, str], folder: Path, where: str) -> Row:
    knife, gun = _tri(row, "knife", where), _tri(row, "gun", where)
    row = dict.fromkeys(OPTIONAL, "") | {key: value or "" for key, value in row.items()}
    known = knife == 1
    features: dict[str, int | None] = {
        name: int(letter in row["features"]) if known else None for letter, name in FEATURE_LETTERS.items()
    }
    features["in_hand"] = int(row["setting"] in HAND_SETTINGS) if known and row["setting"] else None
    features["food_scene"] = int(row["setting"] == "food") if known and row["setting"] else None
    features["drawing"] = int(row["style"] in DRAWN) if known and row["style"] else None
    boxes = [tuple(box[1:5]) for box in json.loads(row["boxes"] or "[]") if known and _is_knife(box[0])]
    return Row(
        id=row["id"],
        path=folder / f"{row['id']}.jpg",
        split=_split(row["split"], where),
        labels={"knife": knife, "gun": gun},
        blade=row["blade"] if known and row["blade"] in BLADES else None,
        features=features,
        group=row["group"] or row["id"],
        source=row["source_repo"],
        setting=row["setting"],
        other=row["other"],
        flags=row["flags"],
        boxes=tuple(boxes),
    )


def _is_knife(name: object) -> bool:
    return "knife" in str(name).lower() or str(name).lower() in BLADES


def _simple(row: dict[str, str], labels: Path, where: str) -> Row:
    label = (row["label"] or "").strip().lower()
    if label in BLADES or label in YES:
        knife, gun, blade = 1, 0, label if label in BLADES else None
    elif label == "gun":
        knife, gun, blade = 0, 1, None
    elif label in NO:
        knife, gun, blade = 0, 0, None
    else:
        raise ValueError(f"{where}: label {row['label']!r}; use knife, gun, none or one of {', '.join(BLADES)}.")
    path = Path(row["path"])
    return Row(
        id=row["path"],
        path=path if path.is_absolute() else labels.parent / path,
        split=_split(row.get("split") or "train", where),
        labels={"knife": knife, "gun": gun},
        blade=blade,
        group=row.get("group") or row["path"],
    )


def split_by_group(rows: Iterable[Row], folds: int, seed: int = 0) -> dict[str, int]:
    """Fold number of each group, balanced over knife and other pictures; a group never spans two folds."""
    import numpy as np

    groups: dict[str, list[int]] = {}
    for row in rows:
        groups.setdefault(row.group, []).append(row.knife or 0)
    order = sorted(groups)
    np.random.default_rng(seed).shuffle(order)
    order.sort(key=lambda name: (sum(groups[name]) > 0, len(groups[name])))  # stable: like with like, then dealt out
    return {name: index % folds for index, name in enumerate(order)}
