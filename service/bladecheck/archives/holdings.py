"""A folder or zip that holds several archives: each is read for itself, under the names that it has in the whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from bladecheck.archives.containers.handles import Span
from bladecheck.archives.containers.lost import LostSource
from bladecheck.archives.containers.opening import open_sources
from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.tables import TABLE_ENDINGS
from bladecheck.archives.item import Handle
from bladecheck.archives.names import is_archive_name, is_junk
from bladecheck.archives.readers.base import Reader
from bladecheck.archives.readers.json_files import ALL_ENDINGS
from bladecheck.archives.readers.lost import LostReader
from bladecheck.archives.readers.pictures import PictureReader
from bladecheck.archives.registry import CERTAIN, ReaderRegistry, seen
from bladecheck.errors import ArchiveError

# Levels of folders, folders in one, and data files in one, among which several archives are looked for: each costs an
# opening or two, and parents of archives hold a few. What has more is read as one archive.
DEEPEST = 5
MOST_FOLDERS = 300
MOST_FILES = 100
# Archives in a folder's folders that are opened to see what they are.
MOST_PACKED = 1000
# Less sure than this, a reader has only seen pictures.
TELLING = 0.5
DATA_ENDINGS = (*ALL_ENDINGS, *TABLE_ENDINGS, ".warc", ".warc.gz", ".arc", ".arc.gz", ".car", ".html", ".js")
# Folders that are parts of an export, never one of their own.
INNER = frozenset(
    (
        *("data", "content", "media", "posts", "photos_and_videos", "personal_information", "assets"),
        *("your_activity_across_facebook", "your_facebook_activity", "your_instagram_activity"),
        *("your_threads_activity", "media_attachments"),
    )
)


@dataclass(frozen=True, slots=True)
class Holding:
    """One archive: the reader that knows it, and where it lies."""

    reader: Reader
    source: Source


LOST = LostReader()


class View(Source):
    """Some members of a source, under their own names."""

    def __init__(self, whole: Source, names: Sequence[str], *, loose: bool = True) -> None:
        super().__init__(whole.path, whole.limits)
        self._whole, self._names = whole, tuple(names)
        self._set = frozenset(self._names)
        self.loose = loose

    def names(self) -> Sequence[str]:
        return self._names

    def __contains__(self, name: object) -> bool:
        return name in self._set

    def size(self, name: str) -> int:
        return self._whole.size(name)

    def origin(self, name: str) -> str:
        return self._whole.origin(name)

    def on_disk(self, name: str) -> Path | None:
        return self._whole.on_disk(name)

    def close(self) -> None:
        super().close()
        self._whole.close()

    def span(self, name: str) -> Span | None:
        return self._whole.span(name)

    def _handle(self, name: str) -> Handle | None:
        return self._whole.handle(name)

    def _stream(self, name: str) -> BinaryIO:
        return self._whole.open_stream(name)


class _Stripped(View):
    """A folder of a source as if it were given alone; for recognising it only."""

    def __init__(self, whole: Source, prefix: str, names: Sequence[str]) -> None:
        super().__init__(whole, [name[len(prefix) :] for name in names])
        self.path = whole.path / prefix.rstrip("/")
        self._prefix = prefix

    def size(self, name: str) -> int:
        return self._whole.size(self._prefix + name)

    def span(self, name: str) -> Span | None:
        return self._whole.span(self._prefix + name)

    def _handle(self, name: str) -> Handle | None:
        return self._whole.handle(self._prefix + name)

    def _stream(self, name: str) -> BinaryIO:
        return self._whole.open_stream(self._prefix + name)


def holdings(source: Source, registry: ReaderRegistry) -> list[Holding]:
    """The archives that a source holds: itself, or those in its folders and the rest.

    Raises:
        ArchiveError: nothing in it is known, or it is known as something that can't be read.
    """
    if not source.is_container:
        return [Holding(registry.choose(source), source)]
    packed = dict(_packed(source, registry))
    names = [name for name in source.names() if name not in packed]
    kept = [name for name in names if not is_junk(name)]
    if packed and not kept:
        return list(packed.values())
    whole = View(source, names) if packed else source
    found = list(_within(whole, "", names, registry, 0)) or [Holding(registry.choose(whole), whole)]
    only = [holding.reader.name for holding in found] == [PictureReader.name]
    if only and not packed and kept and all(is_archive_name(name) for name in kept):
        shown = f"{kept[0]}{', …' if len(kept) > 1 else ''}"
        raise ArchiveError(f"{source.path.name} holds only other archives ({shown}): unpack it and give their paths")
    if (first := found[0].source) is not source:
        # What is refused or broken off is told of once.
        first.refused, first.broken = source.refused, source.broken
    return [*packed.values(), *found]


def _packed(source: Source, registry: ReaderRegistry) -> Iterator[tuple[str, Holding]]:
    """Archives lying in a folder's folders that a reader knows as exports of posts; others may be anybody's backup."""
    names = [name for name in source.names() if is_archive_name(name) and not is_junk(name)]
    for name in names[:MOST_PACKED]:
        if not (path := source.on_disk(name)):
            continue
        try:
            (inner,) = open_sources(path, source.limits)
        except ArchiveError:
            continue
        if reader := _surely(inner, registry):
            yield name, Holding(reader, inner)
        else:
            inner.close()


def _surely(source: Source, registry: ReaderRegistry) -> Reader | None:
    """The reader that knows more of a source than that it holds pictures, or some table, or None."""
    try:
        reader, score = registry.best(source)
    except ArchiveError:
        return None
    return reader if score > TELLING else None


def _within(whole: Source, prefix: str, names: list[str], registry: ReaderRegistry, depth: int) -> Iterator[Holding]:
    """The archives below `prefix`; none where nothing is known there."""
    folders, files = _level(names, prefix)
    inside: dict[str, Reader] = {}
    lost: dict[str, ArchiveError] = {}
    for folder, part in folders.items() if depth < DEEPEST and len(folders) <= MOST_FOLDERS else ():
        try:
            if reader := _known(whole, folder, part, registry):
                inside[folder] = reader
        except ArchiveError as error:
            lost[folder] = error
    if lost and len(names) > sum(len(folders[folder]) for folder in lost):
        yield from (Holding(LOST, LostSource(whole.path / f, whole.limits, e.detail)) for f, e in lost.items())
        names = [name for name in names if not name.startswith(tuple(lost))]
        folders, files = _level(names, prefix)
    rest = [name for name in names if not any(name.startswith(folder) for folder in inside)]
    level = _choose(_Stripped(whole, prefix, rest), registry) if rest else None
    if not _is_parent(inside, level, len(folders), files):
        yield from _by_format(whole, prefix, names, registry)
        return
    for folder in inside:
        yield from _within(whole, folder, folders[folder], registry, depth + 1)
    rest = [name for name in rest if not is_junk(name)]
    if rest:
        yield from _by_format(whole, prefix, rest, registry)


def _level(names: list[str], prefix: str) -> tuple[dict[str, list[str]], list[str]]:
    """The folders directly below `prefix` with what they hold, and the files there."""
    folders: dict[str, list[str]] = defaultdict(list)
    files: list[str] = []
    for name in names:
        head, slash, _ = name[len(prefix) :].partition("/")
        if slash:
            folders[f"{prefix}{head}/"].append(name)
        else:
            files.append(name)
    return dict(folders), files


def _is_parent(inside: dict[str, Reader], level: Reader | None, folders: int, files: list[str]) -> bool:
    """Whether a folder is no archive itself but holds some, of several formats or several of one that has a root."""
    if not inside:
        return False
    if folders == 1 and not any(not is_junk(name) for name in files):
        return True
    names = {reader.name for reader in inside.values()} | ({level.name} if level else set())
    return len(names) > 1 or getattr(next(iter(inside.values())), "rooted", False)


def _known(whole: Source, folder: str, names: list[str], registry: ReaderRegistry) -> Reader | None:
    """The reader that knows this folder as an archive of its own, or None."""
    if folder.rstrip("/").rsplit("/", 1)[-1].lower() in INNER:
        return None
    if not any(name.lower().endswith(DATA_ENDINGS) or name.lower().endswith(".json.xz") for name in names):
        return None
    return _choose(_Stripped(whole, folder, names), registry)


def _choose(source: Source, registry: ReaderRegistry) -> Reader | None:
    """The reader that tells more than that there are pictures, or None.

    Raises:
        ArchiveError: known as something that can't be read.
    """
    reader, score = registry.best(source)
    return reader if score >= TELLING else None


def _by_format(whole: Source, prefix: str, names: list[str], registry: ReaderRegistry) -> Iterator[Holding]:
    """What is left of a folder: one archive, or one for each format that its data files have."""
    complete = len(names) == len(whole.names())
    source = whole if complete else View(whole, names)
    reader, score = registry.best(_Stripped(whole, prefix, names) if prefix else source)
    if reader is None:
        raise ArchiveError(f"{source.path.name} holds nothing that is known here; {seen(source)}")
    data = [name for name in names if name.lower().endswith(DATA_ENDINGS) and not is_junk(name)]
    by_names = score >= CERTAIN and not getattr(reader, "mixes", False)
    if by_names or not 1 < len(data) <= MOST_FILES:
        yield Holding(reader, source)
        return
    kinds: dict[str, tuple[Reader, list[str]]] = {}
    for name in data:
        try:
            one, sure = registry.best(View(whole, [name], loose=False))
        except ArchiveError:
            continue
        if one is not None and sure >= TELLING and getattr(one, "mixes", False):
            kinds.setdefault(one.name, (one, []))[1].append(name)
    if len(kinds) < 2:
        only = next(iter(kinds.values()))[0] if kinds and score < TELLING else reader
        yield Holding(only, source)
        return
    # The reader of the whole also has what no data file names; where it has no file of its own, the first of them.
    first = kinds.pop(reader.name, None) or kinds.pop(next(iter(kinds)))
    others = {name for _, files in kinds.values() for name in files}
    yield Holding(first[0], View(whole, [name for name in names if name not in others]))
    for one, files in kinds.values():
        theirs = {*files, *(name for name in names if not name.lower().endswith(DATA_ENDINGS))}
        yield Holding(one, View(whole, [name for name in names if name in theirs], loose=False))
