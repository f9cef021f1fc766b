"""summary.csv and summary.json: the raw counts by month and account."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from bladecheck.runs.columns import Column
from bladecheck.runs.exports import Export
from bladecheck.runs.exports.cells import guarded
from bladecheck.runs.summary import FIELDS, summarise


def write(export: Export, path: Path) -> None:
    """A folder with both."""
    summary = summarise(export.rows(), export.timezone)
    path.mkdir()
    lines = summary.lines()
    about = {**export.labels, "timezone": export.timezone, "counts": summary.counts(), "lines": lines}
    (path / "summary.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    columns = [Column(name, "text" if name in ("month", "account") else "number", "") for name in FIELDS]
    with (path / "summary.csv").open("w", encoding="utf-8-sig", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(FIELDS)
        out.writerows([guarded(column, line[column.name]) for column in columns] for line in lines)
