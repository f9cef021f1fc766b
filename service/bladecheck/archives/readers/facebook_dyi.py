"""Facebook's "download your information", of a person or a page: posts and albums; messages are never opened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import document
from bladecheck.archives.item import Item
from bladecheck.archives.post import Post, dated
from bladecheck.archives.readers.meta_download import (
    account_in_names,
    medium_item,
    part_key,
    public_members,
    unclaimed,
    unmangled,
    warn_of_html,
)
from bladecheck.archives.values import dict_of, dig, list_of

POSTS = re.compile(r"(?:^|/)(?:your_posts|profile_posts|page_posts|posts)[^/]*_\d+\.json$")
ALBUMS = re.compile(r"(?:^|/)(?:album/\d+|your_photos|your_uncategorized_photos|your_videos)\.json$")
DATA = re.compile(f"{POSTS.pattern}|{ALBUMS.pattern}")
PAGES = re.compile(r"^(?:your_posts|profile_posts|page_posts)[^/]*\.html$")
PUBLIC_MEDIA = re.compile(r"(?:^|/)posts/media/")
MARKS = re.compile(r"(?:^|/)(?:your_facebook_activity|your_activity_across_facebook|this_profile's_activity[^/]*)/")


class FacebookReader:
    """`your_posts…_N.json` wherever the export puts it; files are found by the longest tail of their `uri`."""

    name = "facebook_dyi"
    title = "Facebook download"
    rooted = True

    def detect(self, source: Source) -> float:
        names = source.names()
        if any(MARKS.search(name) for name in names):
            return 0.99
        own = re.compile(r"(?:^|/)(?:your_posts|profile_posts|page_posts)[^/]*_\d+\.json$")
        return 0.98 if any(own.search(name) for name in names) else 0.0

    def part_of(self, source: Source) -> str | None:
        return part_key(source)

    def posts_in(self, source: Source) -> list[str]:
        return [name for name in source.names() if DATA.search(name)]

    def read(self, source: Source) -> Iterator[Item]:
        public = public_members(source, DATA)
        public.log.account(account := account_in_names(source))
        used: set[str] = set()
        data = sorted((name for name in public.names() if DATA.search(name)), key=lambda n: bool(ALBUMS.search(n)))
        for name in data:
            for number, record in enumerate(_records(document(public, name))):
                where = f"{name}, post {number + 1}"
                yield from public.log.guarded(where, self._post, public, name, dict_of(record), account, used)
        if not data:
            warn_of_html(source, PAGES)
        yield from unclaimed(public, self.name, PUBLIC_MEDIA, used)
        public.log.unopened += sum(1 for name in source.names() if name not in used and name not in data)

    def _post(
        self, source: Source, name: str, record: Mapping[str, object], account: str | None, used: set[str]
    ) -> Iterator[Item]:
        in_album = bool(ALBUMS.search(name))
        media = [record] if in_album else _attached(record)
        if not in_album:
            if not record.keys() & {"timestamp", "attachments", "data"}:
                raise ValueError("not a post")
            first = next((medium.get("uri") for medium in media), record.get("title"))
            source.log.post(post_id=f"{account}/{record.get('timestamp')}/{first}")
        text = next((t for entry in list_of(record.get("data")) if (t := unmangled(dig(entry, "post")))), None)
        for index, medium in enumerate(media):
            moment, origin = dated(record.get("timestamp") or medium.get("creation_timestamp"))
            post = Post(
                self.name,
                source.origin(name),
                platform="facebook",
                account=account,
                posted_at=moment,
                posted_at_source=origin,
                text=text or unmangled(medium.get("description")),
            )
            if item := medium_item(source, post, index, medium, used):
                yield item


def _attached(record: Mapping[str, object]) -> list[Mapping[str, object]]:
    attached = (
        dig(entry, "media") for held in list_of(record.get("attachments")) for entry in list_of(dig(held, "data"))
    )
    return [medium for value in attached if (medium := dict_of(value))]


def _records(data: object) -> list[object]:
    """The posts or photos of a data file: a list, one post, or an album with its list."""
    if isinstance(data, list):
        return data
    record = dict_of(data)
    if "attachments" in record or "timestamp" in record:
        return [record]
    return [entry for held in record.values() for entry in list_of(held) if isinstance(entry, dict)]
