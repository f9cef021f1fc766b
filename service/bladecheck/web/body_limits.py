"""Bounds on request bodies, whatever Content-Length claims: bytes of one, bytes of all at once, and time.

An answer given before the body was read whole is followed by a short, bounded discarding of what still comes: closing
at once would reset the connection and many clients would never see the answer.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bladecheck.web import http_errors
from bladecheck.web.http_errors import BodyTooLarge, BodyTooSlow, Overloaded, RequestError
from bladecheck.web.metrics import Metrics
from bladecheck.web.settings import Settings

LINGER_SECONDS = 2.0
"""How long the rest of a refused body is read and thrown away, so that the client gets to read the answer."""


@dataclass(slots=True)
class _Body:
    """What is known of one request's body."""

    declared: int
    expected: bool
    asks_first: bool
    received: int = 0
    complete: bool = False
    started: float = field(default_factory=time.monotonic)


class Bodies:
    """ASGI middleware that counts, times and bounds request bodies."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app, self._settings, self._inflight = app, settings, 0
        metrics.watch("inflight_bytes", "Bytes of request bodies held.", lambda: self._inflight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = _described(Headers(scope=scope))

        async def receiving() -> Message:
            return await receive() if body.complete else await self._receive(body, receive)

        async def sending(message: Message) -> None:
            await self._send(message, body, receive, send)

        try:
            if refusal := scope.get(http_errors.REFUSAL) or self._refusal(body.declared):
                await http_errors.answer(scope, refusal)(scope, receiving, sending)
            else:
                await self.app(scope, receiving, sending)
        finally:
            self._inflight -= body.received

    def _refusal(self, size: int, held: int = 0) -> RequestError | None:
        if size > self._settings.max_body_bytes:
            return BodyTooLarge(f"The body is larger than the limit of {self._settings.max_body_bytes:,} bytes.")
        if self._inflight - held + size > self._settings.max_inflight_bytes:
            return Overloaded("Too many uploads at once.", retry_after=2)
        return None

    async def _receive(self, body: _Body, receive: Receive) -> Message:
        earned = body.received / self._settings.body_bytes_per_second
        deadline = body.started + self._settings.body_seconds + earned
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                message = await receive()
        except TimeoutError as error:
            raise BodyTooSlow(f"{body.received:,} bytes came in {time.monotonic() - body.started:.0f} s.") from error
        if message["type"] != "http.request":
            body.complete = True
            return message
        size = len(message.get("body", b""))
        body.received += size
        self._inflight += size
        body.complete = not message.get("more_body", False)
        if refusal := self._refusal(body.received, held=body.received):
            raise refusal
        return message

    async def _send(self, message: Message, body: _Body, receive: Receive, send: Send) -> None:
        if body.complete or not body.expected:
            await send(message)
        elif message["type"] == "http.response.start":
            MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)
        elif message.get("more_body", False) or (body.asks_first and not body.received):
            await send(message)
        else:
            await send({**message, "more_body": True})
            await _discard(receive)
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _described(headers: Headers) -> _Body:
    length = headers.get("content-length", "")
    declared = int(length) if length.isdecimal() else 0
    return _Body(
        declared=declared,
        expected=declared > 0 or "transfer-encoding" in headers,
        asks_first=headers.get("expect", "").lower() == "100-continue",
    )


async def _discard(receive: Receive) -> None:
    """Throw away what still comes, for a short while."""
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while True:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return
