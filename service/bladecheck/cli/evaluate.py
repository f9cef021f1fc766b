"""`bladecheck evaluate`: how well a bundle does on the user's own labels."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from bladecheck.cli.own_labels import Source, own
from bladecheck.cli.sample_options import ArchivePath
from bladecheck.core.classifier import Classifier
from bladecheck.core.learning import evaluating, labels
from bladecheck.core.policy_file import find as find_policy

ADAPTED_TO_THESE = "This bundle was adapted to these very labels: it does better on them than on pictures that it has \
not seen. Its card has cross-validated figures."


def evaluate(
    source: Source,
    bundle: Annotated[str | None, typer.Option(help="Model: a bundle's name or folder. Default: base.")] = None,
    policy: Annotated[str | None, typer.Option(help="Rules: a shipped policy's name or a TOML file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="All measures as one JSON object.")] = False,
    errors: Annotated[Path | None, typer.Option(help="Write every wrong picture to this CSV file.")] = None,
    archive: ArchivePath = None,
) -> int:
    """Measure a bundle on pictures that you have labelled: with n, intervals, and the list of what it gets wrong.

    Of a run's sample some pictures were likelier to be drawn than others: each counts for as many as it was drawn from,
    so the shares are those of the whole run.

    Examples:

        bladecheck evaluate labels.csv --bundle models/mine

        bladecheck evaluate run
    """
    with own(source, archive) as given:
        labels.need(given.labelled, 1, source)
        classifier = Classifier.open(bundle)
        rules = find_policy(policy)
        console = Console(stderr=True)
        shown = track(given.labelled, "Judging", console=console, transient=True, disable=not console.is_terminal)
        found = evaluating.evaluate(shown, classifier, rules)
    for note in given.notes:
        typer.echo(note, err=True)
    if classifier.bundle.manifest.data.get("labels_sha256") == given.sha256:
        typer.echo(ADAPTED_TO_THESE, err=True)
    labels.need([one.labelled for one in found.judged], 1, source)
    measured = found.measured()
    if as_json:
        print(json.dumps({"model": classifier.bundle.identity, "labels": str(source), **measured}, indent=1))
    else:
        print(f"{classifier.bundle.manifest.name} {classifier.bundle.manifest.version} on {source}: ", end="")
        print("\n".join(evaluating.lines(measured, found.errors)))
    for one, reason in found.failed:
        typer.echo(f"not judged: {one.name}: {reason}", err=True)
    if errors:
        _write(errors, found.errors)
    return 2 if found.failed else 0


def _write(path: Path, wrong: list[evaluating.Judged]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "label", "decision", "score_knife"))
        writer.writerows((one.labelled.name, "knife" if one.labelled.knife else "other", one.result["decision"],
                          f"{one.score:.4f}") for one in wrong)  # fmt: skip
