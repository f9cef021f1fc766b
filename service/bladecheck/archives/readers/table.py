"""Tables with a column of picture addresses or files: CSV, TSV, XLSX, plain lists."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from posixpath import dirname, join, normpath
from typing import TypeAlias

from bladecheck.archives.containers.folder import FileSource
from bladecheck.archives.containers.handles import Piece
from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.mapping import (
    WRITTEN_DATE,
    TableMapping,
    flag,
    guess,
    is_film_url,
    largest,
    overlay,
    overlooked,
    paths_in,
    urls_in,
)
from bladecheck.archives.data.survey import (
    DAY_FIRST,
    MONTH_FIRST,
    Survey,
    clock_column,
    joined_cell,
    numeric_dates,
    raw_cell,
    same_moment_columns,
    survey,
)
from bladecheck.archives.data.tables import Table, is_ruined, key, open_tables, table_names
from bladecheck.archives.dates import parse_date
from bladecheck.archives.found import is_data_name
from bladecheck.archives.hosts import platform_called
from bladecheck.archives.item import DateSource, Item, MediaType, Place, Status
from bladecheck.archives.names import is_video_name, post_id_in
from bladecheck.archives.post import (
    Post,
    account_in_url,
    dated,
    https,
    id_in_url,
    platform_of,
    shares_another,
    tells_post,
)
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.values import EXACT_DIGITS, clean, handle_of, text_of
from bladecheck.errors import ArchiveError

# Dates that tell their order beyond a slip of the pen: a choice for all tables of a run is not for these.
SURE = 5
PREFIXED = re.compile(r"x(\d{15,20})")
"""How R's rtweet keeps Excel from rounding ids."""
NO_DATE = frozenset(("", "-", "none", "null", "nan", "nat", "n/a"))
"""How tools write that there is no date."""
Make: TypeAlias = tuple[tuple[str, ...], str | None]
ADVICE = (
    "open the original export again with Data, From Text/CSV, and set that column to Text; "
    "the pictures are kept, without their ids"
)


