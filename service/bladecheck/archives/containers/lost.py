"""A container that can't be opened at all, among others that can: it has no members and says why."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from bladecheck.archives.containers.limits import ArchiveLimits
from bladecheck.archives.containers.source import Source


class LostSource(Source):
    """Stands for a container, so that it has a row that fails.

    Args:
        path: the container.
        why: what is wrong, as a sentence that begins with its name.
    """

    def __init__(self, path: Path, limits: ArchiveLimits, why: str) -> None:
        super().__init__(path, limits)
        self.why = why.removeprefix(path.name).strip()

    def names(self) -> Sequence[str]:
        return ()

    def size(self, name: str) -> int:
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return False

    def _stream(self, name: str) -> BinaryIO:
        raise KeyError(name)
