"""Says of a container that can't be opened that it is lost; see `containers.lost`."""

from __future__ import annotations

from collections.abc import Iterator

from bladecheck.archives.containers.lost import LostSource
from bladecheck.archives.containers.source import Source
from bladecheck.archives.item import Item


class LostReader:
    """No pictures, one note; the archive gives the row that fails."""

    name = "unreadable"
    title = "archive that can't be read"

    def detect(self, source: Source) -> float:
        return 1.0 if isinstance(source, LostSource) else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        if isinstance(source, LostSource):
            source.log.breaks[source.path.name] = source.why
            source.log.warn(f"{source.path.name} {source.why} Nothing of it is read; the others are.")
        return iter(())
