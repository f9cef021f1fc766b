"""`bladecheck model`: look at a bundle and check it."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from bladecheck.core.bundle import available, find
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import replay

app = typer.Typer(no_args_is_help=True, help="Show or verify a model bundle.")
Name = Annotated[str | None, typer.Argument(help="A bundle's name or folder. Default: base.")]


@app.command()
def show(
    bundle: Name = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole bundle.json.")] = False,
) -> None:
    """Print what a bundle is, how it was measured and what it can't do."""
    found = find(bundle)
    manifest = found.manifest
    if as_json:
        print(json.dumps(manifest.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False))
        return
    print(f"{manifest.name} {manifest.version}  sha256 {found.sha256}\n{manifest.summary}\n")
    for label, band in manifest.thresholds.labels.items():
        print(f"{label}: hold from {band.hold:.3f}, check from {band.check:.3f}")
    print(f"Thresholds chosen for: {manifest.thresholds.chosen_for}\n\nLimits:")
    for limit in manifest.limits:
        print(f"- {limit}")
    print(f"\nModel card: {found.path / 'README.md'}\nOther bundles here: {', '.join(available())}")


@app.command()
def verify(bundle: Name = None) -> None:
    """Check a bundle's hashes and replay its golden pictures; exit code 3 if anything differs."""
    classifier = Classifier.open(bundle)
    outcome = replay(classifier)
    identity = classifier.bundle.identity
    print(f"{identity['name']} {identity['version']} {identity['sha256'][:12]}: files match their hashes, "
          f"{outcome.cases} golden pictures agree (largest difference {outcome.worst:.1e}).")  # fmt: skip
