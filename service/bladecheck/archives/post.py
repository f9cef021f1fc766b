"""A post as the archive tells it, and the rows for the pictures on it."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from posixpath import basename
from urllib.parse import parse_qsl, urlsplit

from bladecheck.archives.containers.source import Source
from bladecheck.archives.dates import is_day, parse_date, snowflake_date
from bladecheck.archives.hosts import platform_at
from bladecheck.archives.item import DateSource, Item, MediaType, Status, Told
from bladecheck.archives.values import text_of

# Characters: shorter ids in a table may be numbers of rows, alike in every table; but Reddit's own have five to seven.
SHORTEST_ID = 8
# A day may be one of any time zone's.
NEAR_DAY = timedelta(hours=38)
# Queries that choose a size, not another picture.
SIZE_KEYS = frozenset(("name", "format"))
BY_URL = "known only by its URL"
SHARED_TEXT = re.compile(r"\s*RT @\w")
STATUS_ID = re.compile(r"/status(?:es)?/(\d{5,20})")
SHORTCODE = re.compile(r"instagram\.com/(?:[^/]+/)?(?:p|reel|tv)/([A-Za-z0-9_-]{5,})")
BLUESKY_KEY = re.compile(r"bsky\.app/profile/[^/]+/post/([a-z0-9]{5,})")
ACCOUNT_IN_URL = re.compile(
    r"(?:twitter\.com|//(?:www\.|mobile\.)?x\.com|tiktok\.com|bsky\.app/profile)/@?([A-Za-z0-9_.:-]+)/"
)


SHARED = tuple(field.name for field in fields(Told))


@dataclass(frozen=True, slots=True)
class Post(Told):
    """A post: what all its pictures share."""

    def remote(self, index: int, url: str, **more: object) -> Item:
        """A picture known only by its URL."""
        return self._item(
            index, Status.REMOTE, media_url=url, **{"media_type": MediaType.PHOTO, "detail": BY_URL, **more}
        )

    def missing(self, index: int, detail: str, **more: object) -> Item:
        """A picture that the archive speaks of and does not hold."""
        return self._item(index, Status.MISSING_MEDIA, detail=detail, **{"media_type": MediaType.PHOTO, **more})

    def video(self, index: int, **more: object) -> Item:
        """A film, which is not scored."""
        kind = {"media_type": MediaType.VIDEO, "detail": "films are not scored"}
        return self._item(index, Status.VIDEO_SKIPPED, **{**kind, **more})

    def not_image(self, index: int, detail: str, **more: object) -> Item:
        """Something that is not a picture though it stands where one could be."""
        return self._item(index, Status.NOT_AN_IMAGE, detail=detail, **more)

    def stored(self, index: int, source: Source, name: str, **more: object) -> Item:
        """A picture held by the archive as the member `name`."""
        where = {"source_path": source.origin(name), "member": name, "opener": source.opener(name)}
        return self._item(index, Status.PRESENT, **{"media_type": MediaType.PHOTO, **where, **more})

    def _item(self, index: int, status: Status, **more: object) -> Item:
        extra = {**self.extra, **more.pop("extra", {})}  # type: ignore[dict-item]
        shared = {name: getattr(self, name) for name in SHARED}
        return Item(**{**shared, **more, "media_index": index, "status": status, "extra": extra})  # type: ignore[arg-type]


def dated(value: object, x_post_id: str | None = None, **how: bool) -> tuple[datetime | None, str]:
    """A date field's moment and DateSource; where it can't be read or tells the day only, that in an X post's id."""
    moment = parse_date(value, **how)
    if moment and not is_day(value):
        return moment, DateSource.FIELD
    made = snowflake_date(x_post_id)
    # Far from the id's time, the day is that of something else, such as a repost's original; the field is believed.
    if moment and (made is None or abs(made - moment) > NEAR_DAY):
        return moment, DateSource.DAY
    return (made, DateSource.SNOWFLAKE) if made else (None, DateSource.NONE)


def platform_of(url: str | None) -> str | None:
    """The platform that a URL belongs to, or None."""
    try:
        host = (urlsplit(url or "").hostname or "").removeprefix("www.")
    except ValueError:
        return None
    return platform_at(host)


def shares_another(text: str | None) -> bool:
    """Whether a post on X passes on somebody else's: its text begins `RT @name`, as X writes it."""
    return bool(text and SHARED_TEXT.match(text))


def tells_post(platform: str | None, post_id: str) -> bool:
    """Whether an id that stands in a table is surely one of a post, not a row's number."""
    return len(post_id) >= SHORTEST_ID or (platform == "reddit" and not post_id.isdecimal())


def picture_name(url: str) -> str | None:
    """What is the same in all addresses of one picture: its name without ending, size and host; None where it has none.

    Queries stay, unless they choose a size or, on a CDN, sign the address.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    base = basename(parts.path.rstrip("/"))
    if "@" in base:
        base = base.split("@")[0]
    host = parts.hostname or ""
    name = re.sub(r"(?:~.*|:(?:orig|large|medium|small|thumb)|\.[A-Za-z]{3,4}(?::\w+)?)$", "", base)
    if not name:
        return None
    if not host.endswith("twimg.com"):
        return name
    rest = [f"{key}={value}" for key, value in parse_qsl(parts.query, True) if key not in SIZE_KEYS]
    return "?".join((name, *rest))


def id_in_url(url: str | None) -> str | None:
    """The post id in a post's URL (X, Instagram's short code, Bluesky's record key), or None."""
    for pattern in (STATUS_ID, SHORTCODE, BLUESKY_KEY):
        if url and (match := pattern.search(url)):
            return match[1]
    return None


def account_in_url(url: str | None) -> str | None:
    """The account name in a post's URL, or None."""
    match = ACCOUNT_IN_URL.search(url or "")
    return match[1] if match and match[1] not in ("i", "status", "statuses") else None


def x_post_url(account: str | None, post_id: str | None) -> str | None:
    """The address of an X post; None without an id."""
    return f"https://x.com/{account or 'i/web'}/status/{post_id}" if post_id else None


def plain_text(value: object) -> str | None:
    """Text of an X post with its &amp; and the like resolved, or None."""
    text = text_of(value)
    return html.unescape(text) if text else None


def https(url: object) -> str | None:
    """A picture's URL, raised to https where it is plain http; None for anything that is no web address."""
    text = text_of(url)
    if not text or not re.match(r"^https?://", text.strip(), re.I):
        return None
    return re.sub(r"^http://", "https://", text.strip(), flags=re.I)
