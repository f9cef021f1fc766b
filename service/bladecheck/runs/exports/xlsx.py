"""predictions.xlsx: ids and all other text as text; more sheets say what the columns mean and where it is from."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bladecheck.errors import RunError
from bladecheck.runs.columns import COLUMNS, NAMES
from bladecheck.runs.exports import Export
from bladecheck.runs.exports.cells import flat

# Excel's own limits: rows below the header, and characters in a cell.
MOST_ROWS, LONGEST_CELL = 1_048_575, 32_767
OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": True,
}


def write(export: Export, path: Path) -> None:
    """All rows; texts beyond Excel's limit of 32,767 characters are cut with an ellipsis.

    Raises:
        RunError: more rows than Excel can hold, or the library is missing.
        OSError: no room.
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise RunError("XLSX needs an optional library: pip install 'bladecheck[archive]'.") from error
    with tempfile.TemporaryDirectory(prefix="bladecheck-") as scratch, _Patient(path) as file:
        book = xlsxwriter.Workbook(file, {**OPTIONS, "tmpdir": scratch})
        rows = ([flat(column, row[column.name]) for column in COLUMNS] for row in export.rows())
        _sheet(book, "predictions", NAMES, rows)
        about = ((column.name, column.kind, column.about) for column in COLUMNS)
        _sheet(book, "columns", ("column", "type", "meaning"), about)
        _sheet(book, "provenance", ("what", "value"), export.labels.items())
        book.close()


class _Patient(io.RawIOBase):
    """A file that keeps the first error of a write for its own end, and takes what comes after that for nothing.

    zipfile, beneath the library, would go on writing from its destructor, where an error is a traceback on stderr.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._at, self._size = 0, 0
        self._error: OSError | None = None

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def write(self, data: Any) -> int:
        count = memoryview(data).nbytes
        if self._error is None:
            try:
                self._file.seek(self._at)
                self._file.write(data)
            except OSError as error:
                self._error = error
        self._at += count
        self._size = max(self._size, self._at)
        return count

    def close(self) -> None:
        """Raises OSError: the first there was."""
        if self.closed:
            return
        super().close()
        try:
            self._file.close()
        except OSError as error:
            self._error = self._error or error
        if self._error:
            raise self._error


def _sheet(book: Any, name: str, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    bold = book.add_format({"bold": True})
    for place, title in enumerate(header):
        sheet.write_string(0, place, title, bold)
    for number, row in enumerate(rows, 1):
        if number > MOST_ROWS:
            raise RunError(f"Excel holds at most {MOST_ROWS:,} rows, and the run has more: use parquet, csv or duckdb.")
        for place, value in enumerate(row):
            if isinstance(value, str):
                if value:
                    sheet.write_string(number, place, _cut(value))
            else:
                sheet.write_number(number, place, value)


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_CELL else text[: LONGEST_CELL - 1] + "…"
