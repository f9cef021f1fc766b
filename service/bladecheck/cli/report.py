"""`bladecheck report`: a run as one HTML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bladecheck.cli.export import caveats, opened
from bladecheck.errors import RunError


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write. Default: RUN/report.html.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="Whose months to count by. Default: the run's.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the report.")] = None,
) -> int:
    """Write one offline HTML file: the estimate if there is one, raw counts, failures, duplicates, the model's limits.

    Examples:

        bladecheck report run

        bladecheck report run --timezone Europe/London -o report.html
    """
    from bladecheck.runs.counts.alike import FILE, parsed
    from bladecheck.runs.report.page import render, save

    target = output or run / "report.html"
    with opened(run, timezone) as (found, ledger):
        save(render(found, caveats(ledger, dict(found.manifest)), title, _estimate(run), parsed(run / FILE)), target)
    print(target)
    return 0


def _estimate(run: Path) -> dict[str, Any] | None:
    """estimate.json, if `bladecheck estimate` has written one."""
    path = run / "estimate.json"
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise RunError(f"{path} can't be read: {error}. Write it anew: bladecheck estimate {run}") from error
    return found
