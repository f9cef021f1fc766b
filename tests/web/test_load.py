"""Under load: bounded queues, freed work, time limits, and a drain that loses nothing."""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import numpy as np
import pytest
from PIL import Image

from serving import Running, serve
from tiny import GREEN, RED, draw, encode

RED_PNG = encode(draw(RED))
POST_PNG = "POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
IMAGE = {"Content-Type": "image/png"}


@pytest.fixture(scope="module")
def heavy() -> bytes:
    """A picture that takes a few tenths of a second."""
    noise = np.random.default_rng(3).integers(0, 255, (2000, 3000, 3), np.uint8)
    return encode(Image.fromarray(noise), compress_level=1)


def gauge(running: Running, name: str) -> float:
    text = httpx2.get(f"{running.url}/metrics").text
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"bladecheck_{name} ")))


@pytest.fixture(scope="module")
def narrow(tiny_path: Path) -> Iterator[Running]:
    """One thread, and room for three waiting pictures."""
    with serve(tiny_path, threads=1, queue_pictures=3, max_files=3) as running:
        yield running


def test_a_full_queue_is_503_with_a_time_to_come_back(narrow: Running, heavy: bytes) -> None:
    def send(_: int) -> httpx2.Response:
        return httpx2.post(f"{narrow.url}/v1/classify", content=heavy, headers=IMAGE, timeout=60)

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(send, range(12)))
    assert Counter(answer.status_code for answer in answers).keys() == {200, 503}
    refused = next(answer for answer in answers if answer.status_code == 503)
    assert refused.json()["code"] == "overloaded"
    assert 1 <= int(refused.headers["Retry-After"]) <= 30
    assert all(answer.json()["results"][0]["status"] == "ok" for answer in answers if answer.status_code == 200)
    assert httpx2.post(f"{narrow.url}/v1/classify", content=RED_PNG, headers=IMAGE).status_code == 200
    assert (gauge(narrow, "queue_pictures"), gauge(narrow, "busy_threads")) == (0, 0)


def test_a_client_that_leaves_frees_its_place(narrow: Running, heavy: bytes) -> None:
    head = f"{POST_PNG}Content-Length: {len(heavy)}\r\n\r\n"
    leaving = []
    for _ in range(4):
        connection = socket.create_connection(("127.0.0.1", narrow.port))
        connection.sendall(head.encode() + heavy)
        leaving.append(connection)
    until = time.monotonic() + 10
    while gauge(narrow, "queue_pictures") < 2 and time.monotonic() < until:
        time.sleep(0.01)
    for connection in leaving:
        connection.close()
    before = time.monotonic()
    while gauge(narrow, "queue_pictures") and time.monotonic() < before + 10:
        time.sleep(0.01)
    assert gauge(narrow, "queue_pictures") == 0
    assert httpx2.post(f"{narrow.url}/v1/classify", content=RED_PNG, headers=IMAGE, timeout=60).status_code == 200
    assert 'bladecheck_problems_total{code="client_gone"}' in httpx2.get(f"{narrow.url}/metrics").text


def test_the_event_loop_is_never_blocked(narrow: Running, heavy: bytes) -> None:
    """While the only thread decodes, health is answered at once."""
    stop, waits = threading.Event(), []

    def ask() -> None:
        with narrow.client() as http:
            while not stop.is_set():
                before = time.monotonic()
                assert http.get("/healthz").status_code == 200
                waits.append(time.monotonic() - before)
                time.sleep(0.01)

    asking = threading.Thread(target=ask)
    asking.start()
    parts = [("file", ("a", heavy))] * 3
    body = httpx2.post(f"{narrow.url}/v1/classify", files=parts, timeout=60).json()
    stop.set()
    asking.join()
    assert [item["status"] for item in body["results"]] == ["ok"] * 3
    assert len(waits) >= 5
    assert sorted(waits)[len(waits) // 2] < 0.15


def test_a_picture_that_takes_too_long_is_a_result(tiny_path: Path, heavy: bytes) -> None:
    with serve(tiny_path, picture_seconds=0.02, threads=2) as running, running.client() as http:
        parts = [("file", ("a", RED_PNG)), ("file", ("b", heavy)), ("file", ("c", encode(draw(GREEN))))]
        results = http.post("/v1/classify", files=parts).json()["results"]
    assert (results[1]["status"], results[1]["decision"]) == ("failed", "cannot_judge")
    assert results[1]["error"]["code"] == "too_slow"


def wait_for_all(running: Running, times: int = 30) -> None:
    """Until every process is ready: many connections in a row find one that is."""
    until, good = time.monotonic() + 30, 0
    while good < times and time.monotonic() < until:
        good = good + 1 if httpx2.get(f"{running.url}/readyz").status_code == 200 else 0
    assert good == times


def load(running: Running, keep_alive: bool, stop: threading.Event) -> Counter[str]:
    """Ask without pause; count what became of the requests, as a client sees it."""
    seen: Counter[str] = Counter()
    with running.client(limits=httpx2.Limits(max_keepalive_connections=1 if keep_alive else 0)) as http:
        while not stop.is_set():
            try:
                answer = http.post("/v1/classify", content=RED_PNG, headers=IMAGE)
            except httpx2.ConnectError:
                seen["refused"] += 1
                break
            except httpx2.TransportError as error:
                seen[f"lost: {error!r}"] += 1
                break
            seen[str(answer.status_code)] += 1
            assert answer.status_code != 200 or answer.json()["results"][0]["decision"] == "hold"
    return seen


@pytest.mark.parametrize("workers", [1, 2])
def test_terminating_under_load_loses_no_request(tiny_path: Path, heavy: bytes, workers: int) -> None:
    with serve(tiny_path, "--workers", str(workers), drain_seconds=1) as running:
        stop = threading.Event()
        wait_for_all(running)
        with ThreadPoolExecutor(10) as pool:
            clients = [pool.submit(load, running, bool(index % 2), stop) for index in range(8)]
            large = pool.submit(httpx2.post, f"{running.url}/v1/classify", content=heavy, headers=IMAGE, timeout=60)
            try:
                time.sleep(1)
                running.process.send_signal(signal.SIGTERM)
                code = running.process.wait(60)
            finally:
                stop.set()  # or the clients would go on for ever
            seen = sum((client.result() for client in clients), Counter())
            assert large.result().json()["results"][0]["status"] == "ok"
    assert code in (0, -signal.SIGTERM)
    assert seen["200"] > 20
    assert not [what for what in seen if what not in ("200", "refused")], seen
    assert seen["refused"] == 8


def test_readiness_says_no_while_draining(tiny_path: Path) -> None:
    with serve(tiny_path, drain_seconds=1) as running:
        running.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        answer = httpx2.get(f"{running.url}/readyz")
        assert (answer.status_code, answer.headers["Connection"]) == (503, "close")
        assert httpx2.get(f"{running.url}/v2/health/ready").status_code == 503
        assert httpx2.get(f"{running.url}/healthz").status_code == 200
