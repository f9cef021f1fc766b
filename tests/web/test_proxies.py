"""Whose word on the real client is believed."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest

from bladecheck.web.proxies import Proxies
from bladecheck.web.settings import Settings
from serving import serve
from tiny import RED, draw, encode


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("10.0.0.7", ["203.0.113.9"], "203.0.113.9"),
        ("10.0.0.7", ["198.51.100.1, 203.0.113.9"], "203.0.113.9"),  # the first is what the client itself wrote
        ("10.0.0.7", ["203.0.113.9, 10.0.0.8"], "203.0.113.9"),  # two proxies of ours
        ("10.0.0.7", ["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
        ("10.0.0.7", ["nonsense"], "nonsense"),
        ("10.0.0.7", [], "10.0.0.7"),
        ("::ffff:10.0.0.7", ["203.0.113.9"], "203.0.113.9"),
        ("192.0.2.1", ["203.0.113.9"], "192.0.2.1"),
        ("", ["203.0.113.9"], ""),
    ],
)
def test_only_listed_proxies_are_believed(peer: str, forwarded: list[str], client: str) -> None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    assert Proxies(["10.0.0.0/8"]).client(peer, headers) == client


def test_without_a_list_nobody_is_believed() -> None:
    assert Proxies([]).client("127.0.0.1", [(b"x-forwarded-for", b"203.0.113.9")]) == "127.0.0.1"


def test_a_list_that_is_no_list_is_refused() -> None:
    with pytest.raises(ValueError, match="'proxy\\.example' is neither an IP address nor a network"):
        Settings(trusted_proxies="127.0.0.1, proxy.example")  # type: ignore[arg-type]


def post(url: str, client: str) -> int:
    headers = {"Content-Type": "image/png", "X-Forwarded-For": client}
    return httpx2.post(f"{url}/v1/classify", content=encode(draw(RED)), headers=headers).status_code


@pytest.mark.parametrize(("proxies", "last"), [("127.0.0.1", 200), ("", 429)])
def test_the_rate_limit_counts_the_real_client(tiny_path: Path, proxies: str, last: int) -> None:
    """Through a proxy each client has a limit of their own; without one a header that claims so changes nothing."""
    with serve(tiny_path, requests_per_minute=2, trusted_proxies=proxies) as running:
        assert [post(running.url, "203.0.113.1") for _ in range(3)] == [200, 200, 429]
        assert post(running.url, "203.0.113.2") == last
