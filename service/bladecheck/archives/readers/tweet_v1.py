"""Tweets as X's API v1.1 gave them (twarc 1, streaming, 4CAT's legacy part), and as its web pages do (GraphQL)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from bladecheck.archives.item import Item, MediaType
from bladecheck.archives.post import Post, dated, https, plain_text, shares_another, x_post_url
from bladecheck.archives.values import JSON, dict_of, dig, first_id, handle_of, id_of, list_of, text_of


def is_v1(record: Mapping[str, object]) -> bool:
    """Whether this is a v1.1 tweet."""
    known = "user" in record or "entities" in record or "extended_entities" in record
    return "id_str" in record and ("full_text" in record or "text" in record) and known and "rawContent" not in record


def is_graphql(record: Mapping[str, object]) -> bool:
    """Whether this is a tweet as X's web pages get it."""
    return "rest_id" in record and isinstance(record.get("legacy"), dict)


def v1_items(
    tweet: Mapping[str, object],
    source_format: str,
    path: str,
    *,
    account: str | None = None,
    collected_at: datetime | None = None,
    retweeted: Mapping[str, object] | None = None,
) -> tuple[Post, list[Item]]:
    """A tweet as a post and a row for each of its media; a retweet's are those of the original.

    Args:
        tweet: the record, or the `legacy` part of one from a web page.
        source_format: what the rows are marked with.
        path: the file it came from.
        account: who posted it, where the record itself does not say.
        collected_at: when it was collected.
        retweeted: the original, where it lies beside the record rather than in `retweeted_status`.
    """
    original = retweeted or dict_of(tweet.get("retweeted_status"))
    post_id = first_id(tweet, "id_str", "id")
    account = account or handle_of(dig(tweet, "user", "screen_name"))
    moment, origin = dated(tweet.get("created_at"), post_id)
    quoted = first_id(tweet, "quoted_status_id_str", "quoted_status_id") or first_id(
        dict_of(tweet.get("quoted_status")), "id_str", "id"
    )
    extra: dict[str, JSON] = {}
    if language := text_of(tweet.get("lang")):
        extra["lang"] = language
    if tweet.get("possibly_sensitive") is True:
        extra["possibly_sensitive"] = True
    text = _text(original) or _text(tweet)
    post = Post(
        source_format,
        path,
        platform="x",
        account=account,
        post_id=post_id,
        post_url=x_post_url(account, post_id),
        posted_at=moment,
        posted_at_source=origin,
        text=text,
        is_repost=bool(original) or shares_another(_text(tweet)),
        original_post_id=first_id(original, "id_str", "id"),
        collected_at=collected_at,
        is_quote=bool(quoted) or tweet.get("is_quote_status") is True,
        quoted_id=quoted,
        is_reply=bool(first_id(tweet, "in_reply_to_status_id_str", "in_reply_to_status_id")),
        edits=edit_ids(tweet.get("edit_history") or tweet.get("edit_control")),
        extra=extra,
    )
    media = _media(tweet) or _media(original)
    return post, [medium_item(post, index, dict_of(medium)) for index, medium in enumerate(media)]


def graphql_items(
    record: Mapping[str, object], source_format: str, path: str, collected_at: datetime | None = None
) -> tuple[Post, list[Item]]:
    """A tweet as X's web pages get it; fields as for v1_items."""
    record = dict_of(record.get("tweet")) or record
    legacy = dict_of(record.get("legacy"))
    original = dict_of(dig(legacy, "retweeted_status_result", "result"))
    original = dict_of(original.get("tweet")) or original
    retweeted = {**dict_of(original.get("legacy")), "id_str": original.get("rest_id")} if original else None
    long_text = text_of(dig(record, "note_tweet", "note_tweet_results", "result", "text"))
    tweet = {**legacy, "id_str": record.get("rest_id") or legacy.get("id_str")}
    if long_text:
        tweet["full_text"] = long_text
    if control := record.get("edit_control"):
        tweet["edit_control"] = control
    user = dig(record, "core", "user_results", "result")
    account = handle_of(dig(user, "core", "screen_name")) or handle_of(dig(user, "legacy", "screen_name"))
    return v1_items(tweet, source_format, path, account=account, collected_at=collected_at, retweeted=retweeted)


def edit_ids(told: object) -> tuple[str, ...]:
    """The ids of all versions of an edited post, oldest first, from what X tells of edits; () where there is one."""
    for place in (
        *(("edit_tweet_ids",), ("editTweetIds",), ("edit_control_initial", "edit_tweet_ids")),
        *(("initial", "editTweetIds"), ("edit", "editControlInitial", "editTweetIds")),
    ):
        if ids := tuple(found for value in list_of(dig(told, *place)) if (found := id_of(value))):
            return ids if len(ids) > 1 else ()
    ids = tuple(found for value in list_of(told) if (found := id_of(value)))
    return ids if len(ids) > 1 else ()


def medium_item(post: Post, index: int, medium: Mapping[str, object]) -> Item:
    """The row for one entry of `extended_entities.media`."""
    kind = text_of(medium.get("type")) or "photo"
    url = https(medium.get("media_url_https")) or https(medium.get("media_url"))
    alt = text_of(medium.get("ext_alt_text"))
    if kind in (MediaType.VIDEO, MediaType.ANIMATED_GIF):
        return post.video(index, media_type=MediaType(kind), media_url=url, alt_text=alt)
    if url is None:
        return post.missing(index, "the record names no address for this picture", alt_text=alt)
    return post.remote(index, url, alt_text=alt)


def _media(tweet: Mapping[str, object]) -> list[object]:
    for holder in _holders(tweet):
        if found := list_of(dig(holder, "media")):
            return _distinct(found)
    return []


def _holders(tweet: Mapping[str, object]) -> Iterator[object]:
    yield dig(tweet.get("extended_tweet"), "extended_entities")
    yield tweet.get("extended_entities")
    yield dig(tweet.get("extended_tweet"), "entities")
    yield tweet.get("entities")


def _distinct(media: list[object]) -> list[object]:
    """Without exact repeats, which some collections hold."""
    kept: list[object] = []
    for medium in media:
        if medium not in kept:
            kept.append(medium)
    return kept


def _text(tweet: Mapping[str, object]) -> str | None:
    return (
        plain_text(dig(tweet.get("extended_tweet"), "full_text"))
        or plain_text(tweet.get("full_text"))
        or plain_text(tweet.get("text"))
    )
