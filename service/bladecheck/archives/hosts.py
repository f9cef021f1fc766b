"""The web's hosts that archives speak of: whose they are, which serve pictures, and which may be asked for them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Host:
    """A host and every host below it.

    Attributes:
        name: such as "pbs.twimg.com".
        platform: whose it is, or None where many use it.
        pictures: an address there is a picture's whatever its ending, as hosts of nothing else are.
        fetched: `--fetch` may ask it: this very host if `exact`, else all below it.
        exact: see `fetched`.
    """

    name: str
    platform: str | None = None
    pictures: bool = False
    fetched: bool = False
    exact: bool = True


HOSTS: tuple[Host, ...] = (
    Host("pbs.twimg.com", "x", pictures=True, fetched=True),
    Host("ton.twimg.com", "x", fetched=True),
    Host("cdninstagram.com", "instagram", pictures=True, fetched=True, exact=False),
    Host("fbcdn.net", "facebook", pictures=True, fetched=True, exact=False),
    Host("cdn.bsky.app", "bluesky", pictures=True, fetched=True),
    Host("i.ytimg.com", "youtube", fetched=True),
    Host("files.mastodon.social", fetched=True),
    Host("media.mastodon.social", fetched=True),
    Host("tiktokcdn.com", fetched=True, exact=False),
    Host("tiktokcdn-us.com", fetched=True, exact=False),
    Host("tiktokcdn-eu.com", fetched=True, exact=False),
    Host("i.redd.it", "reddit", pictures=True, fetched=True),
    Host("preview.redd.it", "reddit", fetched=True),
    Host("media.licdn.com", fetched=True),
    Host("i.imgur.com", pictures=True),
    Host("twitter.com", "x"),
    Host("x.com", "x"),
    Host("twimg.com", "x"),
    Host("instagram.com", "instagram"),
    Host("facebook.com", "facebook"),
    Host("fb.com", "facebook"),
    Host("bsky.app", "bluesky"),
    Host("tiktok.com", "tiktok"),
    Host("youtube.com", "youtube"),
    Host("youtu.be", "youtube"),
    Host("ytimg.com", "youtube"),
    Host("threads.net", "threads"),
    Host("threads.com", "threads"),
    Host("t.me", "telegram"),
    Host("reddit.com", "reddit"),
    Host("linkedin.com", "linkedin"),
)
CALLED = {"twitter": "x", "x (twitter)": "x", "twitter/x": "x", "x/twitter": "x", "ig": "instagram", "fb": "facebook"}
FETCHED: tuple[str, ...] = tuple(host.name if host.exact else f".{host.name}" for host in HOSTS if host.fetched)
"""As the fetcher takes them: a host, or with a leading dot every host below it."""


def platform_called(name: str) -> str | None:
    """The platform that a table's cell names, such as "Twitter", "x.com" or "instagram"; None where none is known."""
    word = name.strip().lower()
    known = {host.platform for host in HOSTS} | {"mastodon"}
    return CALLED.get(word) or (word if word in known else platform_at(word.removeprefix("www.")))


def platform_at(host: str) -> str | None:
    """The platform that a host belongs to, or None."""
    return next((known.platform for known in HOSTS if known.platform and _below(host, known.name)), None)


def serves_pictures(host: str) -> bool:
    """Whether a host serves pictures and nothing else."""
    return any(known.pictures and _below(host, known.name) for known in HOSTS)


def _below(host: str, name: str) -> bool:
    return host == name or host.endswith("." + name)