class TableReader:
    """Any table. The mapping is guessed for each table unless one is given.

    Attributes:
        mapping: what the columns mean, or None to guess.
    """

    name = "table"
    title = "table"
    mixes = True

    def __init__(self, mapping: TableMapping | None = None) -> None:
        self.mapping = mapping

    def detect(self, source: Source) -> float:
        quiet = source.reading()
        for name in table_names(source)[:3]:
            try:
                for table in open_tables(quiet, name):
                    columns = self.mapping.columns() if self.mapping else {}
                    named = {key(part) for column in columns.values() for part in _parts(column)}
                    if named and named <= {key(column) for column in table.header}:
                        return 0.96
                    mapping = overlay(self.mapping, guess(table)) if self.mapping else guess(table)
                    if mapping.url or mapping.path:
                        return 0.8 if source.is_container is False else 0.5
            except ArchiveError:
                if not source.is_container:
                    raise
        # A single table without pictures is refused in `read`, where it can be explained.
        return 0.05 if table_names(source) and not source.is_container else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        """Raises ArchiveError where a mapping was given that fits no table, a workbook can't be read, or it can't be
        told whether the dates of a column are day first or month first.
        """
        names = table_names(source)
        used: set[str] = set(names)
        lacking: list[str] = []
        surveys, makes = self._surveys(source, names)
        for name in names:
            for table in open_tables(source, name):
                mapping = self._mapping(table)
                if mapping is None:
                    lacking.append(
                        f"{table.name} has no column with picture addresses or files; columns: {_shown(table)}"
                    )
                    source.log.warn(lacking[-1] + ".")
                    if is_data_name(table.member) and source.is_container and source.loose:
                        source.log.unread.append(table.name)
                    continue
                source.log.columns(mapping.columns())
                if mapping.url and not (self.mapping and self.mapping.url) and (others := overlooked(table, mapping)):
                    source.log.warn(
                        f"{table.name}: other pictures than those in {mapping.url} are in {', '.join(others)}, which "
                        f"is not read; to read all: --mapping url={'+'.join((mapping.url, *others))}"
                    )
                found = surveys.get(table.name, Survey())
                first = self._order(source, table, mapping, makes.get(_make(table, mapping), found))
                reading = _Reading(source, table, mapping, self.name, used, first, found.rounded)
                reading.joins = bool(mapping.url and mapping.path and not (self.mapping and self.mapping.path))
                yield from reading.items()
                _warn_of_far_dates(source, table, mapping, found)
        if source.is_container:
            yield from loose_pictures(source, self.name, used)
        elif lacking and not source.log.mapping:
            raise ArchiveError(f"{lacking[0]}. Name one with a mapping")

    def _surveys(self, source: Source, names: list[str]) -> tuple[dict[str, Survey], dict[Make, Survey]]:
        """What each table shows, and what all tables of one make (the same columns) show together."""
        quiet = source.reading()
        surveys: dict[str, Survey] = {}
        makes: dict[Make, Survey] = {}
        fitting = 0
        problem: ArchiveError | None = None
        for name in names:
            for table in open_tables(quiet, name):
                try:
                    mapping = self._mapping(table)
                except ArchiveError as error:
                    problem = error
                    continue
                fitting += 1
                if mapping is None or not (mapping.date or mapping.post_id):
                    continue
                iso = same_moment_columns(table, mapping.date.split("+")[0]) if mapping.date else []
                surveys[table.name] = survey(table, mapping, iso)
                makes.setdefault(_make(table, mapping), Survey()).add(surveys[table.name])
        if problem and (not fitting or not source.is_container):
            raise problem
        return surveys, makes

    def _order(self, source: Source, table: Table, mapping: TableMapping, found: Survey) -> bool:
        """Whether the month comes first in a table's dates; what was decided, and why, goes to the log."""
        decided, why = found.order()
        column = f"{mapping.date} in {table.name}"
        if mapping.month_first is not None:
            if decided is not None and why and decided != mapping.month_first:
                if found.telling >= SURE:
                    source.log.order[column] = f"{why}; your choice is for tables that do not tell"
                    return decided
                source.log.warn(f"{column}: you chose otherwise, but the dates look {why}.")
            if found.either:
                source.log.order[column] = f"{MONTH_FIRST if mapping.month_first else DAY_FIRST}: as you chose"
            return mapping.month_first
        if decided is None:
            raise ArchiveError(
                f"{table.name}: dates in column {mapping.date!r}, such as {found.example}, may be day first or month "
                "first, and nothing in the table tells which. Say so: --mapping month_first=true or --mapping "
                "month_first=false; or name a column with clearer dates: --mapping date=COLUMN"
            )
        if why:
            source.log.order[column] = why
        return decided

    def _mapping(self, table: Table) -> TableMapping | None:
        mapping = guess(table)
        if mapping.date and numeric_dates(table, mapping.date):
            # Dates that can be read one way only are preferred, where a column has them for the same moment.
            clearer = [column for column in same_moment_columns(table, mapping.date) if WRITTEN_DATE.search(column)]
            mapping = replace(mapping, date=clearer[0]) if clearer else mapping
        if mapping.date and (clock := clock_column(table, mapping.date)):
            mapping = replace(mapping, date=f"{mapping.date}+{clock}")
        if self.mapping:
            mapping = overlay(self.mapping, mapping)
            mapping.check(table)
        return mapping if mapping.url or mapping.path else None


