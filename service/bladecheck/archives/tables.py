"""Tables as streams of rows: CSV and its relatives in any dialect and encoding, and the sheets of an XLSX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from posixpath import basename
from typing import TypeAlias

from bladecheck.archives.dates import parse_date
from bladecheck.archives.names import ending, is_junk
from bladecheck.archives.records import lines
from bladecheck.archives.source import Source
from bladecheck.archives.values import LARGEST_EXACT_FLOAT
from bladecheck.errors import ArchiveError

Row: TypeAlias = tuple[int, Sequence[str]]

SHEETS = (".xlsx", ".xlsm")
TEXT_TABLES = (".csv", ".tsv", ".tab")
TABLE_ENDINGS = tuple(ending + packed for ending in (*SHEETS, *TEXT_TABLES) for packed in ("", ".gz", ".bz2", ".xz"))
DELIMITERS = (",", ";", "\t", "|")
SAMPLE_ROWS = 50
LONGEST_CELL = 16 * 1024 * 1024
LOOKS_LIKE_DATA = re.compile(r"https?://|\.(?:jpe?g|png|gif|webp|heic)$|^\d{6,}$", re.I)
# A cell that Excel held as a number too long for it; ids with their digits gone.
RUINED = re.compile(r"^\d([.,]\d+)?E\+\d+$", re.I)


@dataclass(frozen=True, slots=True)
class Table:
    """One table of a source.

    Attributes:
        name: the member, and for a workbook its sheet.
        member: the member.
        header: column names; made up ("column 1") where there are none.
        has_header: whether the file itself names its columns.
        sample: the first rows, for guessing.
        rows: all rows with their line numbers from 1; can be gone through once.
    """

    name: str
    member: str
    header: tuple[str, ...]
    has_header: bool
    sample: tuple[Sequence[str], ...]
    rows: Iterator[Row]


def table_names(source: Source) -> list[str]:
    """The members that are tables by their ending; for a single file, also a list in a .txt."""
    if not source.is_container:
        return [name for name in source.names() if _plain_ending(name) in (*SHEETS, *TEXT_TABLES, ".txt", "")]
    return [
        name
        for name in source.names()
        if name.lower().endswith(TABLE_ENDINGS) and not is_junk(name) and not basename(name).startswith("~$")
    ]


def open_tables(source: Source, name: str) -> Iterator[Table]:
    """The tables of a member: one, or one for each sheet of a workbook that is not empty.

    Raises:
        ArchiveError: a workbook that can't be read, or openpyxl is not installed.
    """
    if _plain_ending(name) in SHEETS:
        for sheet, rows in _sheets(source, name):
            yield from _table(f"{name}, sheet {sheet}", name, rows)
        return
    yield from _table(name, name, _text_rows(source, name))


def first_headers(source: Source) -> list[frozenset[str]]:
    """The column names, in lower case, of the first few tables; quietly, for telling formats apart."""
    quiet = source.reading()
    found: list[frozenset[str]] = []
    for name in [n for n in table_names(source) if _plain_ending(n) not in SHEETS][:3]:
        try:
            found += [frozenset(key(column) for column in table.header) for table in open_tables(quiet, name)]
        except ArchiveError:
            continue
    return found


def key(column: str) -> str:
    """A column's name for comparing: lower case, without blanks around."""
    return column.strip().lower()


def is_ruined(cell: str) -> bool:
    """Whether this id went through Excel as a number and lost digits."""
    return bool(RUINED.match(cell.strip()))


def cell_text(value: str) -> str:
    """A cell without the tricks that keep Excel from changing it: ="…", a leading apostrophe, blanks."""
    value = value.strip()
    if value.startswith('="') and value.endswith('"'):
        value = value[2:-1]
    return value.removeprefix("'").strip() if re.match(r"^'[\w@=+-]", value) else value


def _plain_ending(name: str) -> str:
    return ending(re.sub(r"\.(?:gz|bz2|xz)$", "", basename(name), flags=re.I))


def _table(name: str, member: str, rows: Iterator[Row]) -> Iterator[Table]:
    filled = (row for row in rows if any(cell.strip() for cell in row[1]))
    start = list(islice(filled, SAMPLE_ROWS + 1))
    if not start:
        return
    first = [cell_text(cell.lstrip("\ufeff")) for cell in start[0][1]]
    has_header = not any(LOOKS_LIKE_DATA.search(cell) for cell in first)
    header = first if has_header else [f"column {number + 1}" for number in range(len(first))]
    body = start[1:] if has_header else start
    yield Table(name, member, tuple(header), has_header, tuple(cells for _, cells in body), chain(body, filled))


def _text_rows(source: Source, name: str) -> Iterator[Row]:
    feed = lines(source, name)
    start = list(islice(feed, SAMPLE_ROWS))
    delimiter = _delimiter([line for _, line in start], tab_first=_plain_ending(name) in (".tsv", ".tab"))
    at = [0]

    def fed() -> Iterator[str]:
        for number, line in chain(start, feed):
            at[0] = number
            yield line

    # A process-wide setting of the csv module; its default refuses long posts.
    csv.field_size_limit(LONGEST_CELL)
    reader = csv.reader(fed(), delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            source.log.counts["broken records"] += 1
            source.log.warn(f"{name}, line {at[0]}: not a row of a table and passed over ({error}).")
            continue
        if cells and not (at[0] == 1 and cells[0].lower().startswith("sep=")):
            yield at[0], cells


def _delimiter(sample: list[str], *, tab_first: bool) -> str:
    """The character that splits the first lines into most columns, as evenly as can be."""
    if sample and (match := re.match(r"^\ufeff?sep=(.)\s*$", sample[0], re.I)):
        return match[1]
    if tab_first and any("\t" in line for line in sample):
        return "\t"
    best, best_score = ",", 0.0
    for delimiter in DELIMITERS:
        widths = [len(cells) for cells in csv.reader(io.StringIO("".join(sample)), delimiter=delimiter) if cells]
        if not widths or widths[0] < 2:
            continue
        score = widths[0] * sum(width == widths[0] for width in widths) / len(widths)
        # The header decides; commas within texts make the other lines uneven.
        score += widths[0] / 100
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _sheets(source: Source, name: str) -> Iterator[tuple[str, Iterator[Row]]]:
    try:
        import openpyxl
    except ImportError as error:
        raise ArchiveError(
            f"{name} is an Excel workbook, which needs openpyxl: pip install 'bladecheck[archive]'"
        ) from error
    data = source.open(name)
    _check_workbook(source, name, data)
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            yield sheet.title, _sheet_rows(sheet.iter_rows(values_only=True))
    except ArchiveError:
        raise
    except Exception as error:
        raise ArchiveError(f"{name} is not a whole workbook: {error}") from error


def _check_workbook(source: Source, name: str, data: bytes) -> None:
    import zipfile

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as book:
            total = sum(info.file_size for info in book.infolist())
            pictures = sum(info.filename.startswith("xl/media/") for info in book.infolist())
    except zipfile.BadZipFile as error:
        raise ArchiveError(f"{name} is not a whole workbook: {error}") from error
    if total > max(source.limits.ratio_floor * 4, len(data) * source.limits.ratio):
        raise ArchiveError(f"{name} unpacks to {total} bytes; it is refused as a zip bomb")
    if pictures:
        source.log.warn(f"{name} holds {pictures} pictures within the sheet itself, which are not read; export them.")


def _sheet_rows(rows: Iterator[tuple[object, ...]]) -> Iterator[Row]:
    for number, row in enumerate(rows, start=1):
        yield number, [_sheet_cell(value) for value in row]


def _sheet_cell(value: object) -> str:
    """A cell as text; a number too long for Excel in the form that tells it is ruined."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        moment = parse_date(value)
        return moment.isoformat() if moment else ""
    if isinstance(value, float) and value == int(value) and abs(value) < LARGEST_EXACT_FLOAT:
        return str(int(value))
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= LARGEST_EXACT_FLOAT:
        return f"{value:.5E}"
    return str(value)
