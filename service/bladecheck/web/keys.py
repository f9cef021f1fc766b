"""Who may ask, and how often: API keys and a token bucket per client."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import math
import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from bladecheck.web import http_errors, prefixes
from bladecheck.web.http_errors import KeyRequired, RateLimited, RequestError
from bladecheck.web.settings import Settings

OPEN_PATHS = frozenset({"/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"})
MOST_CLIENTS = 10_000
"""Clients whose rate is remembered; some 2 MB."""


def new_key() -> tuple[str, str]:
    """A fresh API key of 256 random bits, and the SHA-256 that the settings hold."""
    key = f"bck_{secrets.token_urlsafe(32)}"
    return key, hashed(key)


def hashed(key: str) -> str:
    """SHA-256 of a key in hex; keys are random, so no slow hash is needed."""
    return hashlib.sha256(key.encode()).hexdigest()


def presented(headers: Headers) -> str | None:
    """The key that a request carries: a bearer token, or the password of HTTP Basic (what browsers ask for)."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode().partition(":")[2] or None
        except (binascii.Error, UnicodeDecodeError):
            return None
    return None


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: float


class Rate:
    """A token bucket per client: `per_minute` refill evenly, and as many may come at once after a quiet minute.

    The least recently seen clients are forgotten beyond MOST_CLIENTS, so memory is bounded.
    """

    def __init__(self, per_minute: int) -> None:
        self._full, self._per_second = float(per_minute), per_minute / 60
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def wait(self, client: str, now: float) -> float:
        """Take one token; seconds to wait if there is none, else 0."""
        bucket = self._buckets.setdefault(client, _Bucket(self._full, now))
        self._buckets.move_to_end(client)
        if len(self._buckets) > MOST_CLIENTS:
            self._buckets.popitem(last=False)
        bucket.tokens = min(self._full, bucket.tokens + (now - bucket.at) * self._per_second)
        bucket.at = now
        if bucket.tokens < 1:
            return (1 - bucket.tokens) / self._per_second
        bucket.tokens -= 1
        return 0.0


class Guard:
    """ASGI middleware that asks for a key (if any is configured) and limits POST requests per client."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app, self._hashes = app, settings.api_key_hashes
        self._rate = Rate(settings.rate) if settings.rate else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope) if scope["type"] == "http" and prefixes.route(scope) not in OPEN_PATHS else None
        if refusal:
            await http_errors.answer(scope, refusal)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> RequestError | None:
        client = (scope.get("client") or ("unknown", 0))[0]
        if self._hashes:
            key = presented(Headers(scope=scope))
            if key is None or not self._known(hashed(key)):
                return KeyRequired("Send Authorization: Bearer KEY, or the key as the password of HTTP Basic.")
            client = hashed(key)
        if self._rate and scope["method"] == "POST" and (seconds := self._rate.wait(client, time.monotonic())):
            return RateLimited("Too many requests in the last minute.", retry_after=math.ceil(seconds))
        return None

    def _known(self, digest: str) -> bool:
        """Compare with every hash, in constant time each, so that time tells nothing."""
        return any([hmac.compare_digest(digest, known) for known in self._hashes])  # noqa: C419
