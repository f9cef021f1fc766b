"""The sheets of an Excel workbook as rows of text. Numbers of over 15 digits are what Excel rounded them to."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import datetime, time
from typing import TypeAlias

from bladecheck.archives.containers.source import Source
from bladecheck.archives.dates import parse_date
from bladecheck.archives.values import LARGEST_EXACT_FLOAT
from bladecheck.errors import ArchiveError

MIDNIGHT = time()
Row: TypeAlias = tuple[int, Sequence[str]]


def sheets(source: Source, name: str) -> Iterator[tuple[str, Iterator[Row]]]:
    """The titles and rows of a workbook's sheets, streaming; a sheet that breaks off ends with a warning in the log.

    Raises:
        ArchiveError: not a workbook, a bomb, or openpyxl is not installed.
    """
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
        found = [(sheet.title, sheet) for sheet in book.worksheets]
        for _, sheet in found:
            sheet.reset_dimensions()
    except Exception as error:  # openpyxl raises almost anything on damaged XML and zips
        raise ArchiveError(f"{name} is not a whole workbook: {error}") from error
    for title, sheet in found:
        yield title, _sheet_rows(source, f"{name}, sheet {title}", sheet.iter_rows(values_only=True))


def _check_workbook(source: Source, name: str, data: bytes) -> None:
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


def _sheet_rows(source: Source, name: str, rows: Iterator[tuple[object, ...]]) -> Iterator[Row]:
    number = 0
    try:
        for number, row in enumerate(rows, start=1):
            yield number, [_sheet_cell(value) for value in row]
    except Exception as error:  # openpyxl raises almost anything on damaged files
        source.log.broken(name, f"breaks off after row {number} ({str(error)[:120]})")


def _sheet_cell(value: object) -> str:
    """A cell as text; a number too long for Excel in the form that tells it is ruined."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        moment = parse_date(value)
        if moment and value.time() == MIDNIGHT:
            # Excel has no days, only midnights.
            return moment.date().isoformat()
        return moment.isoformat() if moment else ""
    if isinstance(value, float) and value == int(value) and abs(value) < LARGEST_EXACT_FLOAT:
        return str(int(value))
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) >= LARGEST_EXACT_FLOAT:
        return f"{value:.5E}"
    return str(value)
