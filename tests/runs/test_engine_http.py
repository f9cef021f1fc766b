"""Against a real server: the same rows as in-process, whatever the server goes through meanwhile."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bladecheck.errors import RunError, ServerError
from bladecheck.runs.engines.client import Client, Refused, retry_after
from bladecheck.runs.engines.http import HttpEngine
from score_helpers import NEAR, Score, exported, fill, scored
from serving import Running, serve
from tiny import RED, draw, encode


@pytest.fixture(scope="module")
def server(tiny_path: Path) -> Iterator[Running]:
    with serve(tiny_path) as running:
        yield running


def test_same_rows_as_in_process(score: Score, server: Running, pictures: Path, tmp_path: Path) -> None:
    score(pictures, tmp_path / "here")
    engine = HttpEngine(server.url, near=NEAR)
    score(pictures, tmp_path / "there", engine)
    engine.close()
    assert (tmp_path / "here/rows.jsonl").exists() is False
    assert exported(tmp_path / "here") == exported(tmp_path / "there")
    assert (tmp_path / "here/rows.jsonl").read_bytes() == (tmp_path / "there/rows.jsonl").read_bytes()


def test_a_run_begun_here_goes_on_there(score: Score, server: Running, tmp_path: Path) -> None:
    archive, run = fill(tmp_path / "archive", 6), tmp_path / "run"
    score(archive, run)
    fill(archive, 16)
    engine = HttpEngine(server.url, near=NEAR)
    score(archive, run, engine)
    engine.close()
    score(archive, tmp_path / "whole")
    assert exported(run) == exported(tmp_path / "whole")
    assert len(scored(run)) == len(set(scored(run)))


def test_the_command(bladecheck: Any, server: Running, pictures: Path, tmp_path: Path) -> None:
    done = bladecheck("score", pictures, "-o", tmp_path / "run", "--server", server.url, "--workers", 2)
    assert done.returncode == 2, done.stderr
    assert "27 ok" in done.stdout
    refused = bladecheck("score", pictures, "-o", tmp_path / "run", "--server", server.url, "--policy",
                         "only-when-necessary")  # fmt: skip
    assert refused.returncode == 1
    assert "judges by policy 'default'" in refused.stderr


def test_api_key(score: Score, tiny_path: Path, pictures: Path, tmp_path: Path) -> None:
    import hashlib

    hashed = hashlib.sha256(b"sesame").hexdigest()
    with serve(tiny_path, api_key_hashes=hashed) as running:
        with pytest.raises(ServerError, match="valid API key"):
            HttpEngine(running.url)
        engine = HttpEngine(running.url, "sesame")
        score(pictures, tmp_path / "run", engine)
        engine.close()
    assert len(exported(tmp_path / "run")) == 30


def test_a_small_queue_only_makes_it_wait(score: Score, tiny_path: Path, tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive", 60)
    with serve(tiny_path, queue_pictures=8, max_files=8, threads=1) as running:
        engine = HttpEngine(running.url, connections=6, near=NEAR)
        score(archive, tmp_path / "there", engine)
        engine.close()
    score(archive, tmp_path / "here")
    assert exported(tmp_path / "here") == exported(tmp_path / "there")


def test_batches_that_are_too_large_are_sent_one_by_one(score: Score, tiny_path: Path, tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive", 20)
    with serve(tiny_path, max_files=3) as running:
        engine = HttpEngine(running.url, near=NEAR)
        score(archive, tmp_path / "there", engine)
        engine.close()
    score(archive, tmp_path / "here")
    assert exported(tmp_path / "here") == exported(tmp_path / "there")


def test_survives_a_restart_of_the_server(score: Score, tiny_path: Path, tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive", 200)
    with serve(tiny_path) as first:
        port = first.port
        engine = HttpEngine(first.url, connections=2, near=NEAR)
        killed = threading.Event()

        def restart() -> None:
            while len(scored_so_far(tmp_path / "run")) < 20:
                time.sleep(0.005)
            first.process.kill()
            first.process.wait()
            killed.set()

        thread = threading.Thread(target=restart)
        thread.start()
        done: list[Any] = []
        run = threading.Thread(target=lambda: done.append(score(archive, tmp_path / "run", engine)))
        run.start()
        assert killed.wait(30)
        with serve(tiny_path, "--port", str(port)):
            run.join(60)
        thread.join()
        engine.close()
    assert done
    score(archive, tmp_path / "here")
    assert exported(tmp_path / "here") == exported(tmp_path / "run")


def scored_so_far(folder: Path) -> list[str]:
    try:
        return scored(folder)
    except (FileNotFoundError, ValueError):
        return []


def test_another_model_after_a_restart_stops_the_run(score: Score, tiny_path: Path, tmp_path: Path) -> None:
    archive = fill(tmp_path / "archive", 10)
    with serve(tiny_path) as first:
        engine, port = HttpEngine(first.url), first.port
    with serve(tiny_path, "--policy", "only-when-necessary", "--port", str(port)):
        with pytest.raises(ServerError, match="another model or policy"):
            score(archive, tmp_path / "run", engine)
        again = HttpEngine(f"http://127.0.0.1:{port}")
        with pytest.raises(RunError, match="side-by-side"):
            score(archive, tmp_path / "run", again)
        again.close()
    engine.close()


def test_no_server_is_said_plainly() -> None:
    with pytest.raises(ServerError, match="gave no answer for 1 s"):
        HttpEngine("http://127.0.0.1:9", patience=1)
    with pytest.raises(ServerError, match="no address"):
        HttpEngine("no address at all", patience=1)


class Moody(http.server.BaseHTTPRequestHandler):
    """A front that answers as told, one entry a request, and forwards to the real server when told nothing."""

    protocol_version = "HTTP/1.1"
    script: list[tuple[int, str | None]]
    target: str
    seen: list[float]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.seen.append(time.monotonic())
        if self.script:
            status, wait = self.script.pop(0)
            if status == 0:
                self.close_connection = True
                return
            self.answer(status, b"{}", {"Retry-After": wait} if wait else {})
            return
        headers = {"Content-Type": self.headers["content-type"]}
        found = httpx2.post(self.target + self.path, content=body, headers=headers)
        self.answer(found.status_code, found.content, {})

    def do_GET(self) -> None:
        found = httpx2.get(self.target + self.path)
        self.answer(found.status_code, found.content, {})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def moody(target: str, script: list[tuple[int, str | None]]) -> Iterator[tuple[str, list[float]]]:
    handler = type("Handler", (Moody,), {"script": script, "target": target, "seen": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as front:
        thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{front.server_port}", handler.seen
        front.shutdown()
        thread.join()


def test_waits_as_long_as_the_server_asks(server: Running) -> None:
    with moody(server.url, [(429, "1"), (503, None), (502, None), (0, None)]) as (url, seen):
        client = Client(url, None, 1, patience=20)
        answer = client.classify([encode(draw(RED))])
        client.close()
    assert answer["results"][0]["decision"] == "hold"
    assert len(seen) == 5
    assert seen[1] - seen[0] >= 1


def test_a_stopped_run_does_not_wait_for_a_busy_server(server: Running) -> None:
    stop = threading.Event()
    with moody(server.url, [(503, "30")]) as (url, seen):
        client = Client(url, None, 1, patience=60, stop=stop)
        timer = threading.Timer(0.5, stop.set)
        timer.start()
        with pytest.raises(ServerError, match="Stopped while waiting"):
            client.classify([encode(draw(RED))])
        client.close()
    assert len(seen) == 1


def test_a_picture_that_breaks_the_server_is_one_failed_row(score: Score, server: Running, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    (archive / "a.png").write_bytes(encode(draw(RED)))
    with moody(server.url, [(0, None)] * 3) as (url, _):
        engine = HttpEngine(url)
        score(archive, tmp_path / "run", engine)
        assert exported(tmp_path / "run")[0]["error_code"] == "server_error"
        score(archive, tmp_path / "run", engine, retry_failed=True)
        engine.close()
    assert exported(tmp_path / "run")[0]["decision"] == "hold"


def test_an_error_of_the_server_is_refused_not_repeated(server: Running) -> None:
    with moody(server.url, [(500, None)]) as (url, seen):
        client = Client(url, None, 1, patience=20)
        with pytest.raises(Refused, match="500"):
            client.classify([encode(draw(RED))])
        client.close()
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("2", 2), ("0", 0.05), ("900", 30), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.05), ("soon", None), (None, None)],
)
def test_retry_after(header: str | None, seconds: float | None) -> None:
    assert retry_after(header) == seconds
