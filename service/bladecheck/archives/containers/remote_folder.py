"""What lies below an address, as a source; and what an address stands for."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import BinaryIO, cast

from bladecheck.archives.containers.handles import Held, Span
from bladecheck.archives.containers.limits import MIB, ArchiveLimits
from bladecheck.archives.containers.remote import LARGEST_AHEAD, Object, RemoteFile, RemotePath
from bladecheck.archives.containers.source import Source
from bladecheck.archives.containers.streams import Window
from bladecheck.archives.names import normal, refusal
from bladecheck.errors import ArchiveError


class RemoteFolder(Source):
    """The objects below an address, sorted by name, like the files of a folder.

    Args:
        path: the address of the folder.
        objects: what lies there.
    """

    def __init__(self, path: RemotePath, limits: ArchiveLimits, objects: Sequence[Object]) -> None:
        super().__init__(path, limits)
        self._remote = path
        self._found: dict[str, Object] = {}
        begin = len(path.key) + 1 if path.key else 0
        if len(objects) > limits.files:
            raise ArchiveError(f"{path} holds more than {limits.files:,} objects; give what lies below it one by one")
        for one in objects:
            name = normal(one.key[begin:])
            while name in self._found:
                name += "#2"
            self._found[name] = one
            if reason := refusal(name):
                self.refused[name] = reason
        self._names = sorted(name for name in self._found if name not in self.refused)

    def names(self) -> Sequence[str]:
        return self._names

    def __contains__(self, name: object) -> bool:
        return name in self._found

    def size(self, name: str) -> int:
        return self._found[name].size

    def span(self, name: str) -> Span:
        one = self._found[name]
        return Span(Held(self._remote, one.size, one), 0, one.size)

    def _stream(self, name: str) -> BinaryIO:
        one = self._found[name]
        file = RemoteFile(self._remote, one)
        if one.size <= min(LARGEST_AHEAD, self.limits.member_bytes):
            return io.BytesIO(file.read_at(0, one.size))
        return cast(BinaryIO, io.BufferedReader(Window(file, 0, one.size), MIB))


class RemoteSingle(RemoteFolder):
    """One object that is no archive: a table, a WARC, a picture. Its only member is its name."""

    is_container = False

    def __init__(self, path: RemotePath, limits: ArchiveLimits, found: Object) -> None:
        super().__init__(path.parent, limits, [found])
        self.path = path
