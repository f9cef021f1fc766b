"""Several containers read as one tree: an export that came in parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO

from bladecheck.archives.containers.handles import Span
from bladecheck.archives.containers.source import Source
from bladecheck.archives.item import Handle


class MergedSource(Source):
    """The union of the parts' members. Where two parts hold the same name, the first part's is taken.

    A file that differs in size from its namesake is kept as well, under its name with "#2".
    """

    def __init__(self, parts: Sequence[Source]) -> None:
        super().__init__(parts[0].path, parts[0].limits)
        self.parts = tuple(parts)
        self._where: dict[str, tuple[Source, str]] = {}
        for part in parts:
            self.refused.update(part.refused)
            self.broken.update(part.broken)
            for name in part.names():
                self._add(part, name)

    def names(self) -> Sequence[str]:
        return tuple(self._where)

    def __contains__(self, name: object) -> bool:
        return name in self._where

    def size(self, name: str) -> int:
        part, inner = self._where[name]
        return part.size(inner)

    def origin(self, name: str) -> str:
        part, inner = self._where[name]
        return part.origin(inner)

    def close(self) -> None:
        super().close()
        for part in self.parts:
            part.close()

    def span(self, name: str) -> Span | None:
        part, inner = self._where[name]
        return part.span(inner)

    def _handle(self, name: str) -> Handle | None:
        part, inner = self._where[name]
        return part.handle(inner)

    def _stream(self, name: str) -> BinaryIO:
        part, inner = self._where[name]
        return part.open_stream(inner)

    def _add(self, part: Source, name: str) -> None:
        key = name
        while key in self._where:
            other, inner = self._where[key]
            if other.size(inner) == part.size(name):
                return
            key += "#2"
        self._where[key] = (part, name)
