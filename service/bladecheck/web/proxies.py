"""Reverse proxies that the operator listed: what they say about the real client is believed, and nobody else's word."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from bladecheck.web import prefixes
from bladecheck.web.settings import Settings

VIA_PROXY = "bladecheck.via_proxy"
"""Key of the request's scope: True if it came from a listed proxy, whose X-Forwarded-* headers may be believed."""
SCHEMES = ("http", "https")

Headers = Iterable[tuple[bytes, bytes]]


class Proxies:
    """Which peers are listed proxies, and which client they speak for.

    Args:
        networks: addresses or networks, as in `Settings.trusted_proxies`.
    """

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(text) for text in networks)

    def trusts(self, address: str) -> bool:
        """Whether an address is a listed proxy's; what is no address is not."""
        if not self._networks:
            return False
        try:
            parsed = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        plain = getattr(parsed, "ipv4_mapped", None) or parsed
        return any(plain in network for network in self._networks)

    def client(self, peer: str, headers: Headers) -> str:
        """The address that asks: the last one of X-Forwarded-For that is no proxy's, or the peer itself.

        Addresses further left were written by the client, who may write what they like.
        """
        if not self.trusts(peer):
            return peer
        found = peer
        for step in reversed(_listed(headers, b"x-forwarded-for")):
            found = step
            if not self.trusts(step):
                break
        return found


def _listed(headers: Headers, name: bytes) -> list[str]:
    """The comma-separated values of all headers of that name, in order."""
    values = b",".join(value for key, value in headers if key == name).decode("latin-1")
    return [part.strip() for part in values.split(",") if part.strip()]


class Forwarded:
    """ASGI middleware: `scope["client"]`, `scope["scheme"]`, `scope[VIA_PROXY]` and the path prefix as a proxy says.

    A prefix in the settings holds whatever anybody says.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self._proxies, self._prefix = app, Proxies(settings.trusted_proxies), settings.root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            peer = (scope.get("client") or ("", 0))[0]
            scope[VIA_PROXY] = self._proxies.trusts(peer)
            if scope[VIA_PROXY]:
                scope["client"] = (self._proxies.client(peer, scope["headers"]), 0)
                schemes = _listed(scope["headers"], b"x-forwarded-proto")
                if schemes and schemes[-1].lower() in SCHEMES:
                    scope["scheme"] = schemes[-1].lower()
            if prefix := self._prefix or self._forwarded_prefix(scope):
                prefixes.put(scope, prefix)
        await self.app(scope, receive, send)

    def _forwarded_prefix(self, scope: Scope) -> str:
        """The prefix that a listed proxy names; none if it is nobody's, or can't be one."""
        given = _listed(scope["headers"], b"x-forwarded-prefix") if scope[VIA_PROXY] else []
        return (prefixes.valid(given[-1]) or "") if given else ""
