"""What keeps strangers, floods and leaks out."""

from __future__ import annotations

import base64
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from bladecheck.cli.serve import check_exposure, read_settings
from bladecheck.cli.serve import serve as serve_command
from bladecheck.errors import SettingsError
from bladecheck.web.keys import Rate, hashed, new_key, presented
from serving import COMMAND, Running, environment, serve
from tiny import RED, draw, encode

RED_PNG = encode(draw(RED))


@pytest.fixture(scope="module")
def key() -> str:
    return new_key()[0]


@pytest.fixture(scope="module")
def locked(tiny_path: Path, key: str) -> Iterator[Running]:
    hashes = f"{'0' * 64},{hashed(key)}"
    with serve(tiny_path, "--host", "0.0.0.0", api_key_hashes=hashes, requests_per_minute=5) as running:
        yield running


def classify(running: Running, **headers: str) -> httpx2.Response:
    return httpx2.post(f"{running.url}/v1/classify", content=RED_PNG, headers={"Content-Type": "image/png", **headers})


def test_a_key_is_required(locked: Running, key: str) -> None:
    for wrong in ({}, {"Authorization": "Bearer bck_wrong"}, {"Authorization": f"Token {key}"}, {"X-API-Key": key}):
        answer = classify(locked, **wrong)
        assert (answer.status_code, answer.json()["code"]) == (401, "key_required")
        assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert classify(locked, Authorization=f"Bearer {key}").status_code == 200
    basic = base64.b64encode(f"anyone:{key}".encode()).decode()
    assert httpx2.get(f"{locked.url}/v1/model", headers={"Authorization": f"Basic {basic}"}).status_code == 200


def test_only_health_is_open(locked: Running) -> None:
    for path in ("/healthz", "/readyz", "/v2/health/live", "/v2/health/ready"):
        assert httpx2.get(locked.url + path).status_code == 200
    for path in ("/metrics", "/docs", "/openapi.json", "/v1/model", "/v2", "/docs/files/start.js", "/nothing"):
        assert httpx2.get(locked.url + path).status_code == 401


def test_too_many_requests_are_told_when_to_come_back(locked: Running, key: str) -> None:
    statuses = [classify(locked, Authorization=f"Bearer {key}") for _ in range(7)]
    limited = [answer for answer in statuses if answer.status_code == 429]
    assert limited
    assert limited[0].json()["code"] == "rate_limited"
    assert 1 <= int(limited[0].headers["Retry-After"]) <= 12
    reading = httpx2.get(f"{locked.url}/v1/model", headers={"Authorization": f"Bearer {key}"})
    assert reading.status_code == 200, "only POST requests count"


def test_the_key_is_in_no_log(locked: Running, key: str) -> None:
    time.sleep(0.2)
    assert key not in "".join(locked.log)
    assert hashed(key) not in "".join(locked.log)


@given(st.lists(st.floats(0, 5), max_size=200), st.integers(1, 60))
def test_the_rate_is_never_passed(pauses: list[float], per_minute: int) -> None:
    rate, now, taken = Rate(per_minute), 0.0, 0
    for pause in pauses:
        now += pause
        taken += rate.wait("client", now) == 0
    assert taken <= per_minute * (1 + now / 60) + 1e-6


def test_presented_keys() -> None:
    assert presented(Headers({"authorization": "Bearer  abc "})) == "abc"
    for text in ("", "Bearer ", "Basic ?", "Basic /w==", "Digest x"):
        assert presented(Headers({"authorization": text})) is None


def run(*options: str, **settings: object) -> subprocess.CompletedProcess[str]:
    command = [*COMMAND, *options]
    return subprocess.run(command, env=environment(**settings), capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_beyond_loopback_a_key_is_needed(host: str) -> None:
    with pytest.raises(SettingsError, match="API key"):
        check_exposure(read_settings({"host": host}))
    check_exposure(read_settings({"host": host, "api_key_hashes": hashed("key")}))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "localhost"])
def test_on_loopback_none_is_needed(host: str) -> None:
    settings = read_settings({"host": host})
    check_exposure(settings)
    assert (settings.rate, read_settings({"host": "0.0.0.0"}).rate) == (0, 600)


