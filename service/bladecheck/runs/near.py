"""Near duplicates kept in the run, so that the next session, export and report need not look for them again."""

from __future__ import annotations

import hashlib
import os
from array import array
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np

from bladecheck.runs import duplicates

KEPT = "near-duplicates.bin"
MARK = b"bladecheck-near/1\n"
FEWEST = 5_000
"""Fewer hashes than this are grouped anew faster than a file is worth."""
Places = partial(array, "q")
"""An empty list of whole numbers, eight bytes each."""


def groups(hashes: bytes, kept: Path) -> array[int]:
    """For each 32-byte hash the index of the first of its cluster, from `kept` if that was made from the same hashes.

    Args:
        hashes: all of them, one after another.
        kept: the file; it holds a mark, the SHA-256 of what it was made from, its own, and the indices (int64).
    """
    made_from = hashlib.sha256(b"%s%d\n" % (MARK, duplicates.DISTANCE) + hashes).digest()
    if (found := _read(kept, made_from, len(hashes) // 32)) is not None:
        return found
    grouped = duplicates.grouped(np.frombuffer(hashes, np.uint8).reshape(-1, 32))
    found = Places(grouped.astype(np.int64).tobytes())
    if len(found) >= FEWEST:
        _keep(kept, made_from, found)
    return found


def _read(kept: Path, made_from: bytes, count: int) -> array[int] | None:
    """The indices, or None where the file is missing, damaged or made from other hashes."""
    try:
        data = kept.read_bytes()
    except OSError:
        return None
    head, body = data[: len(MARK) + 64], data[len(MARK) + 64 :]
    if head != MARK + made_from + hashlib.sha256(body).digest() or len(body) != 8 * count:
        return None
    return Places(body)


def _keep(kept: Path, made_from: bytes, found: array[int]) -> None:
    """In one step; a run that may only be read is read all the same."""
    body = found.tobytes()
    draft = kept.with_name(f".{kept.name}.{os.getpid()}")
    with suppress(OSError):
        try:
            draft.write_bytes(MARK + made_from + hashlib.sha256(body).digest() + body)
            draft.replace(kept)
        finally:
            draft.unlink(missing_ok=True)
