"""One https request to an address that was checked, with limits on time and size."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from bladecheck.archives.fetch.addresses import is_public
from bladecheck.errors import ArchiveError

AGENT = "bladecheck (+https://pypi.org/project/bladecheck/)"
CHUNK = 64 * 1024
MAY_PASS = frozenset(("timed_out", "unreachable", "rate_limited", "server_error"))

Resolver = Callable[[str, int], list[str]]


class FetchError(ArchiveError):
    """A picture that could not be fetched.

    Attributes:
        code: what happened, such as "gone" or "private_address".
        retry_after: seconds the server asks to wait, or None.
    """

    def __init__(self, code: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.retry_after = retry_after

    @property
    def may_pass(self) -> bool:
        """Whether another try may go better."""
        return self.code in MAY_PASS


@dataclass(frozen=True, slots=True)
class FetchAnswer:
    """A server's answer; the body is read only for status 200."""

    status: int
    location: str | None
    retry_after: float | None
    body: bytes


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, by the system's resolver."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class Connector:
    """Resolves, checks every address, and connects to the very address that was checked: no second look-up to trick.

    Attributes:
        port: the only port that is connected to.
    """

    def __init__(
        self,
        *,
        timeout: float = 20.0,
        total_timeout: float = 120.0,
        tls: ssl.SSLContext | None = None,
        resolver: Resolver = resolve,
        is_allowed: Callable[[str], bool] = is_public,
        port: int = 443,
    ) -> None:
        self.port = port
        self._timeout, self._total = timeout, total_timeout
        self._tls = tls or ssl.create_default_context()
        self._resolver, self._is_allowed = resolver, is_allowed

    def get(self, url: str, host: str, target: str, most: int) -> FetchAnswer:
        """Asks `host` for `target`, with at most `most` bytes of body.

        Raises:
            FetchError: private_address, unreachable, timed_out, too_large, bad_answer.
        """
        deadline = time.monotonic() + self._total
        connection = _Pinned(host, self._addresses(host), self.port, self._timeout, self._tls)
        try:
            connection.request("GET", target, headers={"User-Agent": AGENT, "Accept": "image/*,*/*;q=0.5"})
            with connection.getresponse() as response:
                body = _body(url, response, most, deadline) if response.status == 200 else b""
                after = _seconds(response.getheader("Retry-After"))
                return FetchAnswer(response.status, response.getheader("Location"), after, body)
        except TimeoutError as error:
            raise FetchError("timed_out", f"{url} took too long") from error
        except ssl.SSLError as error:
            raise FetchError("bad_answer", f"{host} could not prove who it is: {error.reason or error}") from error
        except http.client.HTTPException as error:
            raise FetchError("bad_answer", f"{url} was answered oddly: {str(error)[:200]}") from error
        except OSError as error:
            raise FetchError("unreachable", f"{host} can't be reached: {error.strerror or error}") from error
        finally:
            connection.close()

    def _addresses(self, host: str) -> list[str]:
        try:
            found = self._resolver(host, self.port)
        except (OSError, UnicodeError) as error:
            raise FetchError("unreachable", f"{host} has no address: {error}") from error
        refused = [address for address in found if not self._is_allowed(address)]
        if refused or not found:
            shown = refused[0] if refused else "nothing"
            raise FetchError("private_address", f"{host} points to {shown}, which is not a public address")
        return found


class _Pinned(http.client.HTTPSConnection):
    """Connects to addresses already checked, while the certificate must still be the host's."""

    def __init__(self, host: str, addresses: list[str], port: int, timeout: float, tls: ssl.SSLContext) -> None:
        super().__init__(host, port, timeout=timeout, context=tls)
        self._addresses, self._tls, self._seconds = addresses, tls, timeout

    def connect(self) -> None:
        last: OSError | None = None
        for address in dict.fromkeys(self._addresses):
            try:
                plain = socket.create_connection((address, self.port), self._seconds)
            except OSError as error:
                last = error
                continue
            try:
                self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
            except BaseException:
                plain.close()
                raise
            return
        raise last or OSError("no address")


def _body(url: str, response: http.client.HTTPResponse, most: int, deadline: float) -> bytes:
    said = response.getheader("Content-Length") or ""
    if said.isdigit() and int(said) > most:
        raise FetchError("too_large", f"{url} has {said} bytes, more than {most}")
    if response.getheader("Content-Encoding", "identity").lower() not in ("", "identity"):
        raise FetchError("bad_answer", f"{url} came packed though that was not asked for")
    parts: list[bytes] = []
    size = 0
    while part := response.read1(CHUNK):
        size += len(part)
        if size > most:
            raise FetchError("too_large", f"{url} has more than {most} bytes")
        if time.monotonic() > deadline:
            raise FetchError("timed_out", f"{url} took too long")
        parts.append(part)
    if said.isdigit() and size < int(said):
        raise FetchError("unreachable", f"{url} broke off after {size} of {said} bytes")
    return b"".join(parts)


def _seconds(header: str | None) -> float | None:
    return float(header) if header and re.fullmatch(r"\d{1,6}", header.strip()) else None
