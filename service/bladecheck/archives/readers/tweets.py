"""Tweets in JSON files of any of the usual shapes, mixed as they may be; each record is told for itself."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from posixpath import basename

from bladecheck.archives.containers.source import Source
from bladecheck.archives.data.records import document, records
from bladecheck.archives.item import Item
from bladecheck.archives.post import Post
from bladecheck.archives.readers.json_files import json_names, localized, sampled
from bladecheck.archives.readers.pictures import loose_pictures
from bladecheck.archives.readers.tweet_exporter import exported_items, is_exported
from bladecheck.archives.readers.tweet_scraped import is_scraped, scraped_format, scraped_items
from bladecheck.archives.readers.tweet_timeline import timeline_tweets
from bladecheck.archives.readers.tweet_v1 import graphql_items, is_graphql, is_v1, v1_items
from bladecheck.archives.readers.tweet_v2 import is_v2_page, is_v2_tweet, page_tweets, v2_items
from bladecheck.archives.values import dict_of

TITLES = {
    "twitter_api_v2": "tweets from X's API v2",
    "twitter_api_v1": "tweets from X's API v1.1",
    "snscrape": "tweets from snscrape",
    "twscrape": "tweets from twscrape",
    "twitter_web": "tweets from X's web pages",
    "twitter_web_exporter": "tweets from twitter-web-exporter",
}
# Lines that X's streaming API sends beside tweets.
NOTICES = frozenset(("delete", "limit", "scrub_geo", "status_withheld", "user_withheld", "disconnect", "warning"))


class TweetReader:
    """JSON lines, arrays or objects; plain, gzip, bzip2 or xz."""

    name = "tweets"
    title = "tweets as JSON"
    mixes = True

    def detect(self, source: Source) -> float:
        seen = [shape_of(record) for record in sampled(source)]
        if not seen:
            return 0.0
        return 0.9 * sum(shape is not None for shape in seen) / len(seen)

    def read(self, source: Source) -> Iterator[Item]:
        names = json_names(source)
        linked: set[str] = set()
        for name in names:
            if _data_beside(source, name):
                continue
            source.log.parts += 1
            includes = _includes_beside(source, name)
            for where, record in records(source, name):
                for post, items in self._posts(source, where, record, source.origin(name), includes):
                    source.log.post(repost=post.is_repost, post_id=post.post_id)
                    source.log.account(post.account if not items else None)
                    yield from localized(source, items, linked)
        if source.is_container:
            yield from loose_pictures(source, self.name, linked.union(names))

    def _posts(
        self, source: Source, where: str, record: object, path: str, includes: Mapping[str, object]
    ) -> Iterator[tuple[Post, list[Item]]]:
        whole = dict_of(record)
        shape = shape_of(whole)
        if shape == "notice":
            source.log.counts["notices without a post"] += 1
            return
        if shape is None:
            source.log.counts["records of another kind"] += 1
            if source.log.counts["records of another kind"] <= 3:
                source.log.warn(f"{where}: not a tweet of a known shape; passed over.")
            return
        source.log.title = source.log.title or TITLES.get(shape)
        if shape == "twitter_web" and not is_graphql(whole):
            for tweet in list(timeline_tweets(whole)) or [whole]:
                yield from _guarded(source, where, shape, tweet, {}, path)
        elif shape == "twitter_api_v2" and is_v2_page(whole):
            for tweet, its_includes in page_tweets(whole):
                yield from _guarded(source, where, shape, tweet, its_includes, path)
        else:
            yield from _guarded(source, where, shape, whole, includes, path)


def _data_beside(source: Source, name: str) -> str | None:
    """For academictwitteR's `users_….json`, the `data_….json` it belongs to; None for any other file."""
    base = basename(name)
    data = name[: len(name) - len(base)] + "data_" + base.removeprefix("users_")
    return data if base.startswith("users_") and data in source else None


def _includes_beside(source: Source, name: str) -> Mapping[str, object]:
    """The users and media that academictwitteR keeps in `users_….json` for its `data_….json`; {} for others."""
    base = basename(name)
    beside = name[: len(name) - len(base)] + "users_" + base.removeprefix("data_")
    return dict_of(document(source, beside)) if base.startswith("data_") and beside in source else {}


def shape_of(record: object) -> str | None:
    """Which shape a record has: a key of TITLES, "notice" for a line without a tweet, None where it is unknown."""
    tweet = dict_of(record)
    if len(tweet) == 1 and isinstance(tweet.get("tweet"), dict):
        tweet = dict_of(tweet["tweet"])
    if is_graphql(tweet):
        return "twitter_web"
    if is_scraped(tweet):
        return scraped_format(tweet)
    if is_exported(tweet):
        return "twitter_web_exporter"
    if any(True for _ in timeline_tweets(tweet)):
        return "twitter_web"
    if is_v2_page(tweet):
        return "twitter_api_v2" if tweet.get("data") else "notice"
    if is_v2_tweet(tweet):
        return "twitter_api_v2"
    if is_v1(tweet):
        return "twitter_api_v1"
    return "notice" if tweet and len(tweet) == 1 and tweet.keys() <= NOTICES else None


def _guarded(
    source: Source,
    where: str,
    shape: str,
    tweet: Mapping[str, object],
    includes: Mapping[str, object],
    path: str,
) -> Iterator[tuple[Post, list[Item]]]:
    posts: list[Post] = []

    def build() -> list[Item]:
        post, items = _build(shape, tweet, includes, path)
        posts.append(post)
        return items

    items = list(source.log.guarded(where, build))
    for post in posts:
        yield post, items


def _build(
    shape: str, tweet: Mapping[str, object], includes: Mapping[str, object], path: str
) -> tuple[Post, list[Item]]:
    tweet = dict_of(tweet.get("tweet")) if len(tweet) == 1 and "tweet" in tweet else tweet
    if shape == "twitter_web_exporter":
        return exported_items(tweet, path)
    if shape == "twitter_web":
        return graphql_items(tweet, shape, path)
    if shape == "twitter_api_v2":
        return v2_items(tweet, includes, shape, path)
    if shape == "twitter_api_v1":
        return v1_items(tweet, shape, path)
    return scraped_items(tweet, path)


def media_cell(cell: str) -> list[Mapping[str, object]]:
    """Media objects written as JSON into one cell of a table; empty where the cell holds none.

    Raises:
        ValueError: the cell is not JSON.
    """
    return [dict_of(medium) for medium in json.loads(cell)] if cell.strip() else []
