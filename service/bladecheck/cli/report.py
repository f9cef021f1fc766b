"""`bladecheck report`: a run as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bladecheck.cli.export import caveats, opened


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write. Default: RUN/report.html.")
    ] = None,
    timezone: Annotated[str | None, typer.Option(help="Whose months to count by. Default: the run's.")] = None,
    title: Annotated[str | None, typer.Option(help="Title of the report.")] = None,
) -> int:
    """Write one offline HTML file with raw counts by month and account, failures, duplicates and the model's limits.

    Examples:

        bladecheck report run

        bladecheck report run --timezone Europe/London -o report.html
    """
    from bladecheck.runs.report.page import render, save

    target = output or run / "report.html"
    with opened(run, timezone) as (found, ledger):
        save(render(found, caveats(ledger, dict(found.manifest)), title), target)
    print(target)
    return 0
