"""JSON values out of a stream of text, one at a time: an array's elements or values in a row; broken ones skipped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO

from bladecheck.archives.containers.streams import DAMAGE
from bladecheck.archives.found import Log

CHUNK = 1024 * 1024
# Characters read at once, so that a file that breaks off loses no more than these.
PIECE = 512
HOLE = "\0" * 16
"""Zeros that a disk leaves where it lost data; single ones come of odd writers, and are dropped."""
# Broken records after which a file is given up: then it is not what it was taken for.
MOST_BROKEN = 1000
# An error this near to the end of what has been read may only mean that more is to come.
NEAR_END = 16
BETWEEN = re.compile(r"[\s,;\ufeff]*")
# Where the next value may begin after a broken one.
RESYNC = re.compile(r"\}\s*,?\s*(?=\{)|\n\s*(?=\{)")
_DECODER = json.JSONDecoder()


class JsonStream:
    """Values of a text, read in pieces, so that memory holds little more than one value.

    Args:
        text: the stream.
        name: what warnings call it.
        log: where warnings go.
        most: characters that one value may have; a longer one counts as broken.
        header: what may stand before the JSON, such as an assignment.
    """

    def __init__(self, text: IO[str], name: str, log: Log, most: int, header: re.Pattern[str] | None = None) -> None:
        self._text, self._name, self._log, self._most, self._header = text, name, log, most, header
        self._buffer, self._at, self._ended = "", 0, False
        self._lines_before = 0
        self._broken = 0
        self._trouble: Exception | None = None

    def __iter__(self) -> Iterator[tuple[str, object]]:
        """Each value with a place to name it by. Where the text is an array, its elements."""
        self._start()
        count = 0
        while self._next_value():
            try:
                value, self._at = _DECODER.raw_decode(self._buffer, self._at)
            except (ValueError, RecursionError) as error:
                if self._may_be_cut(error) and self._fill():
                    continue
                if not self._pass_over(error):
                    return
                continue
            count += 1
            yield f"{self._name}, record {count}", value

    def _start(self) -> None:
        self._fill()
        match = self._header.match(self._buffer) if self._header else None
        self._at = match.end() if match else 0
        self._skip(BETWEEN)
        if self._buffer[self._at : self._at + 1] == "[":
            self._at += 1

    def _next_value(self) -> bool:
        """Moves to where the next value begins; False at the end."""
        while True:
            self._skip(BETWEEN)
            if self._at >= len(self._buffer):
                if not self._fill():
                    return False
            elif self._buffer[self._at] != "]":
                return True
            elif not self._broken:
                return False
            else:
                # After a broken value one may be inside another array; what follows can still be whole.
                self._at += 1

    def _skip(self, pattern: re.Pattern[str]) -> None:
        if match := pattern.match(self._buffer, self._at):
            self._at = match.end()

    def _fill(self) -> bool:
        """Reads on, letting go of what is done with; more at a time the longer the value. False at the end."""
        if self._ended:
            return False
        self._lines_before += self._buffer.count("\n", 0, self._at)
        rest = self._buffer[self._at :]
        more = self._read(max(CHUNK, len(rest)))
        self._ended = not more
        if HOLE in more:
            self._log.hole(self._name, self._lines_before + rest.count("\n") + more.count("\n", 0, more.find(HOLE)) + 1)
        self._buffer, self._at = rest + more.replace("\x00", ""), 0
        return bool(more)

    def _read(self, most: int) -> str:
        """Up to so many characters; where the file breaks off, what comes before, and the error when asked again."""
        if self._trouble:
            raise self._trouble
        pieces: list[str] = []
        left = most
        try:
            while left > 0 and (piece := self._text.read(min(left, PIECE))):
                pieces.append(piece)
                left -= len(piece)
        except DAMAGE as error:
            self._trouble = error
            if not pieces:
                raise
        return "".join(pieces)

    def _may_be_cut(self, error: Exception) -> bool:
        if len(self._buffer) - self._at > self._most or not isinstance(error, json.JSONDecodeError):
            return False
        return error.pos >= len(self._buffer) - NEAR_END or error.msg.startswith("Unterminated string")

    def _pass_over(self, error: Exception) -> bool:
        """Warns of a broken value and moves to where another may begin; False where none does."""
        self._broken += 1
        self._log.counts["broken records"] += 1
        line = self._lines_before + self._buffer.count("\n", 0, self._at) + 1
        self._log.warn(f"{self._name}, line {line}: broken JSON, passed over ({str(error)[:120]}).")
        if self._broken > MOST_BROKEN:
            self._log.warn(f"{self._name}: too much is broken; it is not read further.")
            return False
        self._at += 1
        while not (match := RESYNC.search(self._buffer, self._at)):
            # A mark of a new value may lie across the seam.
            self._at = max(self._at, len(self._buffer) - NEAR_END)
            if not self._fill():
                return False
        self._at = match.end()
        return True
