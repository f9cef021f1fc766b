"""predictions.xlsx: ids and all other text as text; more sheets say what the columns mean and where it is from."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bladecheck.errors import RunError
from bladecheck.runs.columns import COLUMNS, NAMES
from bladecheck.runs.exports import Export
from bladecheck.runs.exports.cells import flat

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
    """
    try:
        import xlsxwriter
    except ImportError as error:
        raise RunError("XLSX needs an optional library: pip install 'bladecheck[archive]'.") from error
    with tempfile.TemporaryDirectory(prefix="bladecheck-") as scratch:
        book = xlsxwriter.Workbook(str(path), {**OPTIONS, "tmpdir": scratch})
        rows = ([flat(column, row[column.name]) for column in COLUMNS] for row in export.rows())
        _sheet(book, "predictions", NAMES, rows)
        about = ((column.name, column.kind, column.about) for column in COLUMNS)
        _sheet(book, "columns", ("column", "type", "meaning"), about)
        _sheet(book, "provenance", ("what", "value"), export.labels.items())
        try:
            book.close()
        except xlsxwriter.exceptions.FileCreateError as error:
            raise RunError(f"{path} can't be written: {error}.") from error


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
