"""Tweets as twitter-web-exporter writes them, in JSON and in CSV."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.tables import Table
from bladecheck.archives.item import Item, MediaType
from bladecheck.archives.post import Post, dated, https, plain_text, shares_another, x_post_url
from bladecheck.archives.readers.table_presets import PresetTableReader
from bladecheck.archives.values import dict_of, first_id, handle_of, id_of, list_of, text_of

FORMAT = "twitter_web_exporter"


def is_exported(record: Mapping[str, object]) -> bool:
    """Whether twitter-web-exporter wrote this."""
    return {"id", "full_text", "media", "screen_name"} <= record.keys() and "id_str" not in record


def exported_items(tweet: Mapping[str, object], path: str) -> tuple[Post, list[Item]]:
    """A tweet as a post and a row for each of its media; thumbnails and originals are one."""
    post_id = first_id(tweet, "id", "rest_id")
    if post_id is None:
        raise ValueError("a tweet without an id")
    account = handle_of(tweet.get("screen_name"))
    text = plain_text(tweet.get("full_text"))
    original, quoted = id_of(tweet.get("retweeted_status")), id_of(tweet.get("quoted_status"))
    moment, origin = dated(tweet.get("created_at"), post_id)
    post = Post(
        FORMAT,
        path,
        platform="x",
        account=account,
        post_id=post_id,
        post_url=x_post_url(account, post_id),
        posted_at=moment,
        posted_at_source=origin,
        text=text,
        is_repost=bool(original) or shares_another(text),
        original_post_id=original,
        is_quote=bool(quoted),
        quoted_id=quoted,
        is_reply=bool(text_of(tweet.get("in_reply_to"))),
    )
    return post, [_item(post, index, dict_of(medium)) for index, medium in enumerate(list_of(tweet.get("media")))]


def _item(post: Post, index: int, medium: Mapping[str, object]) -> Item:
    alt = text_of(medium.get("ext_alt_text"))
    kind = text_of(medium.get("type")) or "photo"
    if kind in (MediaType.VIDEO, MediaType.ANIMATED_GIF):
        return post.video(index, media_type=MediaType(kind), media_url=https(medium.get("thumbnail")), alt_text=alt)
    url = https(medium.get("original")) or https(medium.get("thumbnail"))
    if url is None:
        return post.missing(index, "the record names no address for this picture", alt_text=alt)
    return post.remote(index, url, alt_text=alt)


class TwitterWebExporterTableReader(PresetTableReader):
    """Its CSV: the same names as columns, `media` as JSON in a cell."""

    name = FORMAT
    title = "twitter-web-exporter table"
    required = (frozenset(("id", "full_text", "media", "screen_name", "retweeted_status")),)

    def items(self, source: Source, table: Table, row: Mapping[str, str]) -> Iterator[Item]:
        media = json.loads(row["media"]) if row["media"].strip() else []
        blank = {column: None if cell in ("", "null", "undefined") else cell for column, cell in row.items()}
        post, items = exported_items({**blank, "media": media}, source.origin(table.member))
        source.log.post(repost=post.is_repost, post_id=post.post_id)
        source.log.account(post.account)
        yield from items
