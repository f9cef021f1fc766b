"""Formats by name, and the careful way to write one: whole or not at all."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path

from bladecheck.errors import RunError
from bladecheck.runs.exports import Export, Writer, camtrap, csv, database, fourcat, jsonl, rocrate, tables, xlsx
from bladecheck.runs.journal import failure

FORMATS: dict[str, tuple[str, Writer]] = {
    "jsonl": ("predictions.jsonl", jsonl.write),
    "csv": ("predictions.csv", csv.write),
    "parquet": ("predictions.parquet", database.write_parquet),
    "xlsx": ("predictions.xlsx", xlsx.write),
    "duckdb": ("predictions.duckdb", database.write_duckdb),
    "summary": ("summary", tables.write),
    "camtrap-dp": ("camtrap-dp", camtrap.write),
    "4cat": ("4cat-annotations.csv", fourcat.write),
    "ro-crate": ("ro-crate", rocrate.write),
}
"""Name to default file or folder name, and writer."""


def save(export: Export, format: str, target: Path) -> None:
    """Write an export in place of an older one; on any failure the older one stays as it was.

    Raises:
        RunError: an unknown format, or the place can't be written.
    """
    if format not in FORMATS:
        raise RunError(f"No format {format!r}; known: {', '.join(FORMATS)}.")
    if target.exists() and not target.is_file() and not target.is_dir():
        raise RunError(f"{target} is no file but a device or a pipe, which a rename would do away with: name a file.")
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        FORMATS[format][1](export, draft)
        if draft.is_dir() and target.is_dir():
            shutil.rmtree(target)
        draft.replace(target)
    except OSError as error:
        raise failure(target, error) from error
    finally:
        for leftover in (draft, draft.with_name(f"{draft.name}.wal")):
            _remove(leftover)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
