"""Downloads pictures known only by their URL: https, known hosts, public addresses, within limits, kept in a cache."""

from __future__ import annotations

import hashlib
import os
import re
import ssl
import tempfile
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

from bladecheck.archives.containers.limits import MIB
from bladecheck.archives.fetch.connection import Connector, FetchAnswer, FetchError
from bladecheck.archives.hosts import FETCHED
from bladecheck.archives.item import Item
from bladecheck.errors import ArchiveError
from bladecheck.file_formats import picture_kind

__all__ = ["DEFAULT_HOSTS", "FetchError", "Fetcher"]

DEFAULT_HOSTS = FETCHED
REDIRECTS = frozenset((301, 302, 303, 307, 308))
# Redirects followed for one picture.
MOST_REDIRECTS = 5
# Seconds: a Retry-After beyond that is cut to it.
LONGEST_WAIT = 60.0
BY_STATUS = {
    404: ("gone", "is gone: the server no longer has it"),
    410: ("gone", "is gone: the server says it was removed"),
    401: ("forbidden", "is not given out by the server"),
    403: ("forbidden", "is not given out by the server"),
    451: ("forbidden", "is withheld for legal reasons"),
    408: ("timed_out", "took too long"),
    429: ("rate_limited", "was refused for now: too many requests"),
}


class Fetcher:
    """Fetches pictures by URL. May be used from several threads.

    Attributes:
        cache_dir: where pictures are kept, by the sha256 of their URL.
        allow_hosts: hosts that may be asked; one with a leading dot stands for all below it.
        max_bytes: most bytes of one picture.
    """

    def __init__(
        self,
        cache_dir: Path,
        *,
        allow_hosts: Collection[str] = DEFAULT_HOSTS,
        max_bytes: int = 64 * MIB,
        timeout: float = 20.0,
        total_timeout: float = 120.0,
        attempts: int = 4,
        connector: Connector | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """Prepares; connects to nothing.

        Args:
            cache_dir: made when first needed.
            allow_hosts: hosts that may be asked; ".example.org" stands for all below it.
            max_bytes: most bytes of one picture.
            timeout: seconds for each step of a connection.
            total_timeout: seconds for one answer, however slowly it drips.
            attempts: tries for failures that may pass (timeouts, 429, 5xx), with growing waits.
            connector: how hosts are resolved and connected to; None takes the usual, public addresses only.
            tls: certificates to trust; None takes the system's.

        Raises:
            ArchiveError: stamina is not installed.
        """
        try:
            import stamina
        except ImportError as error:
            raise ArchiveError("fetching needs stamina: pip install 'bladecheck[archive]'") from error
        self._retries = stamina.retry_context
        self.cache_dir = cache_dir
        self.allow_hosts = frozenset(host.lower().rstrip(".") for host in allow_hosts)
        self.max_bytes = max_bytes
        self._attempts = attempts
        self._connector = connector or Connector(timeout=timeout, total_timeout=total_timeout, tls=tls)

    def fetch(self, url: str) -> bytes:
        """The picture's bytes, from the cache where it has been fetched before.

        Raises:
            FetchError: with a code: bad_url, not_https, refused_host, private_address, gone, forbidden, rate_limited,
                server_error, too_large, too_many_redirects, timed_out, unreachable, not_an_image, bad_answer.
        """
        self._check(url)
        place = self._place(url)
        with suppress(OSError):
            return place.read_bytes()
        data = self._with_retries(url)
        self._keep(place, data)
        return data

    def opener(self, item: Item) -> Callable[[], bytes]:
        """What fetches a remote item's picture when called.

        Raises:
            ArchiveError: the item has no URL.
        """
        url = item.media_url
        if url is None:
            raise ArchiveError("this row has no address to fetch from")
        return lambda: self.fetch(url)

    def _with_retries(self, url: str) -> bytes:
        for attempt in self._retries(_whether_again, self._attempts, timeout=None, wait_initial=0.5, wait_max=30.0):
            with attempt:
                return self._follow(url)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _follow(self, url: str) -> bytes:
        for _ in range(MOST_REDIRECTS + 1):
            host, target = self._check(url)
            answer = self._connector.get(url, host, target, self.max_bytes)
            if answer.status not in REDIRECTS:
                return self._body(url, answer)
            if not answer.location:
                raise FetchError("bad_answer", f"{url} redirects to nowhere")
            url = urljoin(url, answer.location)
        raise FetchError("too_many_redirects", f"{url} redirects more than {MOST_REDIRECTS} times")

    def _body(self, url: str, answer: FetchAnswer) -> bytes:
        if answer.status != 200:
            code, words = BY_STATUS.get(answer.status, ("bad_answer", f"was answered with status {answer.status}"))
            if answer.status >= 500:
                code, words = "server_error", f"failed on the server (status {answer.status})"
            raise FetchError(code, f"{url} {words}", retry_after=answer.retry_after)
        if picture_kind(answer.body[:64]) is None:
            raise FetchError("not_an_image", f"{url} gave {len(answer.body)} bytes that do not begin like a picture")
        return answer.body

    def _check(self, url: str) -> tuple[str, str]:
        """Host and path of a URL that may be asked for."""
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError as error:
            raise FetchError("bad_url", f"{url[:200]!r} is no web address: {error}") from error
        if re.search(r"[\x00-\x20\x7f]", url) or not host or "@" in parts.netloc:
            raise FetchError("bad_url", f"{url[:200]!r} is no plain web address")
        if parts.scheme != "https":
            raise FetchError("not_https", f"{url} is not https")
        if not self._is_allowed(host):
            raise FetchError(
                "refused_host", f"{host} is not among the hosts that may be asked; add it with allow_hosts"
            )
        if (port or 443) != self._connector.port:
            raise FetchError("refused_host", f"{url} names port {port}; only {self._connector.port} is asked")
        path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=-._~")
        query = quote(parts.query, safe="/?%:@!$&'()*+,;=-._~[]")
        return host, f"{path}?{query}" if query else path

    def _is_allowed(self, host: str) -> bool:
        return host in self.allow_hosts or any(
            allowed.startswith(".") and host.endswith(allowed) for allowed in self.allow_hosts
        )

    def _place(self, url: str) -> Path:
        return place_of(self.cache_dir, url)

    def _keep(self, place: Path, data: bytes) -> None:
        """Writes whole or not at all, whoever else writes the same."""
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=place.parent, prefix=".part-")
            part = Path(name)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(data)
                part.replace(place)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise ArchiveError(f"the cache {self.cache_dir} can't be written: {error.strerror or error}") from error


def place_of(cache_dir: Path, url: str) -> Path:
    """Where in a cache a picture lies, whether it has been fetched or not."""
    name = hashlib.sha256(url.encode("utf-8", "surrogatepass")).hexdigest()
    return cache_dir / name[:2] / name


def _whether_again(error: Exception) -> bool | float:
    """Whether to try again, and where the server says when, after how many seconds."""
    if not isinstance(error, FetchError) or not error.may_pass:
        return False
    return min(error.retry_after, LONGEST_WAIT) if error.retry_after else True