def test_the_command_refuses_and_insecure_is_said_aloud(tiny_path: Path) -> None:
    refused = run("--host", "0.0.0.0", "--bundle", str(tiny_path))
    assert (refused.returncode, "API key" in refused.stderr) == (1, True)
    with serve(tiny_path, "--host", "0.0.0.0", "--insecure") as running:
        assert "WARNING" in running.log[0]
        assert classify(running).status_code == 200


def test_new_key_prints_a_key_and_its_hash(capsys: pytest.CaptureFixture[str]) -> None:
    serve_command(new_key=True)
    printed = capsys.readouterr().out
    key = printed.split()[printed.split().index("Hash,") - 1]
    assert key.startswith("bck_")
    assert f"BLADECHECK_API_KEY_HASHES={hashed(key)}" in printed


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("api_key_hashes", "secret", "64 hexadecimal"),
        ("max_files", "many", "max_files"),
        ("max_files", "300", "queue_pictures"),
        ("max_inflight_bytes", "10", "max_inflight_bytes"),
        ("log_level", "loud", "log_level"),
    ],
)
def test_bad_settings_are_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(f"BLADECHECK_{name.upper()}", value)
    with pytest.raises(SettingsError, match=message):
        read_settings({})


def test_a_mistyped_setting_is_pointed_out(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("BLADECHECK_API_KEY_HASH", "0" * 64)
    read_settings({})
    assert "BLADECHECK_API_KEY_HASH is no setting" in capsys.readouterr().err


def test_security_headers_everywhere(http: httpx2.Client) -> None:
    answers = [http.get(path) for path in ("/healthz", "/docs", "/docs/files/start.js", "/nothing", "/v1/classify")]
    for answer in [*answers, http.post("/v1/classify", content=b"x")]:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "Server" not in answer.headers


def test_no_cross_origin_access(http: httpx2.Client) -> None:
    asked = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for answer in (http.options("/v1/classify", headers=asked), http.get("/v1/model", headers=asked)):
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_nothing_of_a_picture_is_logged(server: Running) -> None:
    name = "holiday-at-the-secret-place.jpg"
    with server.client() as http:
        http.post("/v1/classify?evidence=map", files=[("file", (name, RED_PNG)), ("file", (name, b"nothing"))])
        http.post("/v1/classify", files=[(name, (name, RED_PNG))])
        sha256 = http.post("/v1/classify", files=[("file", (name, RED_PNG))]).json()["results"][0]["image"]["sha256"]
    time.sleep(0.2)
    log = "".join(server.log)
    assert "request_id" in log
    for secret in ("secret-place", sha256, "hold", "127.0.0.1"):
        assert secret not in log


@pytest.fixture(scope="module")
def bounded(tiny_path: Path) -> Iterator[Running]:
    limits = {"max_body_bytes": 2_000_000, "max_inflight_bytes": 3_000_000, "body_seconds": 1.5, "header_seconds": 1}
    with serve(tiny_path, **limits) as running:
        yield running


def receive_all(connection: socket.socket, seconds: float = 10) -> bytes:
    connection.settimeout(seconds)
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


@pytest.fixture
def connecting() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


HEAD = b"POST /v1/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"


def test_a_body_is_refused_by_what_comes_not_by_what_is_claimed(bounded: Running) -> None:
    """Chunked, so no length is claimed; the answer comes before the body ends."""
    with socket.create_connection(("127.0.0.1", bounded.port)) as connection:
        connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        for _ in range(40):
            connection.sendall(b"10000\r\n" + bytes(65536) + b"\r\n")
        answer = receive_all(connection)
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b'"body_too_large"' in answer


def test_a_claimed_length_is_refused_at_once(bounded: Running) -> None:
    with socket.create_connection(("127.0.0.1", bounded.port)) as connection:
        connection.sendall(HEAD + b"Expect: 100-continue\r\nContent-Length: 999999999\r\n\r\n")
        answer = receive_all(connection)
    assert answer.startswith(b"HTTP/1.1 413 "), "no 100 Continue before it"


def test_ordinary_clients_see_the_413(bounded: Running) -> None:
    """They send all before they read: the server must take that politely."""
    for content in (bytes(9_000_000), iter([bytes(1_000_000)] * 9)):
        answer = httpx2.post(f"{bounded.url}/v1/classify", content=content, headers={"Content-Type": "image/png"})
        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_bytes_of_all_requests_are_bounded(bounded: Running) -> None:
    """Held requests are cut after body_seconds, so on a busy machine it may take more than one go to meet them."""
    for _ in range(10):
        with ExitStack() as held:
            for _ in range(2):
                connection = held.enter_context(socket.create_connection(("127.0.0.1", bounded.port)))
                connection.sendall(HEAD + b"Content-Length: 1900000\r\n\r\n" + bytes(1_400_000))
            time.sleep(0.3)
            png = {"Content-Type": "image/png"}
            answer = httpx2.post(f"{bounded.url}/v1/classify", content=bytes(900_000), headers=png)
        if answer.status_code == 503:
            break
    assert (answer.status_code, answer.json()["code"]) == (503, "overloaded")
    assert answer.headers["Retry-After"]
    deadline = time.monotonic() + 20
    while "bladecheck_inflight_bytes 0.0" not in httpx2.get(f"{bounded.url}/metrics").text:
        assert time.monotonic() < deadline, "bytes of gone requests are still counted"
        time.sleep(0.1)
    assert classify(bounded).status_code == 200


def test_a_slow_body_is_cut_and_hurts_nobody(bounded: Running, connecting: ExitStack) -> None:
    """One byte a second on a dozen connections, while others are served as ever."""
    slow = [connecting.enter_context(socket.create_connection(("127.0.0.1", bounded.port))) for _ in range(12)]
    started, times = time.monotonic(), []
    for connection in slow:
        connection.sendall(HEAD + b"Content-Length: 5000\r\n\r\n")
    for second in range(2):
        for connection in slow:
            connection.sendall(b"x")
        for _ in range(10):
            before = time.monotonic()
            assert classify(bounded).status_code == 200
            times.append(time.monotonic() - before)
        time.sleep(max(0, started + second + 1 - time.monotonic()))
    assert sorted(times)[len(times) // 2] < 0.5
    for connection in slow:
        answer = receive_all(connection)
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"body_too_slow"' in answer
    assert time.monotonic() - started < 8


def test_slow_headers_are_cut(bounded: Running) -> None:
    with socket.create_connection(("127.0.0.1", bounded.port)) as connection:
        started = time.monotonic()
        connection.sendall(b"POST /v1/classify HTTP/1.1\r\nHost:")
        assert receive_all(connection) == b""
        assert 0.5 < time.monotonic() - started < 4


def test_endless_headers_are_cut(bounded: Running, connecting: ExitStack) -> None:
    connection = connecting.enter_context(socket.create_connection(("127.0.0.1", bounded.port)))
    connection.settimeout(10)
    connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
    with pytest.raises(OSError):
        connection.sendall(b"a" * 50_000_000)
    assert classify(bounded).status_code == 200


def unwritable() -> None:
    """For the child: a file may not grow beyond zero bytes, so any write to disk fails."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def test_nothing_is_written_to_disk(tiny_path: Path) -> None:
    """Every write to a file is an error, and all still works, with 20 MB a picture."""
    large = encode(draw(RED), "BMP").ljust(20_000_000, b"\0")
    parts = [("file", (f"{index}.bmp", large)) for index in range(4)]
    with serve(tiny_path, preexec=unwritable, max_body_bytes=100_000_000) as running, running.client() as http:
        body = http.post("/v1/classify?evidence=map", files=parts).json()
        assert [item["decision"] for item in body["results"]] == ["hold"] * 4
        assert http.post("/v1/redact", files=parts[:1]).status_code == 200
        assert http.post("/v1/classify", content=large, headers={"Content-Type": "image/bmp"}).status_code == 200
        assert http.get("/docs").status_code == 200
        assert not [line for line in running.log if '"level": "error"' in line]


def test_no_usage_data_is_collected(tiny_path: Path, tmp_path: Path) -> None:
    """onnxruntime would write an identifier and a queue of events into the home folder, and upload them."""
    code = "import sys; from bladecheck import Classifier; Classifier.open(sys.argv[1])"
    hushed = ("CI", "GITHUB_ACTIONS", "ORT_DISABLE_TELEMETRY", "ORT_TELEMETRY_DISABLED", "XDG_CACHE_HOME")
    plain = {key: value for key, value in environment().items() if key not in hushed}
    env = {**plain, "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", code, str(tiny_path)], env=env, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []
