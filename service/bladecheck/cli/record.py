"""`bladecheck record`: tell whether a record is what was once made, and make the key that signs them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
app = typer.Typer(no_args_is_help=True, help="Verify a record that the page made, or make the key that signs records.")


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


@app.command("new-key")
def new_key() -> None:
    """Print a new key. Put it in a file that only the service can read, and set BLADECHECK_RECORD_KEY to its path."""
    print(record.new_key())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordError(f"{str(path)!r} can't be read: {error.strerror}.") from error
