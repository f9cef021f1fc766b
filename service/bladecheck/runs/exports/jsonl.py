"""predictions.jsonl: one row a line, exactly as the schema says."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from bladecheck.runs.columns import Row
from bladecheck.runs.exports import Export


def write(export: Export, path: Path) -> None:
    """All rows, UTF-8, keys in the schema's order."""
    dump(export.rows(), path)


def dump(rows: Iterable[Row], path: Path) -> None:
    """Write rows as JSON lines."""
    with path.open("w", encoding="utf-8", errors="replace", newline="\n") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
