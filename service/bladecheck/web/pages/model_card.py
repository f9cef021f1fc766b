"""bundle.json as tables to read: whatever its `metrics`, `data` and `training` hold is shown, nothing is chosen.

The training pipeline writes them: sections of measures (an estimate with its interval), of counts and of settings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bladecheck.core.bundle import Bundle, Manifest
from bladecheck.core.verdict import Policy
from bladecheck.web.pages.cards import SummaryRow

MEASURE = ("value", "low", "high")
"""Keys that a measure has; n and positives, the pictures that it rests on, may come with them."""
NOTE = "In brackets: the interval that goes with an estimate, and how many pictures it rests on (n)."


@dataclass(frozen=True, slots=True)
class Block:
    """A titled table (with `columns`; first cell of each row is its header), list of facts, or lines of text."""

    title: str
    caption: str
    columns: tuple[str, ...] = ()
    rows: tuple[Any, ...] = ()
    lines: tuple[str, ...] = ()


def values(bundle: Bundle, policy: Policy) -> dict[str, Any]:
    """What the template of the model page shows."""
    manifest = bundle.manifest
    sections = (
        ("How often it is right", manifest.metrics, "This model carries no measurements. Do not rely on it.", NOTE),
        ("What it was trained and measured on", manifest.data, "This model does not say what it was trained on.", ""),
        ("How it was trained", manifest.training, "This model does not say how it was trained.", ""),
    )
    return {
        "summary": manifest.summary,
        "identity": [
            SummaryRow("Model", f"{manifest.name} {manifest.version}"),
            SummaryRow("Fingerprint (SHA-256)", bundle.sha256, mono=True),
            SummaryRow("Policy in force", policy.name),
        ],
        "limits": manifest.limits,
        "chosen_for": manifest.thresholds.chosen_for,
        "thresholds": _thresholds(manifest, policy),
        "sections": [
            {"title": title, "blocks": list(blocks(title, tree)), "empty": empty, "note": note}
            for title, tree, empty, note in sections
        ],
    }


def _thresholds(manifest: Manifest, policy: Policy) -> Block:
    bands = {**manifest.thresholds.labels, **policy.thresholds}
    rows = tuple((label, number(band.hold), number(band.check)) for label, band in bands.items())
    return Block("", "Cut-offs by label", ("Label", "“Hold” from", "“Check” from"), rows)


def blocks(title: str, tree: Any, within: bool = False) -> Iterator[Block]:
    """Turn a section of bundle.json into blocks, in order; nothing in it is left out.

    A mapping of measurements becomes a list of facts, a list of mappings or a mapping of mappings alike a table.
    """
    heading = title if within else ""
    if isinstance(tree, Mapping) and not _is_leaf(tree):
        leaves = {key: value for key, value in tree.items() if _is_leaf(value)}
        branches = {key: value for key, value in tree.items() if not _is_leaf(value)}
        if leaves:
            yield Block(
                heading, title, rows=tuple(SummaryRow(_title(key), cell(value)) for key, value in leaves.items())
            )
        if _is_table(branches):
            yield _table("" if leaves else heading, title, [{"": _title(key), **row} for key, row in branches.items()])
            return
        for key, value in branches.items():
            yield from blocks(f"{title}: {plain(key)}" if within else _title(key), value, within=True)
    elif isinstance(tree, Sequence) and not isinstance(tree, str) and tree:
        if all(_is_record(row) for row in tree):
            yield _table(heading, title, list(tree))
        else:
            yield Block(heading, title, lines=tuple(cell(item) for item in tree))
    elif tree not in ({}, [], None, ""):
        yield Block(heading, title, lines=(cell(tree),))


def _is_table(branches: Mapping[str, Any]) -> bool:
    """Several rows that have some column in common."""
    if len(branches) < 2 or not all(_is_record(value) for value in branches.values()):
        return False
    return bool(set.intersection(*(set(value) for value in branches.values())))


def _table(title: str, caption: str, rows: Sequence[Mapping[str, Any]]) -> Block:
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    cells = tuple(tuple(cell(row[column]) if column in row else "–" for column in columns) for row in rows)
    return Block(title, caption, tuple(_title(column) or "Group" for column in columns), cells)


def _is_record(value: Any) -> bool:
    """A mapping of single facts: a row of a table."""
    return isinstance(value, Mapping) and bool(value) and not _is_measure(value) and all(map(_is_leaf, value.values()))


def _is_leaf(value: Any) -> bool:
    """A single fact: a scalar, a short list of scalars, or an estimate with its interval."""
    if isinstance(value, Mapping):
        return _is_measure(value) or not value
    if isinstance(value, Sequence) and not isinstance(value, str):
        return len(value) <= 12 and all(not isinstance(item, (Mapping, list, tuple)) for item in value)
    return True


def _is_measure(value: Mapping[str, Any]) -> bool:
    return set(MEASURE) <= set(value)


def _measure(value: Mapping[str, Any]) -> str:
    """An estimate with its interval in words: "0.951 (0.93 to 0.97; n 1200)"."""
    estimate, low, high = (number(value[key]) for key in MEASURE)
    more = ", ".join(f"{plain(key)} {number(item)}" for key, item in value.items() if key not in MEASURE)
    return f"{estimate} ({low} to {high}{'; ' + more if more else ''})"


def cell(value: Any) -> str:
    """One fact as text."""
    if isinstance(value, Mapping):
        return _measure(value) if _is_measure(value) else json.dumps(value, ensure_ascii=False) if value else "–"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(cell(item) for item in value) or "–"
    return number(value)


def number(value: Any) -> str:
    """A scalar as text: large counts with commas, fractions with four significant digits."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _title(key: str) -> str:
    words = plain(key)
    return words[:1].upper() + words[1:]


def plain(key: str) -> str:
    """A key as words: "false_positive_rate" becomes "false positive rate"."""
    return str(key).replace("_", " ").strip()
