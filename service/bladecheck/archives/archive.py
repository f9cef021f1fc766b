"""An archive that is open: its rows, again and again, and what it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from posixpath import basename
from types import TracebackType
from typing import Self

from bladecheck.archives.containers.handles import Lost
from bladecheck.archives.containers.limits import ArchiveLimits
from bladecheck.archives.containers.lost import LostSource
from bladecheck.archives.containers.merged import MergedSource
from bladecheck.archives.containers.opening import opened
from bladecheck.archives.containers.remote import path_of
from bladecheck.archives.containers.source import Source
from bladecheck.archives.containers.streams import DAMAGE, unpacked
from bladecheck.archives.data.mapping import TableMapping
from bladecheck.archives.found import Found, Log, Tally
from bladecheck.archives.holdings import DATA_ENDINGS, LOST, Holding, holdings
from bladecheck.archives.item import Item, Status
from bladecheck.archives.merging import Merging
from bladecheck.archives.readers.base import JoinsParts, Reader
from bladecheck.archives.registry import ReaderRegistry
from bladecheck.errors import ArchiveError, DamagedArchive

CHUNK = 1024 * 1024
# Bytes that tell a hole at the beginning of a data file.
BEGINNING = 64
NOT_LOOKED_AT = "a video that was not looked at; with pip install 'bladecheck[video]' its frames are"


@dataclass(frozen=True, slots=True)
class Volume:
    """One export: the reader that knows it, its source, and of how many containers it is made."""

    reader: Reader
    source: Source
    containers: int = 1


class Archive:
    """What `open_archive` gives. Rows stream; only names of members are held in memory.

    Args:
        volumes: the exports given, each with its reader.
        videos: see below.

    Attributes:
        volumes: the exports given, each with its reader.
        videos: whether videos are to be looked at: those that the archive holds are rows like any picture then. To be
            changed before the first pass only.
    """

    def __init__(self, volumes: Sequence[Volume], videos: bool = False) -> None:
        self.volumes, self.videos = tuple(volumes), videos
        self._found: Found | None = None
        self._merging: Merging | None = None
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

        The first call goes through the archive once before, to know which rows list the same picture of a post.

        Raises:
            ArchiveError: on the way, where an archive as a whole can't be read safely.
        """
        merging, tally = self._merge(), Tally()
        for item in merging.merged(item for _, item in self._rows()):
            shown = self._shown(item)
            tally.add(shown, video=shown is not item)
            yield shown
        self._found = self._describe(tally, merging)

    def describe(self) -> Found:
        """What the archive holds. Goes through it once or more, unless a pass has been completed already.

        Raises:
            ArchiveError: as for items.
        """
        if self._found is None:
            self._merge()
        if self._found is None:
            for _ in self.items():
                pass
        assert self._found is not None
        return self._found

    def close(self) -> None:
        """Lets go of open files; rows can no longer be opened."""
        for volume in self.volumes:
            volume.source.close()

    def _rows(self) -> Iterator[tuple[int, Item]]:
        """The rows of all volumes, as their readers give them, each with its volume's number."""
        logs = list[Log]()
        self._logs = logs
        for number, volume in enumerate(self.volumes):
            source = volume.source.reading()
            logs.append(source.log)
            for item in volume.reader.read(source):
                yield number, _with_bytes(item, source)
            _look_at_unread(source)
            yield from ((number, item) for item in _breaks(volume.reader, source))
            _warn_of_refused(source)
            _warn_of_unread(source)
            _warn_of_nested(source)

    def _merge(self) -> Merging:
        """What is known of rows that list the same; where there are none, one pass is all it takes."""
        if self._merging is None:
            merging, tally = Merging(), Tally()
            for number, item in self._rows():
                merging.learn(item, number)
                shown = self._shown(item)
                tally.add(shown, video=shown is not item)
            if merging.decide():
                merging.borrow(item for _, item in self._rows())
            else:
                self._found = self._describe(tally, merging)
            self._merging = merging
        return self._merging

    def _shown(self, item: Item) -> Item:
        """The row as it is given out: a video that the archive holds is present, if videos are looked at."""
        if self.videos and item.status == Status.VIDEO_SKIPPED and item.opener:
            return replace(item, status=Status.PRESENT, detail=None)
        return item

    def _describe(self, tally: Tally, merging: Merging) -> Found:
        logs = self._logs
        titles = [log.title or volume.reader.title for volume, log in zip(self.volumes, logs, strict=True)]
        title = " and ".join(dict.fromkeys(titles))
        return tally.found(title, sum(volume.containers for volume in self.volumes), logs, merging.dropped)


