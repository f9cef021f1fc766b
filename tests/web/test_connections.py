"""Connections: who must leave when there are too many, closed halves, and headers without measure."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from bladecheck.web.connections import GRACE_SECONDS, SPARE, Connections, Place, Stage, client_of
from bladecheck.web.metrics import Metrics
from serving import Running, serve
from tiny import RED, draw, encode

RED_PNG = encode(draw(RED))
PNG = {"Content-Type": "image/png"}
HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture(scope="module")
def running(tiny_path: Path) -> Iterator[Running]:
    with serve(tiny_path) as started:
        yield started


class Room:
    """Connections of one process, and who was cut, without any network."""

    def __init__(self, limit: int, per_client: int = 0) -> None:
        self.connections = Connections(limit, per_client, 1000, Metrics())
        self.cut: list[str] = []

    def enter(
        self, name: str, client: str = "", *, age: float = 0, stage: Stage = Stage.IDLE, received: int = 0
    ) -> Place:
        place = self.connections.enter(client, lambda: self.cut.append(name))
        assert place is not None
        place.stage, place.since, place.received = stage, time.monotonic() - age, received
        return place


def test_the_slowest_upload_makes_room_first_then_the_longest_idle() -> None:
    room = Room(5)
    room.enter("good upload", age=10, stage=Stage.SENDING, received=100_000)
    room.enter("byte a second", age=10, stage=Stage.SENDING, received=10)
    room.enter("slow", age=10, stage=Stage.SENDING, received=5000)
    room.enter("idle", age=100)
    room.enter("answered", age=100, stage=Stage.ANSWERED)
    for _ in range(3):
        room.enter("new", stage=Stage.ANSWERED)
    assert room.cut == ["byte a second", "slow", "idle"]


def test_among_newcomers_only_those_who_sent_little_make_room() -> None:
    room = Room(2)
    room.enter("fast", age=0.2, stage=Stage.SENDING, received=50_000)
    room.enter("slow", age=0.1, stage=Stage.SENDING, received=10)
    room.enter("new", stage=Stage.ANSWERED)
    assert room.cut == ["slow"]
    assert room.enter("one too many").refusal


def test_requests_that_came_whole_are_never_cut_but_probes_find_room() -> None:
    room = Room(2)
    for _ in range(2):
        room.enter("answered", age=100, stage=Stage.ANSWERED)
    for _ in range(SPARE):
        assert room.enter("beyond", stage=Stage.ANSWERED).refusal == "All connections are in use."
    assert room.connections.enter("", lambda: None) is None
    assert room.cut == []


def test_an_answer_that_nobody_takes_makes_room() -> None:
    room = Room(1)
    room.enter("takes nothing", stage=Stage.ANSWERED).stalled = time.monotonic() - 60
    assert room.enter("new").refusal == ""
    assert room.cut == ["takes nothing"]


def test_one_client_can_not_take_all() -> None:
    room = Room(100, per_client=2)
    room.enter("slow", "a", age=10, stage=Stage.SENDING, received=1)
    room.enter("slow, but somebody else's", "b", age=10, stage=Stage.SENDING, received=0)
    room.enter("at work", "a", stage=Stage.ANSWERED)
    assert room.enter("new", "a", stage=Stage.ANSWERED).refusal == ""
    assert room.cut == ["slow"]
    assert room.enter("one too many", "a").refusal == "Too many connections come from your address."
    assert room.enter("new", "c").refusal == ""


def test_places_are_given_back() -> None:
    room = Room(1, per_client=1)
    for _ in range(5):
        place = room.enter("next", "a", stage=Stage.ANSWERED)
        assert place.refusal == ""
        room.connections.leave(place)
    assert room.cut == []


@pytest.mark.parametrize(
    ("address", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("unix", "unix"),
    ],
)
def test_who_a_connection_counts_for(address: str, client: str) -> None:
    assert client_of(address) == client


def test_slow_ones_make_room_for_others(tiny_path: Path, stack: ExitStack) -> None:
    """Four places, all held by clients that stopped in the middle of an upload."""
    running = stack.enter_context(serve(tiny_path, max_connections=4, body_seconds=60, header_seconds=60))
    for _ in range(12):
        slow = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
        slow.sendall(HEAD + b"Content-Length: 5000\r\n\r\nx")
    time.sleep(GRACE_SECONDS + 0.2)
    for _ in range(6):
        assert httpx2.post(f"{running.url}/v1/classify", content=RED_PNG, headers=PNG).status_code == 200
        assert httpx2.get(f"{running.url}/healthz").status_code == 200
    text = httpx2.get(f"{running.url}/metrics").text
    assert 'bladecheck_connections_cut_total{why="slow"}' in text
    assert 'bladecheck_problems_total{code="body_too_slow"}' in text


def test_through_a_proxy_each_client_has_a_limit_of_their_own(tiny_path: Path, stack: ExitStack) -> None:
    limits = {"max_connections_per_client": 2, "trusted_proxies": "127.0.0.1", "body_seconds": 60}
    running = stack.enter_context(serve(tiny_path, **limits))
    slow = []
    for _ in range(3):
        connection = stack.enter_context(socket.create_connection(("127.0.0.1", running.port)))
        connection.sendall(HEAD + b"X-Forwarded-For: 203.0.113.1\r\nContent-Length: 50000\r\n\r\n" + bytes(20_000))
        slow.append(connection)
    time.sleep(GRACE_SECONDS + 0.5)
    for client, status in (("203.0.113.2", 200), ("203.0.113.1", 200)):
        headers = {**PNG, "X-Forwarded-For": client}
        assert httpx2.post(f"{running.url}/v1/classify", content=RED_PNG, headers=headers).status_code == status
    assert 'bladecheck_connections_cut_total{why="slow"}' in httpx2.get(f"{running.url}/metrics").text


def receive_all(connection: socket.socket) -> bytes:
    connection.settimeout(20)
    found = b""
    while data := connection.recv(65536):
        found += data
    return found


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_half_closed_connections_get_an_answer(running: Running, version: bytes) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        head = HEAD.replace(b"HTTP/1.1", b"HTTP/" + version)
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % len(RED_PNG) + RED_PNG)
        connection.shutdown(socket.SHUT_WR)
        answer = receive_all(connection)
    assert b"HTTP/1.1 200 OK" in answer
    assert b'"decision":"hold"' in answer
    assert version == b"1.1" or b"102 Processing" not in answer


def test_several_requests_before_half_closing_are_all_answered(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3)
        connection.shutdown(socket.SHUT_WR)
        assert receive_all(connection).count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize("at_once", [True, False])
def test_headers_beyond_the_limit_are_431(running: Running, at_once: bool) -> None:
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        line = b"X-Long: " + b"a" * 1000 + b"\r\n"
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + line * 80 + (b"\r\n" if at_once else b""))
        answer = receive_all(connection)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert not at_once or b'"code":"headers_too_large"' in answer


def test_headers_within_the_limit_are_taken(running: Running) -> None:
    headers = {f"X-Long-{index}": "a" * 1000 for index in range(55)}
    assert httpx2.get(f"{running.url}/healthz", headers=headers).status_code == 200


@pytest.mark.parametrize("beyond", [b"5;a=", b"0\r\nX-Long: ", b"0\r\n" + b"X-Long: a\r\n" * 9])
def test_what_a_body_in_chunks_carries_beside_its_bytes_is_bounded(running: Running, beyond: bytes) -> None:
    """Extensions of a chunk, and trailers: headers behind the body, which the parser would keep in memory."""
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n")
        more = beyond.partition(b"\r\n")[2] if b" a" in beyond else b"a" * 1000
        with pytest.raises(OSError):  # noqa: PT012  (closed, sooner or later)
            connection.sendall(beyond)
            for _ in range(20_000):
                connection.sendall(more)
        assert connection.recv(100).startswith(b"HTTP/1.1 431 ")


def test_a_body_in_tiny_chunks_is_no_endless_trailer(running: Running) -> None:
    def pieces() -> Iterator[bytes]:
        yield from (bytes([byte]) for byte in RED_PNG)

    answer = httpx2.post(f"{running.url}/v1/classify", content=pieces(), headers=PNG)
    assert answer.json()["results"][0]["status"] == "ok"


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/v1/model", "/metrics", "/help", "/docs", "/nowhere"])
def test_head_is_get_without_the_body(running: Running, path: str) -> None:
    head, get = httpx2.head(running.url + path), httpx2.get(running.url + path)
    assert head.status_code == get.status_code == (404 if path == "/nowhere" else 200)
    assert head.content == b""
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


@pytest.mark.parametrize("path", ["/v1/classify", "/v1/redact", "/check", "/v2/models/tiny/infer"])
def test_compressed_bodies_are_refused(running: Running, path: str) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=b", "Content-Encoding": "gzip"}
    answer = httpx2.post(running.url + path, content=b"x", headers=headers)
    assert answer.status_code == 415
    assert "Content-Encoding 'gzip'" in answer.text
