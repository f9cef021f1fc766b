"""Random access into a gzip file without unpacking it to disk, by keeping states of the decompressor along the way."""

from __future__ import annotations

import io
import os
import threading
import zlib
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from bladecheck.archives.containers.limits import MIB, ArchiveLimits
from bladecheck.errors import ArchiveError, DamagedArchive

CHUNK = 64 * 1024
# Each kept state costs about 50 KiB.
MOST_STATES = 256
# zlib's wbits: the largest window (15), and a gzip header and trailer around the data (16).
GZIP_WINDOW = 31


@dataclass(slots=True)
class _State:
    out: int
    into: int
    pending: bytes
    engine: Any


class SeekableGzip(io.RawIOBase):
    """The unpacked bytes of a gzip file (several members in a row too), seekable both ways in bounded time and memory.

    Not thread-safe: callers hold a lock around seek and read (a `view` does).

    Args:
        file: the packed bytes, seekable; a path is opened.
        limits: how far it may unpack.
        packed: bytes of `file`, where it is no path.
        name: what errors call it.

    Raises:
        EOFError: on reading, where the data ends too early.
        DamagedArchive: on reading, where it is damaged; each member's checksum is looked at where it ends.
        ArchiveError: it unpacks beyond the limits.
    """

    def __init__(self, file: Path | BinaryIO, limits: ArchiveLimits, packed: int = 0, name: str = "") -> None:
        self._file: BinaryIO = file.open("rb") if isinstance(file, Path) else file
        self._name = file.name if isinstance(file, Path) else name
        packed = file.stat().st_size if isinstance(file, Path) else packed
        self._lock = threading.Lock()
        self._most = min(limits.total_bytes, max(4 * limits.ratio_floor, packed * limits.ratio))
        self._spacing = 4 * MIB
        self._now = _State(0, 0, b"", zlib.decompressobj(GZIP_WINDOW))
        self._states = [self._copy()]
        self._wanted = 0
        self._ready = b""

    def view(self, start: int) -> io.BufferedReader:
        """A stream from `start` to the end with a place of its own; any number may be read at once, from any thread."""
        return io.BufferedReader(_View(self, self._lock, start), CHUNK)

    def damage(self) -> str | None:
        """Reads all of it, and says what is wrong if a checksum is not met; that it ends too early is not meant."""
        with self._lock:
            self.seek(0)
            try:
                while self.read(CHUNK):
                    pass
            except DamagedArchive as error:
                return error.detail
            except EOFError:
                pass
        return None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._wanted

    def close(self) -> None:
        self._file.close()
        super().close()

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            raise io.UnsupportedOperation("the end of a gzip file is not known")
        self._wanted = max(0, offset + (self._wanted if whence == os.SEEK_CUR else 0))
        return self._wanted

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        self._approach()
        if not self._ready:
            return 0
        data = self._ready[: len(view)]
        self._ready = self._ready[len(data) :]
        view[: len(data)] = data
        self._wanted += len(data)
        return len(data)

    def _approach(self) -> None:
        """Moves the decompressor until `_ready` begins at the wanted place, or the data ends."""
        begin = self._now.out - len(self._ready)
        nearest = bisect_right([state.out for state in self._states], self._wanted) - 1
        if not begin <= self._wanted or self._states[nearest].out > self._now.out:
            self._restore(self._states[nearest])
        while True:
            begin = self._now.out - len(self._ready)
            if self._wanted < self._now.out:
                self._ready = self._ready[self._wanted - begin :]
                return
            self._ready = self._step()
            if not self._ready:
                return

    def _step(self) -> bytes:
        now = self._now
        while True:
            if now.engine.eof:
                rest = now.engine.unused_data or now.pending
                now.pending = rest.lstrip(b"\x00")
                while not now.pending and (more := self._file.read(CHUNK)):
                    now.pending = more.lstrip(b"\x00")
                if not now.pending:
                    return b""
                now.engine = zlib.decompressobj(GZIP_WINDOW)
            packed = now.pending or self._file.read(CHUNK)
            if not packed:
                raise EOFError(f"{self._name} ends too early; was the download cut short?")
            try:
                data: bytes = now.engine.decompress(packed, CHUNK * 4)
            except zlib.error as error:
                raise DamagedArchive(f"{self._name} is damaged: {error}") from error
            now.pending = now.engine.unconsumed_tail
            now.into = self._file.tell()
            now.out += len(data)
            if now.out > self._most:
                raise ArchiveError(f"{self._name} unpacks to more than {self._most} bytes; refused as a bomb")
            if data:
                self._keep()
                return data

    def _keep(self) -> None:
        if self._now.engine.eof or self._now.out < self._states[-1].out + self._spacing:
            return
        self._states.append(self._copy())
        if len(self._states) > MOST_STATES:
            self._states = self._states[::2]
            self._spacing *= 2

    def _copy(self) -> _State:
        now = self._now
        return _State(now.out, now.into, now.pending, now.engine.copy())

    def _restore(self, state: _State) -> None:
        self._now = _State(state.out, state.into, state.pending, state.engine.copy())
        self._file.seek(state.into)
        self._ready = b""


class _View(io.RawIOBase):
    """A place in the unpacked bytes; every read takes the lock, goes there, and reads."""

    def __init__(self, whole: SeekableGzip, lock: threading.Lock, at: int) -> None:
        self._whole, self._lock, self._at = whole, lock, at

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_END:
            raise io.UnsupportedOperation("the end of a gzip file is not known")
        self._at = max(0, offset + (self._at if whence == os.SEEK_CUR else 0))
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        with self._lock:
            self._whole.seek(self._at)
            count = self._whole.readinto(buffer)
        self._at += count
        return count
