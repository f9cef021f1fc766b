"""The journal of a run: one JSON record a line, append-only, readable after kill -9 at any byte.

A line without its newline was torn off by a crash and counts as never written. Every line ends with its number and a
checksum (CRC-32 of what stands before it), so that a line that a disk damaged, lost or moved is noticed: it is passed
over and counted. Either way its picture is simply scored again. Journals of older versions have neither; their lines
are taken if they look sound, until the first line that has both.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bladecheck.errors import RunError

JOURNAL = "journal.jsonl"
FORMAT = "bladecheck-journal/2"
FORMATS = ("bladecheck-journal/1", FORMAT)
SEAL = re.compile(rb',"n":([0-9]{1,15})(?P<end>,"crc":"(?P<crc>[0-9a-f]{8})"}\n\Z)')
HEX = re.compile(r"(?:[0-9a-f]{32}){1,2}")
# Seconds of work that a power cut may cost.
SYNC_SECONDS = 2.0
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
Record = dict[str, Any]


class Journal:
    """Appends records; what `append` returned from survives the death of the process.

    Power cuts are met by a sync to disk every two seconds and at the end. Only one process may write at a time: the
    run folder's lock sees to that.

    Raises:
        RunError: if the file can't be written; what was written before stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o644)
            self._end = whole_length(path)
            os.ftruncate(self._file, self._end)
            self._number = last_number(path)
        except OSError as error:
            raise failure(path, error) from error
        self._synced = time.monotonic()

    @property
    def empty(self) -> bool:
        """Nothing whole was written yet."""
        return self._end == 0

    def append(self, records: Sequence[Record]) -> None:
        """Write records, all in one go; on a full disk none of a half-written batch stays behind."""
        data = b"".join(encode(record, number) for number, record in enumerate(records, self._number + 1))
        try:
            self._write(data)
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self.sync()
        except OSError as error:
            os.ftruncate(self._file, self._end)
            raise failure(self.path, error) from error
        self._end += len(data)
        self._number += len(records)

    def sync(self) -> None:
        """Make sure that everything so far is on the disk itself."""
        os.fsync(self._file)
        self._synced = time.monotonic()

    def close(self) -> None:
        try:
            os.fsync(self._file)
        except OSError as error:
            raise failure(self.path, error) from error
        finally:
            os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]


def encode(record: Record, number: int) -> bytes:
    """One line of the journal: the record, the line's number (growing, from 1) and the checksum of all that."""
    body = ENCODER.encode(record).encode("utf-8", "replace")[:-1] + b',"n":%d' % number
    return body + b',"crc":"%08x"}\n' % zlib.crc32(body)


def follow(path: Path, take: Callable[[Record], object]) -> int:
    """Give the records of a file in order to `take`, none if there is no file yet; how many lines are damaged."""
    damaged = 0
    for record in read(path) if path.exists() else ():
        if record is None:
            damaged += 1
        else:
            take(record)
    return damaged


def read(path: Path) -> Iterator[Record | None]:
    """The records in order; None stands for a damaged or lost line. A torn last line ends the reading in silence."""
    return (record for record, _ in read_lines(path))


def read_lines(path: Path) -> Iterator[tuple[Record | None, bytes]]:
    """`read`, with the line that each record was read from."""
    last, damaged, sealed = 0, 0, False
    with path.open("rb") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                return
            record, number = _opened(line)
            if record is not None and number == 0 and (sealed or "crc" in record or not _sound(record)):
                record = None
            if record is None or 0 < number <= last:  # damaged; or a copy, or out of its place
                damaged += 1
                yield None, line
                continue
            if number:
                # Lines that are gone altogether; those that were damaged were told already.
                yield from ((None, b"") for _ in range(number - last - 1 - damaged if sealed else 0))
                last, damaged, sealed = number, 0, True
            yield record, line


def _seal(line: bytes) -> re.Match[bytes] | None:
    """Number and checksum at the end of a line, if the checksum is right."""
    seal = SEAL.search(line)
    return seal if seal and zlib.crc32(line[: seal.start("end")]) == int(seal["crc"], 16) else None


def _opened(line: bytes) -> tuple[Record | None, int]:
    """The record and its number, 0 if it has none (an older version wrote it); None if the line is damaged."""
    seal = _seal(line)
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None, 0
    if not isinstance(record, dict):
        return None, 0
    for key in ("n", "crc") if seal else ():
        del record[key]
    return record, int(seal[1]) if seal else 0


def _sound(record: Record) -> bool:
    """Whether a record without a checksum is of a shape that the rest of the program can work with."""
    if "picture" in record:
        result = record.get("result")
        return _is_hash(record["picture"]) and isinstance(result, dict) and isinstance(result.get("status"), str)
    if "row" in record:
        item, sha256 = record.get("item"), record.get("sha256")
        whole = isinstance(item, dict) and isinstance(item.get("source"), str) and isinstance(record.get("status"), str)
        return whole and _is_hash(record["row"]) and (sha256 is None or _is_hash(sha256))
    return "gone" not in record  # no version without checksums wrote such lines


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and HEX.fullmatch(value) is not None


def last_number(path: Path) -> int:
    """The highest number of a line, 0 if none has one; not that of the last line, which may be out of its place."""
    with path.open("rb") as stream:
        return max((int(seal[1]) for line in stream if (seal := _seal(line))), default=0)


def whole_length(path: Path, block: int = 65536) -> int:
    """Bytes up to and including the last newline."""
    with path.open("rb") as stream:
        position = stream.seek(0, os.SEEK_END)
        while position:
            start = max(0, position - block)
            stream.seek(start)
            found = stream.read(position - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            position = start
    return 0


def failure(path: Path, error: OSError) -> RunError:
    """What to do about a file that can't be written, in words."""
    advice = {
        errno.ENOSPC: "the disk is full: free some space",
        errno.EDQUOT: "your quota on this disk is used up: free some space",
        errno.EFBIG: "the file would be larger than is allowed here: raise the limit or use another disk",
        errno.EROFS: "the disk is read-only: choose another folder with -o",
        errno.EACCES: "you may not write there: choose another folder with -o",
        errno.EPERM: "you may not write there: choose another folder with -o",
    }.get(error.errno or 0, f"{error.strerror or error}")
    return RunError(f"{path} can't be written: {advice}. Nothing that was scored is lost; run the same command again.")
