"""Reddit submissions as JSON lines, as Pushshift's dumps and their successors have them."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.mapping import is_picture_url
from bladecheck.archives.data.records import records
from bladecheck.archives.item import Item
from bladecheck.archives.names import is_video_name
from bladecheck.archives.post import Post, dated, https
from bladecheck.archives.readers.json_files import json_names, localized, sampled
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.values import dict_of, dig, handle_of, id_of, list_of, text_of


class RedditReader:
    """Single pictures, galleries and films; previews of linked pages are none of the post's pictures."""

    name = "reddit"
    title = "Reddit posts"
    mixes = True

    def detect(self, source: Source) -> float:
        seen = [_is_submission(dict_of(record)) or _is_comment(dict_of(record)) for record in sampled(source)]
        return 0.94 * sum(seen) / len(seen) if seen else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        names = json_names(source)
        linked: set[str] = set()
        for name in names:
            source.log.parts += 1
            for where, record in records(source, name):
                items = source.log.guarded(where, self._items, source, name, _inner(dict_of(record)))
                yield from localized(source, items, linked)
        if source.is_container:
            yield from loose_pictures(source, self.name, linked.union(names))

    def _items(self, source: Source, name: str, record: Mapping[str, object]) -> list[Item]:
        if _is_comment(record):
            source.log.counts["comments, which have no pictures"] += 1
            return []
        if not _is_submission(record):
            raise ValueError("not a submission")
        parent = (text_of(record.get("crosspost_parent")) or "").removeprefix("t3_") or None
        moment, origin = dated(record.get("created_utc"))
        link = text_of(record.get("permalink"))
        community = text_of(record.get("subreddit"))
        post = Post(
            self.name,
            source.origin(name),
            platform="reddit",
            account=handle_of(record.get("author")),
            post_id=id_of(record.get("id")),
            post_url=f"https://www.reddit.com{link}" if link and link.startswith("/") else https(link),
            posted_at=moment,
            posted_at_source=origin,
            text=text_of(record.get("title")),
            is_repost=bool(parent),
            original_post_id=parent,
            is_reply=False,
            extra={"subreddit": community} if community else {},
        )
        source.log.post(repost=post.is_repost, post_id=post.post_id)
        source.log.account(post.account)
        return list(_media(post, record))


def _media(post: Post, record: Mapping[str, object]) -> Iterator[Item]:
    gallery = dict_of(record.get("media_metadata"))
    if gallery and not record.get("is_self"):
        order = [str(dig(entry, "media_id")) for entry in list_of(dig(record, "gallery_data", "items"))]
        for index, key in enumerate(order or gallery):
            medium = dict_of(gallery.get(key))
            url = https(html.unescape(str(dig(medium, "s", "u") or "")))
            if medium.get("e") == "RedditVideo":
                yield post.video(index)
            elif url:
                yield post.remote(index, url)
            else:
                yield post.missing(index, "the record names no address for this picture")
        return
    url = https(html.unescape(text_of(record.get("url_overridden_by_dest")) or text_of(record.get("url")) or ""))
    if record.get("is_video") is True or str(record.get("post_hint", "")).endswith("video") or is_video_name(url or ""):
        yield post.video(0, media_url=url)
    elif url and (record.get("post_hint") == "image" or is_picture_url(url)):
        yield post.remote(0, url)


def _inner(record: Mapping[str, object]) -> Mapping[str, object]:
    """Reddit's own API wraps a submission: {"kind": "t3", "data": {…}}."""
    return dict_of(record.get("data")) if record.get("kind") in ("t1", "t3") else record


def _is_submission(record: Mapping[str, object]) -> bool:
    record = _inner(record)
    return {"id", "subreddit", "created_utc"} <= record.keys() and "title" in record


def _is_comment(record: Mapping[str, object]) -> bool:
    record = _inner(record)
    return {"id", "subreddit", "created_utc", "body"} <= record.keys()
