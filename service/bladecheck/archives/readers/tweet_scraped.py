"""Tweets as snscrape and twscrape write them: the same names, but media as a list or as an object of lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bladecheck.archives.item import Item, MediaType
from bladecheck.archives.post import Post, dated, https, plain_text, shares_another
from bladecheck.archives.values import dict_of, dig, first_id, first_text, handle_of, list_of, text_of

KINDS = {"Photo": MediaType.PHOTO, "Video": MediaType.VIDEO, "Gif": MediaType.ANIMATED_GIF}


def is_scraped(record: Mapping[str, object]) -> bool:
    """Whether snscrape or twscrape wrote this."""
    if str(record.get("_type", "")).startswith("snscrape.modules.twitter"):
        return "user" in record or "rawContent" in record or "content" in record
    content = "rawContent" in record or ("content" in record and "renderedContent" in record)
    return content and "user" in record and ("date" in record or "id" in record)


def scraped_format(record: Mapping[str, object]) -> str:
    """Which of the two: "twscrape" where media is an object, or there is an `id_str`."""
    return "twscrape" if isinstance(record.get("media"), dict) or "id_str" in record else "snscrape"


def scraped_items(tweet: Mapping[str, object], path: str) -> tuple[Post, list[Item]]:
    """A tweet as a post and a row for each of its media; a retweet's are the original's."""
    original = dict_of(tweet.get("retweetedTweet"))
    post_id = first_id(tweet, "id_str", "id")
    if post_id is None:
        raise ValueError("a tweet without an id")
    text = plain_text(first_text(tweet, "rawContent", "content", "renderedContent"))
    moment, origin = dated(tweet.get("date"), post_id)
    language = text_of(tweet.get("lang"))
    post = Post(
        scraped_format(tweet),
        path,
        platform="x",
        account=handle_of(dig(tweet, "user", "username")) or handle_of(tweet.get("username")),
        post_id=post_id,
        post_url=text_of(tweet.get("url")),
        posted_at=moment,
        posted_at_source=origin,
        text=text,
        is_repost=bool(original) or shares_another(text),
        original_post_id=first_id(original, "id_str", "id"),
        is_quote=bool(quoted := dict_of(tweet.get("quotedTweet"))),
        quoted_id=first_id(quoted, "id_str", "id"),
        is_reply=bool(first_id(tweet, "inReplyToTweetId", "inReplyToTweetIdStr")),
        extra={"lang": language} if language else {},
    )
    media = list(_media(tweet)) or list(_media(original))
    return post, [_item(post, index, kind, medium) for index, (kind, medium) in enumerate(media)]


def _media(tweet: Mapping[str, object]) -> Iterator[tuple[MediaType, Mapping[str, object]]]:
    media = tweet.get("media")
    if isinstance(media, dict):
        for key, kind in (
            ("photos", MediaType.PHOTO),
            ("videos", MediaType.VIDEO),
            ("animated", MediaType.ANIMATED_GIF),
        ):
            for medium in list_of(media.get(key)):
                yield kind, dict_of(medium) or {"url": medium}
        return
    for medium in list_of(media):
        last = str(dig(medium, "_type") or dig(medium, "type") or "Photo").rsplit(".", 1)[-1]
        yield KINDS.get(last.capitalize(), MediaType.PHOTO), dict_of(medium)


def _item(post: Post, index: int, kind: MediaType, medium: Mapping[str, object]) -> Item:
    alt = text_of(medium.get("altText"))
    if kind is not MediaType.PHOTO:
        preview = https(medium.get("thumbnailUrl"))
        return post.video(index, media_type=kind, media_url=preview, alt_text=alt)
    url = https(medium.get("fullUrl")) or https(medium.get("url")) or https(medium.get("previewUrl"))
    if url is None:
        return post.missing(index, "the record names no address for this picture", alt_text=alt)
    return post.remote(index, url, alt_text=alt)
