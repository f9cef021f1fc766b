"""Tables with a column of picture addresses or files: CSV, TSV, XLSX, plain lists."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from posixpath import dirname, join, normpath

from bladecheck.archives.containers.folder import FileSource
from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.mapping import YES, TableMapping, guess, is_film_url, urls_in
from bladecheck.archives.data.tables import Table, cell_text, is_ruined, key, open_tables, table_names
from bladecheck.archives.dates import is_month_first
from bladecheck.archives.item import Item, MediaType
from bladecheck.archives.names import is_video_name
from bladecheck.archives.post import Post, account_in_url, dated, https, id_in_url, platform_of
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.values import clean, handle_of, text_of
from bladecheck.errors import ArchiveError

EXACT_DIGITS = 15
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
                    mapping = self.mapping or guess(table)
                    if mapping.url or mapping.path:
                        return 0.8 if source.is_container is False else 0.5
            except ArchiveError:
                if not source.is_container:
                    raise
        # A single table without pictures is refused in `read`, where it can be explained.
        return 0.05 if table_names(source) and not source.is_container else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        """Raises ArchiveError where a mapping was given that does not fit, or a workbook can't be read."""
        names = table_names(source)
        used: set[str] = set(names)
        lacking: list[str] = []
        for name in names:
            for table in open_tables(source, name):
                mapping = self._mapping(table)
                if mapping is None:
                    lacking.append(
                        f"{table.name} has no column with picture addresses or files; columns: {_shown(table)}"
                    )
                    source.log.warn(lacking[-1] + ".")
                    continue
                source.log.mapping.update(mapping.columns())
                yield from _Reading(source, table, mapping, self.name, used).items()
        if source.is_container:
            yield from loose_pictures(source, self.name, used)
        elif lacking and not source.log.mapping:
            raise ArchiveError(f"{lacking[0]}. Name one with a mapping")

    def _mapping(self, table: Table) -> TableMapping | None:
        mapping = self.mapping or guess(table)
        if self.mapping:
            mapping.check(table)
        return mapping if mapping.url or mapping.path else None


class _Reading:
    """One pass over one table."""

    def __init__(self, source: Source, table: Table, mapping: TableMapping, source_format: str, used: set[str]) -> None:
        self.source, self.table, self.format, self.used = source, table, source_format, used
        self.mapping = mapping
        self.at = {key(column): place for place, column in reversed(list(enumerate(table.header)))}
        self.ruined: Counter[str] = Counter()
        self.example = ""
        dates = [self._cell(row, mapping.date) for row in table.sample]
        self.month_first = is_month_first(dates) if mapping.month_first is None else mapping.month_first
        self.rounded = _is_rounded([self._cell(row, mapping.post_id) for row in table.sample])

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

    def _row(self, line: int, row: Sequence[str]) -> Iterator[Item]:
        post = self._post(line, row)
        self.source.log.post(repost=post.is_repost)
        alt = text_of(self._cell(row, self.mapping.alt_text))
        urls = [url for column in _parts(self.mapping.url) for url in urls_in(self._cell(row, column))]
        paths = [path for column in _parts(self.mapping.path) if (path := self._cell(row, column))]
        self.source.log.account(post.account if not urls and not paths else None)
        for index, path in enumerate(paths):
            url = https(urls[index]) if index < len(urls) else None
            yield replace(self._file(post, index, path), alt_text=alt, media_url=url)
        for index, found in enumerate(urls[len(paths) :], start=len(paths)):
            url = https(found)
            if url is None or is_film_url(url):
                yield post.video(index, media_url=url)
            else:
                yield post.remote(index, url, alt_text=alt)

    def _post(self, line: int, row: Sequence[str]) -> Post:
        urls = urls_in(self._cell(row, self.mapping.post_url))
        address = urls[0] if urls else None
        pictures = urls_in(self._cell(row, (self.mapping.url or "").split("+")[0] or None))
        platform = platform_of(address) or platform_of(pictures[0] if pictures else None)
        post_id = self._id(line, row) or id_in_url(address)
        moment, origin = dated(
            self._cell(row, self.mapping.date), post_id if platform == "x" else None, month_first=self.month_first
        )
        return Post(
            self.format,
            self.source.origin(self.table.member),
            platform=platform,
            account=handle_of(self._cell(row, self.mapping.account)) or account_in_url(address),
            post_id=post_id,
            post_url=address,
            posted_at=moment,
            posted_at_source=origin,
            text=text_of(self._cell(row, self.mapping.text)),
            is_repost=self._cell(row, self.mapping.is_repost).lower() in YES,
            extra={"row": line},
        )

    def _id(self, line: int, row: Sequence[str]) -> str | None:
        cell = self._cell(row, self.mapping.post_id)
        if cell.endswith(".0") and cell[:-2].isdigit():
            cell = cell[:-2]
        too_long = cell.isdigit() and len(cell) > EXACT_DIGITS
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

    def _cell(self, row: Sequence[str], column: str | None) -> str:
        place = self.at.get(key(column)) if column else None
        return clean(cell_text(row[place])) if place is not None and place < len(row) else ""


def _nearby(source: FileSource, post: Post, index: int, path: str) -> Item:
    """The picture that a table beside it names; nothing outside the table's folder is ever opened."""
    try:
        found = source.nearby(path)
    except ArchiveError as error:
        return post.missing(index, error.detail)
    if found is None:
        return post.missing(index, f"{path} is not beside the table")
    opener = partial(_file_bytes, found, source.limits.member_bytes)
    return replace(
        post.missing(index, ""),
        source_path=str(found),
        member=None,
        media_type=MediaType.PHOTO,
        status="present",
        detail=None,
        opener=opener,
    )


def _file_bytes(path: Path, cap: int) -> bytes:
    try:
        if path.stat().st_size > cap:
            raise ArchiveError(f"{path} is larger than {cap} bytes; it is not read")
        return path.read_bytes()
    except OSError as error:
        raise ArchiveError(f"{path} can't be read: {error.strerror or error}") from error


def _member(source: Source, table: str, path: str) -> str | None:
    if not source.is_container:
        return None
    beside = normpath(join(dirname(table), path.replace("\\", "/")))
    return beside if beside in source else source.find(path)


def _parts(column: str | None) -> list[str]:
    return column.split("+") if column else []


def _is_rounded(ids: list[str]) -> bool:
    """Whether all long ids of a column end in zeros after 15 digits, as Excel leaves them."""
    long = [cell for cell in ids if cell.isdigit() and len(cell) > EXACT_DIGITS + 1]
    return len(long) >= 2 and all(not cell[EXACT_DIGITS:].strip("0") for cell in long)


def _shown(table: Table) -> str:
    return ", ".join(table.header)[:300]
