"""What Instagram's and Facebook's "download your information" share: mangled text, private data, file look-up."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import basename

from bladecheck.archives.containers.source import Narrowed, Source
from bladecheck.archives.item import Item
from bladecheck.archives.names import is_picture_name, is_video_name
from bladecheck.archives.post import Post, https
from bladecheck.archives.readers.pictures import loose_item
from bladecheck.archives.values import JSON, dig, list_of, text_of

PRIVATE_FACTS = frozenset(("latitude", "longitude"))
PRIVATE_FOLDERS = frozenset(
    ("messages", "inbox", "message_requests", "archived_threads", "filtered_threads", "e2ee_cutover", "secret_messages")
)
EXPORT_NAME = re.compile(r"(?:^|/)(?:instagram|facebook)-([A-Za-z0-9._]+?)-(?:\d{4}-\d\d-\d\d|\d{8})(?:-|\.|/|$)")


def unmangled(value: object) -> str | None:
    """Text whose UTF-8 bytes were each written as one character; text that is fine already stays as it is."""
    text = text_of(value)
    if text is None:
        return None
    try:
        return text_of(text.encode("latin-1").decode("utf-8"))
    except (UnicodeEncodeError, UnicodeDecodeError):
        return text


def public_members(source: Source, is_data: re.Pattern[str]) -> Source:
    """Only the posts' data files and media that are not of a conversation."""

    def allowed(name: str) -> bool:
        if PRIVATE_FOLDERS & set(name.lower().split("/")[:-1]):
            return False
        return bool(is_data.search(name)) or is_picture_name(name) or is_video_name(name)

    return Narrowed(source, allowed)


def account_in_names(source: Source) -> str | None:
    """The account in the export's own name, `instagram-<account>-<date>-<code>`, of the file or its top folder."""
    names = (str(source.path), *(name for name, _ in zip(source.names(), range(50), strict=False)))
    return next((match[1] for name in names if (match := EXPORT_NAME.search(name))), None)


def part_key(source: Source) -> str | None:
    """What the parts of one export share: account and date in the name."""
    match = EXPORT_NAME.search(str(source.path))
    return match[0].strip("/-.") if match else None


def medium_item(source: Source, post: Post, index: int, medium: Mapping[str, object], used: set[str]) -> Item | None:
    """The row for one medium of an export, or None where the same file has been given before.

    A place (GPS) or address (IP) in its metadata is dropped; only that a place was there is kept.
    """
    uri = text_of(medium.get("uri"))
    facts: dict[str, JSON] = {"gps_in_metadata": True} if _has_place(medium) else {}
    if uri is None:
        return post.missing(index, "the export names no file for it", extra=facts)
    # These exports have no post ids: time and file name tell the same picture in another export.
    same = f"{post.platform}/{post.account or ''}/{post.posted_at}/{uri.split('?')[0]}" if post.posted_at else None
    if url := https(uri):
        return post.remote(index, url, extra=facts, same_as=same)
    name = source.find(uri)
    key = name or uri
    if key in used:
        return None
    used.add(key)
    if is_video_name(uri):
        return post.video(index, member=name, extra=facts, same_as=same)
    if name is None:
        return post.missing(index, f"{uri} is not in the export; is a part missing?", extra=facts, same_as=same)
    return post.stored(index, source, name, extra=facts, same_as=same)


def warn_of_html(source: Source, is_page: re.Pattern[str]) -> None:
    """Says so where the export was asked for as HTML."""
    if any(is_page.search(basename(name)) for name in source.names()):
        source.log.warn(
            "this export was requested as HTML, which ties no dates or texts to pictures; request it again as JSON."
        )


def unclaimed(source: Source, source_format: str, public_media: re.Pattern[str], used: set[str]) -> Iterator[Item]:
    """Rows for published media that no post names."""
    for name in source.names():
        if name not in used and public_media.search(name) and (item := loose_item(source, source_format, name)):
            used.add(name)
            source.log.counts["media that no post names"] += 1
            yield item


def _has_place(medium: Mapping[str, object]) -> bool:
    kinds = medium.get("media_metadata")
    facts = [fact for kind in ("photo_metadata", "video_metadata") for fact in list_of(dig(kinds, kind, "exif_data"))]
    return any(isinstance(fact, dict) and PRIVATE_FACTS & fact.keys() for fact in facts)
