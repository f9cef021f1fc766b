"""A patient client of a Bladecheck server: kept-alive connections, waits where the server asks for it."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import count
from typing import Any

import httpx2
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_before_delay, wait_exponential

from bladecheck import __version__
from bladecheck.errors import ServerError

BUSY = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
LONGEST_WAIT, FIRST_WAIT, FIRST_PATIENCE = 30.0, 0.25, 20.0
"""Seconds: between two attempts at most and at first, and for the very first answer, where the address may be wrong."""
GROWING = wait_exponential(multiplier=FIRST_WAIT, max=LONGEST_WAIT)
Files = list[tuple[str, tuple[str, bytes, str]]]
BREAKS = 3
"""How often a connection may break in the middle of the same request before the request itself is suspected."""


class _TryAgain(Exception):
    """No answer for now: why, and after how many seconds the server asks to come back, if it says."""

    def __init__(self, trouble: Exception | str, asked: float | None = None) -> None:
        super().__init__(str(trouble) or type(trouble).__name__)
        self.asked = asked


class Refused(Exception):
    """The server will not have this request: its status (0 if it broke off), problem code and detail."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


class Client:
    """Safe to use from many threads at once.

    Args:
        url: of the server, without /v1.
        key: API key, if the server wants one.
        connections: kept alive at most.
        patience: seconds without an answer after which it gives up.
        stop: when set, waiting ends at once with a ServerError.
    """

    def __init__(
        self, url: str, key: str | None, connections: int, patience: float, stop: threading.Event | None = None
    ) -> None:
        headers = {"User-Agent": f"bladecheck/{__version__}"} | ({"Authorization": f"Bearer {key}"} if key else {})
        pool = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=10)
        self.url, self._patience, self._stop = url.rstrip("/"), patience, stop or threading.Event()
        self._http = httpx2.Client(
            base_url=self.url, headers=headers, limits=pool, timeout=httpx2.Timeout(300, connect=10)
        )

    def card(self) -> dict[str, Any]:
        """The answer of /v1/model: name, version, sha256, policy and the model's card.

        Waits for a starting server, but not for long: it may be the address that is wrong.
        """
        return self._send("GET", "/v1/model", min(FIRST_PATIENCE, self._patience))

    def classify(self, pictures: Sequence[bytes]) -> dict[str, Any]:
        """The answer of /v1/classify for these files.

        Raises:
            Refused: the server won't take this request, or breaks off over it time and again.
            ServerError: no answer for as long as there is patience, or the wrong key.
        """
        # Their names stay here: they are none of the server's business.
        files = [("file", ("picture", picture, "application/octet-stream")) for picture in pictures]
        return self._send("POST", "/v1/classify", self._patience, files)

    def close(self) -> None:
        self._http.close()

    def _send(self, method: str, path: str, patience: float, files: Files | None = None) -> dict[str, Any]:
        again = Retrying(
            retry=retry_if_exception_type(_TryAgain), wait=_pause, stop=stop_before_delay(patience), sleep=self._sleep,
            reraise=True,
        )  # fmt: skip
        breaks = count(1)
        try:
            return again(self._ask, method, path, files, breaks)
        except _TryAgain as error:
            raise ServerError(f"{self.url} gave no answer for {patience:.0f} s ({error}).") from error

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise ServerError(f"Stopped while waiting for {self.url}.")

    def _ask(self, method: str, path: str, files: Files | None, breaks: Iterator[int]) -> dict[str, Any]:
        """One request; `breaks` counts how often the connection broke in the middle of it, over all attempts."""
        try:
            response = self._http.request(method, path, files=files)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
            raise _TryAgain(error) from error
        except httpx2.InvalidURL as error:
            raise ServerError(f"{self.url} is no address of a server: {error}.") from error
        except httpx2.TransportError as error:
            if next(breaks) == BREAKS:
                raise Refused(0, "server_error", f"The server broke off {BREAKS} times ({error}).") from error
            raise _TryAgain(error) from error
        if response.status_code == HTTPStatus.OK:
            return self._json(response)
        if response.status_code in BUSY:
            asked = retry_after(response.headers.get("retry-after"))
            raise _TryAgain(f"it answers {response.status_code}", asked)
        raise self._refusal(response)

    def _json(self, response: httpx2.Response) -> dict[str, Any]:
        try:
            found = response.json()
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ServerError(f"{response.url} is no Bladecheck server: it does not answer in JSON.")
        return found

    def _refusal(self, response: httpx2.Response) -> Exception:
        try:
            problem = response.json()
            code, detail = str(problem["code"]), str(problem["detail"])
        except (ValueError, KeyError, TypeError):
            code, detail = "server_error", f"The server answers {response.status_code} {response.reason_phrase}."
        if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return ServerError(f"{self.url} wants a valid API key: {detail}")
        if response.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED) or response.is_redirect:
            return ServerError(f"{response.url} is no Bladecheck server: it answers {response.status_code}.")
        return Refused(response.status_code, code, detail)


def retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, at most LONGEST_WAIT; None where there is none to understand."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(LONGEST_WAIT, max(0.05, seconds))


def _pause(state: RetryCallState) -> float:
    """Seconds until the next attempt: what the server asks for, else ever longer, by chance."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.asked if isinstance(error, _TryAgain) else None
    return GROWING(state) * random.uniform(0.5, 1) if asked is None else asked  # noqa: S311 - no secret
