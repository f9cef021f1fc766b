"""One labeller's session over a queue of pictures: what comes next, answers to disk, undo, and one tab at a time."""

from __future__ import annotations

import secrets
import statistics
import threading
from collections.abc import Sequence
from typing import Any

from bladecheck.errors import RunError
from bladecheck.runs.counts.labels import ANSWERS, LabelFile, Role

LATEST, LONGEST = 30, 120.0
"""The time that is left is told from the latest answers; a longer pause is no answering."""


class OtherTab(RunError):
    """Another tab or window has taken over."""


class Session:
    """Safe to use from many threads.

    Args:
        queue: row_id and sha256 of what to label, in order.
        file: where answers go.
        who: pseudonym.
        role: first, second or settled.
    """

    def __init__(self, queue: Sequence[tuple[str, str]], file: LabelFile, who: str, role: Role) -> None:
        self._bytes, self._file, self._who, self._role = dict(queue), file, who, role
        self._tab, self._lock = "", threading.Lock()
        self._seconds: list[float] = []
        self._again: list[str] = []
        known = file.labels.by_row[role]
        self._history = [row for row, given in known.items() if row in self._bytes and given.who == who]

    def begin(self) -> dict[str, Any]:
        """A tab takes over from whichever had the session."""
        with self._lock:
            self._tab = secrets.token_hex(8)
            return self._state()

    def answer(self, tab: str, row: str, answer: str, seconds: float) -> dict[str, Any]:
        """Keep an answer, which is on the disk when this returns, and say what comes next.

        Raises:
            OtherTab: see there.
            ValueError: no such answer, or a row that is not in the queue.
        """
        with self._lock:
            self._mine(tab)
            given = next((known for known in ANSWERS if known == answer), None)
            if given is None or row not in self._bytes:
                raise ValueError(f"{answer!r} for row {row!r}")
            took = round(min(max(float(seconds), 0.0), LONGEST), 1)
            self._file.put(row, self._bytes[row], given, self._who, self._role, seconds=took, source="page")
            self._history.append(row)
            self._seconds.append(took)
            if row in self._again:
                self._again.remove(row)
            return self._state()

    def undo(self, tab: str) -> dict[str, Any]:
        """Take back the latest answer, then the one before it, and so on."""
        with self._lock:
            self._mine(tab)
            if self._history:
                row = self._history.pop()
                self._file.undo(row, self._who, self._role)
                self._again.append(row)
            return self._state()

    def _mine(self, tab: str) -> None:
        if not self._tab or tab != self._tab:
            raise OtherTab("Labelling goes on in another tab or window.")

    def _state(self) -> dict[str, Any]:
        labels = self._file.labels
        open_rows = [row for row, sha256 in self._bytes.items() if labels.given(self._role, row, sha256) is None]
        ahead = [row for row in reversed(self._again) if row in open_rows]
        ahead += [row for row in open_rows if row not in ahead][:2]
        left = len(open_rows)
        pace = statistics.median(self._seconds[-LATEST:]) if self._seconds else None
        found: dict[str, Any] = {
            "tab": self._tab,
            "role": self._role,
            "total": len(self._bytes),
            "done": len(self._bytes) - left,
            "minutes": None if pace is None else round(left * pace / 60),
            "can_undo": bool(self._history),
            "row": ahead[0] if ahead else None,
            "next": ahead[1] if len(ahead) > 1 else None,
        }
        if self._role == "settled" and ahead:
            found["answers"] = self._both(ahead[0])
        return found

    def _both(self, row: str) -> list[dict[str, str]]:
        labels, sha256 = self._file.labels, self._bytes[row]
        both = (labels.given("first", row, sha256), labels.given("second", row, sha256))
        return [{"who": given.who, "answer": given.answer} for given in both if given]
