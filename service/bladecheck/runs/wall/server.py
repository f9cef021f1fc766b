"""Serves the wall until it is interrupted; writes the marks as CSV."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bladecheck.core.taxonomy import BLADE_WORDS, WEAPON_WORDS
from bladecheck.core.verdict import REASONS, kind_sentence
from bladecheck.errors import RunError
from bladecheck.runs import journal
from bladecheck.runs.folder import RunFolder, replace
from bladecheck.runs.local_page import LocalPage, Query, Reply, as_json, as_picture
from bladecheck.runs.wall import kept
from bladecheck.runs.wall.marks import FILE, FOLDER, MARKS, MarkFile, as_csv, read
from bladecheck.runs.wall.sampled import Samples
from bladecheck.runs.wall.table import ARRANGEMENTS, NOT_SURE, Filter
from bladecheck.runs.wall.thumbs import Shelf, Thumbs

FILES = Path(__file__).parent / "files"
SIZE = 60


class Pinned:
    """A run's table, with everything held back that somebody has yet to label.

    Args:
        folder: of the run.

    Attributes:
        unfinished: rows that wait for their picture to be scored and are not in it.

    Raises:
        RunError: no run, or a sample that can't be read: what is in it must not be shown.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.manifest = folder, folder.manifest()
        self.head = folder.header()
        self.table, self.unfinished = kept.table(folder, self.manifest.get("timezone", "UTC"))
        self.samples = Samples(folder.path, self.table.without_answers)
        self._lock = threading.Lock()
        self.look()

    def look(self) -> None:
        """Take in what was drawn or labelled since the last time.

        Raises:
            RunError: a sample can't be read.
        """
        with self._lock:
            try:
                waiting = self.samples.news()
            except (LookupError, TypeError, ValueError) as error:
                raise RunError(f"A sample of {self.folder.path} can't be read ({error!r}): is it damaged?") from error
            if waiting is not None:
                self.table.hold_back(waiting)

    def told(self, row: str) -> Mapping[str, Any] | None:
        """Facts of a row by published names; None if there is no such row."""
        try:
            found = self.table.picture(row)
        except LookupError:
            return None
        return found if not found["held"] else {**found, "decision": None, "kind": None}


