"""The outermost layer: request ids, response headers, counts, one log line a request, and a plain 500 if all fails."""

from __future__ import annotations

import logging
import re
import time
import uuid

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bladecheck.errors import BladecheckError
from bladecheck.web import http_errors, prefixes
from bladecheck.web.logs import request_id
from bladecheck.web.metrics import Metrics
from bladecheck.web.workers import Workers

logger = logging.getLogger("bladecheck.request")
PLAIN_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# No status of HTTP's: what nginx logs for clients that left before the answer.
GONE = 499
SECURITY = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; "
        b"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    # Not "no-referrer": with that a browser sends "Origin: null" with our own forms.
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)
QUIET = frozenset({"/healthz", "/readyz", "/metrics", "/v2/health/live", "/v2/health/ready"})
"""Asked every few seconds by machines: logged at level debug."""
STATIC = ("/static/", "/docs/")


class Observe:
    """ASGI middleware that sees every request first and every answer last."""

    def __init__(self, app: ASGIApp, workers: Workers, metrics: Metrics) -> None:
        self.app, self._workers, self._metrics = app, workers, metrics
        self._version: bytes | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        offered = Headers(scope=scope).get("x-request-id", "")
        name = offered if PLAIN_ID.fullmatch(offered) else uuid.uuid4().hex
        token, started, status = request_id.set(name), time.perf_counter(), 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._dress(message, scope, name)
            await send(message)

        try:
            await self.app(scope, receive, sending)
        except Exception:  # the last resort: a 500 with a body, and the traceback in the log
            if status:
                raise
            logger.exception("unhandled")
            await http_errors.answer(scope, http_errors.Internal())(scope, receive, sending)
        finally:
            self._record(scope, status or GONE, time.perf_counter() - started)
            request_id.reset(token)

    def _dress(self, message: Message, scope: Scope, name: str) -> None:
        headers = [*message["headers"], *SECURITY, (b"x-request-id", name.encode())]
        if version := self._model_version():
            headers.append((b"x-model-version", version))
        if not any(key == b"cache-control" for key, _ in headers):
            headers.append((b"cache-control", b"no-cache" if prefixes.route(scope).startswith(STATIC) else b"no-store"))
        if self._workers.draining:
            headers = [(key, value) for key, value in headers if key != b"connection"] + [(b"connection", b"close")]
        message["headers"] = headers

    def _model_version(self) -> bytes | None:
        if self._version is None:
            try:
                identity = self._workers.classifier.bundle.identity
            except BladecheckError:
                return None
            self._version = f"{identity['name']}/{identity['version']}+{identity['sha256'][:12]}".encode()
        return self._version

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        code = scope.get(http_errors.CODE)
        self._metrics.answered(route, scope["method"], status, seconds)
        if code:
            self._metrics.refused(code)
        fields = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
        level = logging.DEBUG if route in QUIET else logging.INFO
        logger.log(level, "answered", extra={**fields, **({"code": code} if code else {})})
