"""A tar, plain or packed, as a source: indexed once, then read by position."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, BinaryIO, cast

from bladecheck.archives.containers.gzip_stream import SeekableGzip
from bladecheck.archives.containers.handles import Held, Lost, Span
from bladecheck.archives.containers.limits import MIB, ArchiveLimits
from bladecheck.archives.containers.remote import RemoteFile, RemotePath
from bladecheck.archives.containers.source import Source
from bladecheck.archives.containers.streams import DAMAGE, Window
from bladecheck.archives.item import Handle
from bladecheck.archives.names import normal, refusal
from bladecheck.errors import ArchiveError, DamagedArchive
from bladecheck.file_formats import container_kind

# Bytes of a long name or of PAX fields, which tarfile reads whole: real ones have kilobytes.
LARGEST_HEADER = 16 * MIB


class _Careful(io.BufferedIOBase):
    """Refuses the huge reads that a forged header would ask of tarfile."""

    def __init__(self, inner: IO[bytes]) -> None:
        self._inner = inner

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0 or size > LARGEST_HEADER:
            raise ArchiveError("its headers are forged")
        return self._inner.read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._inner.seek(offset, whence)

    def tell(self) -> int:
        return self._inner.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True


class TarSource(Source):
    """The regular files of a tar (.tar, .tar.gz, .tar.bz2, .tar.xz), in their order.

    A tar that breaks off keeps what came before. A packed one whose checksum is not met keeps none of its files, since
    any of them may be the damaged one: each is a row that fails.

    Raises:
        ArchiveError: no tar from its beginning, or beyond the limits.
    """

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        super().__init__(path, limits)
        self._lock = threading.Lock()
        self._file = _packed_file(path, limits)
        self._ranged = _ranged(path, self._file)
        self._held = _held(path, self._file, self._ranged)
        self._where: dict[str, tuple[int, int]] = {}
        self._untrusted: str | None = None
        try:
            self._index()
        except DamagedArchive as error:
            self._untrusted = error.detail
            self._broken(error)
        except (tarfile.TarError, *DAMAGE) as error:
            # What unpacks wrongly may have unpacked wrongly before that was noticed; a mere end has not.
            self._untrusted = self._damage_beyond() if isinstance(error, (EOFError, tarfile.TarError)) else str(error)
            self._broken(error)
        except ArchiveError as error:
            self.close()
            raise ArchiveError(f"{path.name} can't be read safely: {error.detail}") from error
        self._names = [name for name in self._where if name not in self.refused]

    def names(self) -> Sequence[str]:
        return self._names

    def __contains__(self, name: object) -> bool:
        return name in self._where

    def size(self, name: str) -> int:
        return self._where[name][1]

    def span(self, name: str) -> Span | None:
        return Span(self._held, *self._where[name]) if self._held and not self._untrusted else None

    def _handle(self, name: str) -> Handle | None:
        return Lost(self._distrust) if self._untrusted else super()._handle(name)

    def close(self) -> None:
        super().close()
        self._file.close()

    def _broken(self, error: Exception) -> None:
        """Goes on with what was found before the damage, if anything was."""
        if not self._where:
            self.close()
            raise ArchiveError(f"{self.path.name} is not a whole tar file: {error}") from error
        self.broken[self.path.name] = f"breaks off after {len(self._where)} files ({error})"

    def _damage_beyond(self) -> str | None:
        """What else is wrong up to the end: a header that makes no sense may come of damaged packing before it."""
        try:
            while self._file.read(MIB):
                pass
        except EOFError:
            return None
        except (DamagedArchive, *DAMAGE) as error:
            return str(error)
        return None

    def _stream(self, name: str) -> BinaryIO:
        if self._untrusted:
            raise DamagedArchive(self._distrust)
        if self._ranged:
            start, size = self._where[name]
            self._ranged.expect(start, size)
            return cast(BinaryIO, io.BufferedReader(_Ranged(self._ranged, start, size), MIB))
        return cast(BinaryIO, io.BufferedReader(_Member(self._file, self._lock, *self._where[name])))

    @property
    def _distrust(self) -> str:
        return f"{self.path.name} is damaged ({self._untrusted}), and any of its files may be what is damaged"

    def _index(self) -> None:
        total, most = 0, self.limits.files if _is_plain(self._file) else self.limits.members
        with tarfile.open(fileobj=cast(IO[bytes], _Careful(self._file)), mode="r:") as tar:
            while (info := tar.next()) is not None:
                # tarfile keeps every header it has seen; a few kB each, for nothing.
                tar.members = []  # type: ignore[attr-defined]
                if info.isdir():
                    continue
                total += info.size
                if len(self._where) >= most or total > self.limits.total_bytes:
                    raise ArchiveError("it holds too many files or bytes")
                self._add(info)
            self._check_end(tar.offset)

    def _check_end(self, offset: int) -> None:
        """tarfile takes a damaged header, a hole and the end of the file for the end of the tar, which zeros mark.

        To the last byte: checksums of a packed tar stand behind it.
        """
        self._file.seek(offset)
        block = self._file.read(tarfile.BLOCKSIZE)
        if not block:
            raise tarfile.ReadError("its end is missing; was it cut short?")
        if block.strip(b"\0"):
            raise tarfile.ReadError("a header is damaged")
        beyond = False
        while data := self._file.read(MIB):
            beyond = beyond or bool(data.strip(b"\0"))
        if beyond:
            raise tarfile.ReadError("more follows the zeros that mark its end: a hole, or another tar")

    def _add(self, info: tarfile.TarInfo) -> None:
        name = normal(info.name)
        if not info.isreg():
            self.refused[name] = "it is a link or a device, not a file"
            return
        while name in self._where:
            name += "#2"
        self._where[name] = (info.offset_data, info.size)
        if reason := refusal(info.name):
            self.refused[name] = reason
        elif info.sparse is not None:
            self.refused[name] = "it is a sparse file"


class _Member(io.RawIOBase):
    """One member; every read takes the lock, goes to its place, and reads."""

    def __init__(self, file: IO[bytes], lock: threading.Lock, start: int, size: int) -> None:
        self._file, self._lock, self._start, self._size, self._at = file, lock, start, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = max(0, offset + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer)  # type: ignore[arg-type]
        count = max(0, min(len(view), self._size - self._at))
        with self._lock:
            self._file.seek(self._start + self._at)
            data = self._file.read(count)
        if not data and count:
            raise EOFError("the tar ends inside this file")
        view[: len(data)] = data
        self._at += len(data)
        return len(data)


class _Ranged(Window):
    """One member of a plain tar in an object store, read without waiting for other members."""

    def readinto(self, buffer: object) -> int:
        count = super().readinto(buffer)
        if not count and self._at < self._size and memoryview(buffer).nbytes:  # type: ignore[arg-type]
            raise EOFError("the tar ends inside this file")
        return count


def _ranged(path: Path, file: IO[bytes]) -> RemoteFile | None:
    """A tar in an object store to be read by ranges, if it is not packed."""
    return RemoteFile(path) if isinstance(path, RemotePath) and _is_plain(file) else None


def _held(path: Path, file: IO[bytes], ranged: RemoteFile | None) -> Held | None:
    """Where the files of a plain tar lie."""
    if not _is_plain(file):
        return None
    return Held(path, ranged.size, ranged.known) if ranged else Held(path, path.stat().st_size)


def _is_plain(file: IO[bytes]) -> bool:
    """Whether a tar's file is the tar itself, not what a decompressor gives."""
    packed = isinstance(file, bz2.BZ2File | lzma.LZMAFile)
    return not packed and not isinstance(getattr(file, "raw", None), SeekableGzip)


def _packed_file(path: Path, limits: ArchiveLimits) -> IO[bytes]:
    with path.open("rb") as file:
        kind = container_kind(file.read(262))
    if kind == "gzip":
        return cast(IO[bytes], io.BufferedReader(SeekableGzip(path, limits), 64 * 1024))
    # Given a path, the decompressors close their file themselves; an address they can't open.
    given = path.open("rb") if isinstance(path, RemotePath) else path
    if kind == "bzip2":
        return cast(IO[bytes], bz2.BZ2File(given))
    if kind == "xz":
        return cast(IO[bytes], lzma.LZMAFile(given))
    return path.open("rb")
