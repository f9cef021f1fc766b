"""Parquet and DuckDB files, with types given column by column: nothing is guessed, so ids stay text."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from bladecheck.errors import RunError
from bladecheck.runs.columns import COLUMNS, SCHEMA, Kind, Row, json_schema
from bladecheck.runs.exports import Export, jsonl
from bladecheck.runs.journal import failure
from bladecheck.runs.summary import FIELDS, summarise

TYPES: dict[Kind, str] = {
    "text": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "time": "TIMESTAMP",
    "list": "VARCHAR[]",
    "object": "JSON",
}
# Parquet has a type for moments in UTC, which programs show in whatever zone they are asked for.
PARQUET: dict[Kind, str] = {"object": "VARCHAR", "time": "TIMESTAMPTZ"}
SUMMARY_TYPES = {"month": "VARCHAR", "account": "VARCHAR", "share_hold": "DOUBLE"}
CHUNK, LINE_BYTES = 5_000, 2**20
"""Rows a file of JSON lines, and bytes a line that DuckDB allows for at least."""
ROW_GROUP = 20_480
"""Rows; DuckDB holds a row group in memory while it is written, and these rows are wide."""
MEMORY = "192MB"
SCRATCH = "bladecheck-"
"""What folders for what is only needed meanwhile begin with."""


def write_parquet(export: Export, path: Path) -> None:
    """One table; times are typed as UTC, `extra` is JSON text; the metadata names run, model and policy."""
    with (
        tempfile.TemporaryDirectory(prefix=SCRATCH) as scratch,
        _loaded(export, Path(scratch) / "rows") as database,
    ):
        labels = {**export.labels, "bladecheck_schema": SCHEMA, "bladecheck_json_schema": json.dumps(json_schema())}
        pairs = ", ".join(f"{key}: {_quoted(value)}" for key, value in labels.items())
        columns = ", ".join(
            f"{c.name}::{PARQUET[c.kind]} AS {c.name}" if c.kind in PARQUET else c.name for c in COLUMNS
        )
        database.execute("SET TimeZone = 'UTC'")
        database.execute(
            f"COPY (SELECT {columns} FROM predictions) TO {_quoted(str(path))} "  # noqa: S608 - names are ours
            f"(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE {ROW_GROUP}, KV_METADATA {{{pairs}}})"
        )


def write_duckdb(export: Export, path: Path) -> None:
    """A database with the tables predictions, summary, columns and provenance."""
    with _loaded(export, path) as database:
        _table(database, "summary", {name: SUMMARY_TYPES.get(name, "BIGINT") for name in FIELDS},
               [tuple(line.values()) for line in summarise(export.rows(), export.timezone).lines()])  # fmt: skip
        _table(database, "columns", dict.fromkeys(("name", "type", "meaning"), "VARCHAR"),
               [(column.name, TYPES[column.kind], column.about) for column in COLUMNS])  # fmt: skip
        _table(database, "provenance", dict.fromkeys(("what", "value"), "VARCHAR"),
               [*export.labels.items(), ("run_json", json.dumps(export.manifest))])  # fmt: skip
        # On closing, DuckDB would keep silent about a full disk and leave the rest in a file beside.
        database.execute("CHECKPOINT")


@contextmanager
def _loaded(export: Export, path: Path) -> Iterator[Any]:
    """A DuckDB connection with the table `predictions` in a file, filled a few thousand rows at a time."""
    try:
        import duckdb
    except ImportError as error:
        raise RunError("Parquet and DuckDB need an optional library: pip install 'bladecheck[archive]'.") from error
    with tempfile.TemporaryDirectory(prefix=SCRATCH) as scratch:
        settings: dict[str, str | bool | int | float | list[str]] = {
            "temp_directory": scratch,
            "autoinstall_known_extensions": False,
            "memory_limit": MEMORY,
            "threads": 1,  # each has buffers of its own, and the rows come from one
        }
        try:
            with duckdb.connect(str(path), config=settings) as database:
                columns = ", ".join(f"{column.name} {TYPES[column.kind]}" for column in COLUMNS)
                database.execute(f"CREATE TABLE predictions ({columns})")
                rows, lines = export.rows(), Path(scratch) / "rows.jsonl"
                while chunk := list(islice(rows, CHUNK)):
                    _append(database, chunk, lines)
                yield database
        except duckdb.Error as error:
            raise _failure(str(error)) from error


def _failure(words: str) -> Exception:
    """What DuckDB says, a full disk as Python says it: `save` then names the export, not our drafts."""
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        if os.strerror(code) in words:
            full, beside = OSError(code, os.strerror(code)), Path(tempfile.gettempdir())
            return failure(beside, full) if str(beside / SCRATCH) in words else full
    return RunError(f"The table can't be written: {words[:300]}")


def _append(database: Any, rows: list[Row], lines: Path) -> None:
    try:
        jsonl.dump(rows, lines)
    except OSError as error:
        raise failure(Path(tempfile.gettempdir()), error) from error
    columns = ", ".join(f"{column.name}: '{TYPES[column.kind]}'" for column in COLUMNS)
    # DuckDB's buffers are as long as the longest line may be, so that is worth knowing.
    with lines.open("rb") as stream:
        longest = max(LINE_BYTES, *map(len, stream))
    database.execute(
        "INSERT INTO predictions SELECT * FROM read_json("  # noqa: S608 - names are ours
        f"{_quoted(str(lines))}, format='newline_delimited', maximum_object_size={longest + 1}, "
        f"timestampformat='%Y-%m-%dT%H:%M:%SZ', columns={{{columns}}})"
    )


def _table(database: Any, name: str, types: dict[str, str], rows: list[tuple[Any, ...]]) -> None:
    columns = ", ".join(f'"{column}" {kind}' for column, kind in types.items())
    database.execute(f"CREATE TABLE {name} ({columns})")
    if rows:
        marks = ", ".join("?" * len(types))
        database.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608 - names are ours


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