def open_archive(
    paths: Sequence[Path] | Path,
    *,
    format: str | None = None,
    mapping: TableMapping | Mapping[str, str | bool | None] | None = None,
    exif_dates: bool = False,
    videos: bool = False,
    limits: ArchiveLimits | None = None,
    registry: ReaderRegistry | None = None,
) -> Archive:
    """Opens what the paths hold: files, folders, containers; parts of one export are joined.

    Args:
        paths: one or more; each may be of another format.
        format: a reader's name, where it is not to be recognised.
        mapping: for tables, which column means what; None guesses, and `describe().mapping` shows the guess.
        exif_dates: whether loose pictures without a date in their name are opened for the date taken.
        videos: whether videos that the archive holds are to be looked at, or are skipped.
        limits: the caps; None takes the usual ones.
        registry: the readers; None takes those built in and installed.

    Raises:
        ArchiveError: a path is missing, not readable safely, or of no known format.
    """
    wanted = [path_of(path) for path in ([paths] if isinstance(paths, str | Path) else paths)]
    if not wanted:
        raise ArchiveError("no archive was named")
    if mapping is not None and not isinstance(mapping, TableMapping):
        mapping = TableMapping.of(mapping)
    registry = registry or ReaderRegistry(mapping=mapping, exif_dates=exif_dates)
    limits = limits or ArchiveLimits()
    unique = {path.resolve(): path for path in reversed(wanted)}
    sources = opened([path for path in wanted if unique[path.resolve()] is path], limits)
    try:
        if format:
            reader = registry.named(format)
            held = [Holding(LOST if isinstance(source, LostSource) else reader, source) for source in sources]
            return Archive(_joined(held), videos)
        return Archive(_joined(_all_held(sources, set(wanted), registry)), videos)
    except ArchiveError:
        for source in sources:
            source.close()
        raise


def _with_bytes(item: Item, source: Source) -> Item:
    """A video with a way to its bytes, where its member is one of the source's and the reader has given none."""
    if item.status == Status.VIDEO_SKIPPED and item.opener is None and item.member and item.member in source:
        return replace(item, opener=source.opener(item.member), detail=NOT_LOOKED_AT)
    return item


def _all_held(sources: Sequence[Source], named: set[Path], registry: ReaderRegistry) -> list[Holding]:
    """The archives in all sources. One that lies in a folder and can't be read is lost, and the others are read.

    Raises:
        ArchiveError: a path that was named holds nothing that can be read, or nothing that lies in a folder does.
    """
    found: list[Holding] = []
    problem: ArchiveError | None = None
    for source in sources:
        try:
            found += [Holding(LOST, source)] if isinstance(source, LostSource) else holdings(source, registry)
        except ArchiveError as error:
            if source.path in named:
                raise
            problem = error
            found.append(Holding(LOST, LostSource(source.path, source.limits, error.detail)))
            source.close()
    if problem and all(isinstance(holding.source, LostSource) for holding in found):
        raise problem
    return found


def _joined(chosen: list[Holding]) -> list[Volume]:
    """Puts the parts of one export together, in place of the first; several exports of one account stay apart."""
    groups: dict[tuple[str, str], list[Source]] = {}
    keys: list[tuple[Reader, tuple[str, str]]] = []
    for place, held in enumerate(chosen):
        part = held.reader.part_of(held.source) if isinstance(held.reader, JoinsParts) else None
        group = (held.reader.name, f"#{place}" if part is None else f"={part}")
        if group not in groups:
            keys.append((held.reader, group))
        groups.setdefault(group, []).append(held.source)
    _adopt(groups)
    volumes = []
    for reader, group in keys:
        for sources in apart(reader, groups.get(group, [])):
            source = sources[0] if len(sources) == 1 else MergedSource(sources)
            volumes.append(Volume(reader, source, len(sources)))
    return volumes


