"""`bladecheck merge`: the shards of a run put together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bladecheck.cli import exit_codes


def merge(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder that the shards were scored into.")],
    partial: Annotated[
        bool, typer.Option("--partial", help="Put together what there is, although shards are missing or unfinished.")
    ] = False,
) -> int:
    """Make one run of the shards that `score --shard I/N` made in RUN.

    Doing it again gives the same run. Exit code 2 means that shards are missing (--partial).

    Examples:

        bladecheck score archive.zip -o run --shard 1/4

        bladecheck merge run
    """
    from bladecheck.runs.folder import RunFolder
    from bladecheck.runs.shards import merge as put_together
    from bladecheck.runs.summary import summarise
    from bladecheck.runs.table import Ledger

    folder = RunFolder(run)
    merged = put_together(folder, partial=partial)
    manifest = folder.manifest()
    with Ledger(folder) as ledger:
        counts = summarise(ledger.rows(), manifest["timezone"]).counts()
    folder.save({**manifest, "counts": counts})
    print(f"{counts['rows']:,} rows of {merged.shards:,} shards in {run}.")
    if merged.missing:
        print(f"Without shard {', '.join(map(str, merged.missing))}: totals of this run are not the archive's.")
    print(f"Next: bladecheck report {run}\n      bladecheck export {run} --format csv")
    return exit_codes.SOME_FAILED if merged.missing else 0
