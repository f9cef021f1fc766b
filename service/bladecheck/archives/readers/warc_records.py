"""The records of a WARC or ARC file, one after the other: warcio's iterator, but for what it takes for the end."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

from bladecheck.archives.containers.streams import DAMAGE
from bladecheck.errors import ArchiveError, DamagedArchive

CHUNK = 1024 * 1024
GZIP = b"\x1f\x8b"
Opened = Callable[[int], BinaryIO]
"""Opens a web archive at an offset."""


@contextmanager
def iterated(stream: BinaryIO, name: str, check: bool = False) -> Iterator[Any]:
    """warcio's iterator over a stream, which is closed in the end. Whatever breaks off raises, and never EOFError.

    Its attribute `err_count` says how many records were followed by bytes that belong to none.

    Args:
        check: look at the digests of each record that is read.

    Raises:
        ArchiveError: warcio is not installed.
    """
    try:
        from warcio.archiveiterator import ArchiveIterator
        from warcio.bufferedreaders import DecompressingBufferedReader
    except ImportError as error:
        stream.close()
        raise ArchiveError(f"{name} is a web archive, which needs warcio: pip install 'bladecheck[archive]'") from error

    class Reader(DecompressingBufferedReader):  # type: ignore[misc]
        """warcio's own prints a wrong checksum on stderr and takes it for the end, or for a file that is not packed."""

        in_member: bool

        def _decompress(self, data: bytes) -> bytes:
            if self.decompressor and data and (self.num_block_read or data.startswith(GZIP)):
                return bytes(self.decompressor.decompress(data))
            return bytes(super()._decompress(data))

        def _process_read(self, data: bytes) -> None:
            # A new decompressor has read nothing; one at the end of a member says so.
            if not data and self.decompressor and self.in_member and not self.decompressor.eof:
                raise ValueError("its gzip data breaks off")
            super()._process_read(data)
            self.in_member = self.in_member or bool(data)

        def _init_decomp(self, decomp_type: str | None) -> None:
            super()._init_decomp(decomp_type)
            self.in_member = False

    class Records(ArchiveIterator):  # type: ignore[misc]
        """warcio's own takes a record whose headers break off for the end, and reads one of no length to the end."""

        INC_RECORD = ""  # what it writes to stderr of a damaged record; we say it ourselves

        def _next_record(self, next_line: bytes | None) -> Any:
            try:
                line = next_line or self.reader.readline()
                record = super()._next_record(line) if line else None
            except EOFError as error:
                raise ValueError(str(error) or "its headers break off") from error
            if record is None:
                raise EOFError  # as warcio knows the end
            if record.length is None:
                raise ValueError("it does not say how long it is")
            return record

        def read_to_end(self, record: Any = None) -> None:
            try:
                super().read_to_end(record)
            except EOFError as error:
                raise ValueError(str(error)) from error
            if (missing := missing_bytes(self.record)) > 0:
                raise ValueError(f"{missing} bytes of the record are missing")

    with stream:
        buffered = stream if isinstance(stream, io.BufferedIOBase) else io.BufferedReader(stream)  # type: ignore[type-var]
        records = Records(buffered, arc2warc=True, check_digests=check)
        records.reader = Reader(Pieces(records.fh))
        yield records


class Pieces:
    """A stream read one piece at a time: where it breaks off, what comes before is handed out."""

    def __init__(self, inner: Any) -> None:
        self.read = inner.read1


def missing_bytes(record: Any) -> int:
    """How many bytes a record that was read to its end lacks."""
    return int(getattr(record.raw_stream, "limit", 0)) if record else 0


def record_bytes(opened: Opened, name: str, offset: int, cap: int) -> bytes:
    with iterated(opened(offset), name, check=True) as records:
        try:
            record = next(iter(records))
            data = read_up_to(record.content_stream(), cap + 1)
            if len(data) <= cap:
                _check(record, records)
        except (StopIteration, *DAMAGE) as error:
            raise DamagedArchive(f"{name}: the record at {offset} is damaged: {error}") from error
    if len(data) > cap:
        raise ArchiveError(f"{name}: the record at {offset} is larger than {cap} bytes; it is not read")
    return data


def _check(record: Any, records: Any) -> None:
    """The record is as long as it says, nothing but blank lines follows, its block digest (where there is one) is
    met, and so is gzip's checksum.

    Digests of the payload are not looked at: crawlers differ in what they take for it.

    Raises:
        ValueError, zlib.error: it is not.
    """
    while record.raw_stream.read(CHUNK):
        pass
    if (missing := missing_bytes(record)) > 0:
        raise ValueError(f"{missing} bytes are missing")
    if wrong := [problem for problem in record.digest_checker.problems if problem.startswith("block digest failed")]:
        raise ValueError(wrong[0])
    records.read_to_end()
    if records.err_count:
        raise ValueError("bytes follow that belong to no record")
    while records.reader.decompressor and records.reader.read(CHUNK):  # up to its gzip member's checksum
        pass


def read_up_to(stream: Any, count: int) -> bytes:
    """Up to `count` bytes; warcio's streams may give fewer at a time."""
    parts: list[bytes] = []
    while count > 0 and (part := stream.read(min(count, CHUNK))):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
