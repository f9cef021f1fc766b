"""Tables as streams of rows: CSV and its relatives in any dialect and encoding, and the sheets of an XLSX."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from posixpath import basename

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import lines
from bladecheck.archives.data.workbook import Row, sheets
from bladecheck.archives.names import ending, is_junk
from bladecheck.errors import ArchiveError

SHEETS = (".xlsx", ".xlsm")
TEXT_TABLES = (".csv", ".tsv", ".tab")
TABLE_ENDINGS = tuple(ending + packed for ending in (*SHEETS, *TEXT_TABLES) for packed in ("", ".gz", ".bz2", ".xz"))
DELIMITERS = (",", ";", "\t", "|")
# Rows from which headers and separators are told.
SAMPLE_ROWS = 50
# Columns and rows that a table has at least if lines above its header are skipped, and how many such lines at most.
NARROWEST_WITH_PREAMBLE, SHORTEST_WITH_PREAMBLE, MOST_PREAMBLE = 4, 3, 12
# Characters; Python's own limit of 131,072 is less than the JSON that some exports put into one cell.
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
        for sheet, rows in sheets(source, name):
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
    start = _without_preamble(start)
    first = [cell_text(cell.lstrip("\ufeff")) for cell in start[0][1]]
    has_header = not any(LOOKS_LIKE_DATA.search(cell) for cell in first)
    header = first if has_header else [f"column {number + 1}" for number in range(len(first))]
    body = start[1:] if has_header else start
    yield Table(name, member, tuple(header), has_header, tuple(cells for _, cells in body), chain(body, filled))


def _without_preamble(rows: list[Row]) -> list[Row]:
    """Leaves out the lines that some tools write above the header: shorter by far than the table itself."""
    widths = Counter(len(cells) for _, cells in rows)
    width = widths.most_common(1)[0][0]
    if width < NARROWEST_WITH_PREAMBLE or len(rows) <= SHORTEST_WITH_PREAMBLE:
        return rows
    begin = next(place for place, (_, cells) in enumerate(rows) if _filled(cells) * 2 > width or len(cells) >= width)
    return rows[begin:] if begin <= MOST_PREAMBLE else rows


def _filled(cells: Sequence[str]) -> int:
    return sum(bool(cell.strip()) for cell in cells)


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
        if not widths:
            continue
        width, times = Counter(widths).most_common(1)[0]
        if width < 2:
            continue
        # Evenness decides; commas within texts make lines uneven.
        score = width * times / len(widths) + (width == widths[0])
        if score > best_score:
            best, best_score = delimiter, score
    return best
