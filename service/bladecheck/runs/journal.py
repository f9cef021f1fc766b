"""The journal of a run: one JSON record a line, append-only, readable after kill -9 at any byte.

A line without its newline was torn off by a crash and counts as never written; a line that is no JSON (a damaged disk)
is passed over and counted. Either way its picture is simply scored again.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bladecheck.errors import RunError

JOURNAL = "journal.jsonl"
FORMAT = "bladecheck-journal/1"
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
        except OSError as error:
            raise failure(path, error) from error
        self._synced = time.monotonic()

    @property
    def empty(self) -> bool:
        """Nothing whole was written yet."""
        return self._end == 0

    def append(self, records: Sequence[Record]) -> None:
        """Write records, all in one go; on a full disk none of a half-written batch stays behind."""
        data = b"".join(encode(record) for record in records)
        try:
            self._write(data)
            if time.monotonic() - self._synced > SYNC_SECONDS:
                self.sync()
        except OSError as error:
            os.ftruncate(self._file, self._end)
            raise failure(self.path, error) from error
        self._end += len(data)

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


def encode(record: Record) -> bytes:
    """One line of the journal."""
    return ENCODER.encode(record).encode("utf-8", "replace") + b"\n"


def read(path: Path) -> Iterator[Record | None]:
    """The records in order; None stands for a damaged line. A torn last line ends the reading without a word."""
    return (record for record, _ in read_lines(path))


def read_lines(path: Path) -> Iterator[tuple[Record | None, bytes]]:
    """`read`, with the line that each record was read from."""
    with path.open("rb") as stream:
        for line in stream:
            if not line.endswith(b"\n"):
                return
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            yield record if isinstance(record, dict) else None, line


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