class _Reading:
    """One pass over one table."""

    joins = False
    """Whether rows with an address and a file were two rows, one for each, before they were joined."""

    def __init__(
        self, source: Source, table: Table, mapping: TableMapping, source_format: str, used: set[str],
        month_first: bool, rounded: bool,
    ) -> None:  # fmt: skip
        self.source, self.table, self.format, self.used = source, table, source_format, used
        self.mapping = mapping
        self.at = {key(column): place for place, column in reversed(list(enumerate(table.header)))}
        self.ruined: Counter[str] = Counter()
        self.example = ""
        self.month_first, self.rounded = month_first, rounded
        self._lines: Counter[bytes] = Counter()
        self._undated, self._undated_example = 0, ""
        self._perhaps_shared = 0

    def items(self) -> Iterator[Item]:
        self.source.log.parts += 1
        for line, row in self.table.rows:
            where = f"{self.table.name}, line {line}"
            yield from self.source.log.guarded(where, self._row, line, row)
        for column, count in self.ruined.items():
            self.source.log.warn(
                f"{self.table.name}: {count} of the ids in column {column!r} lost digits in Excel "
                f"({self.example}); {ADVICE}."
            )
        if self._perhaps_shared:
            self.source.log.warn(
                f"{self.table.name}: {self._perhaps_shared:,} texts begin with 'RT @', as posts shared on X do, but "
                "nothing in the table says that it is of X: they count as the account's own. If it is of X: "
                "--mapping platform=x."
            )
        if self._undated:
            self.source.log.warn(
                f"{self.table.name}: {self._undated:,} of the dates in column {self.mapping.date!r} can't be read "
                f"({self._undated_example}); those posts have the date that their id tells, or none. Write dates like "
                "2024-05-31 21:00, or name another column: --mapping date=COLUMN."
            )

    def _row(self, line: int, row: Sequence[str]) -> Iterator[Item]:
        post = self._post(line, row)
        self.source.log.post(repost=post.is_repost)
        alt = text_of(self._cell(row, self.mapping.alt_text))
        known = post.post_id and tells_post(post.platform, post.post_id)
        same = None if known else self._same(row)
        urls = largest([url for column in _parts(self.mapping.url) for url in urls_in(self._cell(row, column))])
        paths = [path for column in _parts(self.mapping.path) for path in paths_in(self._cell(row, column))]
        self.source.log.account(post.account if not urls and not paths else None)
        for index, path in enumerate(paths):
            url = https(urls[index]) if index < len(urls) else None
            item = replace(self._file(post, index, path), alt_text=alt, media_url=url, called=path.replace("\\", "/"))
            if url and item.status == Status.MISSING_MEDIA and not is_film_url(url):
                item = post.remote(index, url, alt_text=alt)
            elif url and self.joins and item.member:
                item = _of_two(item, url)
            yield _known_by_line(item, same, self._size(item)) if same else item
        for index, found in enumerate(urls[len(paths) :], start=len(paths)):
            url = https(found)
            if url is None or is_film_url(url):
                yield post.video(index, media_url=url)
            else:
                yield _known_by_line(post.remote(index, url, alt_text=alt), same)

    def _same(self, row: Sequence[str]) -> str:
        """A key for a line, the same for that very line in a copied or overlapping table; one that repeats is two."""
        line = hashlib.blake2b("\x1f".join(row).encode("utf-8", "replace"), digest_size=8).digest()
        self._lines[line] += 1
        return f"{line.hex()}/{self._lines[line]}"

    def _post(self, line: int, row: Sequence[str]) -> Post:
        urls = urls_in(self._cell(row, self.mapping.post_url))
        address = urls[0] if urls else None
        pictures = urls_in(self._cell(row, (self.mapping.url or "").split("+")[0] or None))
        platform = platform_of(address) or platform_of(pictures[0] if pictures else None) or self._platform(row)
        post_id = self._id(line, row) or id_in_url(address)
        written = self._cell(row, self.mapping.date)
        moment, origin = dated(written, post_id if platform == "x" else None, month_first=self.month_first)
        unread = origin in (DateSource.NONE, DateSource.SNOWFLAKE) and written.strip().lower() not in NO_DATE
        if unread and not parse_date(written, month_first=self.month_first):
            self._undated += 1
            self._undated_example = self._undated_example or f"such as {written[:40]!r} in line {line}"
        text = text_of(self._cell(row, self.mapping.text))
        shared, original = self._flag(row, self.mapping.is_repost)
        quotes, quoted = self._flag(row, self.mapping.is_quote)
        shares = shares_another(text)
        self._perhaps_shared += shares and platform is None and not shared
        return Post(
            self.format,
            self.source.origin(self.table.member),
            platform=platform,
            account=handle_of(self._cell(row, self.mapping.account)) or account_in_url(address),
            post_id=post_id,
            post_url=address,
            posted_at=moment,
            posted_at_source=origin,
            text=text,
            is_repost=shared or (platform == "x" and shares),
            original_post_id=original,
            is_quote=quotes if self.mapping.is_quote else None,
            quoted_id=quoted,
            is_reply=self._flag(row, self.mapping.is_reply)[0] if self.mapping.is_reply else None,
            extra={"row": line},
        )

    def _flag(self, row: Sequence[str], column: str | None) -> tuple[bool, str | None]:
        return flag(self._cell(row, column)) if column else (False, None)

    def _platform(self, row: Sequence[str]) -> str | None:
        """The platform that was said, that a column names, or, where a column is called after tweets, X."""
        if self.mapping.of_all:
            return self.mapping.of_all
        if self.mapping.platform:
            return platform_called(self._cell(row, self.mapping.platform))
        return "x" if any("tweet" in column.lower() for column in self.mapping.columns().values()) else None

    def _id(self, line: int, row: Sequence[str]) -> str | None:
        cell = self._cell(row, self.mapping.post_id)
        if cell.endswith(".0") and cell[:-2].isdigit():
            cell = cell[:-2]
        if prefixed := PREFIXED.fullmatch(cell):
            return prefixed[1]
        guarded = cell != self._raw(row, self.mapping.post_id).strip()
        too_long = cell.isdigit() and len(cell) > EXACT_DIGITS + 1 and not guarded
        if is_ruined(cell) or (too_long and self.rounded and not cell[EXACT_DIGITS:].strip("0")):
            column = self.mapping.post_id or ""
            self.example = self.example or f"such as {cell} in line {line}"
            self.ruined[column] += 1
            return None
        return text_of(cell)

    def _file(self, post: Post, index: int, path: str) -> Item:
        name = _member(self.source, self.table.member, path)
        if is_video_name(path):
            return post.video(index, member=name)
        if name:
            self.used.add(name)
            return post.stored(index, self.source, name)
        if isinstance(self.source, FileSource):
            return _nearby(self.source, post, index, path)
        return post.missing(index, f"{path} is not in the archive")

    def _size(self, item: Item) -> int | None:
        """Bytes of the file that a line names, None where it is not here."""
        if item.member and item.status == Status.PRESENT:
            return self.source.size(item.member)
        span = item.opener.span if isinstance(item.opener, Piece) else None
        return (span.file.size if span.size is None else span.size) if span else None

    def _raw(self, row: Sequence[str], column: str | None) -> str:
        return raw_cell(row, self.at, column)

    def _cell(self, row: Sequence[str], column: str | None) -> str:
        return clean(joined_cell(row, self.at, column)) if column else ""


