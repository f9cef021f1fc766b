"""Threads posts as Meta's Threads API gives them; what the account itself downloads is read with Instagram's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import records
from bladecheck.archives.item import Item
from bladecheck.archives.post import Post, dated, https, platform_of
from bladecheck.archives.readers.json_files import json_names, localized, sampled
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.values import dict_of, dig, handle_of, id_of, list_of, text_of


class ThreadsReader:
    """Pages with `data`, or one post a line; carousels have a row for each picture."""

    name = "threads"
    title = "Threads posts"
    mixes = True

    def detect(self, source: Source) -> float:
        seen = [bool(list(_posts(dict_of(record)))) for record in sampled(source)]
        return 0.95 * sum(seen) / len(seen) if seen else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        names = json_names(source)
        linked: set[str] = set()
        for name in names:
            source.log.parts += 1
            for where, record in records(source, name):
                for entry in _posts(dict_of(record)):
                    items = source.log.guarded(where, self._items, source, name, entry)
                    yield from localized(source, items, linked)
        if source.is_container:
            yield from loose_pictures(source, self.name, linked.union(names))

    def _items(self, source: Source, name: str, record: Mapping[str, object]) -> list[Item]:
        moment, origin = dated(record.get("timestamp"))
        shared = id_of(dig(record, "reposted_post", "id"))
        quoted = id_of(dig(record, "quoted_post", "id"))
        post = Post(
            self.name,
            source.origin(name),
            platform="threads",
            account=handle_of(record.get("username")),
            post_id=text_of(record.get("shortcode")) or id_of(record.get("id")),
            post_url=https(record.get("permalink")),
            posted_at=moment,
            posted_at_source=origin,
            text=text_of(record.get("text")),
            is_repost=record.get("media_type") == "REPOST_FACADE",
            original_post_id=shared,
            is_quote=record.get("is_quote_post") is True,
            quoted_id=quoted,
            is_reply=bool(record.get("is_reply") or record.get("replied_to")),
        )
        source.log.post(repost=post.is_repost, post_id=post.post_id)
        source.log.account(post.account)
        children = list_of(dig(record, "children", "data"))
        media: list[Mapping[str, object]] = [dict_of(child) for child in children] or [dict(record)]
        return [item for index, medium in enumerate(media) if (item := _medium(post, index, medium))]


def _medium(post: Post, index: int, medium: Mapping[str, object]) -> Item | None:
    kind, alt = str(medium.get("media_type", "")), text_of(medium.get("alt_text"))
    url = https(medium.get("media_url"))
    if kind == "VIDEO":
        return post.video(index, media_url=https(medium.get("thumbnail_url")), alt_text=alt)
    if kind not in ("IMAGE", "") or (not kind and url is None):
        return None
    return post.remote(index, url, alt_text=alt) if url else post.missing(index, "no address is given", alt_text=alt)


def _posts(record: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    for entry in map(dict_of, list_of(record.get("data")) or [record]):
        if "media_type" in entry and platform_of(text_of(entry.get("permalink"))) == "threads":
            yield entry
