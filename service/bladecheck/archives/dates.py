"""Dates as exports write them, to aware UTC datetimes; independent of the locale. Without a zone, UTC is meant."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
EARLIEST, LATEST = datetime(1970, 1, 2, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)

# X's ids count milliseconds from 2010-11-04T01:42:54.657Z, in their upper 42 bits.
SNOWFLAKE_EPOCH_MS = 1_288_834_974_657
# Smaller ids are of before November 2010, when they were counted up and told no time, or no ids of posts.
SMALLEST_SNOWFLAKE = 300_000_000_000_000
# Instagram's ids are as long and, read as snowflakes, fall after this year.
LATEST_SNOWFLAKE_YEAR = 2034

TWITTER = re.compile(r"^[A-Za-z]{3} ([A-Za-z]{3}) (\d{1,2}) (\d\d):(\d\d):(\d\d) ([+-]\d{4}) (\d{4})$")
RFC = re.compile(
    r"^(?:[A-Za-z]{3,9},?\s+)?(\d{1,2})[ -]([A-Za-z]{3,9})[ -](\d{4})(?:,?\s+(\d{1,2}):(\d\d)(?::(\d\d))?)?\s*(.*)$"
)
MONTH_FIRST_WORDS = re.compile(r"^([A-Za-z]{3,9})\.? (\d{1,2}),? (\d{4})(?:,?\s+(\d{1,2}):(\d\d)(?::(\d\d))?)?\s*(.*)$")
NUMERIC = re.compile(
    r"^(\d{1,2})([/.-])(\d{1,2})(?:[/.-](\d{4})|/(\d\d))"
    r"(?:,?[T ]+(\d{1,2}):(\d\d)(?::(\d\d))?(?:\.\d+)?)?\s*(.*)$"
)
YEAR_FIRST = re.compile(
    r"^(\d{4})[-/.:](\d{1,2})[-/.:](\d{1,2})(?:[T _]+(\d{1,2}):(\d\d)(?::(\d\d))?(?:[.,]\d+)?)?\s*(.*)$"
)
TIME_FIRST = re.compile(r"^(\d{1,2}:\d\d(?::\d\d)?(?: ?[AaPp]\.?[Mm]\.?)?) [·-] (.*)$")
BETWEEN = re.compile(r" · |,? at (?=\d{1,2}:)")
# As CrowdTangle and others write them; CST is America's, as theirs is. BST is Britain's.
ZONES = {
    **{"UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "Z": 0, "BST": 1, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3},
    **{"EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7},
    **{"AKST": -9, "AKDT": -8, "HST": -10, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13},
}
OFFSET = re.compile(r"^([+-])(\d\d):?(\d\d)?$")


def parse_date(value: object, *, month_first: bool = False) -> datetime | None:
    """Any date of an export as aware UTC, or None where it can't be read.

    Takes datetimes, Unix seconds (also ms, us, ns, told by their size), ISO 8601, Twitter's own form, RFC 2822, and
    numeric dates: day first unless `month_first`, and whichever is possible where one of them is above 12.
    """
    if isinstance(value, datetime):
        return _plausible(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return from_unix(value)
    if not isinstance(value, str):
        return None
    text = value.strip()
    if len(text) > 64:
        return None
    if re.fullmatch(r"\d{8}", text):
        return _compact(text)
    if re.fullmatch(r"\d{9,19}(\.\d+)?", text):
        return from_unix(float(text))
    return _written(text, month_first)


def is_day(value: object) -> bool:
    """Whether a date that can be read tells the day and no time of it."""
    if not isinstance(value, str) or ":" in value:
        return False
    text = value.strip()
    return not re.fullmatch(r"\d{9,19}(\.\d+)?", text) and not re.search(r"\dT\d", text)


def from_unix(number: float) -> datetime | None:
    """Unix time in seconds, ms, us or ns (told by size) as aware UTC."""
    if not math.isfinite(number) or number <= 0:
        return None
    while number > 20_000_000_000:
        number /= 1000
    return _plausible(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=number))


def snowflake_date(identifier: str | None) -> datetime | None:
    """When an X post was made, from its id; None for ids older than snowflakes or out of range."""
    if not identifier or not re.fullmatch(r"[0-9]{15,20}", identifier):
        return None
    number = int(identifier)
    if number < SMALLEST_SNOWFLAKE:
        return None
    moment = from_unix(((number >> 22) + SNOWFLAKE_EPOCH_MS) / 1000)
    return moment if moment and moment.year <= LATEST_SNOWFLAKE_YEAR else None


def numeric_parts(text: str) -> tuple[int, int] | None:
    """The first two numbers of a date such as 03/04/2024, which may be day and month or the other way round, or None.

    Dates with dots (03.04.2024) are day first wherever they are written, so they count as telling.
    """
    match = NUMERIC.match(text.strip())
    return (int(match[1]), int(match[3])) if match and match[2] != "." else None


def _written(text: str, month_first: bool) -> datetime | None:
    if " - " in text or " · " in text or " at " in text:
        # How the pages of X and Nitter write them: 12:30 AM · May 1, 2024, and the other way round.
        turned = TIME_FIRST.match(text)
        text = BETWEEN.sub(" ", f"{turned[2]} {turned[1]}" if turned else text)
    try:
        if match := TWITTER.match(text):
            month, day, hour, minute, second, zone, year = match.groups()
            return _build(year, _month(month), day, hour, minute, second, zone)
        if match := YEAR_FIRST.match(text):
            return _build(*match.groups())
        if match := NUMERIC.match(text):
            first, mark, second_part, long_year, short_year, *rest = match.groups()
            year = long_year or f"20{short_year}"
            swap = int(second_part) > 12 or (month_first and mark != "." and int(first) <= 12)
            day, month = (second_part, first) if swap else (first, second_part)
            return _build(year, month, day, *rest)
        if match := RFC.match(text):
            day, month, year, *rest = match.groups()
            return _build(year, _month(month), day, *rest)
        if match := MONTH_FIRST_WORDS.match(text):
            month, day, year, *rest = match.groups()
            return _build(year, _month(month), day, *rest)
        return _plausible(_aware(datetime.fromisoformat(text)))
    except (ValueError, OverflowError):
        return None


def _build(
    year: str, month: str | int, day: str, hour: str | None, minute: str | None, second: str | None, zone: str | None
) -> datetime | None:
    zone = (zone or "").strip()
    hours = int(hour or 0)
    if match := re.match(r"^([AaPp])\.?[Mm]\.?\s*", zone):
        hours = hours % 12 + (12 if match[1] in "Pp" else 0)
        zone = zone[match.end() :]
    shift = _offset(zone)
    if shift is None:
        return None
    moment = datetime(int(year), int(month), int(day), hours, int(minute or 0), min(int(second or 0), 59), tzinfo=UTC)
    return _plausible(moment - shift)


def _offset(zone: str) -> timedelta | None:
    if zone in ("", "+0000 (UTC)"):
        return timedelta(0)
    if zone.upper() in ZONES:
        return timedelta(hours=ZONES[zone.upper()])
    match = OFFSET.match(zone)
    if not match:
        return None
    size = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return size if match[1] == "+" else -size


def _month(name: str) -> int:
    return MONTHS.index(name[:3].lower()) + 1


def _compact(text: str) -> datetime | None:
    try:
        return _plausible(datetime(int(text[:4]), int(text[4:6]), int(text[6:]), tzinfo=UTC))
    except ValueError:
        return None


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _plausible(moment: datetime) -> datetime | None:
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        return None
    return moment if EARLIEST <= moment < LATEST else None
