"""What a reader notices beside the pictures, so that everything is accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import ParamSpec

from bladecheck.archives.item import Item

KEPT_WARNINGS = 200
KEPT_NAMES = 20

P = ParamSpec("P")

ODD_SHAPES = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


@dataclass(slots=True)
class Log:
    """Counts and warnings of one pass over an archive.

    Attributes:
        posts: posts read, with or without pictures.
        reposts: posts that pass on someone else's.
        parts: data files or containers that make up the archive.
        counts: further tallies by plain name, such as "link cards".
        ignored: files that are neither pictures nor data, by count; `ignored_names` keeps the first few.
        unopened: members of an export that are not opened: private, or of no use here.
        title: what the source turned out to be, where that is closer than the reader's title.
        mapping: for tables, which column was taken for what.
        accounts: whose archive this is, also where no picture says so.
    """

    posts: int = 0
    reposts: int = 0
    parts: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    ignored: int = 0
    ignored_names: list[str] = field(default_factory=list)
    unopened: int = 0
    title: str | None = None
    mapping: dict[str, str] = field(default_factory=dict)
    accounts: set[str] = field(default_factory=set)
    _warnings: list[str] = field(default_factory=list)
    _more: int = 0

    @property
    def warnings(self) -> tuple[str, ...]:
        """Plain sentences, in order; the last one counts those beyond the first few hundred."""
        rest = (f"and {self._more} more warnings of this kind.",) if self._more else ()
        return (*self._warnings, *rest)

    def warn(self, sentence: str) -> None:
        """Keeps a warning to be shown to the user."""
        if len(self._warnings) < KEPT_WARNINGS:
            self._warnings.append(sentence)
        else:
            self._more += 1

    def post(self, *, repost: bool = False) -> None:
        """Counts a post."""
        self.posts += 1
        self.reposts += repost

    def account(self, name: str | None) -> None:
        """Notes whose archive this is, also where no picture says so."""
        if name:
            self.accounts.add(name)

    def leave(self) -> None:
        """Counts a member of an export that is not opened: private, or of no use here."""
        self.unopened += 1

    def ignore(self, name: str) -> None:
        """Counts a file that is no picture."""
        self.ignored += 1
        if len(self.ignored_names) < KEPT_NAMES:
            self.ignored_names.append(name)

    def guarded(
        self, where: str, read: Callable[P, Iterable[Item]], *args: P.args, **kwargs: P.kwargs
    ) -> Iterator[Item]:
        """The items of one post; a post of an unexpected shape becomes a warning and loses no other post."""
        try:
            items = list(read(*args, **kwargs))
        except ODD_SHAPES as error:
            self.counts["broken records"] += 1
            self.warn(f"{where}: not understood and passed over ({type(error).__name__}: {str(error)[:120]}).")
            return
        yield from items
