"""A folder, or a single file, as a source."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from bladecheck.archives.containers.handles import Held, Piece, Span
from bladecheck.archives.containers.limits import ArchiveLimits
from bladecheck.archives.containers.source import Source
from bladecheck.archives.containers.streams import open_regular
from bladecheck.archives.names import normal
from bladecheck.errors import ArchiveError


class FolderSource(Source):
    """All regular files below a folder, sorted. Links are followed only to files inside the folder."""

    def __init__(self, path: Path, limits: ArchiveLimits, only: Sequence[str] | None = None) -> None:
        super().__init__(path, limits)
        self._root = path.resolve()
        self._actual: dict[str, str] = {}
        self._list(only)
        self._names = sorted(name for name in self._names_found if name not in self.refused)
        self._set = frozenset(self._names)
        del self._names_found

    def names(self) -> Sequence[str]:
        return self._names

    def __contains__(self, name: object) -> bool:
        return name in self._set

    def size(self, name: str) -> int:
        return self._full(name).stat().st_size

    def span(self, name: str) -> Span:
        return Span(Held(self._full(name)))

    def on_disk(self, name: str) -> Path | None:
        return self._full(name)

    def _stream(self, name: str) -> BinaryIO:
        return cast(BinaryIO, io.BufferedReader(open_regular(self._full(name))))

    def _full(self, name: str) -> Path:
        return self._root / self._actual.get(name, name)

    def _list(self, only: Sequence[str] | None) -> None:
        self._names_found: list[str] = []
        taken: set[str] = set()
        for found in self._walk(only):
            name = _printable(found)
            while name in taken:
                name += "#2"
            taken.add(name)
            if name != found:
                self._actual[name] = found
            if len(taken) > self.limits.files:
                raise ArchiveError(
                    f"{self.path} holds more than {self.limits.files:,} files; give its folders one by one"
                )
            self._names_found.append(name)

    def _walk(self, only: Sequence[str] | None) -> Iterator[str]:
        waiting = [""]
        while waiting:
            prefix = waiting.pop()
            for entry in self._entries(prefix):
                if only is not None and not prefix and entry.name not in only:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{prefix}{entry.name}/")
                elif self._is_safe(entry, prefix + entry.name):
                    yield prefix + entry.name

    def _entries(self, prefix: str) -> list[os.DirEntry[str]]:
        try:
            with os.scandir(self._root / prefix) as entries:
                return list(entries)
        except OSError as error:
            if not prefix:
                raise ArchiveError(f"{self.path} can't be listed: {error.strerror or error}") from error
            self.refused[_printable(prefix)] = f"it can't be listed ({error.strerror or error})"
            return []

    def _is_safe(self, entry: os.DirEntry[str], found: str) -> bool:
        try:
            if entry.is_symlink() and not Path(entry.path).resolve().is_relative_to(self._root):
                self.refused[_printable(found)] = "it is a link to a place outside the folder"
                return False
            return entry.is_file()
        except (OSError, RuntimeError) as error:
            self.refused[_printable(found)] = f"it can't be read ({error})"
            return False


class FileSource(FolderSource):
    """One file that is not an archive: a table, a JSON-lines file, a WARC, a picture. Its only member is its name."""

    is_container = False

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        super().__init__(path.parent, limits, only=())
        self.path = path
        name = _printable(path.name)
        self._root = path.parent.resolve()
        self._actual = {name: path.name}
        self._names = [name]
        self._set = frozenset(self._names)
        self.refused = {}

    def nearby(self, relative: str) -> Piece | None:
        """The file that a table beside it names, if it lies inside the table's folder; None where there is none.

        Raises:
            ArchiveError: the name points outside the table's folder.
        """
        target = self._root / relative.replace("\\", "/")
        try:
            resolved = target.resolve()
            if not resolved.is_relative_to(self._root):
                raise ArchiveError(f"{relative!r} lies outside the folder of {self.path.name}; it is not read")
            return Piece(Span(Held(resolved)), resolved.name, self.limits.member_bytes) if resolved.is_file() else None
        except (OSError, ValueError, RuntimeError):
            return None


def _printable(name: str) -> str:
    """The name as text that can be written out, even where the file system's bytes are not UTF-8."""
    return normal(os.fsencode(name).decode("utf-8", "replace")) if os.sep == "/" else normal(name)
