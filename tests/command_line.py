"""The command line as a function, for processes that are forked from one that has the libraries loaded already."""

from __future__ import annotations

import os
import sys


def command(arguments: list[str]) -> None:
    """Run `bladecheck` with these arguments, silently, as its console script does."""
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    sys.argv = ["bladecheck", *arguments]
    from bladecheck.cli import main

    main()
