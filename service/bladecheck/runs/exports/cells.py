"""Values for spreadsheets: nothing that runs as a formula, nothing that loses digits."""

from __future__ import annotations

import json
import re
from typing import Any

from bladecheck.archives.values import EXACT_DIGITS
from bladecheck.runs.columns import Column

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
NUMBER = re.compile(r"[+-]?[0-9][0-9.,]*([eE][+-]?[0-9]+)?")


def flat(column: Column, value: Any) -> Any:
    """A cell's value: lists joined by semicolons, objects as JSON, true and false in lower case, None as empty."""
    if value is None:
        return ""
    if column.kind == "list":
        return ";".join(value)
    if column.kind == "object":
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value else ""
    if column.kind == "boolean":
        return "true" if value else "false"
    return value


def guarded(column: Column, value: Any) -> Any:
    """`flat`, with an apostrophe before text that a spreadsheet would run as a formula or ruin as a number.

    One rule to undo it: take away one leading apostrophe. Text that begins with one gets a second.
    """
    cell = flat(column, value)
    if isinstance(cell, str) and column.kind in ("text", "list", "object") and _risky(cell):
        return "'" + cell
    return cell


def _risky(cell: str) -> bool:
    if cell.startswith((*FORMULA, "'")) or cell.lstrip().startswith(FORMULA):
        return True
    if not NUMBER.fullmatch(cell):
        return False
    # Spreadsheets keep 15 digits, drop leading zeros and read 1e5 as 100000.
    return sum(character.isdigit() for character in cell) > EXACT_DIGITS or cell[0] == "0" or "e" in cell.lower()
