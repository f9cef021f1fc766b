"""Marks of people on pictures: a curated set in RUN/wall/marks.jsonl, each on the disk before the page says so.

Marks are put on what somebody chose to look at, so that no share or total may be made of them: nothing that estimates
reads this file. A line names the rows, the mark and who gave it. An undo is a further line.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bladecheck.runs import journal
from bladecheck.runs.columns import COLUMNS
from bladecheck.runs.exports.cells import guarded
from bladecheck.runs.folder import now

FOLDER, FILE = "wall", "marks.jsonl"
MARKS: dict[str, str] = {"knife": "knife", "no_knife": "no knife", "again": "look again"}
"""Each mark in words; an empty one takes a mark away."""
TOLD = ("account", "posted_at", "post_url", "source", "member", "media_url", "sha256")
ANSWERED = ("decision", "kind", "score_knife")
Given = tuple[int, str, str, str]
"""A mark: its number, what, by whom, when."""


class Marks:
    """The marks that stand: for each row those given, in order, of which the last counts."""

    def __init__(self) -> None:
        self._given: dict[str, list[Given]] = {}
        self._rows: dict[int, list[str]] = {}
        self._latest: dict[str, list[int]] = {}
        self.damaged = self.last = 0

    def take(self, record: Mapping[str, Any]) -> list[str]:
        """One line of the file, in order; gives the rows that it is about."""
        if "undo" in record:
            number = record["undo"]
            rows = self._rows.pop(number, [])
            for row in rows:
                self._given[row] = [given for given in self._given[row] if given[0] != number]
            for numbers in self._latest.values():
                if number in numbers:
                    numbers.remove(number)
            return rows
        self.last = number = record["nth"]
        self._rows[number] = record["rows"]
        self._latest.setdefault(record["tab"], []).append(number)
        for row in record["rows"]:
            self._given.setdefault(row, []).append((number, record["mark"], record["who"], record["at"]))
        return self._rows[number]

    def latest(self, tab: str) -> int | None:
        """The number of this tab's latest mark that stands."""
        numbers = self._latest.get(tab)
        return numbers[-1] if numbers else None

    def of(self, row: str) -> str:
        given = self._given.get(row)
        return given[-1][1] if given else ""

    def standing(self) -> dict[str, Given]:
        """Row to its mark, of every row that has one."""
        return {row: given[-1] for row, given in self._given.items() if given and given[-1][1]}


def read(path: Path) -> Marks:
    """The marks in a file; none if there is no file yet."""
    marks = Marks()
    marks.damaged = journal.follow(path, marks.take)
    return marks


class MarkFile:
    """marks.jsonl, open for writing; what `put` returned from is on the disk itself."""

    def __init__(self, path: Path) -> None:
        self.marks = read(path)
        self._journal = journal.Journal(path)

    def put(self, rows: Sequence[str], mark: str, who: str, tab: str) -> dict[str, str]:
        """Mark these rows; gives row to mark as it now is.

        Raises:
            ValueError: no such mark.
            RunError: the disk is full, or the file can't be written: then nothing is marked.
        """
        if mark not in ("", *MARKS):
            raise ValueError(f"mark={mark!r}")
        record = {"nth": self.marks.last + 1, "mark": mark, "rows": list(rows), "who": who, "tab": tab}
        return self._write(record) if rows else {}

    def undo(self, who: str, tab: str) -> dict[str, str]:
        """Take back this tab's latest mark, with a further line; gives row to mark as it now is."""
        number = self.marks.latest(tab)
        return {} if number is None else self._write({"undo": number, "who": who, "tab": tab})

    def close(self) -> None:
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _write(self, record: dict[str, Any]) -> dict[str, str]:
        record["at"] = now()
        self._journal.append([record])
        self._journal.sync()
        return {row: self.marks.of(row) for row in self.marks.take(record)}


def as_csv(marks: Marks, told: Callable[[str], Mapping[str, Any] | None]) -> str:
    """The marked pictures, a line each; the model's answer is left empty where it may not be told.

    Args:
        told: facts of a row, by the names of published columns; None if the run no longer has it.
    """
    stream = io.StringIO()
    out = csv.writer(stream)
    columns = {column.name: column for column in COLUMNS}
    out.writerow(("row_id", "mark", "who", "marked_at", *TOLD, *ANSWERED))
    for row, (_, mark, who, at) in sorted(marks.standing().items()):
        facts = told(row) or {}
        cells = [guarded(columns[name], facts.get(name)) for name in (*TOLD, *ANSWERED)]
        out.writerow((row, mark, guarded(columns["account"], who), at, *cells))
    return "\ufeff" + stream.getvalue()
