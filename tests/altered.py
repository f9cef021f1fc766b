"""Copies of the tiny bundle with something changed, as a mistaken or hostile bundle maker would leave them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bladecheck.core import bundle

Change = Callable[[dict[str, Any]], object]


def alter(folder: Path, change: Change) -> None:
    """Change bundle.json in place."""
    path = folder / bundle.MANIFEST
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def replace_file(folder: Path, name: str, data: bytes) -> None:
    """Put another file in place, with the hash to match."""
    (folder / name).write_bytes(data)
    alter(folder, lambda manifest: manifest["files"].update({name: hashlib.sha256(data).hexdigest()}))
