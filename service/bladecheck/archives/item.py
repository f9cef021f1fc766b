"""One row per picture, whatever the archive: what is known of it, and how to get its bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from bladecheck.archives.values import JSON
from bladecheck.errors import ArchiveError


class Status(StrEnum):
    """Where a picture is. Compares equal to its text."""

    PRESENT = "present"
    REMOTE = "remote"
    MISSING_MEDIA = "missing_media"
    VIDEO_SKIPPED = "video_skipped"
    NOT_AN_IMAGE = "not_an_image"


class MediaType(StrEnum):
    """What the archive says a medium is."""

    PHOTO = "photo"
    VIDEO = "video"
    ANIMATED_GIF = "animated_gif"
    THUMBNAIL = "thumbnail"
    UNKNOWN = "unknown"


class DateSource(StrEnum):
    """What `posted_at` was taken from."""

    FIELD = "field"
    SNOWFLAKE = "snowflake"
    FILENAME = "filename"
    EXIF = "exif"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Item:
    """A picture of an archive, or the place where one should be.

    Attributes:
        source_format: name of the reader's format, such as "x_archive".
        source_path: the file or folder the archive was opened from.
        member: name inside the archive, with "/" between folders; None where there is none.
        posted_at: aware, UTC; None where unknown. `posted_at_source` says what it was taken from.
        media_index: position within the post, from 0.
        status: one of Status; `detail` says why where it is not "present".
        extra: a few further facts, JSON only.
        opener: gives the bytes; set where status is "present".
    """

    source_format: str
    source_path: str
    member: str | None = None
    platform: str | None = None
    account: str | None = None
    post_id: str | None = None
    post_url: str | None = None
    posted_at: datetime | None = None
    posted_at_source: str = DateSource.NONE
    media_index: int = 0
    media_type: str = MediaType.UNKNOWN
    media_url: str | None = None
    alt_text: str | None = None
    text: str | None = None
    is_repost: bool = False
    original_post_id: str | None = None
    collected_at: datetime | None = None
    status: str = Status.PRESENT
    detail: str | None = None
    extra: Mapping[str, JSON] = field(default_factory=dict)
    opener: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)

    def open(self) -> bytes:
        """The bytes of the picture as stored; may be empty or truncated.

        Raises:
            ArchiveError: there are no bytes here, or they can't be read safely.
        """
        if self.opener is None:
            where = self.member or self.media_url or self.source_path
            raise ArchiveError(f"{where} has no bytes in this archive ({self.status}): {self.detail or 'not stored'}")
        return self.opener()
