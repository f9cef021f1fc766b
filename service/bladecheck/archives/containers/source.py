"""A folder, zip, tar or single file as one thing: names, sizes and bytes. Nothing is ever written to disk."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import takewhile
from pathlib import Path
from posixpath import basename
from typing import IO, BinaryIO, Self

from bladecheck.archives.containers.handles import Piece, Span
from bladecheck.archives.containers.limits import ArchiveLimits
from bladecheck.archives.containers.streams import DAMAGE, read_whole
from bladecheck.archives.found import Log
from bladecheck.archives.item import Handle
from bladecheck.archives.names import normal
from bladecheck.errors import ArchiveError, DamagedArchive


class Source(ABC):
    """What a reader reads from. `open` may be called from several threads at once.

    Attributes:
        path: what was opened.
        limits: the caps that apply.
        log: where a reader notes posts, warnings and what it ignored; fresh for each pass.
        refused: member name to reason, for members that are never opened.
        broken: name to reason, of containers that break off in the middle; what came before is among the members.
        is_container: False for a single file that is not an archive.
        loose: whether pictures that no data file names are to be read from here; False where another source has them.
    """

    is_container = True
    loose = True

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        self.path = path
        self.limits = limits
        self.log = Log()
        self.refused: dict[str, str] = {}
        self.broken: dict[str, str] = {}
        self._tails: dict[str, list[str]] = {}
        self._kept: list[IO[bytes]] = []

    @abstractmethod
    def names(self) -> Sequence[str]:
        """The members that can be opened, files only, "/" between folders, in a stable order."""

    @abstractmethod
    def size(self, name: str) -> int:
        """Unpacked size in bytes."""

    @abstractmethod
    def __contains__(self, name: object) -> bool: ...

    @abstractmethod
    def _stream(self, name: str) -> BinaryIO:
        """An unguarded stream of a known member."""

    def open_stream(self, name: str) -> BinaryIO:
        """The member as a stream; the caller closes it.

        Raises:
            ArchiveError: no such member, or refused.
            DamagedArchive: it is damaged.
        """
        if name in self.refused:
            raise ArchiveError(f"{self.path.name}: {name} is refused: {self.refused[name]}")
        if name not in self:
            raise ArchiveError(f"{self.path.name} has no member {name!r}")
        try:
            return self._stream(name)
        except DAMAGE as error:
            raise DamagedArchive(f"{self.path.name}: {name} can't be opened: {error}") from error

    def open(self, name: str, limit: int | None = None) -> bytes:
        """The member's bytes, at most `limit` (default: the cap on one picture).

        Raises:
            ArchiveError: no such member, refused, or larger than the limit.
            DamagedArchive: it is damaged: bytes are missing, or its checksum is not met.
        """
        cap = self.limits.member_bytes if limit is None else limit
        with self.open_stream(name) as stream:
            try:
                size = self.size(name)
            except DAMAGE as error:
                raise DamagedArchive(f"{self._label(name)} is damaged: {error}") from error
            return read_whole(stream, size, cap, self._label(name))

    def head(self, name: str, count: int = 64) -> bytes:
        """The first bytes of a member; empty where it can't be read."""
        try:
            with self.open_stream(name) as stream:
                return stream.read(count)
        except (ArchiveError, *DAMAGE):
            return b""

    def opener(self, name: str) -> Callable[[], bytes]:
        """What gives the member's bytes later: its handle, or, where there is none, this source."""
        return self.handle(name) or partial(self.open, name)

    def handle(self, name: str) -> Handle | None:
        """The member's handle; None where one read does not give it, or it is refused or not there."""
        return None if name in self.refused or name not in self else self._handle(name)

    def span(self, name: str) -> Span | None:
        """Where the member lies unpacked and in one piece; None where it does not."""
        return None

    def _handle(self, name: str) -> Handle | None:
        span = self.span(name)
        return Piece(span, self._label(name), self.limits.member_bytes) if span else None

    def _label(self, name: str) -> str:
        """What errors call a member."""
        return f"{self.path.name}: {name}"

    def origin(self, name: str) -> str:
        """The file or folder on disk that holds the member."""
        return str(self.path)

    def on_disk(self, name: str) -> Path | None:
        """Where the member lies as a file of its own; None inside a container."""
        return None

    def find(self, tail: str, near: str = "") -> str | None:
        """The member that this path points to: exact, else the one that shares the longest tail with it.

        At least the file name must agree (letter case aside). Among several equally good the one that shares most
        folders with the member `near` is taken, and of those the first.
        """
        tail = normal(tail).strip("/")
        if tail in self:
            return tail
        candidates = self._tail_index().get(basename(tail).casefold(), ())
        wanted, beside = tail.casefold().split("/"), near.split("/")

        def fit(name: str) -> tuple[int, int]:
            return _shared(reversed(name.casefold().split("/")), reversed(wanted)), _shared(name.split("/"), beside)

        return max(candidates, key=fit, default=None)

    def reading(self) -> Self:
        """This source with a fresh log, for one pass."""
        twin = copy.copy(self)
        twin.log = Log()
        return twin

    def keep(self, stream: IO[bytes]) -> None:
        """Hands over a stream that rows go on reading from, to be closed with the source."""
        self._kept.append(stream)

    def close(self) -> None:
        """Lets go of open files."""
        for stream in self._kept:
            stream.close()

    def _tail_index(self) -> Mapping[str, list[str]]:
        if not self._tails:
            for name in self.names():
                self._tails.setdefault(basename(name).casefold(), []).append(name)
        return self._tails


class Narrowed(Source):
    """A source of which only some members may be opened; the others do not exist for the reader.

    Keeps a reader from private members whatever the data asks for.
    """

    def __init__(self, inner: Source, allowed: Callable[[str], bool]) -> None:
        super().__init__(inner.path, inner.limits)
        self._inner = inner
        self._names = tuple(name for name in inner.names() if allowed(name))
        self._set = frozenset(self._names)
        self.log = inner.log
        self.loose = inner.loose
        self.refused = {name: reason for name, reason in inner.refused.items() if allowed(name)}
        self.broken = inner.broken

    def names(self) -> Sequence[str]:
        return self._names

    def __contains__(self, name: object) -> bool:
        return name in self._set

    def size(self, name: str) -> int:
        return self._inner.size(name)

    def origin(self, name: str) -> str:
        return self._inner.origin(name)

    def on_disk(self, name: str) -> Path | None:
        return self._inner.on_disk(name)

    def span(self, name: str) -> Span | None:
        return self._inner.span(name)

    def _handle(self, name: str) -> Handle | None:
        return self._inner.handle(name)

    def _stream(self, name: str) -> BinaryIO:
        return self._inner.open_stream(name)


def _shared(one: Iterable[str], other: Iterable[str]) -> int:
    """How many parts two paths share from where they begin."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
