"""Which names the service answers to, and whose web pages may use it.

Listening on loopback keeps other machines out, not other web pages: a page that the same browser has open can post to
127.0.0.1, and whoever owns its name can let that name point to 127.0.0.1 ("DNS rebinding"). So a foreign Host is
refused, and so is whatever another site's page asks for; only following a link to a page from elsewhere stays possible.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bladecheck.web import http_errors
from bladecheck.web.http_errors import CrossSite, ForeignHost, RequestError
from bladecheck.web.settings import Settings

ANY = "*"
OWN_SITES = ("same-origin", "none")
"""Values of Sec-Fetch-Site of our own pages, and of a person who typed the address."""
READING = ("GET", "HEAD")


class OwnPagesOnly:
    """ASGI middleware that refuses foreign names and requests that other sites' pages make."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self._hosts, self._named = settings.host_names, frozenset(settings.allowed_hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" else None
        if refusal:
            await http_errors.answer(scope, refusal)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> RequestError | None:
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if foreign := [host for host in hosts if not self._answers_to(name_of(host))]:
            return ForeignHost(
                f"This service does not answer to {foreign[0][:100]!r}. If it should, add the name to "
                "BLADECHECK_ALLOWED_HOSTS."
            )
        if self._is_foreign(headers, str(scope["method"]), hosts):
            return CrossSite("Another site's page asked for this. Open the service's own page, or use a program.")
        return None

    def _answers_to(self, name: str) -> bool:
        return ANY in self._hosts or name in self._hosts or _is_address(name)

    def _is_foreign(self, headers: Headers, method: str, hosts: Iterable[str]) -> bool:
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site not in OWN_SITES and not _follows_a_link(headers, method)
        origin = headers.get("origin")  # all that older browsers send, and all on plain HTTP beyond loopback
        if origin is None:
            return False
        place = _without_default_port(origin)
        # A proxy may have put another name into Host than the one that the operator listed for it.
        return place not in map(_without_default_port, hosts) and name_of(place) not in self._named


def name_of(host: str) -> str:
    """The name or address in a Host header, without port, brackets and final dot, in lower case."""
    text = host.strip().lower()
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0].rstrip(".")


def _is_address(name: str) -> bool:
    """A numeric address: nobody's DNS can make that mean this machine, so it is never a trick."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _follows_a_link(headers: Headers, method: str) -> bool:
    """A person goes to one of our pages from elsewhere: its answer is shown to them, not given to the other page."""
    kind = (headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest"))
    return method in READING and kind == ("navigate", "document")


def _without_default_port(text: str) -> str:
    """`host` or `host:port` of an origin or a Host header, in lower case."""
    scheme, _, rest = text.strip().lower().rpartition("://")
    for default, port in (("http", ":80"), ("https", ":443")):
        if scheme in (default, "") and rest.endswith(port):
            return rest.removesuffix(port)
    return rest
