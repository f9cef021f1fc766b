"""X's web pages as they load them: whole GraphQL answers, with the tweets somewhere deep inside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bladecheck.archives.values import dict_of

# Where a page keeps a tweet; those that a tweet shares or quotes lie under other names.
HOLDERS = ("tweet_results", "tweetResult")
SHARED = frozenset(("retweeted_status_result", "quoted_status_result"))
# Levels of nested JSON in which tweets are looked for.
DEEPEST = 40


def timeline_tweets(page: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The tweets of a page, each once a place, in the page's order; none where it is no such page."""
    if isinstance(page.get("data"), dict):
        yield from _walk(page, 0)


def _walk(value: object, depth: int) -> Iterator[Mapping[str, object]]:
    if depth > DEEPEST:
        return
    if isinstance(value, list):
        for part in value:
            yield from _walk(part, depth + 1)
    elif isinstance(value, dict):
        for key, part in value.items():
            if key in HOLDERS:
                result = dict_of(dict_of(part).get("result"))
                result = dict_of(result.get("tweet")) or result
                if isinstance(result.get("legacy"), dict):
                    yield result
            elif key not in SHARED:
                yield from _walk(part, depth + 1)
