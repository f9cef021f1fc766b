"""Tweets as X's API v2 gave them: pages with `includes` (twarc 2), flattened ones, and 4CAT's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from bladecheck.archives.dates import parse_date
from bladecheck.archives.item import Item, MediaType
from bladecheck.archives.post import Post, dated, https, plain_text, shares_another, x_post_url
from bladecheck.archives.values import JSON, dict_of, dig, first_id, handle_of, id_of, list_of, text_of

FILMS = (MediaType.VIDEO, MediaType.ANIMATED_GIF)
# What a media key starts with, for media that `includes` does not explain.
KEY_KINDS = {"3": MediaType.PHOTO, "7": MediaType.VIDEO, "13": MediaType.VIDEO, "16": MediaType.ANIMATED_GIF}


def is_v2_page(record: Mapping[str, object]) -> bool:
    """Whether this is an answer of the API with its `data`, or one that holds only errors."""
    if "data" in record:
        first = record["data"][0] if isinstance(record["data"], list) and record["data"] else record["data"]
        return "includes" in record or "__twarc" in record or "meta" in record or is_v2_tweet(dict_of(first))
    return "errors" in record and ("__twarc" in record or set(record) <= {"errors", "includes", "meta"})


def is_v2_tweet(record: Mapping[str, object]) -> bool:
    """Whether this is one tweet of the API v2."""
    marks = {"author_id", "author", "author_user", "edit_history_tweet_ids", "attachments", "public_metrics"}
    return "id" in record and "text" in record and "id_str" not in record and bool(marks & record.keys())


def page_tweets(page: Mapping[str, object]) -> Iterator[tuple[Mapping[str, object], Mapping[str, object]]]:
    """The tweets of a page, each with the page's `includes`."""
    data = page.get("data")
    for tweet in data if isinstance(data, list) else [data] if data else []:
        yield {**dict_of(tweet), "__twarc": page.get("__twarc")}, dict_of(page.get("includes"))


def v2_items(
    tweet: Mapping[str, object], includes: Mapping[str, object], source_format: str, path: str
) -> tuple[Post, list[Item]]:
    """A tweet as a post and a row for each of its media; a retweet's are the original's, where the data has them."""
    reference = next((dict_of(r) for r in list_of(tweet.get("referenced_tweets")) if dig(r, "type") == "retweeted"), {})
    quoted = next(
        (id_of(dig(r, "id")) for r in list_of(tweet.get("referenced_tweets")) if dig(r, "type") == "quoted"), None
    )
    edits = tuple(found for value in list_of(tweet.get("edit_history_tweet_ids")) if (found := id_of(value)))
    post_id = first_id(tweet, "id")
    if post_id is None:
        raise ValueError("a tweet without an id")
    account = _account(tweet, includes)
    moment, origin = dated(tweet.get("created_at"), post_id)
    extra: dict[str, JSON] = {}
    if language := text_of(tweet.get("lang")):
        extra["lang"] = language
    if tweet.get("possibly_sensitive") is True:
        extra["possibly_sensitive"] = True
    text = plain_text(dig(tweet, "note_tweet", "text")) or plain_text(tweet.get("text"))
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
        is_repost=bool(reference) or shares_another(text),
        original_post_id=first_id(reference, "id"),
        collected_at=parse_date(dig(tweet, "__twarc", "retrieved_at")),
        is_quote=bool(quoted),
        quoted_id=quoted,
        is_reply=any(dig(r, "type") == "replied_to" for r in list_of(tweet.get("referenced_tweets"))),
        edits=edits if len(edits) > 1 else (),
        extra=extra,
    )
    media = _media(tweet, includes)
    if not media and reference:
        media = _media(_included_tweet(reference, includes), includes)
    return post, media_items(post, media)


def media_items(post: Post, media: Iterable[Mapping[str, object]]) -> list[Item]:
    """A row for each media object of the API v2."""
    return [_medium_item(post, index, medium) for index, medium in enumerate(media)]


def _medium_item(post: Post, index: int, medium: Mapping[str, object]) -> Item:
    key = text_of(medium.get("media_key")) or ""
    kind = text_of(medium.get("type")) or KEY_KINDS.get(key.split("_")[0], MediaType.PHOTO)
    alt = text_of(medium.get("alt_text"))
    url = https(medium.get("url")) or https(medium.get("media_url_https"))
    if kind in FILMS:
        preview = https(medium.get("preview_image_url"))
        return post.video(index, media_type=MediaType(kind), media_url=preview or url, alt_text=alt)
    if url is None:
        return post.missing(
            index, "the data does not give this picture's address", alt_text=alt, extra={"media_key": key}
        )
    return post.remote(index, url, alt_text=alt)


def _media(tweet: Mapping[str, object], includes: Mapping[str, object]) -> list[Mapping[str, object]]:
    whole = [dict_of(medium) for medium in list_of(dig(tweet, "attachments", "media"))]
    if whole:
        return [medium for medium in whole if medium]
    known = {text_of(dig(m, "media_key")): dict_of(m) for m in list_of(includes.get("media"))}
    keys = list_of(dig(tweet, "attachments", "media_keys"))
    # 4CAT puts the media objects where the keys were.
    return [dict_of(key) or known.get(text_of(key)) or {"media_key": text_of(key)} for key in keys]


def _included_tweet(reference: Mapping[str, object], includes: Mapping[str, object]) -> Mapping[str, object]:
    if "attachments" in reference:
        return reference
    wanted = id_of(reference.get("id"))
    found = (dict_of(t) for t in list_of(includes.get("tweets")) if id_of(dig(t, "id")) == wanted)
    return next(found, {})


def _account(tweet: Mapping[str, object], includes: Mapping[str, object]) -> str | None:
    name = handle_of(dig(tweet, "author", "username")) or handle_of(dig(tweet, "author_user", "username"))
    if name:
        return name
    wanted = id_of(tweet.get("author_id"))
    users = (dict_of(user) for user in list_of(includes.get("users")))
    return next((handle_of(user.get("username")) for user in users if id_of(user.get("id")) == wanted), None)
