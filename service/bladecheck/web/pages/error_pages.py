"""Error pages for people: a problem answer becomes a page when a browser asked for one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bladecheck.web import prefixes

PROBLEM = b"application/problem+json"
PROGRAMS = ("/v1/", "/v2", "/metrics", "/healthz", "/readyz", "/openapi.json")
Page = Callable[[Scope, Mapping[str, Any]], str]

BUSY = "Nothing is wrong with your pictures. Wait a few seconds, go back and try again."
WORDS: dict[int, tuple[str, tuple[str, ...]]] = {
    401: (
        "You need a key to use this service",
        (
            "When your browser asks, enter any name, and the key as the password.",
            "The team that runs this service has it.",
        ),
    ),
    403: (
        "Open this page from the service itself",
        ("Another site asked for it, so nothing was done.", "Go to the first page and start there."),
    ),
    404: (
        "Page not found",
        ("If you typed the address, check it is right.", "If you followed a link, it may be out of date."),
    ),
    405: ("Start from the first page", ("This page only opens after pictures have been checked.",)),
    408: (
        "The pictures took too long to arrive",
        ("Your connection may be slow or was interrupted.", "Try again with fewer or smaller pictures."),
    ),
    413: (
        "The pictures are too large",
        ("Together, or one by one, they are larger than this service accepts.", "Choose fewer or smaller pictures."),
    ),
    421: (
        "This service has another name",
        ("Check the address.", "If it is right, the team that runs this service can allow the name."),
    ),
    429: ("Too many requests", ("You have sent many pictures in a short time.", BUSY)),
    503: ("The service is busy or starting", (BUSY,)),
}
OTHERWISE = (
    "Sorry, there is a problem with the service",
    ("Try again. If it fails again, tell the team that runs this service.",),
)


class FriendlyErrors:
    """ASGI middleware; `page` renders the error page for a request's scope and the values of `error.html`."""

    def __init__(self, app: ASGIApp, page: Page) -> None:
        self._app, self._page = app, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not wants_page(scope):
            await self._app(scope, receive, send)
            return
        start: Message | None = None
        body = b""

        async def translate(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start" and _is_problem(message):
                start = message
            elif start is None:
                await send(message)
            else:
                body += message.get("body", b"")
                if not message.get("more_body"):
                    await self._send_page(scope, start, body, send)

        await self._app(scope, receive, translate)

    async def _send_page(self, scope: Scope, start: Message, body: bytes, send: Send) -> None:
        status = int(start["status"])
        heading, paragraphs = WORDS.get(status, OTHERWISE)
        values = {"heading": heading, "paragraphs": paragraphs, "code": json.loads(body).get("code")}
        page = self._page(scope, values).encode()
        headers = MutableHeaders(raw=list(start["headers"]))
        headers["Content-Type"] = "text/html; charset=utf-8"
        headers["Content-Length"] = str(len(page))
        await send({**start, "headers": headers.raw})
        await send({"type": "http.response.body", "body": page})


def wants_page(scope: Scope) -> bool:
    """A browser opening a page, rather than a program or a page's own script."""
    accept = Headers(scope=scope).get("accept", "")
    return "text/html" in accept and not prefixes.route(scope).startswith(PROGRAMS)


def _is_problem(message: Message) -> bool:
    return any(
        name.lower() == b"content-type" and value.split(b";")[0].strip() == PROBLEM
        for name, value in message["headers"]
    )
