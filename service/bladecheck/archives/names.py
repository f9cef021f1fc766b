"""Member names: which are safe, which are junk, and what their endings and patterns say."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime, timedelta
from posixpath import basename

from bladecheck.archives.dates import parse_date, snowflake_date
from bladecheck.archives.found import is_data_name
from bladecheck.archives.item import DateSource
from bladecheck.archives.values import clean
from bladecheck.file_formats import ARCHIVE_ENDINGS, PICTURE_ENDINGS, VIDEO_ENDINGS

JUNK_NAMES = frozenset((".ds_store", "thumbs.db", "desktop.ini", "ehthumbs.db", ".picasa.ini", "icon\r", ".nomedia"))

CONTROL = re.compile(r"[\x00-\x1f]")
X_MEDIA = re.compile(r"^(\d{15,20})-[A-Za-z0-9_-]{8,}\.")
NUMBERED = re.compile(r"^(\d{15,20})_(\d{1,3})\.")
STAMP = re.compile(
    r"(?<!\d)((?:19|20)\d\d)-?([01]\d)-?([0-3]\d)[T _-]+(?:at )?([0-2]?\d)[-.:_h]?([0-5]\d)[-.:_m]?([0-5]\d)(?!\d)"
    r"(?:[\s_]*([AaPp])\.?[Mm]\b)?"
)
# twitter-web-exporter: account, post, kind, number and day.
EXPORTED = re.compile(r"^(\w{1,20})_(\d{15,20})_(?:photo|video|animated_gif)_(\d{1,2})_\d{8}\.")
PLACE = re.compile(r"(?:( )|[_-]|(?<![A-Za-z])(?:img|image|photo|pic|p)[_-]?)(\d{1,2})\.\w+$", re.I)
ANY_DAY = re.compile(r"(?<!\d)(20\d\d)[-._]?([01]\d)[-._]?([0-3]\d)(?!\d)")
LONG_NUMBER = re.compile(r"(?<!\d)\d{15,}(?!\d)")
# An id beside a time stamp is one of X's if both tell of about the same time.
ABOUT = timedelta(days=7)
# Telegram's exports put the day first; WhatsApp gives no time.
DAY_FIRST_STAMP = re.compile(r"@([0-3]\d)-([01]\d)-(20\d\d)_([0-2]\d)-([0-5]\d)-([0-5]\d)(?!\d)")
WHATSAPP_DAY = re.compile(r"^(?:IMG|VID)-(20\d\d)([01]\d)([0-3]\d)-WA\d")
DAY = re.compile(r"^((?:19|20)\d\d)-([01]\d)-([0-3]\d)(?!\d)")


def normal(name: str) -> str:
    """The name as shown and looked up: "/" between folders, composed Unicode (NFC), no NUL, no lone surrogates."""
    name = name.replace("\\", "/")
    while name.startswith("./"):
        name = name[2:]
    return unicodedata.normalize("NFC", clean(name))


def refusal(name: str) -> str | None:
    """Why a member name is hostile, or None. Nothing is ever written, yet such an archive is not to be trusted."""
    parts = name.replace("\\", "/").split("/")
    if not name or name.startswith("/") or re.match(r"^[A-Za-z]:[/\\]", name):
        return "its name is an absolute path"
    if ".." in parts:
        return "its name leaves the archive (..)"
    if CONTROL.search(name.rstrip("\r")) or len(name) > 4096:
        return "its name holds control characters or is too long"
    return None


def is_junk(name: str) -> bool:
    """Whether an operating system left this file behind."""
    lower = name.lower()
    base = lower[lower.rfind("/") + 1 :]
    return base in JUNK_NAMES or base.startswith("._") or lower.startswith("__macosx/") or "/__macosx/" in lower


def ending(name: str) -> str:
    """The ending in lower case with its dot, "" where there is none; a query after it is left out."""
    base = name[name.rfind("/") + 1 :]
    if "?" in base or ":" in base:
        base = base.split("?")[0].split(":")[0]
    dot = base.rfind(".")
    return base[dot:].lower() if dot > 0 else ""


def is_picture_name(name: str) -> bool:
    """Whether the ending is one of a picture."""
    return ending(name) in PICTURE_ENDINGS


def is_video_name(name: str) -> bool:
    """Whether the ending is one of a film."""
    return ending(name) in VIDEO_ENDINGS


def is_archive_name(name: str) -> bool:
    """Whether it is a container by its ending; a packed data file, such as tweets.jsonl.gz, is none."""
    return ending(name) in ARCHIVE_ENDINGS and not is_data_name(name)


def post_id_in(name: str) -> tuple[str, int] | None:
    """An X post id and media index from a file name of an X archive or of gallery-dl; None for any other name."""
    base = basename(name)
    if (match := X_MEDIA.match(base)) and snowflake_date(match[1]):
        return match[1], 0
    if (match := NUMBERED.match(base)) and snowflake_date(match[1]):
        return match[1], max(int(match[2]) - 1, 0)
    return None


def date_in(name: str) -> tuple[datetime | None, str]:
    """A date from a file name and its DateSource: a time stamp (taken as UTC), or a day at the start."""
    base = basename(name)
    if found := stamped_post_in(name):
        return snowflake_date(found[1]), DateSource.SNOWFLAKE
    return _stamp_in(base)


def stamped_post_in(name: str) -> tuple[str | None, str, int] | None:
    """Account, X post id and media index from file names that hold an id elsewhere than at the start.

    Some tools write a 12-hour clock without AM or PM into names, so that the id tells the time, not the stamp.
    """
    base = basename(name)
    if (match := EXPORTED.match(base)) and snowflake_date(match[2]):
        return match[1], match[2], max(int(match[3]) - 1, 0)
    numbers = list(LONG_NUMBER.finditer(base))
    if len(numbers) != 1 or post_id_in(name):
        return None
    number = numbers[0]
    stamp, made = _stamp_in(base)[0] or _day_in(base), snowflake_date(number[0])
    if not stamp or not made or abs(stamp - made) >= ABOUT:
        return None
    return None, number[0], _place_in(STAMP.sub("", base[number.end() :]))


def _day_in(base: str) -> datetime | None:
    """The first day that stands anywhere in a name."""
    found = (parse_date("-".join(match.groups())) for match in ANY_DAY.finditer(base))
    return next((moment for moment in found if moment), None)


def _place_in(tail: str) -> int:
    """The place in the post that the end of a name gives: from 0 where it is a bare number, else from 1; 0 for none."""
    match = PLACE.search(tail)
    if not match:
        return 0
    return int(match[2]) if match[1] else max(int(match[2]) - 1, 0)


def _stamp_in(base: str) -> tuple[datetime | None, str]:
    if match := DAY_FIRST_STAMP.search(base):
        day, month, year, hour, minute, second = match.groups()
        moment = parse_date(f"{year}-{month}-{day} {hour}:{minute}:{second}")
    elif match := STAMP.search(base):
        year, month, day, hour, minute, second, half = match.groups()
        moment = parse_date(f"{year}-{month}-{day} {hour}:{minute}:{second}{f' {half}M' if half else ''}")
    else:
        match = DAY.match(base) or WHATSAPP_DAY.match(base)
        moment = parse_date("-".join(match.groups())) if match else None
        return (moment, DateSource.DAY) if moment else (None, DateSource.NONE)
    return (moment, DateSource.FILENAME) if moment else (None, DateSource.NONE)
