"""Instagram's "download your information": published posts, stories and reels; messages are never opened."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import basename

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
from bladecheck.archives.values import JSON, dict_of, list_of

DATA = re.compile(r"(?:^|/)(?:posts_\d+|stories|reels|igtv_videos|threads_and_replies)\.json$")
PAGES = re.compile(r"^(?:posts_\d+|stories|reels)\.html$")
PUBLIC_MEDIA = re.compile(r"(?:^|/)media/(?:posts|stories|reels|igtv)/")
MARKS = re.compile(
    r"(?:^|/)(?:your_instagram_activity/|your_threads_activity/|content/posts_\d+\.json$|media/posts/\d{6}/)"
)


class InstagramReader:
    """`posts_N.json` wherever the export puts it, with `media/posts/…` beside."""

    name = "instagram_dyi"
    title = "Instagram download"
    rooted = True

    def detect(self, source: Source) -> float:
        names = source.names()
        if any(MARKS.search(name) for name in names):
            return 0.98
        if not any(DATA.search(name) for name in names):
            return 0.0
        return 0.97 if any(PUBLIC_MEDIA.search(name) for name in names) or "instagram" in source.path.name else 0.0

    def part_of(self, source: Source) -> str | None:
        return part_key(source)

    def posts_in(self, source: Source) -> list[str]:
        return [name for name in source.names() if DATA.search(name)]

    def read(self, source: Source) -> Iterator[Item]:
        public = public_members(source, DATA)
        public.log.account(account := account_in_names(source))
        used: set[str] = set()
        data = [name for name in public.names() if DATA.search(name)]
        for name in data:
            for number, record in enumerate(_posts(document(public, name))):
                where = f"{name}, post {number + 1}"
                yield from public.log.guarded(where, self._post, public, name, number, dict_of(record), account, used)
        if not data:
            warn_of_html(source, PAGES)
        yield from unclaimed(public, self.name, PUBLIC_MEDIA, used)
        public.log.unopened += sum(1 for name in source.names() if name not in used and name not in data)

    def _post(
        self, source: Source, name: str, number: int, record: Mapping[str, object], account: str | None, used: set[str]
    ) -> Iterator[Item]:
        media: list[Mapping[str, object]] = [dict_of(medium) for medium in list_of(record.get("media"))]
        media = media or ([record] if "uri" in record else [])
        if not media and not record.keys() & {"title", "creation_timestamp"}:
            raise ValueError("not a post")
        first = record.get("creation_timestamp") or next((m.get("creation_timestamp") for m in media), None)
        source.log.post(post_id=f"{account}/{first}/{next((m.get('uri') for m in media), number)}")
        kind = basename(name).split(".")[0].split("_")[0]
        extra: dict[str, JSON] = {"post_number": number, **({} if kind == "posts" else {"kind": kind})}
        title = unmangled(record.get("title"))
        for index, medium in enumerate(media):
            if medium.get("uri") == "":
                continue  # so Threads writes posts of words alone
            moment, origin = dated(record.get("creation_timestamp") or medium.get("creation_timestamp"))
            post = Post(
                self.name,
                source.origin(name),
                platform="threads" if kind == "threads" else "instagram",
                account=account,
                posted_at=moment,
                posted_at_source=origin,
                text=title or unmangled(medium.get("title")),
                extra=extra,
            )
            if item := medium_item(source, post, index, medium, used):
                yield item


def _posts(data: object) -> list[object]:
    """The posts of a data file: a list, one post, or a list under a name such as `ig_stories`."""
    if isinstance(data, list):
        return data
    record = dict_of(data)
    if "media" in record or "uri" in record:
        return [record]
    return [post for held in record.values() for post in list_of(held)]
