"""From a path to the sources behind it, by what the bytes are."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

from bladecheck.archives.containers.folder import FileSource, FolderSource
from bladecheck.archives.containers.limits import ArchiveLimits
from bladecheck.archives.containers.lost import LostSource
from bladecheck.archives.containers.remote import RemotePath
from bladecheck.archives.containers.remote_folder import RemoteFolder, RemoteSingle
from bladecheck.archives.containers.source import Source
from bladecheck.archives.containers.tar import TarSource
from bladecheck.archives.containers.zip import ZipSource
from bladecheck.archives.names import ending, is_junk
from bladecheck.errors import ArchiveError
from bladecheck.file_formats import container_kind

OFFICE = frozenset((".xlsx", ".xlsm", ".docx", ".pptx", ".ods", ".odt"))
OTHER_SHEETS = frozenset((".xls", ".ods", ".numbers"))
WEB_ARCHIVES = (".warc", ".warc.gz", ".arc", ".arc.gz")
# Folders within folders that are looked through for archives.
DEEPEST_SHELF = 5
PACKED = (".zip", ".wacz", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar")
# Bytes: the mark "ustar" of a tar ends there.
TAR_BLOCK = 262


def open_sources(path: Path, limits: ArchiveLimits) -> list[Source]:
    """The sources that a path stands for: one, or, for a folder with archives lying in it, one for each and the rest.

    Archives in folders below are opened if these hold nothing else (one folder a year); elsewhere they may be anything,
    such as a backup among somebody's documents, and are rows that say that they were not opened.
    An export that lies there both packed and unpacked is opened twice; its pictures count once all the same.

    Raises:
        ArchiveError: nothing there, or a kind of archive that is not read.
    """
    if isinstance(path, RemotePath):
        return _open_remote(path, limits)
    if not path.exists():
        raise ArchiveError(f"{path} does not exist")
    if not path.is_dir():
        return [_open_file(path, limits)]
    try:
        entries = sorted(path.iterdir())
    except OSError as error:
        raise ArchiveError(f"{path} can't be listed: {error.strerror or error}") from error
    shelves = {entry: found for entry in entries if (found := _shelved(entry))}
    if not shelves:
        return [FolderSource(path, limits)]
    rest = [entry.name for entry in entries if entry not in shelves and not is_junk(entry.name)]
    sources = [_open_or_lose(archive, limits) for found in shelves.values() for archive in found]
    return [*sources, FolderSource(path, limits, only=rest)] if rest else sources


def _open_remote(path: RemotePath, limits: ArchiveLimits) -> list[Source]:
    """An object, or all that lies below an address; as in a folder, archives directly in it are opened one by one."""
    if path.object():
        return [_open_file(path, limits)]
    objects = path.objects()
    if not objects:
        raise ArchiveError(f"{path} does not exist: nothing has this address, and nothing lies below it")
    begin = len(path.key) + 1 if path.key else 0
    packed = {one.key for one in objects if one.key[begin:].lower().endswith(PACKED) and "/" not in one.key[begin:]
              and not is_junk(one.key[begin:])}  # fmt: skip
    rest = [one for one in objects if one.key not in packed]
    sources = [_open_or_lose(path / key[begin:], limits) for key in sorted(packed)]
    return [*sources, RemoteFolder(path, limits, rest)] if rest else sources


def opened(paths: Sequence[Path], limits: ArchiveLimits) -> list[Source]:
    """The sources that several paths stand for. A container that can't be opened is lost, and the others are read.

    Raises:
        ArchiveError: a path is not there, or none of them can be read.
    """
    sources: list[Source] = []
    for path in paths:
        alone = len(paths) == 1 or not path.is_file()
        sources += open_sources(path, limits) if alone else [_open_or_lose(path, limits)]
    lost = [source for source in sources if isinstance(source, LostSource)]
    if lost and len(lost) == len(sources):
        raise ArchiveError(f"{lost[0].path.name} {lost[0].why}")
    return sources


def _open_or_lose(path: Path, limits: ArchiveLimits) -> Source:
    try:
        return _open_file(path, limits)
    except ArchiveError as error:
        return LostSource(path, limits, error.detail)


def _shelved(path: Path, depth: int = 0) -> list[Path]:
    """The archive that a path is, or those in a folder that holds nothing but archives and folders like it."""
    if _is_packed(path):
        return [path]
    if not path.is_dir() or path.is_symlink() or depth == DEEPEST_SHELF:
        return []
    found: list[Path] = []
    try:
        for entry in sorted(path.iterdir()):
            if is_junk(entry.name):
                continue
            if not (more := _shelved(entry, depth + 1)):
                return []
            found += more
    except OSError:
        return []
    return found


def _is_packed(path: Path) -> bool:
    if not path.is_file() or path.is_symlink() or is_junk(path.name) or path.name.lower().endswith(WEB_ARCHIVES):
        return False
    return path.name.lower().endswith(PACKED)


def _open_file(path: Path, limits: ArchiveLimits) -> Source:
    found = path.object() if isinstance(path, RemotePath) else None
    if not found and not path.is_file():
        raise ArchiveError(f"{path} is neither a file nor a folder")
    try:
        with path.open("rb") as file:
            head = file.read(TAR_BLOCK)
    except OSError as error:
        raise ArchiveError(f"{path} can't be read: {error.strerror or error}") from error
    kind = container_kind(head)
    if kind in ("7z", "rar", "zstandard"):
        raise ArchiveError(
            f"{path.name} is a {kind} archive, which is not read here; unpack it and point to the folder"
        )
    # A zip's directory is at its end: one whose beginning is damaged has lost its first file only.
    if (kind == "zip" and ending(path.name) not in OFFICE) or ending(path.name) in (".zip", ".wacz"):
        return ZipSource(path, limits)
    if kind == "tar" or (kind in ("gzip", "bzip2", "xz") and _holds_tar(path, kind)):
        return TarSource(path, limits)
    if ending(path.name) in OTHER_SHEETS:
        raise ArchiveError(f"{path.name} is a kind of spreadsheet that is not read here; save it as .xlsx or .csv")
    if path.name.lower().endswith(PACKED):
        called = next(end for end in PACKED if path.name.lower().endswith(end))
        raise ArchiveError(
            f"{path.name} is called {called} but does not begin as one: it is damaged, or something else."
        )
    if isinstance(path, RemotePath) and found:
        return RemoteSingle(path, limits, found)
    if ending(path.name) == ".car":
        return _car_with_blobs(path, limits)
    return FileSource(path, limits)


def _holds_tar(path: Path, kind: str) -> bool:
    if kind != "gzip":
        return ".tar." in path.name.lower() or path.name.lower().endswith((".tbz", ".tbz2", ".txz"))
    try:
        with path.open("rb") as packed, gzip.open(packed) as file:
            return container_kind(file.read(TAR_BLOCK)) == "tar"
    except (OSError, EOFError, zlib.error):
        return False


def _car_with_blobs(path: Path, limits: ArchiveLimits) -> Source:
    """A CAR file has no pictures; its blobs lie in folders beside it."""
    folders: Sequence[Path] = [
        entry for entry in path.parent.iterdir() if entry.is_dir() and "blob" in entry.name.lower()
    ]
    return FolderSource(path.parent, limits, only=(path.name, *(folder.name for folder in folders)))
