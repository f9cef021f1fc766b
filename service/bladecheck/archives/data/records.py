"""JSON records from files of any size and state: lines, arrays, one big object, several; broken ones skipped."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from itertools import chain, islice
from posixpath import basename
from typing import IO

from bladecheck.archives.containers.source import Source
from bladecheck.archives.containers.streams import DAMAGE, unpacked
from bladecheck.archives.data.json_stream import HOLE, JsonStream
from bladecheck.errors import ArchiveError


def text_stream(source: Source, name: str) -> io.TextIOWrapper:
    """The member as text: unpacked where gzip, bzip2 or xz; UTF-8 or UTF-16 by its mark, else what fits its beginning.

    Raises:
        ArchiveError: it can't be opened.
    """
    stream = unpacked(source.open_stream(name), source.size(name), source.limits, basename(name))
    buffered = stream if isinstance(stream, io.BufferedReader) else io.BufferedReader(stream)  # type: ignore[type-var]
    return io.TextIOWrapper(buffered, encoding=_encoding(buffered.peek(4096)), errors="replace", newline=None)


def lines(source: Source, name: str) -> Iterator[tuple[int, str]]:
    """Line numbers from 1 and lines, without NUL bytes; a file that breaks off ends with a warning in the log.

    A line with a hole is passed over: what is left of it may be two halves that read like one record.
    """
    most = source.limits.line_chars
    number = 0
    try:
        with text_stream(source, name) as stream:
            while line := stream.readline(most):
                number += 1
                if len(line) >= most and not line.endswith("\n"):
                    source.log.warn(f"{name}, line {number}: longer than {most} characters; it is passed over.")
                    _skip_line(stream, most)
                    continue
                if HOLE in line:
                    source.log.hole(name, number)
                    continue
                yield number, line.replace("\x00", "")
    except ArchiveError as error:
        if not source.is_container:
            raise
        source.log.broken(name, f"is not read beyond line {number}: {error.detail}")
    except DAMAGE as error:
        source.log.broken(name, f"breaks off after line {number} ({error})")


def records(source: Source, name: str) -> Iterator[tuple[str, object]]:
    """Every JSON value of a file with a place to name it by; a broken one becomes a warning, never the end."""
    feed = ((number, line) for number, line in lines(source, name) if line.strip())
    start = list(islice(feed, 1))
    if not start:
        if name in source.log.breaks:  # within its first line, which may be all there is
            yield from values(source, name)
        return
    first = start[0][1].lstrip("\ufeff").strip()
    if first.startswith("[") or (not _is_json(first) and first.endswith(("{", "[", ","))):
        yield from values(source, name)
        return
    for number, line in chain(start, feed):
        try:
            yield f"{name}, line {number}", json.loads(line.lstrip("\ufeff").strip().rstrip(","))
        except (ValueError, RecursionError) as error:
            source.log.counts["broken records"] += 1
            source.log.warn(f"{name}, line {number}: not JSON and passed over ({_short(error)}).")


def values(source: Source, name: str, header: re.Pattern[str] | None = None) -> Iterator[tuple[str, object]]:
    """JSON values of a file that is an array, one object or several in a row, after what `header` matches.

    A broken value becomes a warning; a file that breaks off is noted as such.
    """
    try:
        with text_stream(source, name) as stream:
            yield from JsonStream(stream, name, source.log, source.limits.line_chars, header)
    except ArchiveError as error:
        if not source.is_container:
            raise
        source.log.broken(name, f"is not read further: {error.detail}")
    except DAMAGE as error:
        source.log.broken(name, f"breaks off ({error})")


def whole_text(source: Source, name: str) -> str:
    """The whole member as text.

    Raises:
        ArchiveError: damaged, or beyond the cap on data files.
    """
    most = source.limits.data_bytes
    try:
        with text_stream(source, name) as stream:
            text = stream.read(most + 1)
    except DAMAGE as error:
        raise ArchiveError(f"{name} is damaged: {error}") from error
    if len(text) > most:
        raise ArchiveError(f"{name} is larger than {most} bytes; it is not read")
    return text.replace("\x00", "") if "\x00" in text else text


def document(source: Source, name: str) -> object:
    """The one JSON value of a file; None, with a failed row in the log, where it is broken or can't be read."""
    try:
        return json.loads(whole_text(source, name).lstrip("\ufeff"))
    except (ValueError, RecursionError, ArchiveError) as error:
        source.log.unreadable(name, _short(error))
        return None


def peek(source: Source, name: str, count: int = 5) -> list[object]:
    """The first few JSON values of a file, quietly; for telling formats apart."""
    quiet = source.reading()
    try:
        return [value for _, value in islice(records(quiet, name), count)]
    except ArchiveError:
        return []


def _encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if head.startswith(b"\xef\xbb\xbf"):
        return "utf-8-sig"
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character cut in two by the end of the buffer is no sign of another encoding.
        return "utf-8" if error.start >= len(head) - 3 else "cp1252"
    return "utf-8"


def _skip_line(stream: IO[str], most: int) -> None:
    while (rest := stream.readline(most)) and not rest.endswith("\n"):
        pass


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _short(error: Exception) -> str:
    return str(error)[:120]
