"""From the command to the first answer, and what stops it."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest

from bladecheck.core.bundle import GOLDEN, MANIFEST
from bladecheck.core.classifier import Classifier
from bladecheck.web.app import create_app
from bladecheck.web.settings import Settings
from serving import Running, serve
from tiny import RED, draw, encode


def test_start_to_ready(tiny_path: Path) -> None:
    """The target is 2 s on a quiet machine; here others may be using it."""
    started = time.monotonic()
    with serve(tiny_path) as running:
        assert time.monotonic() - started < 10
        assert any('"model ready"' in line for line in running.log)


def test_the_socket_is_bound_while_the_model_loads(tiny_path: Path) -> None:
    """Whoever connects before readiness is told to come back, not refused."""
    with serve(tiny_path, wait=False) as running:
        seen = set()
        until = time.monotonic() + 20
        while "200" not in seen and time.monotonic() < until:
            answer = httpx2.get(f"{running.url}/readyz", timeout=20)
            seen.add(str(answer.status_code))
            if answer.status_code == 503:
                assert answer.json()["code"] == "not_ready"
                assert answer.headers["Retry-After"]
        assert "200" in seen


def test_requests_while_loading_are_503(tiny_path: Path) -> None:
    import asyncio
    import threading
    from concurrent.futures import ThreadPoolExecutor

    gate = threading.Event()

    def slow() -> Classifier:
        gate.wait(20)
        return Classifier.open(tiny_path)

    async def ask() -> list[int]:
        app = create_app(slow, Settings())
        transport = httpx2.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(transport=transport, base_url="http://localhost") as http,
        ):
            statuses = []
            for _ in range(2):
                for path in ("/readyz", "/v1/model", "/v2/models/tiny", "/v2/health/ready", "/healthz"):
                    statuses.append((await http.get(path)).status_code)
                png = {"Content-Type": "image/png"}
                statuses.append((await http.post("/v1/classify", content=encode(draw(RED)), headers=png)).status_code)
                gate.set()
                await app.state.workers.loaded.wait()
            return statuses

    with ThreadPoolExecutor(1) as pool:  # a browser's tests may have left a loop running in this thread
        statuses = pool.submit(lambda: asyncio.run(ask())).result()
    assert statuses == [503, 503, 503, 503, 200, 503] + [200] * 6


def test_a_bundle_that_gives_other_answers_stops_the_server(tiny_path: Path, tmp_path: Path) -> None:
    import hashlib

    broken = shutil.copytree(tiny_path, tmp_path / "broken")
    golden = json.loads((broken / GOLDEN).read_text())
    golden["cases"][0]["scores"]["knife"] = 0.1
    (broken / GOLDEN).write_text(json.dumps(golden))
    manifest = json.loads((broken / MANIFEST).read_text())
    manifest["files"][GOLDEN] = hashlib.sha256((broken / GOLDEN).read_bytes()).hexdigest()
    (broken / MANIFEST).write_text(json.dumps(manifest))
    with serve(broken, wait=False) as running:
        assert running.process.wait(20) == 3
        assert any("golden_mismatch" in line for line in running.log)


@pytest.mark.parametrize(
    ("options", "code", "message"), [(["--bundle", "nothing"], 3, "No bundle"), ([], 1, "Can't listen")]
)
def test_what_can_not_start_says_why(tiny_path: Path, options: list[str], code: int, message: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(RuntimeError, match=message) as caught, serve(tiny_path, "--port", port, *options):
            pass
    assert f"exit code {code}" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_several_processes_share_the_port(tiny_path: Path) -> None:
    """None of them answers before it can: no 503, from the first answer on."""
    with serve(tiny_path, "--workers", "2", wait=False) as running:
        running.wait_ready(60)
        png = {"Content-Type": "image/png"}
        for _ in range(20):
            answer = httpx2.post(f"{running.url}/v1/classify", content=encode(draw(RED)), headers=png, timeout=30)
            assert answer.json()["results"][0]["decision"] == "hold"
        assert running.stop(seconds=60) == 0


def processes(running: Running) -> list[int]:
    """The serving processes of a service with several."""
    parent = running.process.pid
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(pid) for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def loaded(running: Running) -> int:
    return sum('"model ready"' in line for line in running.log)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs Linux to find the processes")
def test_a_replaced_process_answers_only_once_it_can(tiny_path: Path) -> None:
    with serve(tiny_path, "--workers", "2", wait=False) as running:
        running.wait_ready(60)
        until = time.monotonic() + 60
        while loaded(running) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        os.kill(processes(running)[0], signal.SIGKILL)
        statuses: Counter[int | str] = Counter()
        while loaded(running) < 3 and time.monotonic() < until + 60:
            try:
                statuses[httpx2.get(f"{running.url}/readyz", timeout=30).status_code] += 1
            except httpx2.TransportError:  # what the killed one had taken
                statuses["lost"] += 1
        for _ in range(20):
            statuses[httpx2.get(f"{running.url}/readyz", timeout=30).status_code] += 1
        assert loaded(running) == 3
        assert statuses[503] == 0
        assert statuses[200] >= 20
        assert statuses["lost"] <= 2


def test_processes_that_can_not_load_the_model_stop_the_service(tiny_path: Path, tmp_path: Path) -> None:
    broken = shutil.copytree(tiny_path, tmp_path / "broken")
    (broken / "model.onnx").write_bytes(b"no model")
    with pytest.raises(RuntimeError, match="exit code 3"), serve(broken, "--workers", "2", wait=False) as running:
        raise RuntimeError(f"exit code {running.process.wait(60)}")


def few_files(most: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def test_too_few_open_files_stop_the_start_with_the_reason(tiny_path: Path) -> None:
    """Better than a fault at the first request that opens one."""
    with (
        pytest.raises(RuntimeError, match="Only 16 files may be open at once; the service needs 64") as caught,
        serve(tiny_path, preexec=few_files(16)),
    ):
        pass
    assert "Traceback" not in str(caught.value)


def test_with_the_least_open_files_all_is_answered(tiny_path: Path) -> None:
    """However many connect, a place in the process stays free for what answering needs."""
    with serve(tiny_path, preexec=few_files(64)) as running, ExitStack() as held:
        for _ in range(100):
            held.enter_context(socket.create_connection(("127.0.0.1", running.port)))
        for path in ("/check", "/check/picture", "/v1/redact"):
            answer = httpx2.post(running.url + path, files=[("file", ("a.png", encode(draw(RED))))], timeout=30)
            assert answer.status_code == 200
        assert any('"fewer connections"' in line for line in running.log)
