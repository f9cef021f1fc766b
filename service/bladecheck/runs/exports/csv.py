"""predictions.csv: for spreadsheets. UTF-8 with a byte order mark, so that Excel reads accents; see `cells.guarded`."""

from __future__ import annotations

import csv
from pathlib import Path

from bladecheck.runs.columns import COLUMNS, NAMES
from bladecheck.runs.exports import Export
from bladecheck.runs.exports.cells import guarded


def write(export: Export, path: Path) -> None:
    """All rows, RFC 4180."""
    with path.open("w", encoding="utf-8-sig", errors="replace", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(NAMES)
        for row in export.rows():
            out.writerow([guarded(column, row[column.name]) for column in COLUMNS])