def _adopt(groups: dict[tuple[str, str], list[Source]]) -> None:
    """Parts that do not say whose they are go to the one export of their format, if there is just one."""
    for name, part in [group for group in groups if group[1] == "="]:
        others = [group for group in groups if group[0] == name and group[1].startswith("=") and group[1] != part]
        if len(others) == 1:
            groups[others[0]].extend(groups.pop((name, part)))


def apart(reader: Reader, sources: list[Source]) -> list[list[Source]]:
    """Parts of one export together, several exports of one account apart: two that differ in a file are two exports.

    A container without posts (a part with media only) goes to each of them.
    """
    told = [_told(reader, source) for source in sources]
    exports: list[list[int]] = []
    for place, mine in enumerate(told):
        if mine and (fit := next((e for e in exports if not any(_clash(mine, told[one]) for one in e)), None)):
            fit.append(place)
        elif mine:
            exports.append([place])
    lacking = [place for place, mine in enumerate(told) if not mine]
    groups = [sorted([*export, *lacking]) for export in exports] or ([lacking] if lacking else [])
    return [[sources[place] for place in group] for group in groups]


def _told(reader: Reader, source: Source) -> dict[str, tuple[Source, str]]:
    """The data files that tell of posts, by their name without folders: of two exports, these differ."""
    names = reader.posts_in(source) if isinstance(reader, JoinsParts) else ()
    return {basename(name): (source, name) for name in names}


def _clash(one: dict[str, tuple[Source, str]], other: dict[str, tuple[Source, str]]) -> bool:
    shared = one.keys() & other.keys()
    return any(not _equal(one[name], other[name]) for name in shared)


def _equal(one: tuple[Source, str], other: tuple[Source, str]) -> bool:
    (here, name), (there, same) = one, other
    if here.size(name) != there.size(same):
        return False
    try:
        with here.open_stream(name) as left, there.open_stream(same) as right:
            while (block := left.read(CHUNK)) == (beside := right.read(CHUNK)):
                if not block:
                    return True
            return block == beside
    except (ArchiveError, *DAMAGE):
        return False


def _breaks(reader: Reader, source: Source) -> Iterator[Item]:
    """A row for each file that breaks off: its bytes can't be had, so that it fails and is counted as failed."""
    for name, why in source.broken.items():
        source.log.warn(f"{name} {why}; what comes before it is kept.")
    for name, why in {**source.broken, **source.log.breaks}.items():
        detail = f"{name} {why}. What it held there or beyond is not among the rows."
        yield Item(reader.name, str(source.path), member=name, detail=detail, opener=Lost(detail))


def _look_at_unread(source: Source) -> None:
    """Data files that no reader knows may be those whose beginning is damaged: failed rows, and no foreign files."""
    for name in source.log.unread:
        try:
            with source.open_stream(name) as stream:
                begin = unpacked(stream, source.size(name), source.limits, name).read(BEGINNING)
        except (DamagedArchive, *DAMAGE) as error:
            source.log.unreadable(name, str(error)[:120])
        except ArchiveError:  # refused, or packed in a way that is not read here
            pass
        else:
            if begin and not begin.strip(b"\0") and name.lower().endswith(DATA_ENDINGS):
                source.log.unreadable(name, "it begins with bytes of zero")


def _warn_of_refused(source: Source) -> None:
    for count, (name, reason) in enumerate(source.refused.items()):
        if count == 10:
            source.log.warn(f"{len(source.refused) - count} more members were refused.")
            return
        source.log.warn(f"{name!r} was refused: {reason}.")


def _warn_of_nested(source: Source) -> None:
    """Names the archives inside that nobody opened: whole exports may be missing from the rows."""
    if nested := source.log.nested:
        one = len(nested) == 1
        them = "it" if one else "them"
        source.log.warn(
            f"{len(nested):,} archive{'' if one else 's'} in {source.path.name} {'was' if one else 'were'} not opened: "
            f"{_few(nested)}. Unpack {them} if there are pictures of posts in {them}."
        )


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _warn_of_unread(source: Source) -> None:
    """Names the data files that nobody read: what they tell of is missing from the rows."""
    if unread := source.log.unread:
        one = len(unread) == 1
        source.log.warn(
            f"{len(unread):,} data file{'' if one else 's'} in {source.path.name} {'was' if one else 'were'} not read, "
            f"as no reader knows {'it' if one else 'them'}: {_few(unread)}. What is in there is missing from the rows."
        )
