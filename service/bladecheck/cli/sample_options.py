"""Options that the commands on samples share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bladecheck.runs.counts.frame import Count

RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")]
By = Annotated[
    str | None, typer.Option(metavar="year|account", help="Domains, comma-separated: account, year, month, platform.")
]
CountBy = Annotated[str, typer.Option("--count", help="What counts as one: pictures, distinct or posts.")]
Reposts = Annotated[bool, typer.Option("--reposts", help="Include other people's posts that the account shared.")]
ArchivePath = Annotated[
    Path | None,
    typer.Option("--archive", metavar="DIR", help="Folder with the archive, if it has moved since scoring."),
]


def count_of(text: str) -> Count:
    """The unit by its name."""
    from bladecheck.runs.counts.frame import COUNTS

    for known in COUNTS:
        if text == known:
            return known
    raise typer.BadParameter(f"--count takes one of {', '.join(COUNTS)}, not {text!r}.")


def domains_of(text: str | None) -> tuple[str, ...]:
    """The names of domains in a comma-separated list."""
    from bladecheck.runs.counts.frame import BY

    names = tuple(name.strip() for name in (text or "").split(",") if name.strip())
    if wrong := [name for name in names if name not in BY]:
        raise typer.BadParameter(f"--by takes {', '.join(BY)}, not {wrong[0]!r}.")
    return tuple(dict.fromkeys(names))
