"""Zeeschuimer's NDJSON: what a researcher's browser saw, each line wrapped with when and where."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import records
from bladecheck.archives.dates import parse_date
from bladecheck.archives.item import Item
from bladecheck.archives.post import Post, dated, https
from bladecheck.archives.readers.json_files import json_names, localized, sampled
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.readers.tweet_v1 import graphql_items
from bladecheck.archives.values import dict_of, dig, first_id, handle_of, id_of, list_of, text_of

X_SITES = ("twitter.com", "x.com")


class ZeeschuimerReader:
    """X, Instagram and TikTok lines; those of other sites are counted."""

    name = "zeeschuimer"
    title = "Zeeschuimer capture"
    mixes = True

    def detect(self, source: Source) -> float:
        seen = [_is_capture(dict_of(record)) for record in sampled(source)]
        return 0.95 * sum(seen) / len(seen) if seen else 0.0

    def read(self, source: Source) -> Iterator[Item]:
        names = json_names(source)
        linked: set[str] = set()
        for name in names:
            for where, record in records(source, name):
                items = source.log.guarded(where, self._items, source, dict_of(record), name)
                yield from localized(source, items, linked)
        if source.is_container:
            yield from loose_pictures(source, self.name, linked.union(names))

    def _items(self, source: Source, line: Mapping[str, object], name: str) -> list[Item]:
        if not _is_capture(line):
            raise ValueError("not a line of Zeeschuimer")
        site = str(line.get("source_platform", "")).removeprefix("www.")
        seen_at = parse_date(line.get("timestamp_collected"))
        data, path = dict_of(line.get("data")), source.origin(name)
        if site in X_SITES:
            post, items = graphql_items(data, self.name, path, seen_at)
        elif site == "instagram.com":
            post, items = _instagram(data, self.name, path, seen_at)
        elif site == "tiktok.com":
            post, items = _tiktok(data, self.name, path, seen_at)
        else:
            source.log.counts[f"posts of {site or 'an unnamed site'}, not read"] += 1
            source.log.post()
            return []
        source.log.post(repost=post.is_repost, post_id=post.post_id)
        source.log.account(post.account if not items else None)
        return items


def _is_capture(line: Mapping[str, object]) -> bool:
    return "source_platform" in line and isinstance(line.get("data"), dict)


def _instagram(
    data: Mapping[str, object], source_format: str, path: str, seen_at: datetime | None
) -> tuple[Post, list[Item]]:
    code = text_of(data.get("code")) or text_of(data.get("shortcode"))
    caption = text_of(dig(data, "caption", "text"))
    caption = caption or text_of(dig(data, "edge_media_to_caption", "edges", 0, "node", "text"))
    moment, origin = dated(data.get("taken_at") or data.get("taken_at_timestamp"))
    post = Post(
        source_format,
        path,
        platform="instagram",
        account=handle_of(dig(data, "user", "username")) or handle_of(dig(data, "owner", "username")),
        post_id=code or first_id(data, "pk", "id"),
        post_url=f"https://www.instagram.com/p/{code}/" if code else None,
        posted_at=moment,
        posted_at_source=origin,
        text=caption,
        collected_at=seen_at,
    )
    edges = list_of(dig(data, "edge_sidecar_to_children", "edges"))
    children: list[Mapping[str, object]] = [dict_of(dig(edge, "node")) for edge in edges]
    media: list[Mapping[str, object]] = [dict_of(child) for child in list_of(data.get("carousel_media"))]
    media = media or children or [data]
    return post, [_instagram_medium(post, index, medium) for index, medium in enumerate(media)]


def _instagram_medium(post: Post, index: int, medium: Mapping[str, object]) -> Item:
    url = https(dig(medium, "image_versions2", "candidates", 0, "url")) or https(medium.get("display_url"))
    alt = text_of(medium.get("accessibility_caption"))
    if medium.get("video_versions") or medium.get("is_video") is True or medium.get("media_type") == 2:
        return post.video(index, media_url=url, alt_text=alt)
    if url is None:
        return post.missing(index, "the record names no address for this picture", alt_text=alt)
    return post.remote(index, url, alt_text=alt)


def _tiktok(
    data: Mapping[str, object], source_format: str, path: str, seen_at: datetime | None
) -> tuple[Post, list[Item]]:
    account = handle_of(dig(data, "author", "uniqueId")) or handle_of(data.get("author"))
    post_id = id_of(data.get("id"))
    moment, origin = dated(data.get("createTime"))
    post = Post(
        source_format,
        path,
        platform="tiktok",
        account=account,
        post_id=post_id,
        post_url=f"https://www.tiktok.com/@{account}/video/{post_id}" if account and post_id else None,
        posted_at=moment,
        posted_at_source=origin,
        text=text_of(data.get("desc")),
        collected_at=seen_at,
    )
    pictures = [https(dig(p, "imageURL", "urlList", 0)) for p in list_of(dig(data, "imagePost", "images"))]
    if not pictures:
        return post, [post.video(0, media_url=https(dig(data, "video", "cover")))]
    return post, [
        post.remote(index, url) if url else post.missing(index, "the record names no address for this picture")
        for index, url in enumerate(pictures)
    ]
