"""Pictures in a folder, zip or tar, told by their bytes; ids and dates from file names."""

from __future__ import annotations

import io
import re
from collections.abc import Container, Iterator
from datetime import datetime
from posixpath import basename

from bladecheck.archives.containers.source import Source
from bladecheck.archives.dates import parse_date, snowflake_date
from bladecheck.archives.item import DateSource, Item, MediaType, Place
from bladecheck.archives.names import (
    date_in,
    ending,
    is_archive_name,
    is_junk,
    is_picture_name,
    is_video_name,
    post_id_in,
    stamped_post_in,
)
from bladecheck.archives.post import Post, x_post_url
from bladecheck.errors import ArchiveError
from bladecheck.file_formats import is_video, picture_kind

EXIF_DIRECTORY, DATE_TAKEN, DATE_CHANGED = 0x8769, 36867, 306
TELEGRAM_PAGE = re.compile(r"messages\d*\.html")
WEB_ADDRESS = re.compile(rb"\s*(?:\xef\xbb\xbf)?https?://", re.I)
NESTED = "an archive inside the archive is not opened; unpack it and give it as its own path"


class PictureReader:
    """Any pictures, with no word of posts.

    Attributes:
        exif_dates: whether to read the date taken from pictures whose name has none (opens each once more).
    """

    name = "plain_folder"
    title = "pictures"

    def __init__(self, exif_dates: bool = False) -> None:
        self.exif_dates = exif_dates

    def detect(self, source: Source) -> float:
        names = source.names()
        if any(is_picture_name(name) and not is_junk(name) for name in names):
            return 0.3
        if source.is_container:
            return 0.1 if names or source.refused else 0.0
        return 0.3 if any(picture_kind(source.head(name)) for name in names) else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        if page := next((name for name in source.names() if TELEGRAM_PAGE.fullmatch(basename(name))), None):
            source.log.warn(
                f"{page} and the like were not read: as web pages, a Telegram export tells neither whose chat it is "
                "nor whether it is a personal one. Export it once more as JSON."
            )
        for item in loose_pictures(source, self.name):
            yield self._with_exif_date(item)

    def _with_exif_date(self, item: Item) -> Item:
        if not self.exif_dates or item.posted_at or item.opener is None:
            return item
        try:
            moment = _date_taken(item.open())
        except ArchiveError:
            return item
        if moment is None:
            return item
        return _replaced(item, moment)


def loose_pictures(source: Source, source_format: str, used: Container[str] = (), within: str = "") -> Iterator[Item]:
    """Rows for the pictures and films of a source that are not in `used`; the rest is counted in its log.

    Args:
        source: where to look.
        source_format: what the rows are marked with.
        used: members already accounted for, data files included.
        within: only members whose name begins so.
    """
    if not source.loose:
        return
    for name in source.names():
        if name in used or not name.startswith(within):
            continue
        if item := loose_item(source, source_format, name):
            yield item
    for name, reason in source.refused.items():
        if name.startswith(within) and (is_picture_name(name) or is_video_name(name)):
            yield Post(source_format, str(source.path)).missing(0, f"refused: {reason}", member=name)


def loose_item(source: Source, source_format: str, name: str) -> Item | None:
    """The row for one member, or None, counted as ignored, where it is no picture, film or archive."""
    if is_junk(name):
        source.log.ignore(name)
        return None
    post, index, identity = _post_of(source, source_format, name)
    more: dict[str, object] = {"loose": True, "identity": identity}
    if is_picture_name(name):
        return post.stored(index, source, name, **more)
    if is_video_name(name):
        return post.video(index, member=name, **more)
    if is_archive_name(name):
        source.log.nested.append(name)
        return post.not_image(0, NESTED, member=name, **more)
    head = source.head(name)
    if picture_kind(head):
        return post.stored(index, source, name, **more)
    if is_video(head) and not ending(name):
        return post.video(index, member=name, **more)
    source.log.ignore(name)
    if ending(name) == ".txt" and WEB_ADDRESS.match(head):
        source.log.unread.append(name)
    return None


def _post_of(source: Source, source_format: str, name: str) -> tuple[Post, int, Place | None]:
    """What a name tells of its post, the place there, and the row's identity where older rows knew less of it."""
    found = post_id_in(name)
    if found is None and (stamped := stamped_post_in(name)):
        account, post_id, index = stamped
        post = _x_post(source, source_format, name, post_id, account)
        return post, index, Place(source.origin(name), name, "", 0)
    if found is None:
        moment, origin = date_in(name)
        return Post(source_format, source.origin(name), posted_at=moment, posted_at_source=origin), 0, None
    post_id, index = found
    return _x_post(source, source_format, name, post_id, None), index, None


def _x_post(source: Source, source_format: str, name: str, post_id: str, account: str | None) -> Post:
    return Post(
        source_format,
        source.origin(name),
        platform="x",
        account=account,
        post_id=post_id,
        post_url=x_post_url(account, post_id),
        posted_at=snowflake_date(post_id),
        posted_at_source=DateSource.SNOWFLAKE,
    )


def stem(name: str) -> str:
    """The name without its last ending."""
    base = basename(name)
    return name[: len(name) - len(base)] + re.sub(r"\.[^.]*$", "", base)


def _date_taken(data: bytes) -> datetime | None:
    try:
        from PIL import Image
    except ImportError as error:
        raise ArchiveError("dates from EXIF need Pillow: pip install 'bladecheck[archive]'") from error
    try:
        with Image.open(io.BytesIO(data)) as picture:
            exif = picture.getexif()
            taken = exif.get_ifd(EXIF_DIRECTORY).get(DATE_TAKEN) or exif.get(DATE_CHANGED)
    except Exception:  # Pillow raises almost anything on hostile or damaged EXIF; the picture is judged all the same
        return None
    return parse_date(taken)


def _replaced(item: Item, moment: datetime) -> Item:
    from dataclasses import replace

    return replace(item, posted_at=moment, posted_at_source=DateSource.EXIF)


__all__ = ["MediaType", "PictureReader", "loose_item", "loose_pictures", "stem"]
