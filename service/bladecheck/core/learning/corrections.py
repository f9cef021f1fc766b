"""What people said of wrong answers in records, as labels of pictures for `bladecheck adapt`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bladecheck.errors import RecordError

KNIFE = {"knife": 1, "other_kind": 1, "no_knife": 0, "drawn": 0}
"""By correction: is a real knife to be seen. Drawn, printed and toy ones count as others, as in training."""


@dataclass(frozen=True, slots=True)
class Corrected:
    """One picture whose answer was wrong: its name in the record, and 1 or 0 for a knife or none."""

    name: str
    knife: int


def corrected(records: Iterable[tuple[str, Mapping[str, Any]]]) -> dict[str, Corrected]:
    """By a picture's sha256, what a person said of it; `records` with their file names.

    Raises:
        RecordError: if two records say different things of one picture, or one has a correction that is not known.
    """
    found: dict[str, Corrected] = {}
    for file, record in records:
        for item in record["pictures"]:
            if not item.get("correction"):
                continue
            code, name = item["correction"]["code"], item["name"]
            if code not in KNIFE:
                raise RecordError(f"{file} has a correction {code!r}, which this version does not know; update it.")
            one = found.setdefault(item["result"]["image"]["sha256"], Corrected(name, KNIFE[code]))
            if one.knife != KNIFE[code]:
                raise RecordError(f"{file} says of {name} the opposite of an earlier record; leave one of them out.")
    return found


def files(found: Mapping[str, Corrected], folders: Sequence[Path]) -> dict[str, Path]:
    """By sha256, the first file below `folders` that is one of these pictures, byte for byte."""
    at: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        if digest in found:
            at.setdefault(digest, path)
    return at
