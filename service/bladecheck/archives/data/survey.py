"""A table gone through once before it is read: what only the whole column can tell of its dates and ids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import comb

from bladecheck.archives.data.mapping import TableMapping
from bladecheck.archives.data.tables import Table, cell_text, is_ruined, key
from bladecheck.archives.dates import is_day, numeric_parts, parse_date, snowflake_date
from bladecheck.archives.values import EXACT_DIGITS

CLOCK = re.compile(r"^\d{1,2}:\d\d(:\d\d)?(\.\d+)?\s*([AaPp]\.?[Mm]\.?)?\s*([A-Z]{1,4}|[+-]\d\d:?\d\d)?$")
CLOCK_NAME = re.compile(r"time|hour|clock|utc", re.I)
DAYS_LIKE_MONTHS = 12
# So many dates without a day above 12 are not of chance: (12/31) ** 5 is under 1 %.
FEWEST_TURNED = 5
NEAR = timedelta(hours=36)
# So unlikely by chance that ids ending in zeros are taken for what Excel leaves of longer ones.
UNLIKELY = 0.01
MONTH_FIRST, DAY_FIRST = "month first", "day first"


@dataclass(slots=True)
class Survey:
    """What the columns of one or more tables of the same make show.

    Attributes:
        day_first, month_first: numeric dates that can only be read so.
        either: numeric dates that can be read both ways.
        fits_day, fits_month: of those, how many agree with the date in the post's id, or in a column of ISO dates,
            in this reading alone.
        early, late: dates that can be read one way only by their form (2024-05-01), of days up to 12 and above.
        dated, far: dates beside a date in the post's id, and how many are more than 36 hours from it.
        ids, zeros: long ids, and how many end in zeros after their 15th digit.
        chance: the sum over the ids of the chance of such an end.
    """

    day_first: int = 0
    month_first: int = 0
    either: int = 0
    fits_day: int = 0
    fits_month: int = 0
    early: int = 0
    late: int = 0
    dated: int = 0
    far: int = 0
    ids: int = 0
    zeros: int = 0
    chance: float = 0.0
    example: str = ""

    def date(self, cell: str, id_date: datetime | None, others: Sequence[datetime]) -> None:
        """Takes in one cell of the date column, the date in the post's id, and those of ISO columns of the row."""
        parts = numeric_parts(cell)
        if parts is None:
            moment = parse_date(cell)
            self.early += moment is not None and moment.day <= DAYS_LIKE_MONTHS
            self.late += moment is not None and moment.day > DAYS_LIKE_MONTHS
        elif parts[0] == parts[1]:
            pass
        elif parts[0] > 12:
            self.day_first += 1
        elif parts[1] > 12:
            self.month_first += 1
        else:
            self.either += 1
            self.example = self.example or cell
            known = [*others, *([id_date] if id_date else [])]
            day, month = parse_date(cell), parse_date(cell, month_first=True)
            fits_day, fits_month = _near(day, known), _near(month, known)
            self.fits_day += fits_day and not fits_month
            self.fits_month += fits_month and not fits_day
        if id_date and (moment := parse_date(cell)):
            self.dated += 1
            self.far += not (_near(moment, [id_date]) or _near(parse_date(cell, month_first=True), [id_date]))

    def identifier(self, cell: str, *, guarded: bool) -> None:
        """Takes in one cell of the id column; `guarded` ones were written so that Excel keeps them."""
        if cell.isdigit() and len(cell) > EXACT_DIGITS + 1 and not guarded:
            self.ids += 1
            self.zeros += not cell[EXACT_DIGITS:].strip("0")
            self.chance += 10.0 ** (EXACT_DIGITS - len(cell))

    def add(self, other: Survey) -> None:
        """Takes in what another table of the same make shows."""
        for name in ("early", "late", "day_first", "month_first", "either", "fits_day", "fits_month", "dated", "far"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.example = self.example or other.example

    @property
    def turned(self) -> bool:
        """Whether a spreadsheet likely took days for months: some dates it left as text, and in all others it could."""
        left = self.day_first + self.month_first
        return bool(left and self.early >= FEWEST_TURNED and not self.late)

    @property
    def rounded(self) -> bool:
        """Whether ids that end in zeros are what Excel leaves: more of them than chance gives."""
        if not self.zeros:
            return False
        if self.ids > 1000:
            return bool(self.zeros > self.chance + 3 * self.chance**0.5 + 1)
        rate = self.chance / self.ids
        below = sum(comb(self.ids, k) * rate**k * (1 - rate) ** (self.ids - k) for k in range(self.zeros))
        return bool(1 - below < UNLIKELY)

    @property
    def telling(self) -> int:
        """How many dates tell in which order all are."""
        return max(self.fits_day, self.fits_month) or self.day_first + self.month_first

    def order(self) -> tuple[bool | None, str]:
        """Whether the month comes first (None: it can't be told), and why, in words ("": no matter)."""
        if self.fits_day or self.fits_month:
            most, least = max(self.fits_day, self.fits_month), min(self.fits_day, self.fits_month)
            if most >= 10 * least:
                name = MONTH_FIRST if self.fits_month > self.fits_day else DAY_FIRST
                why = f"{most:,} of {self.either:,} dates agree so with post ids or other dates in their rows"
                return self.fits_month > self.fits_day, f"{name}: {why}"
        if bool(self.day_first) != bool(self.month_first):
            count = self.day_first + self.month_first
            name = MONTH_FIRST if self.month_first else DAY_FIRST
            total = count + self.either
            return bool(self.month_first), f"{name}: {count:,} of {total:,} dates have a day above 12"
        return (None, "") if self.either else (False, "")


def survey(table: Table, mapping: TableMapping, iso: Sequence[str]) -> Survey:
    """Goes through a table, which can't be read any more after that.

    Args:
        table: the table.
        mapping: which of its columns mean what.
        iso: columns of dates that can be read one way only and tell of the same moment.
    """
    at = {key(column): place for place, column in reversed(list(enumerate(table.header)))}
    found = Survey()
    for _, row in table.rows:
        raw = raw_cell(row, at, mapping.post_id)
        cell = cell_text(raw)
        found.identifier(cell, guarded=cell != raw.strip())
        if date := joined_cell(row, at, mapping.date):
            others = [moment for column in iso if (moment := parse_date(joined_cell(row, at, column)))]
            found.date(date, None if is_ruined(cell) else snowflake_date(cell), others)
    return found


def numeric_dates(table: Table, column: str) -> bool:
    """Whether the dates of a column are of the kind that can be day first or month first."""
    if column not in table.header:
        return False
    place = table.header.index(column)
    return any(numeric_parts(cell_text(row[place])) is not None for row in table.sample if place < len(row))


def clock_column(table: Table, column: str) -> str | None:
    """The column that has the time of day to a column of days without one, or None."""
    at = {name: place for place, name in reversed(list(enumerate(table.header)))}
    rows = [row for row in table.sample if column in at and at[column] < len(row) and row[at[column]].strip()]
    if not rows or not all(is_day(cell_text(row[at[column]])) for row in rows):
        return None
    for name in table.header:
        cells = [cell_text(row[at[name]]) for row in rows if at[name] < len(row) and row[at[name]].strip()]
        if CLOCK_NAME.search(name) and cells and all(CLOCK.match(cell) for cell in cells):
            return name
    return None


def same_moment_columns(table: Table, column: str) -> list[str]:
    """The columns of a table whose dates can be read one way only and tell of the moment that `column` tells of."""
    place = table.header.index(column)
    found = []
    for other, name in enumerate(table.header):
        pairs = [(row[place], row[other]) for row in table.sample if max(place, other) < len(row)]
        pairs = [(cell_text(one), cell_text(two)) for one, two in pairs if one.strip() and two.strip()]
        if name == column or not pairs or not all(_one_way(cell) for _, cell in pairs):
            continue
        agree = 0
        for one, two in pairs:
            told = [parse_date(two)]
            agree += _near(parse_date(one), told) or _near(parse_date(one, month_first=True), told)
        if agree * 10 >= len(pairs) * 9:
            found.append(name)
    return found


def _one_way(cell: str) -> bool:
    return numeric_parts(cell) is None and not (cell.isdigit() and len(cell) > 13) and parse_date(cell) is not None


def _near(moment: datetime | None, others: Sequence[datetime | None]) -> bool:
    return moment is not None and any(other is not None and abs(moment - other) < NEAR for other in others)


def raw_cell(row: Sequence[str], at: dict[str, int], column: str | None) -> str:
    """The cell of a column as it stands there; "" where there is none."""
    place = at.get(key(column)) if column else None
    return row[place] if place is not None and place < len(row) else ""


def joined_cell(row: Sequence[str], at: dict[str, int], column: str | None) -> str:
    """The text of a column's cell, or of several, such as a date's and its time's, with a blank between."""
    if not column or "+" not in column:
        return cell_text(raw_cell(row, at, column))
    return " ".join(cell for part in column.split("+") if (cell := cell_text(raw_cell(row, at, part))))
