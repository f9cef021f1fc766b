"""What a pass over an archive notices beside the pictures, and what it turned out to hold, in numbers and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ParamSpec

from bladecheck.archives.item import Item, Status
from bladecheck.archives.spelling import Spellings

# Accounts in the one line of what was found; more are counted.
NAMED_ACCOUNTS = 2
# Warnings and names of a pass that are kept: a broken archive has one for each of a million files.
KEPT_WARNINGS = 200
KEPT_NAMES = 20

P = ParamSpec("P")

DATA_ENDINGS = tuple(
    ending + packed
    for ending in (
        *(".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".tab", ".xlsx", ".xls", ".ods", ".numbers", ".xml"),
        *(".parquet", ".feather", ".arrow", ".avro", ".db", ".sqlite", ".sqlite3", ".duckdb", ".mbox"),
        *(".rds", ".rda", ".rdata", ".sav", ".dta", ".pkl", ".pickle", ".har"),
    )
    for packed in ("", ".gz", ".bz2", ".xz", ".zst")
)

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
        mapping: for tables, which column was taken for what; of several tables, the different ones with commas.
        accounts: whose archive this is, also where no picture says so.
        unread: data files that no reader knows, among those ignored.
        nested: archives inside, which were not opened.
        order: for tables with numeric dates, in which order day and month are taken to be, and why.
        breaks: data files and containers that break off in the middle, with why: what they held beyond is lost.
    """

    posts: int = 0
    reposts: int = 0
    known_posts: set[int] = field(default_factory=set)
    known_reposts: set[int] = field(default_factory=set)
    unread: list[str] = field(default_factory=list)
    nested: list[str] = field(default_factory=list)
    order: dict[str, str] = field(default_factory=dict)
    parts: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    ignored: int = 0
    ignored_names: list[str] = field(default_factory=list)
    unopened: int = 0
    title: str | None = None
    mapping: dict[str, str] = field(default_factory=dict)
    accounts: set[str] = field(default_factory=set)
    breaks: dict[str, str] = field(default_factory=dict)
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

    def broken(self, name: str, why: str) -> None:
        """Notes that a file breaks off in the middle: a warning, and a failed row that names it."""
        if name not in self.breaks:
            self.warn(f"{name} {why}; what comes before it is kept.")
        self.breaks[name] = why

    def unreadable(self, name: str, why: str) -> None:
        """Notes that nothing of a file can be read: a warning, and a failed row that names it."""
        if name not in self.breaks:
            self.warn(f"{name} can't be read ({why}).")
        self.breaks[name] = f"can't be read ({why})"

    def hole(self, name: str, line: int) -> None:
        """Notes that a part of a file was overwritten by zeros: a warning, and a failed row that names it."""
        self.breaks.setdefault(name, f"has a hole (bytes of zero) at line {line}")
        self.warn(f"{name}, line {line}: a hole (bytes of zero); what stood there is lost.")

    def post(self, *, repost: bool = False, post_id: str | None = None) -> None:
        """Counts a post; one of a known id counts once, however many archives have it."""
        if post_id is None:
            self.posts += 1
            self.reposts += repost
            return
        key = hash(post_id)
        self.known_posts.add(key)
        if repost:
            self.known_reposts.add(key)

    def shared(self, post_id: str | None) -> None:
        """Counts a post of somebody else's that was passed on and has no row."""
        if post_id is None:
            self.reposts += 1
        else:
            self.known_reposts.add(hash(post_id))

    def account(self, name: str | None) -> None:
        """Notes whose archive this is, also where no picture says so."""
        if name:
            self.accounts.add(name)

    def columns(self, mapping: Mapping[str, str]) -> None:
        """Notes which column of a table was taken for what."""
        self.mapping = _columns([self.mapping, dict(mapping)])

    def leave(self) -> None:
        """Counts a member of an export that is not opened: private, or of no use here."""
        self.unopened += 1

    def ignore(self, name: str) -> None:
        """Counts a file that is no picture; a data file that nobody read is named."""
        self.ignored += 1
        if is_data_name(name):
            self.unread.append(name)
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