def _nearby(source: FileSource, post: Post, index: int, path: str) -> Item:
    """The picture that a table beside it names; nothing outside the table's folder is ever opened."""
    try:
        found = source.nearby(path)
    except ArchiveError as error:
        return post.missing(index, error.detail)
    if found is None:
        return post.missing(index, f"{path} is not beside the table")
    return replace(
        post.missing(index, ""),
        source_path=str(found.span.file.path),
        member=None,
        media_type=MediaType.PHOTO,
        status="present",
        detail=None,
        opener=found,
        extra={**post.extra, "file": normpath(path.replace("\\", "/"))},
    )


def _member(source: Source, table: str, path: str) -> str | None:
    if not source.is_container:
        return None
    beside = normpath(join(dirname(table), path.replace("\\", "/")))
    return beside if beside in source else source.find(path, table)


def _known_by_line(item: Item, line: str | None, size: int | None = None) -> Item:
    """A row whose post no id tells is known by its line, where that has a date or the file is here, of that size.

    Without either, equal lines of two tables may be of two posts, and equal names of two files.
    """
    if line is None or (item.post_id and item.platform and item.media_url):
        return item
    if size is None and (item.called or not item.posted_at):
        return item
    return replace(item, same_as=f"line/{line}/{'' if size is None else size}")


def _parts(column: str | None) -> list[str]:
    return column.split("+") if column else []


def _of_two(item: Item, url: str) -> Item:
    """A file that is joined to its row keeps the row id that it had as a loose one, and replaces the row by address."""
    loose, place = post_id_in(item.member or ""), item.place
    post_id, index = loose or ("", 0)
    identity = Place(item.source_path, item.member or "", post_id, index)
    by_address = replace(place, member=url)
    return replace(item, identity=identity, also=(by_address, place))


def _make(table: Table, mapping: TableMapping) -> Make:
    return tuple(key(column) for column in table.header), mapping.date


def _warn_of_far_dates(source: Source, table: Table, mapping: TableMapping, found: Survey) -> None:
    if found.turned:
        source.log.warn(
            f"{table.name}: {found.early:,} dates in column {mapping.date!r} are a spreadsheet's own, of days up to "
            f"12, and {found.day_first + found.month_first:,} of later days are text: it likely took the month for the "
            "day in the former, so that their months are wrong. Open the original again with that column as Text."
        )
    if found.far * 10 > found.dated:
        source.log.warn(
            f"{table.name}: {found.far:,} of {found.dated:,} dates in column {mapping.date!r} are more than a day from "
            "the time in the post's id; is it another date than that of the post? (--mapping date=COLUMN)"
        )


def _shown(table: Table) -> str:
    return ", ".join(table.header)[:300]
