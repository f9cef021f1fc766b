"""Clients that leave in the middle of an upload: counted as 499 with one log line, never a fault of ours."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bladecheck.core.classifier import Classifier
from bladecheck.core.verdict import Policy
from bladecheck.web.app import create_app
from bladecheck.web.settings import Settings
from serving import Running, serve

FORM = b"multipart/form-data; boundary=b"
UPLOADS = (
    (b"/v1/classify", b"image/jpeg"),
    (b"/v1/classify", FORM),
    (b"/v1/redact", b"image/jpeg"),
    (b"/check", FORM),
    (b"/check/picture", FORM),
    (b"/record", FORM),
    (b"/copy", FORM),
    (b"/record/finished", FORM),
    (b"/record/open", FORM),
    (b"/record/approved", FORM),
    (b"/v2/models/tiny/infer", b"application/json"),
    (b"/v2/models/tiny/versions/1.0.0/infer", b"application/json"),
)
PART = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + b"x" * 5000
RESET = struct.pack("ii", 1, 0)


@pytest.fixture(scope="module")
def running(tiny_path: Path) -> Iterator[Running]:
    with serve(tiny_path) as started:
        yield started


def leave(port: int, path: bytes, kind: bytes, *, length: bytes = b"Content-Length: 99999", reset: bool) -> None:
    """Send the beginning of an upload and close, with or without a TCP reset."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = b"POST %b HTTP/1.1\r\nHost: localhost\r\nContent-Type: %b\r\n%b\r\n\r\n" % (path, kind, length)
        connection.sendall(head + PART)
        time.sleep(0.05)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)


def answered(running: Running) -> list[dict[str, object]]:
    return [line for line in map(json.loads, running.log) if line["event"] != "model ready"]


def test_every_route_that_takes_a_body_is_tried(classifier: Classifier) -> None:
    def posts(routes: Iterable[Any]) -> Iterator[str]:
        for route in routes:
            yield from posts(getattr(getattr(route, "original_router", None), "routes", ()))
            if "POST" in (getattr(route, "methods", None) or ()):
                yield route.path

    tried = {
        path.decode().replace("tiny", "{name}").replace("versions/1.0.0", "versions/{version}") for path, _ in UPLOADS
    }
    assert set(posts(create_app(classifier, Settings(), Policy()).routes)) == tried


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize(("path", "kind"), UPLOADS)
def test_leaving_is_a_499_and_one_log_line(running: Running, path: bytes, kind: bytes, reset: bool) -> None:
    before = len(answered(running))
    leave(running.port, path, kind, reset=reset)
    until = time.monotonic() + 10
    while len(answered(running)) == before and time.monotonic() < until:
        time.sleep(0.02)
    time.sleep(0.05)  # a second line would follow at once
    [line] = answered(running)[before:]
    assert (line["level"], line["status"], line["code"]) == ("info", 499, "client_gone")
    assert httpx2.get(f"{running.url}/healthz").status_code == 200


def test_leaving_in_the_middle_of_a_chunk(running: Running) -> None:
    before = len(answered(running))
    length = b"Transfer-Encoding: chunked"
    leave(running.port, b"/v1/classify", b"image/png", length=length + b"\r\n\r\nFFFF", reset=False)
    until = time.monotonic() + 10
    while len(answered(running)) == before and time.monotonic() < until:
        time.sleep(0.02)
    assert [line["status"] for line in answered(running)[before:]] == [499]


def test_what_leaves_is_counted(running: Running) -> None:
    text = httpx2.get(f"{running.url}/metrics").text
    counted = [line for line in text.splitlines() if line.startswith("bladecheck_problems_total")]
    assert [line for line in counted if 'code="client_gone"' in line]
    assert not [line for line in counted if 'code="internal"' in line]
