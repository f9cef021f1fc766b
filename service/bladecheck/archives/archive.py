"""An archive that is open: its rows, again and again, and what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from bladecheck.archives.containers.limits import ArchiveLimits
from bladecheck.archives.containers.merged import MergedSource
from bladecheck.archives.containers.opening import open_sources
from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.mapping import TableMapping
from bladecheck.archives.found import Found, Log, Tally
from bladecheck.archives.item import Item
from bladecheck.archives.readers.base import JoinsParts, Reader
from bladecheck.archives.registry import ReaderRegistry
from bladecheck.errors import ArchiveError, DamagedArchive


@dataclass(frozen=True, slots=True)
class Volume:
    """One export: the reader that knows it, its source, and of how many containers it is made."""

    reader: Reader
    source: Source
    containers: int = 1


class Archive:
    """What `open_archive` gives. Rows stream; only names of members are held in memory.

    Attributes:
        volumes: the exports given, each with its reader.
    """

    def __init__(self, volumes: Sequence[Volume]) -> None:
        self.volumes = tuple(volumes)
        self._found: Found | None = None
        self._logs: list[Log] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def reader(self) -> Reader:
        """The reader of the first export; `readers` has them all."""
        return self.volumes[0].reader

    @property
    def readers(self) -> tuple[Reader, ...]:
        """The readers at work, each once."""
        return tuple({volume.reader.name: volume.reader for volume in self.volumes}.values())

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the latest pass had to warn of; complete once the pass is."""
        return tuple(dict.fromkeys(warning for log in self._logs for warning in log.warnings))

    def items(self) -> Iterator[Item]:
        """A row for each picture, in a stable order; a new pass each time.

        Raises:
            ArchiveError: on the way, where an archive as a whole can't be read safely.
        """
        tally, logs = Tally(), list[Log]()
        self._logs = logs
        for volume in self.volumes:
            source = volume.source.reading()
            logs.append(source.log)
            for item in volume.reader.read(source):
                tally.add(item)
                yield item
            for item in _breaks(volume.reader, source):
                tally.add(item)
                yield item
            _warn_of_refused(source)
        self._found = self._describe(tally, logs)

    def describe(self) -> Found:
        """What the archive holds. Goes through it once, unless a pass has been completed already.

        Raises:
            ArchiveError: as for items.
        """
        if self._found is None:
            for _ in self.items():
                pass
        assert self._found is not None
        return self._found

    def close(self) -> None:
        """Lets go of open files; rows can no longer be opened."""
        for volume in self.volumes:
            volume.source.close()

    def _describe(self, tally: Tally, logs: list[Log]) -> Found:
        titles = [log.title or volume.reader.title for volume, log in zip(self.volumes, logs, strict=True)]
        title = " and ".join(dict.fromkeys(titles))
        return tally.found(title, sum(volume.containers for volume in self.volumes), logs)


def open_archive(
    paths: Sequence[Path] | Path,
    *,
    format: str | None = None,
    mapping: TableMapping | Mapping[str, str | bool | None] | None = None,
    exif_dates: bool = False,
    limits: ArchiveLimits | None = None,
    registry: ReaderRegistry | None = None,
) -> Archive:
    """Opens what the paths hold: files, folders, containers; parts of one export are joined.

    Args:
        paths: one or more; each may be of another format.
        format: a reader's name, where it is not to be recognised.
        mapping: for tables, which column means what; None guesses, and `describe().mapping` shows the guess.
        exif_dates: whether loose pictures without a date in their name are opened for the date taken.
        limits: the caps; None takes the usual ones.
        registry: the readers; None takes those built in and installed.

    Raises:
        ArchiveError: a path is missing, not readable safely, or of no known format.
    """
    wanted = [Path(paths)] if isinstance(paths, str | Path) else [Path(path) for path in paths]
    if not wanted:
        raise ArchiveError("no archive was named")
    if mapping is not None and not isinstance(mapping, TableMapping):
        mapping = TableMapping.of(mapping)
    registry = registry or ReaderRegistry(mapping=mapping, exif_dates=exif_dates)
    if mapping is not None and format is None:
        format = "table"
    sources = [source for path in wanted for source in open_sources(path, limits or ArchiveLimits(), registry.certain)]
    try:
        chosen = [(registry.named(format) if format else registry.choose(source), source) for source in sources]
    except ArchiveError:
        for source in sources:
            source.close()
        raise
    return Archive(_joined(chosen))


def _joined(chosen: list[tuple[Reader, Source]]) -> list[Volume]:
    """Puts the parts of one export together, in place of the first."""
    groups: dict[tuple[str, str], list[Source]] = {}
    keys: list[tuple[Reader, tuple[str, str]]] = []
    for place, (reader, source) in enumerate(chosen):
        part = reader.part_of(source) if isinstance(reader, JoinsParts) else None
        group = (reader.name, f"#{place}" if part is None else f"={part}")
        if group not in groups:
            keys.append((reader, group))
        groups.setdefault(group, []).append(source)
    _adopt(groups)
    volumes = []
    for reader, group in keys:
        if sources := groups.get(group):
            source = sources[0] if len(sources) == 1 else MergedSource(sources)
            volumes.append(Volume(reader, source, len(sources)))
    return volumes


def _adopt(groups: dict[tuple[str, str], list[Source]]) -> None:
    """Parts that do not say whose they are go to the one export of their format, if there is just one."""
    for name, part in [group for group in groups if group[1] == "="]:
        others = [group for group in groups if group[0] == name and group[1].startswith("=") and group[1] != part]
        if len(others) == 1:
            groups[others[0]].extend(groups.pop((name, part)))


def _breaks(reader: Reader, source: Source) -> Iterator[Item]:
    """A row for each file that breaks off: its bytes can't be had, so that it fails and is counted as failed."""
    for name, why in source.broken.items():
        source.log.warn(f"{name} {why}; what comes before it is kept.")
    for name, why in {**source.broken, **source.log.breaks}.items():
        detail = f"{name} {why}. What it held beyond is not among the rows."
        yield Item(reader.name, str(source.path), member=name, detail=detail, opener=partial(_fail, detail))


def _fail(detail: str) -> bytes:
    raise DamagedArchive(detail)


def _warn_of_refused(source: Source) -> None:
    if source.passed_over:
        source.log.warn(
            f"{', '.join(source.passed_over)[:300]} beside it: not opened, as likely what it was unpacked from; "
            "name them as paths of their own if they hold something else."
        )
    for count, (name, reason) in enumerate(source.refused.items()):
        if count == 10:
            source.log.warn(f"{len(source.refused) - count} more members were refused.")
            return
        source.log.warn(f"{name!r} was refused: {reason}.")
