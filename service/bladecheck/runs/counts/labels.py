"""Answers of people: appended to labels.jsonl, each on the disk before the next picture shows.

A line names the row, the bytes it was given for, the answer, who gave it and in which role. An undo is a further line.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, get_args

from bladecheck.runs import journal
from bladecheck.runs.counts.draw import second_share
from bladecheck.runs.counts.frame import Unit
from bladecheck.runs.folder import now

Answer = Literal["yes", "no", "unsure"]
ANSWERS: tuple[Answer, ...] = get_args(Answer)
Role = Literal["first", "second", "settled"]
ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True, slots=True)
class Given:
    """One answer that stands: for which bytes, what, by whom."""

    row: str
    sha256: str
    answer: Answer
    who: str


@dataclass(slots=True)
class Labels:
    """The answers that stand, by role and row. The same bytes are labelled once, for each of their rows."""

    by_row: dict[Role, dict[str, Given]] = field(default_factory=lambda: {role: {} for role in ROLES})
    by_bytes: dict[Role, dict[str, Given]] = field(default_factory=lambda: {role: {} for role in ROLES})
    damaged: int = 0

    def take(self, record: Mapping[str, Any]) -> None:
        """One line of the file, in order."""
        role: Role = record["role"]
        before = self.by_row[role].pop(record["row"], None)
        if before and self.by_bytes[role].get(before.sha256) == before:
            del self.by_bytes[role][before.sha256]
        if not record.get("undo"):
            given = Given(record["row"], record["sha256"], record["answer"], record["who"])
            self.by_row[role][given.row] = given
            self.by_bytes[role][given.sha256] = given

    def given(self, role: Role, row: str, sha256: str) -> Given | None:
        """The answer for this row in this role, if the bytes are still those it was given for."""
        own = self.by_row[role].get(row)
        return own if own and own.sha256 == sha256 else self.by_bytes[role].get(sha256)

    def answer(self, row: str, sha256: str) -> Answer | None:
        """What counts: the first answer, or, where a second one differs, what was settled (can't tell until then)."""
        first, second = self.given("first", row, sha256), self.given("second", row, sha256)
        if first is None or second is None or first.answer == second.answer:
            return first.answer if first else None
        settled = self.given("settled", row, sha256)
        return settled.answer if settled else "unsure"

    def second_by(self, row: str, sha256: str, who: str) -> bool:
        """Whether this person may answer a second time: after the first answer, and not after their own."""
        first = self.given("first", row, sha256)
        return first is not None and first.who != who

    def unit(self, unit: Unit) -> Answer | None:
        """A unit's answer: yes if any of its pictures is, None until all are answered."""
        answers = [self.answer(*row) for row in unit.rows]
        if "yes" in answers:
            return "yes"
        if None in answers:
            return None
        return "unsure" if "unsure" in answers else "no"


def read(path: Path) -> Labels:
    """The answers that stand in a file; none if there is no file yet."""
    labels = Labels()
    labels.damaged = journal.follow(path, labels.take)
    return labels


class LabelFile:
    """labels.jsonl, open for writing; what `put` returned from is on the disk."""

    def __init__(self, path: Path) -> None:
        self.labels = read(path)
        self._journal = journal.Journal(path)
        self._count = sum(len(rows) for rows in self.labels.by_row.values())

    def put(
        self,
        row: str,
        sha256: str,
        answer: Answer,
        who: str,
        role: Role = "first",
        *,
        sync: bool = True,
        **more: object,
    ) -> None:
        """Keep an answer; `more` says from where it came and how long it took. Whoever puts many syncs at the end."""
        self._count += 1
        record = {"row": row, "sha256": sha256, "answer": answer, "who": who, "role": role, "nth": self._count, **more}
        self._write(record, sync)

    def sync(self) -> None:
        """Make sure that everything so far is on the disk itself."""
        self._journal.sync()

    def undo(self, row: str, who: str, role: Role = "first") -> None:
        """Take an answer back, with a further line."""
        self._write({"row": row, "undo": True, "who": who, "role": role})

    def close(self) -> None:
        self._journal.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    def _write(self, record: dict[str, Any], sync: bool = True) -> None:
        self._journal.append([{**record, "at": now()}])
        if sync:
            self._journal.sync()
        self.labels.take(record)


def queue(
    units: Mapping[str, Unit], drawn: Sequence[str], of: Mapping[str, str], labels: Labels, role: Role
) -> list[tuple[str, str]]:
    """The pictures that this role looks at, in order, each distinct file once: row_id and sha256.

    Second: a fifth whatever was said, and every yes among the lowest scores and no among the highest.
    Settled: where the two differ.
    """
    wanted: Iterable[str] = drawn
    if role == "second":
        share = set(second_share(drawn))
        wanted = [
            name for name in drawn if name in share or (name in units and _odd(of[name], labels.unit(units[name])))
        ]
    rows = dict[str, tuple[str, str]]()
    for name in wanted:
        for row in units[name].rows if name in units else ():
            if role != "settled" or _differs(labels, row):
                rows.setdefault(row[1], row)
    return list(rows.values())


def _odd(stratum: str, answer: Answer | None) -> bool:
    low, high = stratum.endswith("below 0.02"), stratum.endswith("from 0.8")
    return (low and answer == "yes") or (high and answer == "no")


def _differs(labels: Labels, row: tuple[str, str]) -> bool:
    first, second = labels.given("first", *row), labels.given("second", *row)
    return first is not None and second is not None and first.answer != second.answer
