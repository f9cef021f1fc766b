"""`bladecheck record`: verify a record, make the key that signs them, make labels of what was corrected."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from bladecheck.core import record
from bladecheck.errors import RecordError

# Exit code: the record or its signature does not hold.
MISMATCH = 2
SAID = {
    "valid": "Its signature is valid: it was made by a service that holds this key.",
    "wrong": "Its signature is WRONG: it was not made with this key, or it was altered.",
    "not verified": "It is signed; give the force's key with --key to verify that.",
    "unsigned": "It is unsigned: whoever can edit a file can also make a new fingerprint. Compare it with the paper.",
}
app = typer.Typer(no_args_is_help=True, help="Records that the page made: verify, sign, or learn from them.")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The record as data (JSON).")],
    pictures: Annotated[list[Path] | None, typer.Argument(help="Pictures or copies that should be in it.")] = None,
    key: Annotated[Path | None, typer.Option(help="File with the key that the force keeps.")] = None,
) -> int:
    """Say whether a record is unaltered, and whether pictures and copies are those that it names; exit code 2 if not.

    Examples:

        bladecheck record verify picture-check.json

        bladecheck record verify picture-check.json photo.jpg photo-covered.jpg --key record.key
    """
    secret = record.read_key(key) if key else None
    made = record.read(_read(file))
    found = record.verify(made, [(str(path), _read(path)) for path in pictures or []], secret)
    state = "unaltered" if found.unaltered else "ALTERED: its contents do not match its fingerprint"
    print(f"{file}: {state}.\nFingerprint {made.get('fingerprint')}\n{SAID[found.signature]}")
    for name, what in found.pictures.items():
        print(f"{name}: {what or 'NOT in this record'}")
    return 0 if found.good else MISMATCH


@app.command()
def labels(
    files: Annotated[list[Path], typer.Argument(metavar="RECORD...", help="Records as data (JSON).")],
    pictures: Annotated[list[Path], typer.Option(metavar="DIR", help="Folder with the pictures; may be repeated.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="CSV of path,label to write, as `adapt` takes it.")],
) -> int:
    """Write what people said of wrong answers as labels for `bladecheck adapt`; exit code 2 if a picture is not found.

    Pictures are found by their fingerprint, whatever they are called now. Altered records are refused.

    Examples:

        bladecheck record labels records/*.json --pictures posted/ -o labels.csv
    """
    from bladecheck.core.learning import corrections

    found = corrections.corrected((str(file), _unaltered(file)) for file in files)
    at = corrections.files(found, pictures)
    try:
        with out.open("x", newline="", encoding="utf-8") as stream:
            table = csv.writer(stream)
            table.writerow(("path", "label"))
            for digest, path in at.items():
                label = "knife" if found[digest].knife else "other"
                table.writerow((os.path.relpath(path, out.parent), label))
    except OSError as error:
        raise RecordError(f"{str(out)!r} can't be written: {error.strerror}.") from error
    missing = sorted(one.name for digest, one in found.items() if digest not in at)
    print(f"{len(at)} labelled in {out}.")
    if missing:
        print(f"Not below the folders, or changed since: {', '.join(missing)}.")
    return MISMATCH if missing else 0


@app.command("new-key")
def new_key() -> None:
    """Print a new key. Put it in a file that only the service can read, and set BLADECHECK_RECORD_KEY to its path."""
    print(record.new_key())


def _unaltered(path: Path) -> dict[str, Any]:
    made = record.read(_read(path))
    if not record.verify(made).unaltered:
        raise RecordError(f"{str(path)!r} was altered since it was made: leave it out.")
    return made


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordError(f"{str(path)!r} can't be read: {error.strerror}.") from error
