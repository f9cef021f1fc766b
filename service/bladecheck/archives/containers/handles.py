"""Where the bytes of one picture lie, so that any process that sees the same disk or store gets them by one read.

Handles are small, can be pickled and hold no open file: local scoring and workers elsewhere open pictures by them
alike. What can't be had by one read (a member of a packed tar, say) has none: it is read where the archive is open.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, cast

from bladecheck.archives.containers.limits import MIB
from bladecheck.archives.containers.remote import Object, RemoteFile, RemotePath
from bladecheck.archives.containers.streams import DAMAGE, Positioned, Window, read_whole
from bladecheck.archives.item import Handle
from bladecheck.errors import ArchiveError, DamagedArchive

LOCAL_HEADER, LONGEST_EXTRA = 30, 512
"""Bytes before a zip member: its header without name, and the fields behind the name that most zips stay below."""
# Bytes that packing may add to a picture that does not pack: more than any method needs.
PACKED_WORSE = MIB


@dataclass(frozen=True, slots=True)
class Held:
    """The file or object that pictures lie in.

    Attributes:
        path: its path or address.
        size: what it measures in bytes; None where any size is right.
        known: of an object in a store, what the store said of it.
    """

    path: Path
    size: int | None = None
    known: Object | None = None

    def open(self) -> Positioned:
        """The file; the caller closes it.

        Raises:
            OSError: it is gone, no regular file, or another one lies in its place.
        """
        if isinstance(self.path, RemotePath):
            return RemoteFile(self.path, self.known)
        file = Positioned(self.path)
        if self.size is not None and file.size != self.size:
            file.close()
            raise OSError(5, f"{self.path.name} was replaced while it was read")
        return file


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes in a row within a file: `size` of them from `start`; None: up to its end."""

    file: Held
    start: int = 0
    size: int | None = None

    def stream(self, offset: int = 0) -> BinaryIO:
        """What is there from `offset` on, read as it is asked for.

        Raises:
            OSError: see `Held.open`.
        """
        file = self.file.open()
        end = file.size if self.size is None else self.start + self.size
        return cast(BinaryIO, io.BufferedReader(_Owning(file, self.start + offset, end - self.start - offset)))


class _Owning(Window):
    """A window that closes its file with itself."""

    def close(self) -> None:
        self._file.close()
        super().close()


@dataclass(frozen=True, slots=True)
class Piece(Handle):
    """A picture that lies in its file as it is: the whole of it, or a span.

    Attributes:
        span: where.
        name: what errors call it.
        limit: bytes that are read at most.
    """

    span: Span
    name: str
    limit: int

    def __call__(self) -> bytes:
        return _opened(self.span.file, self.name, self._read)

    def _read(self, file: Positioned) -> bytes:
        size = file.size if self.span.size is None else self.span.size
        data = file.take(self.span.start, min(size, self.limit + 1))
        return read_whole(io.BytesIO(data), size, self.limit, self.name)


@dataclass(frozen=True, slots=True)
class Packed(Handle):
    """A member of a zip, from its local header on, with the checksum that its bytes must have.

    Attributes:
        file: the zip.
        start: where its local header begins.
        packed, size: bytes in the zip, and unpacked.
        method: of packing, as zip numbers it.
        crc: CRC-32 of the unpacked bytes.
        name: what errors call it.
        name_bytes: how long its name is in the zip.
        limit: bytes that are read at most.
    """

    file: Held
    start: int
    packed: int
    size: int
    method: int
    crc: int
    name: str
    name_bytes: int
    limit: int

    def __call__(self) -> bytes:
        if self.size > self.limit or self.packed > self.limit + PACKED_WORSE:
            raise ArchiveError(f"{self.name} is larger than {self.limit} bytes; it is not read")
        return _opened(self.file, self.name, self._read)

    def _read(self, file: Positioned) -> bytes:
        block = file.take(self.start, LOCAL_HEADER + self.name_bytes + LONGEST_EXTRA + self.packed)
        if len(block) < LOCAL_HEADER or block[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile("no local header where the directory says")
        begin = LOCAL_HEADER + sum(struct.unpack("<HH", block[26:LOCAL_HEADER]))
        data = block[begin : begin + self.packed]
        if len(data) < self.packed:
            data = file.take(self.start + begin, self.packed)
        if self.method == zipfile.ZIP_STORED:
            if len(data) == self.size and zlib.crc32(data) != self.crc:
                raise zipfile.BadZipFile("its checksum (CRC-32) is not met")
            return read_whole(io.BytesIO(data), self.size, self.limit, self.name)
        with self._unpacked(data) as stream:
            return read_whole(stream, self.size, self.limit, self.name)

    def _unpacked(self, data: bytes) -> BinaryIO:
        info = zipfile.ZipInfo(self.name)
        info.compress_type, info.compress_size = self.method, self.packed
        info.file_size, info.CRC = self.size, self.crc
        return cast(BinaryIO, zipfile.ZipExtFile(cast(IO[bytes], io.BytesIO(data)), "r", info))


@dataclass(frozen=True, slots=True)
class Lost(Handle):
    """What is known to be damaged before it is opened."""

    why: str

    def __call__(self) -> bytes:
        raise DamagedArchive(self.why)


def _opened(held: Held, name: str, read: Callable[[Positioned], bytes]) -> bytes:
    try:
        file = held.open()
    except DAMAGE as error:
        raise DamagedArchive(f"{name} can't be opened: {error}") from error
    try:
        return read(file)
    except DAMAGE as error:
        raise DamagedArchive(f"{name} is damaged: {error}") from error
    finally:
        file.close()
