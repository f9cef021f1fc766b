"""`bladecheck verify`: is a published total what its files say?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bladecheck.cli import exit_codes
from bladecheck.cli.sample_options import ArchivePath, RunArgument
from bladecheck.core import policy_file
from bladecheck.errors import RunError

if TYPE_CHECKING:
    from bladecheck.runs.verify import Checked


def verify(
    run: RunArgument,
    sample: Annotated[int, typer.Option(min=0, help="Pictures to score again; 0 scores none.")] = 200,
    bundle: Annotated[
        str | None, typer.Option(help="The model that scored the run. Default: by the run's name.")
    ] = None,
    rules: Annotated[
        str | None, typer.Option("--policy", metavar="P", help="The run's policy, if it is a file of your own.")
    ] = None,
    archive: ArchivePath = None,
) -> int:
    """Recompute seed, draw, labels and totals from the files, score some pictures again, and list what differs.

    Exit code 2 means that something differs.

    Examples:

        bladecheck verify run

        bladecheck verify run --sample 0
    """
    from bladecheck.runs.counts.opened import open_sample
    from bladecheck.runs.counts.sample import FOLDERS, PLAN
    from bladecheck.runs.verify import draw_and_labels, totals

    checked: list[Checked] = []
    for count, name in FOLDERS.items():
        if (run / name / PLAN).exists():
            opened = open_sample(run, count)
            checked.append(draw_and_labels(opened))
            if count == _estimated(run):
                checked.append(totals(opened))
    if not checked:
        print("No sample has been drawn in this run: only scores are compared.")
    if sample:
        checked.append(_scores(run, sample, bundle, rules, archive))
    for one in checked:
        for line in one.said:
            print(f"ok       {line}")
        for line in one.wrong:
            print(f"differs  {line}")
    return exit_codes.SOME_FAILED if any(one.wrong for one in checked) else 0


def _estimated(run: Path) -> str | None:
    """The kind of sample that estimate.json was made from."""
    import json

    from bladecheck.runs.counts.opened import ESTIMATE
    from bladecheck.runs.counts.sample import PLAN, place

    try:
        count = json.loads((run / ESTIMATE).read_text(encoding="utf-8"))["count"]
    except (OSError, ValueError, LookupError):
        return "pictures" if (run / ESTIMATE).exists() else None
    return "pictures" if count == "distinct" and not (place(run, "distinct") / PLAN).exists() else str(count)


def _scores(run: Path, count: int, bundle: str | None, rules: str | None, archive: Path | None) -> Checked:
    from bladecheck.core.classifier import Classifier
    from bladecheck.runs.folder import RunFolder
    from bladecheck.runs.table import Ledger
    from bladecheck.runs.verify import scores

    folder = RunFolder(run)
    head = folder.header()
    classifier = Classifier.open(bundle or head["model"]["name"])
    if classifier.bundle.identity != head["model"]:
        raise RunError(
            f"{run} was scored by {head['model']['name']} {head['model']['version']} ({head['model']['sha256'][:12]}), "
            f"not by {classifier.bundle.identity['version']} ({classifier.bundle.identity['sha256'][:12]}): name that "
            "bundle with --bundle, or use --sample 0."
        )
    policy = policy_file.find(rules or head["policy"]["name"])
    if policy.sha256 != head["policy"]["sha256"]:
        raise RunError(f"{run} was decided by another policy {head['policy']['name']!r}: name its file with --policy.")
    with Ledger(folder) as ledger:
        return scores(folder, list(ledger.rows()), count, classifier, policy, archive)
