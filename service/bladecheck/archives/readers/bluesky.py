"""Bluesky: author feeds as JSON, and repositories as CAR with the blobs beside them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import records
from bladecheck.archives.item import Item
from bladecheck.archives.post import Post, dated, https
from bladecheck.archives.readers.bluesky_car import car_items
from bladecheck.archives.readers.json_files import json_names, localized, sampled
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.values import dict_of, dig, first_text, handle_of, list_of, text_of

# Replies within replies that are followed: Python stops at a thousand calls within calls.
DEEPEST = 200


class BlueskyReader:
    """Feeds of `getAuthorFeed` (one object, lines, or an SDK's dump), post lines, and `.car` files."""

    name = "bluesky"
    title = "Bluesky export"
    mixes = True

    def detect(self, source: Source) -> float:
        if any(name.lower().endswith(".car") for name in source.names()):
            return 0.97
        seen = [bool(list(_entries(record))) for record in sampled(source)]
        return 0.95 * sum(seen) / len(seen) if seen else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        names = json_names(source)
        used: set[str] = set()
        for name in names:
            for where, record in records(source, name):
                for entry in _entries(record):
                    items = source.log.guarded(where, self._entry, source, name, entry)
                    yield from localized(source, items, used)
        cars = [name for name in source.names() if name.lower().endswith(".car")]
        for name in cars:
            yield from car_items(source, name, self.name, used)
        if source.is_container:
            used.update(names, cars)
            yield from loose_pictures(source, self.name, used)

    def _entry(self, source: Source, name: str, entry: Mapping[str, object]) -> list[Item]:
        view = dict_of(entry.get("post")) or entry
        reason = dict_of(entry.get("reason"))
        repost = "reasonRepost" in str(reason.get("$type") or reason.get("py_type") or "")
        post = _post(self.name, source.origin(name), view, reason if repost else {})
        if repost:
            source.log.shared(f"{post.account}/{post.post_id}")
        else:
            source.log.post(post_id=post.post_id)
        return list(_embedded(source, post, dict_of(view.get("embed")), 0))


def _entries(record: object) -> Iterator[Mapping[str, object]]:
    """Feed entries: of a page's `feed` or `posts`, or one that stands alone."""
    whole = dict_of(record)
    if thread := dict_of(whole.get("thread")):
        yield from _thread(thread, 0)
        return
    for entry in list_of(whole.get("feed")) or list_of(whole.get("posts")) or [whole]:
        view = dict_of(dig(entry, "post")) or dict_of(entry)
        if str(view.get("uri", "")).startswith("at://") and isinstance(view.get("record"), dict):
            yield dict_of(entry)


def _thread(node: Mapping[str, object], depth: int) -> Iterator[Mapping[str, object]]:
    """The posts of a thread (`getPostThread`): those above, the post, and the answers; blocked ones are left out."""
    if depth > DEEPEST:
        return
    if above := dict_of(node.get("parent")):
        yield from _thread(above, depth + 1)
    view = dict_of(node.get("post"))
    if str(view.get("uri", "")).startswith("at://") and isinstance(view.get("record"), dict):
        yield {"post": view}
    for answer in list_of(node.get("replies")):
        yield from _thread(dict_of(answer), depth + 1)


def _post(source_format: str, path: str, view: Mapping[str, object], reason: Mapping[str, object]) -> Post:
    uri = str(view.get("uri"))
    key = uri.rsplit("/", 1)[-1]
    author = handle_of(dig(view, "author", "handle")) or text_of(dig(view, "author", "did"))
    record = dict_of(view.get("record"))
    embed = dict_of(record.get("embed"))
    quoted = text_of(dig(embed, "record", "uri")) or text_of(dig(embed, "record", "record", "uri"))
    did = text_of(dig(reason, "by", "did") if reason else dig(view, "author", "did"))
    shown = first_text(reason, "indexedAt", "indexed_at")
    moment, origin = dated(shown or first_text(record, "createdAt", "created_at"))
    if moment is None:
        moment, origin = dated(first_text(view, "indexedAt", "indexed_at"))
    return Post(
        source_format,
        path,
        platform="bluesky",
        account=handle_of(dig(reason, "by", "handle")) or author,
        post_id=key,
        post_url=f"https://bsky.app/profile/{author}/post/{key}" if author else None,
        posted_at=moment,
        posted_at_source=origin,
        text=text_of(record.get("text")),
        is_repost=bool(reason),
        original_post_id=uri if reason else None,
        is_reply=bool(record.get("reply")),
        extra={"did": did} if did else {},
        is_quote=bool(quoted),
        quoted_id=quoted.rsplit("/", 1)[-1] if quoted else None,
    )


def _embedded(source: Source, post: Post, embed: Mapping[str, object], index: int) -> Iterator[Item]:
    kind = str(embed.get("$type") or embed.get("py_type") or "")
    media = dict_of(embed.get("media"))
    if "recordWithMedia" in kind or media:
        yield from _embedded(source, post, media, index)
    elif "embed.video" in kind:
        yield post.video(index, media_url=https(embed.get("thumbnail")), alt_text=text_of(embed.get("alt")))
    elif "embed.external" in kind:
        source.log.counts["link cards"] += 1
    for place, picture in enumerate(list_of(embed.get("images"))):
        url = https(dig(picture, "fullsize")) or https(dig(picture, "thumb"))
        alt = text_of(dig(picture, "alt"))
        if url:
            yield post.remote(index + place, url, alt_text=alt)
        else:
            yield post.missing(index + place, "the feed names no address for this picture", alt_text=alt)
