"""`bladecheck model`: look at a bundle, check it, and make what a reviewer asks for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from bladecheck.core.bundle import available, find
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import replay
from bladecheck.errors import PackError

app = typer.Typer(no_args_is_help=True, help="Show, verify, sign or document a model bundle.")
Name = Annotated[str | None, typer.Argument(help="A bundle's name or folder. Default: base.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", help="File to write. Default: print it.")]
PASSWORD = "BLADECHECK_KEY_PASSWORD"  # noqa: S105 (the name of a variable)


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
def verify(
    bundle: Name = None,
    signature: Annotated[Path | None, typer.Option(help="A signature of the bundle, by `model sign`.")] = None,
    public_key: Annotated[Path | None, typer.Option(help="Public key of whoever signed it (PEM).")] = None,
) -> None:
    """Check a bundle's hashes and replay its golden pictures; exit code 3 if anything differs.

    With --signature and --public-key also that the folder holds exactly what the owner of the key signed.

    Example:

        bladecheck model verify models/mine --signature mine.sig --public-key public.pem
    """
    if (signature is None) != (public_key is None):
        raise typer.BadParameter("--signature and --public-key go together.")
    found = find(bundle)
    if signature and public_key:
        from bladecheck.core.pack import signing

        signing.verify(found, signature, public_key)
        print(f"{signature} is a signature of this folder by the owner of {public_key}.")
    classifier = Classifier(found)
    outcome = replay(classifier)
    identity = classifier.bundle.identity
    print(f"{identity['name']} {identity['version']} {identity['sha256'][:12]}: files match their hashes, "
          f"{outcome.cases} golden pictures agree (largest difference {outcome.worst:.1e}).")  # fmt: skip


@app.command()
def sign(
    bundle: Name = None,
    key: Annotated[Path | None, typer.Option(help="Elliptic-curve private key (PEM).")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write. Default: NAME.sig.")] = None,
) -> None:
    """Sign every file of a bundle with a key of your own, offline, in the OpenSSF model-signing format.

    A key's password is taken from the variable BLADECHECK_KEY_PASSWORD. Needs the extra [sign].

    Examples:

        openssl ecparam -name prime256v1 -genkey -noout -out private.pem

        openssl ec -in private.pem -pubout -out public.pem

        bladecheck model sign models/mine --key private.pem -o mine.sig
    """
    from bladecheck.core.pack import signing

    if key is None:
        raise PackError(
            "--key FILE is missing. A new one: openssl ecparam -name prime256v1 -genkey -noout -out private.pem"
        )
    found = find(bundle)
    target = output or Path(f"{found.manifest.name}.sig")
    signing.sign(found, key, target, os.environ.get(PASSWORD))
    print(target)


@app.command()
def bom(bundle: Name = None, output: Output = None) -> None:
    """Write a bundle's bill of materials: CycloneDX ML-BOM 1.6 (JSON), with hashes, sources, measures and limits.

    Needs the extra [pack].

    Example:

        bladecheck model bom base -o base.cdx.json
    """
    from bladecheck.core.pack.bom import bom as made

    found = find(bundle)
    _give(json.dumps(made(found, Classifier(found).facts), indent=1, ensure_ascii=False) + "\n", output)


@app.command()
def atrs(bundle: Name = None, output: Output = None) -> None:
    """Write a record after the UK Algorithmic Transparency Recording Standard, with the organisation's blanks marked.

    Example:

        bladecheck model atrs base -o record.md
    """
    from bladecheck.core.pack.atrs import record

    _give(record(find(bundle)), output)


@app.command()
def croissant(
    labels: Annotated[Path, typer.Argument(metavar="LABELS", help="CSV file of labels.")],
    output: Output = None,
    name: Annotated[str, typer.Option(help="Of the data set.")] = "knife-imagery-labels",
    licence: Annotated[str | None, typer.Option(help="Of the labels, as an address or SPDX name.")] = None,
) -> None:
    """Describe a file of labels in Croissant (JSON-LD), so that others can tell what its columns are.

    The pictures are not part of it. Keep the description beside the file.

    Example:

        bladecheck model croissant labels.csv --licence CC-BY-4.0 -o croissant.json
    """
    from bladecheck.core.pack.croissant import describe

    about = "Labels of photographs: which show knife imagery. The pictures are not part of it."
    _give(json.dumps(describe(labels, name, about, licence), indent=1, ensure_ascii=False) + "\n", output)


def _give(text: str, output: Path | None) -> None:
    if output is None:
        print(text, end="")
        return
    output.write_text(text, encoding="utf-8")
    print(output)
