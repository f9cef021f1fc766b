"""Read-only streams that refuse to grow without end, and windows into larger files."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import threading
import zipfile
import zlib
from pathlib import Path
from typing import IO, BinaryIO, cast

from bladecheck.archives.containers.limits import ArchiveLimits
from bladecheck.errors import ArchiveError, DamagedArchive
from bladecheck.file_formats import container_kind

# What the standard library's decompressors and zipfile raise on damaged input.
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    NotImplementedError,
    RuntimeError,
)

BUFFER = 256 * 1024


class Bounded(io.RawIOBase):
    """Passes reads through and raises ArchiveError once more than `limit` bytes have come out."""

    def __init__(self, inner: IO[bytes], limit: int, label: str, beneath: IO[bytes] | None = None) -> None:
        self._inner, self._left, self._label, self._beneath = inner, limit, label, beneath

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        # One piece at a time: where the data breaks off, what comes before it is handed out.
        read = getattr(self._inner, "read1", self._inner.read)
        data = read(min(len(view), self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveError(
                f"{self._label} unpacks to far more than it should (a zip bomb?); it is not read further"
            )
        view[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._inner.close()
        # The standard library's decompressors leave the stream they are given open.
        if self._beneath is not None:
            self._beneath.close()
        super().close()


class Positioned:
    """A file read by position from any thread, also where the system has no call for that (Windows).

    Raises:
        OSError: it is gone, can't be read, or is no regular file.
    """

    def __init__(self, path: Path) -> None:
        self._file = open_regular(path)
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """What it measures now, in bytes."""
        return os.fstat(self._file.fileno()).st_size

    def take(self, start: int, count: int) -> bytes:
        """As `read_at`, for who needs just these bytes and none beside them."""
        return self.read_at(start, count)

    def read_at(self, start: int, count: int) -> bytes:
        """Up to `count` bytes from `start`; fewer only at the end."""
        if hasattr(os, "pread"):
            return os.pread(self._file.fileno(), count, start)
        with self._lock:
            self._file.seek(start)
            return self._file.read(count)

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()


def open_regular(path: Path) -> io.FileIO:
    """A file, unbuffered. One that was swapped for a pipe after it was listed must not hang a run.

    Raises:
        OSError: see `Positioned`.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    descriptor = os.open(path, flags)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(22, f"{path.name} is not a regular file")
    return io.FileIO(descriptor)


class Window(io.RawIOBase):
    """A seekable view of `size` bytes from `start` of a file that many may share."""

    def __init__(self, file: Positioned, start: int, size: int) -> None:
        self._file, self._start, self._size, self._at = file, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        data = self._file.read_at(self._start + self._at, max(0, min(len(view), self._size - self._at)))
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


class Checked(Window):
    """A window whose bytes must have a CRC-32, looked at where they are read from first to last without a leap.

    Raises:
        BadZipFile: at the last byte, if they don't.
        EOFError: the file ends before the window does.
    """

    def __init__(self, file: Positioned, start: int, size: int, crc: int) -> None:
        super().__init__(file, start, size)
        self._wanted, self._crc, self._checked = crc, 0, 0

    def readinto(self, buffer: object) -> int:
        begin = self._at
        count = super().readinto(buffer)
        if not count and begin < self._size and memoryview(buffer).nbytes:  # type: ignore[arg-type]
            raise EOFError("the file ends within it")
        if begin == self._checked:
            self._crc = zlib.crc32(memoryview(buffer)[:count], self._crc)  # type: ignore[arg-type]
            self._checked += count
            if count and self._checked == self._size and self._crc != self._wanted:
                raise zipfile.BadZipFile("its checksum (CRC-32) is not met")
        return count


def read_whole(stream: IO[bytes], size: int, limit: int, label: str) -> bytes:
    """All of a stream that should give `size` bytes.

    Raises:
        ArchiveError: it gives more than `limit`.
        DamagedArchive: bytes are missing, or its checksum is not met.
    """
    try:
        data = stream.read(min(limit, size) + 1)
    except DAMAGE as error:
        raise DamagedArchive(f"{label} is damaged: {error}") from error
    if len(data) < min(limit, size):
        raise DamagedArchive(f"{label} is damaged: it has {len(data)} of {size} bytes")
    if len(data) > limit:
        raise ArchiveError(f"{label} is larger than {limit} bytes; it is not read")
    return data


def unpacked(stream: BinaryIO, packed: int, limits: ArchiveLimits, label: str) -> BinaryIO:
    """The stream itself, or, where it is gzip, bzip2 or xz, what it unpacks to, bounded.

    Raises:
        ArchiveError: it is packed in a way that can't be read here.
    """
    buffered = (
        stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(cast(io.RawIOBase, stream), BUFFER)
    )
    kind = container_kind(buffered.peek(8)[:8])
    if kind not in ("gzip", "bzip2", "xz", "zstandard"):
        return cast(BinaryIO, buffered)
    if kind == "zstandard":
        buffered.close()
        raise ArchiveError(f"{label} is packed with zstd, which is not read here; unpack it first (zstd -d)")
    opened: IO[bytes] = _decompressor(kind, buffered)
    limit = min(limits.total_bytes, max(limits.ratio_floor, packed * limits.ratio))
    return cast(BinaryIO, io.BufferedReader(Bounded(opened, limit, label, buffered), BUFFER))


def _decompressor(kind: str, stream: io.BufferedReader) -> IO[bytes]:
    if kind == "gzip":
        return cast(IO[bytes], gzip.GzipFile(fileobj=stream))
    return cast(IO[bytes], bz2.BZ2File(stream) if kind == "bzip2" else lzma.LZMAFile(stream))
