"""A zip file as a source, with the ways a zip can lie or explode closed."""

from __future__ import annotations

import io
import os
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, BinaryIO, cast

from bladecheck.archives.containers.handles import LOCAL_HEADER, LONGEST_EXTRA, Held, Packed, Span
from bladecheck.archives.containers.limits import MIB, ArchiveLimits
from bladecheck.archives.containers.remote import RemoteFile, positioned, size_of
from bladecheck.archives.containers.source import Source
from bladecheck.archives.containers.streams import DAMAGE, Checked, Window
from bladecheck.archives.item import Handle
from bladecheck.archives.names import normal, refusal
from bladecheck.errors import ArchiveError

# Bits of a member's flags.
ENCRYPTED, UTF8_NAME = 0x1, 0x800
# zipfile holds the directory in memory; an entry takes 46 bytes, its name and some fields: about a quarter of this.
DIRECTORY_BYTES_PER_MEMBER = 1024
END_RECORD = b"PK\x05\x06"
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}


class ZipSource(Source):
    """The members of a zip, in the order of its directory.

    Raises:
        ArchiveError: not a zip, damaged, password-protected as a whole, or beyond the limits.
    """

    def __init__(self, path: Path, limits: ArchiveLimits) -> None:
        super().__init__(path, limits)
        self._file = path.open("rb")
        self._size = size_of(self._file)
        self._stored_file = positioned(path)
        known = self._stored_file.known if isinstance(self._stored_file, RemoteFile) else None
        self._held = Held(path, self._size, known)
        try:
            self._check_directory()
            self._zip = zipfile.ZipFile(self._file)
            self._members = self._list()
        except (*DAMAGE, struct.error) as error:
            self._close_files()
            raise ArchiveError(f"{path.name} is not a whole zip file: {error}") from error
        except ArchiveError:
            self._close_files()
            raise
        self._names = [name for name in self._members if name not in self.refused]

    def names(self) -> Sequence[str]:
        return self._names

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def size(self, name: str) -> int:
        return self._members[name].file_size

    def span(self, name: str) -> Span | None:
        info = self._members[name]
        if info.compress_type != zipfile.ZIP_STORED:
            return None
        try:
            return Span(self._held, self._begin(info), info.file_size)
        except DAMAGE:
            return None

    def _handle(self, name: str) -> Handle:
        info = self._members[name]
        return Packed(
            self._held, info.header_offset, info.compress_size, info.file_size, info.compress_type, info.CRC,
            self._label(name), len(info.orig_filename.encode()), self.limits.member_bytes,
        )  # fmt: skip

    def close(self) -> None:
        super().close()
        self._zip.close()
        self._close_files()

    def _close_files(self) -> None:
        self._file.close()
        self._stored_file.close()

    def _stream(self, name: str) -> BinaryIO:
        info = self._members[name]
        if isinstance(self._stored_file, RemoteFile):
            return self._fetched(self._stored_file, info)
        if info.compress_type == zipfile.ZIP_STORED:
            return self._stored(info)
        return cast(BinaryIO, self._zip.open(info))

    def _fetched(self, file: RemoteFile, info: zipfile.ZipInfo) -> BinaryIO:
        """A member of a remote zip in one request, whatever its packing; the local header may have a longer tail."""
        before = LOCAL_HEADER + len(info.orig_filename.encode()) + LONGEST_EXTRA
        file.expect(info.header_offset, before + info.compress_size)
        if info.compress_type == zipfile.ZIP_STORED:
            return self._stored(info)
        packed = io.BufferedReader(Window(file, self._begin(info), info.compress_size), MIB)
        return cast(BinaryIO, zipfile.ZipExtFile(cast(IO[bytes], packed), "r", info))

    def _stored(self, info: zipfile.ZipInfo) -> BinaryIO:
        """Reads a stored member by position, so that WARC records inside a WACZ can be reached at once."""
        # Python's own zip stream has no cheap seek on a stored member.
        return cast(BinaryIO, Checked(self._stored_file, self._begin(info), info.file_size, info.CRC))

    def _begin(self, info: zipfile.ZipInfo) -> int:
        """Where a member's bytes begin, behind its local header."""
        header = self._stored_file.read_at(info.header_offset, LOCAL_HEADER)
        if len(header) < LOCAL_HEADER or header[:4] != b"PK\x03\x04":
            raise zipfile.BadZipFile("no local header where the directory says")
        name_length, extra_length = struct.unpack("<HH", header[26:LOCAL_HEADER])
        return int(info.header_offset + LOCAL_HEADER + name_length + extra_length)

    def _check_directory(self) -> None:
        """Refuses an absurd directory before zipfile reads it whole."""
        end = self._file.seek(0, os.SEEK_END)
        start = max(0, end - 65_557 - 56)
        self._file.seek(start)
        tail = self._file.read()
        self._file.seek(0)
        at = tail.rfind(END_RECORD)
        if at < 0 or len(tail) - at < 22:
            raise zipfile.BadZipFile("its end is missing; was the download cut short?")
        (size,) = struct.unpack("<L", tail[at + 12 : at + 16])
        if min(size, end) > max(64 * MIB, self.limits.members * DIRECTORY_BYTES_PER_MEMBER // 4):
            raise ArchiveError(f"{self.path.name} has a directory of {size} bytes; it is refused")

    def _list(self) -> dict[str, zipfile.ZipInfo]:
        infos = [info for info in self._zip.infolist() if not info.is_dir()]
        if len(infos) > self.limits.members:
            raise ArchiveError(
                f"{self.path.name} holds {len(infos):,} files, more than {self.limits.members:,} in one zip; "
                "unpack it and point to the folder"
            )
        if infos and all(info.flag_bits & ENCRYPTED for info in infos):
            raise ArchiveError(f"{self.path.name} is password-protected; unpack it and point to the folder instead")
        self._check_total(infos)
        members: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            name = normal(_decoded(info))
            while name in members:
                name += "#2"
            members[name] = info
            if reason := self._why_not(info):
                self.refused[name] = reason
        return members

    def _check_total(self, infos: list[zipfile.ZipInfo]) -> None:
        total = sum(info.file_size for info in infos)
        size = self._size
        ceiling = min(self.limits.total_bytes, max(4 * self.limits.ratio_floor, size * self.limits.ratio))
        if total > ceiling:
            raise ArchiveError(
                f"{self.path.name} ({size} bytes) claims to unpack to {total} bytes; it is refused as a zip bomb"
            )

    def _why_not(self, info: zipfile.ZipInfo) -> str | None:
        if reason := refusal(info.orig_filename):
            return reason
        if info.flag_bits & ENCRYPTED:
            return "it is password-protected"
        if info.compress_type not in METHODS:
            return f"it is packed with method {info.compress_type}, which is not read here; unpack it and zip it again"
        if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
            return "its sizes contradict each other"
        if info.file_size > self.limits.ratio_floor and info.file_size > info.compress_size * self.limits.ratio:
            return f"it unpacks from {info.compress_size} to {info.file_size} bytes, like a zip bomb"
        return None


def _decoded(info: zipfile.ZipInfo) -> str:
    """The name; where the zip does not say it is UTF-8 (then it is read as cp437), UTF-8 is tried all the same."""
    name = info.filename
    if info.flag_bits & UTF8_NAME or name.isascii():
        return name
    try:
        return name.encode("cp437").decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return name
