"""The wall's table kept in RUN/wall, so that a run that has not changed is not read again at each start."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from contextlib import suppress
from pathlib import Path
from typing import Any

from bladecheck import __version__
from bladecheck.errors import RunError
from bladecheck.runs import duplicates
from bladecheck.runs.folder import RunFolder, replace
from bladecheck.runs.table import Ledger
from bladecheck.runs.wall.marks import FOLDER
from bladecheck.runs.wall.table import LAYOUT, Table

TABLE, ABOUT = "table.sqlite", "table.json"


def table(folder: RunFolder, timezone: str) -> tuple[Table, int]:
    """A run's table, and how many rows wait for their picture to be scored and are not in it.

    The kept copy is taken if it was made of this very journal, for this time zone, and is whole; else all rows are read
    and a copy is kept, where the folder may be written to.

    Raises:
        RunError: no run, or one that can't be read.
    """
    before = _state(folder.journal)
    made_from = _made_from(folder.journal, timezone)
    place = folder.path / FOLDER
    if (found := _taken(place, made_from)) is not None:
        return found
    with Ledger(folder) as ledger:
        built, unfinished = Table.built(ledger.rows(), timezone), ledger.unfinished
    if _state(folder.journal) == before and place.is_dir():
        _keep(built, place, {"made_from": made_from, "unfinished": unfinished, "without": built.without})
    return built, unfinished


def _taken(place: Path, made_from: str) -> tuple[Table, int] | None:
    """The kept table; None where there is none, or it is damaged or of something else."""
    try:
        about = json.loads((place / ABOUT).read_bytes())
        if about["made_from"] == made_from and about["sha256"] == _digest(place / TABLE):
            return Table.copied(place / TABLE, about["without"]), int(about["unfinished"])
    except (OSError, ValueError, LookupError, TypeError, sqlite3.Error):
        pass
    return None


def _keep(built: Table, place: Path, about: dict[str, Any]) -> None:
    """The table, then what it is: a crash between the two leaves a copy that is not taken."""
    draft = place / f".{TABLE}.{os.getpid()}"
    with suppress(OSError, RunError, sqlite3.Error):  # a full or read-only disk: it is built again next time
        try:
            built.save(draft)
            about["sha256"] = _digest(draft)
            draft.replace(place / TABLE)
            replace(place / ABOUT, json.dumps(about).encode())
        finally:
            draft.unlink(missing_ok=True)


def _made_from(path: Path, timezone: str) -> str:
    """Names all that the table hangs on: the journal to its last byte, and how rows are read and laid out."""
    how = (__version__, LAYOUT, timezone, duplicates.DISTANCE, duplicates.QUALITY)
    return hashlib.sha256(f"{_digest(path)}\n{how}".encode()).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _state(path: Path) -> tuple[int, int]:
    told = path.stat()
    return told.st_size, told.st_mtime_ns
