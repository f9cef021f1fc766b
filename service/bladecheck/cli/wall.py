"""`bladecheck wall`: look through a run's pictures on a page of this machine, and mark them in bulk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bladecheck.cli.sample_options import ArchivePath, RunArgument


def wall(
    run: RunArgument,
    who: Annotated[str, typer.Option(help="Pseudonym of who marks.")] = "A",
    export: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the marks as CSV instead.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 takes a free one.")] = 0,
    archive: ArchivePath = None,
) -> int:
    """Look through a run's pictures, small and blurred, by month, decision, kind, account or times posted.

    The page is for this machine only. Thumbnails lie in RUN/thumbs, which may be deleted. Marks are a curated set and
    never enter an estimate. Of pictures that a sample has drawn and nobody has labelled yet, it does not tell what the
    model said.

    Examples:

        bladecheck wall run

        bladecheck wall run --export marks.csv
    """
    from bladecheck.runs.wall.server import export as write
    from bladecheck.runs.wall.server import serve

    if export:
        print(f"{write(run, export):,} marked pictures in {export}.")
        return 0
    return serve(run, who, port, archive)
