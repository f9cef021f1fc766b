"""One list of hosts says whose an address is, whether it is a picture's, and whether `--fetch` may ask it."""

from __future__ import annotations

import pytest

from bladecheck.archives import DEFAULT_HOSTS
from bladecheck.archives.data.mapping import is_picture_url
from bladecheck.archives.hosts import HOSTS, platform_at
from bladecheck.archives.post import platform_of


@pytest.mark.parametrize(
    ("url", "platform", "picture"),
    [
        ("https://pbs.twimg.com/media/A", "x", True),
        ("https://video.twimg.com/A", "x", False),
        ("https://scontent.cdninstagram.com/v/A", "instagram", True),
        ("https://www.youtube.com/watch?v=A", "youtube", False),
        ("https://m.facebook.com/A", "facebook", False),
        ("https://i.imgur.com/A", None, True),
        ("https://notx.com/A", None, False),
        ("https://cdn.bsky.app/A", "bluesky", True),
        ("https://twitter.com.example.org/A", None, False),
    ],
)
def test_whose_and_what(url: str, platform: str | None, picture: bool) -> None:
    assert (platform_of(url), is_picture_url(url)) == (platform, picture)


def test_only_hosts_of_pictures_that_platforms_serve_are_fetched_from() -> None:
    assert {"pbs.twimg.com", ".fbcdn.net", ".cdninstagram.com", "i.redd.it"} <= set(DEFAULT_HOSTS)
    assert not {"x.com", "twitter.com", "i.imgur.com", ".x.com"} & set(DEFAULT_HOSTS)


def test_no_host_is_listed_twice_and_a_narrower_one_never_says_otherwise() -> None:
    assert len({host.name for host in HOSTS}) == len(HOSTS)
    for host in HOSTS:
        assert platform_at(f"www.{host.name}") == platform_at(host.name)