class Wall:
    """What the page asks for. Safe to use from many threads.

    Args:
        pinned: the run.
        file: where marks go.
        shelf: the archive.
        who: pseudonym of who marks.
    """

    def __init__(self, pinned: Pinned, file: MarkFile, shelf: Shelf, who: str) -> None:
        self._pinned, self._table, self._file, self._shelf, self._who = pinned, pinned.table, file, shelf, who
        self._thumbs, self._lock = Thumbs(pinned.folder.path, shelf), threading.Lock()
        self._table.mark({row: given[1] for row, given in file.marks.standing().items()})

    def wait(self) -> None:
        """Until the archive is open, or can't be."""
        self._shelf.wait()

    def begin(self, rest: str, query: Query) -> Reply:
        """What a tab has to know once. Each tab undoes its own marks only."""
        head, table = self._pinned.head, self._table
        return as_json(
            {
                "tab": secrets.token_hex(8),
                "run": self._pinned.folder.path.resolve().name,
                "run_id": head["run_id"],
                "model": f"{head['model']['name']} {head['model']['version']}",
                "policy": head["policy"]["name"],
                "count": table.count,
                "without": table.without,
                "unfinished": self._pinned.unfinished,
                "damaged": self._file.marks.damaged,
                "choices": {**table.choices(), "mark": list(MARKS)},
                "words": {"kind": {**BLADE_WORDS, NOT_SURE: "kind not sure"}, "mark": MARKS},
                "by": ARRANGEMENTS,
                "size": SIZE,
            }
        )

    def list(self, rest: str, query: Query) -> Reply:
        """A page of tiles."""
        self._pinned.look()
        number, size = int(query.get("page", 1)), int(query.get("size", SIZE))
        found = self._table.page(Filter.of(query), str(query.get("by", "month")), number, size)
        archive = {"trouble": self._shelf.trouble, "opening": not self._shelf.ready}
        return as_json({**found, "archive": archive})

    def months(self, rest: str, query: Query) -> Reply:
        self._pinned.look()
        return as_json(self._table.months(Filter.of(query)))

    def about(self, rest: str, query: Query) -> Reply:
        """Facts of one picture, its reasons in words, and whether it is in a drawn sample."""
        self._pinned.look()
        found = self._table.picture(rest)
        return as_json(
            {
                **found,
                "reasons": [in_words(code) for code in found["reasons"]],
                "drawn": rest in self._pinned.samples.rows,
            }
        )

    def thumb(self, rest: str, query: Query) -> Reply:
        return Reply(self._thumbs.get(rest, self._table.picture(rest)["sha256"]), "image/jpeg")

    def picture(self, rest: str, query: Query) -> Reply:
        return as_picture(self._shelf.open(rest, self._table.picture(rest)["sha256"]))

    def mark(self, rest: str, query: Query) -> Reply:
        """Mark rows, or all that match; what is said to be marked is on the disk."""
        self._pinned.look()
        chosen, by = Filter.of(query.get("filter") or {}), str(query.get("by", ""))
        if query.get("all"):
            rows, held = self._table.matching(chosen, alike=by == "alike")
        else:
            rows, held = self._table.among([str(row) for row in query["rows"]], chosen if by == "posted" else None)
        with self._lock:
            self._table.mark(self._file.put(rows, str(query["mark"]), self._who, str(query["tab"])))
        return as_json({"marked": len(rows), "held": held})

    def undo(self, rest: str, query: Query) -> Reply:
        with self._lock:
            changed = self._file.undo(self._who, str(query["tab"]))
            self._table.mark(changed)
        return as_json({"marked": len(changed)})

    def marks(self, rest: str, query: Query) -> Reply:
        self._pinned.look()
        return Reply(as_csv(self._file.marks, self._pinned.told).encode("utf-8", "replace"), "text/csv; charset=utf-8")

    def page(self, port: int) -> LocalPage:
        """Ready to be served."""
        get = {"list": self.list, "months": self.months, "about": self.about, "thumb": self.thumb,
               "picture": self.picture, "marks.csv": self.marks}  # fmt: skip
        return LocalPage(FILES, get, {"begin": self.begin, "mark": self.mark, "undo": self.undo}, port)


def in_words(reason: str) -> str:
    """The sentence of a reason's code; the code itself if it is another version's."""
    part, _, name = reason.partition("_")
    kinds = {"blade": BLADE_WORDS, "weapon": WEAPON_WORDS}.get(part, {})
    return kind_sentence(kinds[name]) if name in kinds else REASONS.get(reason, reason)


@contextmanager
def opened(run: Path, who: str, archive: Path | None) -> Iterator[Wall]:
    """A run's wall, kept for this process alone.

    Raises:
        RunError: no run, a sample that can't be read, or another process has its wall open.
    """
    folder = RunFolder(run)
    folder.header()
    own = RunFolder(run / FOLDER)
    try:
        own.path.mkdir(exist_ok=True)
    except OSError as error:
        raise journal.failure(own.path, error) from error
    with own.locked():
        shelf = Shelf(folder, archive)  # lists the archive while the table is built
        with MarkFile(own.path / FILE) as file:
            yield Wall(Pinned(folder), file, shelf, who)


def serve(run: Path, who: str, port: int = 0, archive: Path | None = None) -> int:
    """Print the page's address and serve it; Ctrl-C ends it, and no mark is lost.

    Raises:
        RunError: see `opened`.
    """
    print(f"Reading {run}.", flush=True)
    with opened(run, who, archive) as wall:
        page = wall.page(port)
        page.attend(
            f"Look at {page.address} (only on this machine; the keys stand under Help). Ctrl-C ends it.",
            f"Every mark is kept. As a table: bladecheck wall {run} --export marks.csv",
        )
    return 0


def export(run: Path, target: Path) -> int:
    """Write the marks of a run as CSV; gives their number.

    Raises:
        RunError: no run, or a place that can't be written.
    """
    folder = RunFolder(run)
    folder.header()
    marks = read(run / FOLDER / FILE)
    replace(target, as_csv(marks, Pinned(folder).told).encode("utf-8", "replace"))
    return len(marks.standing())