@dataclass(frozen=True, slots=True)
class Found:
    """A description of an archive after one pass.

    Attributes:
        title: what it is, such as "X archive".
        parts: containers or data files it came in.
        accounts: whose pictures these are, sorted.
        posts: posts read, with or without pictures.
        reposts: posts that pass on someone else's.
        by_status: rows by Status, reposts included; their sum is the number of rows.
        videos_held: of the present rows, those of videos that are to be looked at.
        remote_reposts: of the remote rows, those of reposts: pictures that belong to another post.
        months: pictures, stored and remote, by the UTC month of the post, "YYYY-MM"; "" where unknown.
        ignored: files that are neither pictures nor data; `ignored_names` are the first few.
        unopened: members of an export that were not opened: private, or of no use here.
        counts: further tallies by plain name, such as "link cards" or "revisits".
        mapping: for tables, which column was taken for what.
        warnings: how many.
        merged: rows that list a picture of a post listed elsewhere too, and that count with that one.
        order: for tables with numeric dates, table or column to the order of day and month, and why.
    """

    title: str
    parts: int
    accounts: tuple[str, ...]
    posts: int
    reposts: int
    by_status: Mapping[str, int]
    remote_reposts: int
    months: Mapping[str, int]
    ignored: int
    ignored_names: tuple[str, ...]
    unopened: int
    counts: Mapping[str, int]
    mapping: Mapping[str, str]
    warnings: int
    merged: int = 0
    order: Mapping[str, str] = field(default_factory=dict)
    videos_held: int = 0

    @property
    def rows(self) -> int:
        """All rows, of every status."""
        return sum(self.by_status.values())

    @property
    def images_local(self) -> int:
        """Pictures held by the archive."""
        return self.by_status.get(Status.PRESENT, 0) - self.videos_held

    @property
    def images_remote(self) -> int:
        """Pictures known only by URL, without those of reposts."""
        return self.by_status.get(Status.REMOTE, 0) - self.remote_reposts

    @property
    def videos(self) -> int:
        """Videos that are not looked at."""
        return self.by_status.get(Status.VIDEO_SKIPPED, 0)

    @property
    def missing(self) -> int:
        """Pictures that the archive speaks of and does not hold."""
        return self.by_status.get(Status.MISSING_MEDIA, 0)

    @property
    def not_images(self) -> int:
        """Rows that turned out to be no picture."""
        return self.by_status.get(Status.NOT_AN_IMAGE, 0)

    @property
    def sentence(self) -> str:
        """One line, such as "X archive of @anytown_police, 2 parts, 4 pictures, 1 video skipped, 1 repost"."""
        said = [self.title + _of_whom(self.accounts)]
        if self.parts > 1:
            said.append(f"{self.parts} parts")
        if self.images_local or not self.images_remote:
            said.append(_number(self.images_local, "picture"))
        if self.images_remote:
            said.append(_number(self.images_remote, "picture") + " known only by URL")
        if self.videos_held:
            said.append(_number(self.videos_held, "video"))
        if self.videos:
            said.append(_number(self.videos, "video") + " skipped")
        if self.missing:
            said.append(_number(self.missing, "picture") + " missing")
        if self.not_images:
            said.append(f"{self.not_images} not pictures")
        if self.reposts:
            said.append(_number(self.reposts, "repost"))
        if self.merged:
            said.append(f"{self.merged:,} listed more than once and counted once")
        if self.ignored:
            said.append(_number(self.ignored, "other file") + " ignored")
        return ", ".join(said)


class Tally:
    """Counts rows as they pass."""

    def __init__(self) -> None:
        self.by_status: Counter[str] = Counter()
        self.months: Counter[str] = Counter()
        self.accounts: set[str] = set()
        self._spellings = Spellings()
        self.remote_reposts = self.videos = 0

    def add(self, item: Item, video: bool = False) -> None:
        """Counts one row; a `video` that is to be looked at is present and no picture."""
        self.by_status[str(item.status)] += 1
        self.videos += video
        borrowed = item.status == Status.REMOTE and item.is_repost
        self.remote_reposts += borrowed
        if item.status in (Status.PRESENT, Status.REMOTE) and not borrowed and not video:
            self.months[f"{item.posted_at.year:04}-{item.posted_at.month:02}" if item.posted_at else ""] += 1
        if item.account:
            self.accounts.add(item.account)
            self._spellings.learn(None, item.account, item.extra.get("did"))

    def found(self, title: str, containers: int, logs: list[Log], merged: int = 0) -> Found:
        """The description, with what the readers noted."""
        counts: Counter[str] = Counter()
        for log in logs:
            counts.update(log.counts)
        names = [name for log in logs for name in log.ignored_names]
        accounts, spellings = self.accounts.union(*(log.accounts for log in logs)), self._spellings
        for name in accounts:
            spellings.learn(None, name)
        return Found(
            title=title,
            parts=max(containers, sum(log.parts for log in logs)),
            accounts=tuple(sorted({spellings.of(None, name) or name for name in accounts})),
            posts=sum(log.posts for log in logs) + len(set().union(*(log.known_posts for log in logs))),
            reposts=sum(log.reposts for log in logs) + len(set().union(*(log.known_reposts for log in logs))),
            by_status=dict(sorted(self.by_status.items())),
            remote_reposts=self.remote_reposts,
            months=dict(sorted(self.months.items())),
            ignored=sum(log.ignored for log in logs),
            ignored_names=tuple(names[:20]),
            unopened=sum(log.unopened for log in logs),
            counts=dict(sorted(counts.items())),
            mapping=_columns([log.mapping for log in logs]),
            warnings=sum(len(log.warnings) for log in logs),
            merged=merged,
            order={column: why for log in logs for column, why in log.order.items()},
            videos_held=self.videos,
        )


def _columns(mappings: list[dict[str, str]]) -> dict[str, str]:
    """Which columns were taken for what in several sources; where they differ, all of them."""
    found: dict[str, dict[str, None]] = {}
    for meaning, columns in ((m, c) for mapping in mappings for m, c in mapping.items()):
        found.setdefault(meaning, {}).update(dict.fromkeys(columns.split(", ")))
    return {meaning: ", ".join(columns) for meaning, columns in found.items()}


def is_data_name(name: str) -> bool:
    """Whether a file that nobody reads may well tell of posts."""
    return name.lower().endswith(DATA_ENDINGS)


def _of_whom(accounts: tuple[str, ...]) -> str:
    if not accounts:
        return ""
    if len(accounts) > NAMED_ACCOUNTS:
        return f" of {len(accounts)} accounts"
    return " of " + " and ".join(name if " " in name else f"@{name}" for name in accounts)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
