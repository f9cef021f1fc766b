"""A page for one person on this machine: 127.0.0.1 only, behind a key in its address, loading nothing from elsewhere.

Plain `http.server`: no further library, a thread a request, and nothing in it that could be reached from outside.
"""

from __future__ import annotations

import io
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from bladecheck.core import images
from bladecheck.errors import BladecheckError, RunError
from bladecheck.file_formats import HEAD_BYTES, picture_kind

HOST = "127.0.0.1"
# Bytes of one request: an answer of the page has a few hundred.
MOST_BODY = 1 << 20
SHOWN_AS = {"jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
TEXTS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; script-src 'self'; style-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}  # fmt: skip
Query = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered with."""

    body: bytes
    type: str = "application/json"
    status: int = 200


def as_json(value: object, status: int = 200) -> Reply:
    return Reply(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"), status=status)


def as_picture(data: bytes) -> Reply:
    """Bytes as a browser shows them: as they are where it knows the format, else as JPEG.

    Raises:
        PictureError: it can't be decoded.
    """
    if kind := SHOWN_AS.get(picture_kind(data[:HEAD_BYTES]) or ""):
        return Reply(data, kind)
    buffer = io.BytesIO()
    images.load(data).frames[0].save(buffer, "JPEG", quality=90)
    return Reply(buffer.getvalue(), "image/jpeg")


class LocalPage:
    """A running page.

    Args:
        files: folder with page.html and what it loads.
        get: answers by first part of the path; called with the rest of the path and the query.
        post: the same for what changes something, with the JSON body as the query.
        port: 0 takes a free one.
    """

    def __init__(
        self,
        files: Path,
        get: Mapping[str, Callable[[str, Query], Reply]],
        post: Mapping[str, Callable[[str, Query], Reply]],
        port: int = 0,
    ) -> None:
        """Take the port; `serve` answers.

        Raises:
            RunError: the port is taken, or not for this user.
        """
        self.key = secrets.token_urlsafe(16)
        self._files, self._get, self._post = files, get, post
        try:
            self._server = ThreadingHTTPServer((HOST, port), _handler(self))
        except OSError as error:
            reason = error.strerror or str(error)
            raise RunError(
                f"Can't open a page at {HOST} port {port}: {reason}. Choose another --port, or none for a free one."
            ) from error
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self.port}/{self.key}/"

    def serve(self) -> None:
        """Answer until `stop`, or until interrupted."""
        try:
            self._server.serve_forever(poll_interval=0.2)
        finally:
            self._server.server_close()

    def attend(self, invitation: str, farewell: str) -> None:
        """Print where to look, answer until Ctrl-C, and print what then counts."""
        print(invitation, flush=True)
        try:
            self.serve()
        except KeyboardInterrupt:
            print(f"\n{farewell}")

    def stop(self) -> None:
        self._server.shutdown()

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """A request's answer; refuses what does not come from this page itself."""
        refused = Reply(b"This page is for the person at this machine only.\n", "text/plain", 403)
        if headers.get("Host") not in (f"{HOST}:{self.port}", f"localhost:{self.port}"):
            return refused  # another name that was made to point here (DNS rebinding)
        if headers.get("Origin") not in (None, f"http://{headers['Host']}"):
            return refused
        parts = urlsplit(target)
        key, _, path = parts.path.lstrip("/").partition("/")
        if not secrets.compare_digest(key.encode(), self.key.encode()):
            return refused
        first, _, rest = path.partition("/")
        try:
            if method == "POST":
                return self._post[first](rest, json.loads(body)) if first in self._post else _unknown(path)
            if first in self._get:
                return self._get[first](rest, dict(parse_qsl(parts.query)))
            return self._file(path or "page.html")
        except BladecheckError as error:
            return as_json({"error": error.detail}, 409)
        except (ValueError, LookupError, TypeError) as error:
            return as_json({"error": f"Not understood: {error}."}, 400)
        except OSError as error:
            return as_json({"error": f"{error.strerror or error}."}, 500)

    def _file(self, name: str) -> Reply:
        path = self._files / name
        if "/" in name or path.suffix not in TEXTS or not path.is_file():
            return _unknown(name)
        return Reply(path.read_bytes(), f"{TEXTS[path.suffix]}; charset=utf-8")


def _unknown(path: str) -> Reply:
    return as_json({"error": f"Nothing at {path!r}."}, 404)


def _handler(page: LocalPage) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            self._reply(b"")

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if length > MOST_BODY:
                self.close_connection = True
                return
            self._reply(self.rfile.read(length))

        def _reply(self, body: bytes) -> None:
            reply = page.answer(self.command, self.path, dict(self.headers.items()), body)
            self.send_response(reply.status)
            for name, value in {**HEADERS, "Content-Type": reply.type, "Content-Length": str(len(reply.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing of what was looked at is logged."""

    return Handler
