"""`bladecheck export`: a run as a file for other programs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from bladecheck.errors import RunError
from bladecheck.runs.exports import Export
from bladecheck.runs.exports.registry import FORMATS, save
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.summary import zone
from bladecheck.runs.table import Ledger


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    format: Annotated[str, typer.Option("--format", "-f", help=f"One of: {', '.join(FORMATS)}.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File or folder to write. Default: inside RUN.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="Whose months a summary uses. Default: the run's.")] = None,
) -> int:
    """Write the rows of a run in another format.

    Examples:

        bladecheck export run --format parquet

        bladecheck export run --format csv -o rows.csv
    """
    if format == "label-studio":
        raise typer.BadParameter(
            "Label Studio gets the drawn sample, without the model's answers: "
            f"bladecheck review {run} --labels 1000 --export label-studio."
        )
    if format not in FORMATS:
        raise typer.BadParameter(f"No format {format!r}; known: {', '.join(FORMATS)}.")
    with opened(run, timezone) as (found, _):
        target = output or run / FORMATS[format][0]
        save(found, format, target)
        print(target)
    return 0


@contextmanager
def opened(run: Path, timezone: str | None) -> Iterator[tuple[Export, Ledger]]:
    """A run for reading, with what has to be said about its state said on stderr."""
    folder = RunFolder(run)
    with Ledger(folder) as ledger:
        manifest = {**folder.manifest(), "model": ledger.head["model"], "policy": ledger.head["policy"]}
        where = timezone or manifest.get("timezone", "UTC")
        zone(where)
        for line in caveats(ledger, manifest):
            print(f"bladecheck: {line}", file=sys.stderr)
        yield Export(ledger.rows, manifest, where), ledger


def caveats(ledger: Ledger, manifest: dict[str, object]) -> list[str]:
    """What is not whole about a run, in sentences."""
    found = []
    sessions = manifest.get("sessions")
    if not isinstance(sessions, list):
        raise RunError("run.json has no list of sessions: it is damaged.")
    if not sessions or sessions[-1].get("ended") != "complete":
        found.append("the run is not complete: run the score command again to go on.")
    if ledger.unfinished:
        found.append(f"{ledger.unfinished} rows wait for their picture to be scored and are left out.")
    if ledger.damaged:
        found.append(f"{ledger.damaged} damaged journal lines were passed over; scoring again fills the gaps.")
    counts = manifest.get("counts")
    known = counts.get("rows", 0) if isinstance(counts, dict) else 0
    if not found and isinstance(known, int) and known > ledger.count:
        found.append(f"the journal has lost {known - ledger.count} rows at its end; scoring again fills the gap.")
    return found
