"""Showing how a run gets on: a live bar on a terminal, plain lines in a log."""

from __future__ import annotations

import sys
import time
from collections import Counter
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

# Seconds between two lines where no terminal shows a bar.
LOG_SECONDS = 15.0
SKIPPED = "done before"


class Watch(Protocol):
    """Something that is told of every item; a context for as long as there are any."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None: ...

    def tick(self, status: str) -> None: ...

    def say(self, line: str) -> None: ...


class Bar:
    """A bar on stderr with rate, time left and the count of each status."""

    def __init__(self, total: int) -> None:
        self._counts: Counter[str] = Counter()
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("[bold]Scoring"), BarColumn(None), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(), TextColumn("{task.fields[counts]}"),
            console=console, expand=True,
        )  # fmt: skip
        self._task = self._progress.add_task("score", total=total, rate="", counts="")
        self._begun = time.monotonic()

    def __enter__(self) -> Self:
        self._begun = time.monotonic()
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._progress.stop()

    def tick(self, status: str) -> None:
        """One more item with this status."""
        self._counts[status] += 1
        done, seconds = self._counts.total() - self._counts[SKIPPED], time.monotonic() - self._begun
        rate = f"{done / seconds:.1f}/s" if seconds > 1 else ""
        self._progress.update(self._task, advance=1, rate=rate, counts=listed(self._counts))

    def say(self, line: str) -> None:
        """A line above the bar."""
        self._progress.console.print(line, highlight=False, markup=False)


class Lines:
    """A line on stderr every quarter of a minute, for logs and pipes."""

    def __init__(self, total: int) -> None:
        self._total, self._counts = total, Counter[str]()
        self._begun = self._shown = time.monotonic()

    def __enter__(self) -> Self:
        self._begun = self._shown = time.monotonic()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._show(time.monotonic())

    def tick(self, status: str) -> None:
        """One more item with this status."""
        self._counts[status] += 1
        if (now := time.monotonic()) - self._shown > LOG_SECONDS:
            self._show(now)

    def say(self, line: str) -> None:
        """A line of its own."""
        print(line, file=sys.stderr, flush=True)

    def _show(self, now: float) -> None:
        self._shown, done, seconds = now, self._counts.total(), max(1e-3, now - self._begun)
        fresh = done - self._counts[SKIPPED]
        rate = fresh / seconds
        left = f", {(self._total - done) / rate / 60:.0f} min left" if rate and done < self._total else ""
        self.say(f"{done:,} of {self._total:,}, {rate:.1f}/s{left}: {listed(self._counts)}")


def watch(total: int) -> Bar | Lines:
    """The bar on a terminal, lines elsewhere."""
    return Bar(total) if sys.stderr.isatty() else Lines(total)


def listed(counts: Counter[str]) -> str:
    """Counts in words, most frequent first."""
    return ", ".join(f"{count:,} {status.replace('_', ' ')}" for status, count in counts.most_common())
