"""`bladecheck adapt`: a bundle that learns from the user's own labels."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from bladecheck.cli.own_labels import Own, Source, own
from bladecheck.cli.sample_options import ArchivePath
from bladecheck.core.bundle import MANIFEST, find
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import replay
from bladecheck.core.learning import adapting, installing, labels
from bladecheck.core.learning.seen import Reading, Store, read_all, require_embedding
from bladecheck.errors import LabelsError


def adapt(
    source: Source,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the new bundle; its name is the bundle's.")],
    bundle: Annotated[str | None, typer.Option(help="Bundle to start from: a name or folder. Default: base.")] = None,
    missed: Annotated[float, typer.Option(min=0, max=0.5, help="Share of knives that may end as clear.")] = 0.02,
    false_hold: Annotated[float, typer.Option(min=0, max=0.5, help="Share of others that may be held.")] = 0.02,
    embeddings: Annotated[
        Path | None,
        typer.Option(help="Folder that keeps what the model read of each picture. Default: OUT.embeddings."),
    ] = None,
    archive: ArchivePath = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a bundle that lies there already.")] = False,
) -> None:
    """Adapt the knife score to your own labels, on this machine, and install it only if it is better.

    Needs at least 20 knives and 20 other pictures; 100 to 300 are well spent. An optional column `group` names pictures
    that belong together; of those without a group, near-identical ones are put together. Nothing leaves this machine.
    What the model read of each picture is kept in a folder beside the new bundle, so that a second try is quick: delete
    it when done.

    Examples:

        bladecheck adapt labels.csv -o models/mine

        bladecheck adapt run -o models/mine

        bladecheck serve --bundle models/mine
    """
    installing.check_name(out)
    if (out / MANIFEST).exists() and not overwrite:
        raise LabelsError(f"{out} holds a bundle already; choose another folder, or replace it with --overwrite.")
    if out.exists() and not (out / MANIFEST).exists():
        raise LabelsError(f"{out} exists and is no bundle; choose a folder that does not exist yet.")
    parent = find(bundle)
    classifier = Classifier(parent)
    require_embedding(classifier)
    with own(source, archive) as given:
        labels.need(given.labelled, adapting.LEAST, source)
        store = Store(embeddings or out.with_name(f"{out.name}.embeddings"), classifier)
        seen = _read(given, store)
    kept = [one for one, _ in seen]
    labels.need(kept, adapting.LEAST, source)
    targets = adapting.Targets(missed, false_hold)
    found = adapting.adapt(kept, [reading for _, reading in seen], parent, targets)
    print("\n".join(adapting.lines(found, parent)))
    if not found.better:
        print(f"Nothing installed: on your labels the adapted head is not surely better than {parent.manifest.name}.")
        return
    made = installing.install(found, parent, out, given.sha256)
    outcome = replay(Classifier(made))
    print(
        f"Installed {out} ({made.sha256[:12]}, {outcome.cases} golden pictures replayed). Card: {out / installing.CARD}"
    )


def _read(given: Own, store: Store) -> list[tuple[labels.Labelled, Reading]]:
    """What the model reads of each labelled picture; those that can't be read are named and left out."""
    unreadable: list[tuple[labels.Labelled, str]] = []
    console = Console(stderr=True)
    shown = track(given.labelled, "Looking", console=console, transient=True, disable=not console.is_terminal)
    seen = list(read_all(shown, store, unreadable))
    for note in given.notes:
        typer.echo(note, err=True)
    for one, reason in unreadable:
        typer.echo(f"left out: {one.name}: {reason}", err=True)
    return seen
