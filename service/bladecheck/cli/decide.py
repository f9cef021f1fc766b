"""`bladecheck decide`: another policy on the scores of a run."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from bladecheck.cli.sample_options import RunArgument
from bladecheck.core import policy_file


def decide(
    run: RunArgument,
    rules: Annotated[str, typer.Option("--policy", metavar="P", help="Policy: a name or a TOML file.")],
) -> int:
    """Decide a run's pictures by another policy, from the scores it has, without the model.

    The rows lie in a folder inside RUN and are those that scoring with this policy would have given. What can't be
    decided from scores alone (animations) waits; the score command with --side-by-side finishes it.

    Example:

        bladecheck decide run --policy only-when-necessary
    """
    from bladecheck.runs.decide import again
    from bladecheck.runs.folder import RunFolder

    done = again(RunFolder(run), policy_file.find(rules))
    print(f"{done.pictures:,} pictures decided in {done.folder.path}; {done.changed:,} decisions differ.")
    if done.waiting:
        print(
            f"bladecheck: {done.waiting:,} pictures can't be decided from their scores alone (animations, and knives "
            f"whose place is to be marked): bladecheck score ARCHIVE -o {run} --side-by-side --policy {rules}",
            file=sys.stderr,
        )
    return 0
