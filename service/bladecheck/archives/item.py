"""One row per picture, whatever the archive: what is known of it, and how to get its bytes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
    """What `posted_at` was taken from. DAY: a field or file name that tells the day and no time; its start in UTC."""

    FIELD = "field"
    SNOWFLAKE = "snowflake"
    FILENAME = "filename"
    EXIF = "exif"
    DAY = "day"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row was found, as far as its identity goes.

    Attributes:
        source_path: the file or folder the archive was opened from.
        member: name inside the archive, or the address where there is none.
        occurrence: how many rows of the same source, member, post and index came before it.
    """

    source_path: str
    member: str
    post_id: str
    media_index: int
    occurrence: int = 0


class Handle(ABC):
    """A way to a picture's bytes that can be pickled and followed by any process that sees the same disk or store."""

    __slots__ = ()

    @abstractmethod
    def __call__(self) -> bytes:
        """The bytes as stored; may be empty or truncated.

        Raises:
            ArchiveError: they can't be had, are damaged, or are too many.
        """


@dataclass(frozen=True, slots=True)
class Told:
    """What an archive tells of a post, and so of every picture on it. The one list of these fields.

    Attributes:
        source_format: name of the reader's format, such as "x_archive".
        source_path: the file or folder the archive was opened from.
        posted_at: aware, UTC; None where unknown. `posted_at_source` says what it was taken from.
        is_quote, is_reply: None where the format does not tell.
        quoted_id: the id of the post that is quoted.
        edits: the ids of all versions of an edited post, oldest first; empty where it was not, or nothing is told.
        extra: a few further facts, JSON only.
    """

    source_format: str
    source_path: str
    platform: str | None = None
    account: str | None = None
    post_id: str | None = None
    post_url: str | None = None
    posted_at: datetime | None = None
    posted_at_source: str = DateSource.NONE
    text: str | None = None
    is_repost: bool = False
    original_post_id: str | None = None
    collected_at: datetime | None = None
    is_quote: bool | None = None
    is_reply: bool | None = None
    quoted_id: str | None = None
    edits: tuple[str, ...] = ()
    extra: Mapping[str, JSON] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Item(Told):
    """A picture of an archive, or the place where one should be.

    Attributes:
        member: name inside the archive, with "/" between folders; None where there is none.
        media_index: position within the post, from 0.
        status: one of Status; `detail` says why where it is not "present".
        opener: gives the bytes; set where status is "present", and of videos that the archive holds. A Handle where
            one read is enough, so that other processes may open it too.
        identity: what its row id is made of, where that is not source, member or address, post id and index.
        occurrence: see Place; None where the archive has not counted it.
        also: the other places that list the same picture of the same post.
        same_as: a key that is equal for the same picture of another archive, where post and medium do not tell.
        called: the file as a table names it, whose rows' places in a post tell nothing; None elsewhere.
        loose: found lying in the archive, without any word of a post.
    """

    member: str | None = None
    media_index: int = 0
    media_type: str = MediaType.UNKNOWN
    media_url: str | None = None
    alt_text: str | None = None
    status: str = Status.PRESENT
    detail: str | None = None
    opener: Callable[[], bytes] | None = field(default=None, repr=False, compare=False)
    identity: Place | None = field(default=None, repr=False, compare=False)
    occurrence: int | None = field(default=None, repr=False, compare=False)
    also: tuple[Place, ...] = field(default=(), repr=False, compare=False)
    same_as: str | None = field(default=None, repr=False, compare=False)
    called: str | None = field(default=None, repr=False, compare=False)
    loose: bool = field(default=False, repr=False, compare=False)

    @property
    def place(self) -> Place:
        """What its row id is made of."""
        if self.identity is not None:
            return replace(self.identity, occurrence=self.occurrence or 0)
        where = self.member or self.media_url or ""
        return Place(self.source_path, where, self.post_id or "", self.media_index, self.occurrence or 0)

    def open(self) -> bytes:
        """The bytes of the picture as stored; may be empty or truncated.

        Raises:
            ArchiveError: there are no bytes here, or they can't be read safely.
        """
        if self.opener is None:
            where = self.member or self.media_url or self.source_path
            raise ArchiveError(f"{where} has no bytes in this archive ({self.status}): {self.detail or 'not stored'}")
        return self.opener()
