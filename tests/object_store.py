"""Object stores on this machine: moto's S3, and one that counts requests and fails when told to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bladecheck.archives.containers import remote

SECRET = "a-secret-that-must-not-be-written"
NOBODY = "http://127.0.0.1:9"


@contextmanager
def pointed_at(endpoint: str, keys: bool = True) -> Iterator[None]:
    """The environment of somebody who may read there, or of somebody without keys."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT"):
            patch.delenv(name, raising=False)
        patch.setenv("AWS_ENDPOINT_URL", endpoint)
        patch.setenv("AWS_REGION", "us-east-1")
        patch.setenv("AWS_METADATA_ENDPOINT", NOBODY)
        if keys:
            patch.setenv("AWS_ACCESS_KEY_ID", "somebody")
            patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        remote._store.cache_clear()
        yield
    remote._store.cache_clear()


class Shelf:
    """Files of a folder over plain HTTP with ranges, and how each was asked for.

    Attributes:
        asked: method, path and range of every request.
        failing: so many requests to come are answered with 503.
    """

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, str, str | None]] = []
        self.failing = 0
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_HEAD(self) -> None:
                self._answer()

            def do_GET(self) -> None:
                self._answer()

            def _answer(self) -> None:
                wanted = self.headers.get("Range")
                shelf.asked.append((self.command, self.path, wanted))
                if shelf.failing:
                    shelf.failing -= 1
                    return self._give(503, b"")
                file = folder / self.path.lstrip("/")
                if not file.is_file():
                    return self._give(404, b"")
                data = file.read_bytes()
                if not wanted:
                    return self._give(200, data)
                begin, end = wanted.removeprefix("bytes=").split("-")
                part = data[int(begin) : int(end) + 1]
                return self._give(206, part, f"bytes {begin}-{int(begin) + len(part) - 1}/{len(data)}")

            def _give(self, status: int, body: bytes, part: str | None = None) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("ETag", '"1"')
                self.send_header("Last-Modified", "Wed, 01 Jan 2025 00:00:00 GMT")
                if part:
                    self.send_header("Content-Range", part)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Silence."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
