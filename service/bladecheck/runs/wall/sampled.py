"""Pictures of the wall that are in a drawn sample, and those of them that somebody has yet to label without being told.

Whoever labels must not know what the model said: neither of the picture, nor of one that looks like it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from bladecheck.runs.columns import Row
from bladecheck.runs.counts.frame import COUNTS, Count, Unit, gather
from bladecheck.runs.counts.labels import ROLES, Labels, Role, queue, read
from bladecheck.runs.counts.sample import LABELS, PLAN, Sample, place
from bladecheck.runs.pictures import home

Rows = Callable[[], Iterable[Row]]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawn sample, with its units as they are in this run."""

    sample: Sample
    units: dict[str, Unit]
    order: list[str]

    def waiting(self) -> set[str]:
        """sha256 of what is not labelled yet: by the first labeller, and by the second once there is one."""
        labels = read(self.sample.path / LABELS)
        return {
            sha256
            for role in _roles(labels)
            for row, sha256 in queue(self.units, self.order, self.sample.frame, labels, role)
            if labels.given(role, row, sha256) is None
        }


class Samples:
    """All samples of a run and of the folders beside it (other models' and policies' rows of the same pictures).

    Args:
        folder: of the run.
        rows: what units are made of; gone through once for each sample.

    Raises:
        RunError: a sample can't be read.
    """

    def __init__(self, folder: Path, rows: Rows) -> None:
        self._folder, self._rows = folder, rows
        self._plans: dict[Path, tuple[int, int]] = {}
        self._labels: dict[Path, tuple[int, int]] = {}
        self.drawn: list[Drawn] = []
        self.rows: set[str] = set()

    def news(self) -> set[str] | None:
        """sha256 of everything that somebody has yet to label; None if nothing was drawn or labelled since.

        Raises:
            RunError: a sample can't be read.
        """
        plans = {path: state for path in self._places() if (state := _state(path / PLAN))}
        labels = {path: state for path in plans if (state := _state(path / LABELS))}
        if (plans, labels) == (self._plans, self._labels):
            return None
        if plans != self._plans:
            self.drawn = [self._read(path) for path in plans]
            self.rows = {row for drawn in self.drawn for unit in drawn.units.values() for row, _ in unit.rows}
        waiting = {sha256 for drawn in self.drawn for sha256 in drawn.waiting()}
        self._plans, self._labels = plans, labels  # only now: after an error it is all done again
        return waiting

    def _places(self) -> list[Path]:
        top = home(self._folder)
        return [place(path, count) for path in (top, *sorted(top.glob("with-*"))) for count in COUNTS]

    def _read(self, path: Path) -> Drawn:
        sample = Sample(path)
        order = sample.drawn()
        # Distinct pictures are pictures here: which of a group is its first may have changed since.
        unit: Count = "posts" if sample.count == "posts" else "pictures"
        frame = gather(self._rows(), "UTC", unit, sample.plan["reposts"])
        return Drawn(sample, {name: frame.units[name] for name in order if name in frame.units}, order)


def _roles(labels: Labels) -> list[Role]:
    """Who labels: the first always; the second, and whoever settles, once a second answer was given."""
    return [role for role in ROLES if role == "first" or labels.by_row["second"]]


def _state(path: Path) -> tuple[int, int] | None:
    """What tells one state of a file from another; None if there is no file."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size
