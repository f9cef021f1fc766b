"""Fetching over a real TLS server on this machine; what must never be asked for is refused before any connection."""

from __future__ import annotations

import hashlib
import http.server
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stamina
import trustme

from bladecheck.archives import Fetcher, FetchError, Status, open_archive
from bladecheck.archives.fetch.addresses import is_public
from bladecheck.archives.fetch.connection import Connector

HOST = "pbs.twimg.com"


class Server:
    """Answers from a table of paths; counts what it was asked."""

    def __init__(self, picture: bytes) -> None:
        self.asked: list[str] = []
        self.authority = trustme.CA()
        self.picture = picture
        server, asked = self, self.asked

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                asked.append(self.path)
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.authority.issue_cert(HOST, "other.example", "cdn.bsky.app").configure_cert(context)
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True)
        self.port = self.http.server_address[1]
        self.thread = threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        path = request.path.split("?")[0]
        times = self.asked.count(request.path)
        if path.startswith("/status/"):
            code = int(path.rsplit("/", 1)[1])
            self.send(request, code, b"no", {"Retry-After": "0"} if code == 429 else {})
        elif path == "/flaky.png" and times < 3:
            self.send(request, 503, b"later")
        elif path == "/html.png":
            self.send(request, 200, b"<html>log in</html>")
        elif path == "/large.png":
            self.send(request, 200, self.picture + bytes(5000))
        elif path == "/endless.png":
            self.drip(request, self.picture + bytes(500_000), 0)
        elif path == "/slow.png":
            self.drip(request, self.picture + bytes(200), 0.05)
        elif path == "/packed.png":
            self.send(request, 200, self.picture, {"Content-Encoding": "gzip"})
        elif path == "/short.png":
            self.send(request, 200, self.picture, {"Content-Length": str(len(self.picture) + 10)}, close=True)
        elif path.startswith("/to/"):
            self.send(request, 302, b"", {"Location": path.removeprefix("/to/").replace("!", ":")})
        elif path == "/round":
            self.send(request, 302, b"", {"Location": "/round"})
        else:
            self.send(request, 200, self.picture)

    def send(
        self,
        request: http.server.BaseHTTPRequestHandler,
        code: int,
        body: bytes,
        headers: dict[str, str] | None = None,
        close: bool = False,
    ) -> None:
        request.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)
        request.close_connection = close

    def drip(self, request: http.server.BaseHTTPRequestHandler, body: bytes, wait: float) -> None:
        request.send_response(200)
        request.send_header("Connection", "close")
        request.end_headers()
        step = 8 if wait else 100_000
        try:
            for start in range(0, len(body), step):
                request.wfile.write(body[start : start + step])
                request.wfile.flush()
                time.sleep(wait)
        except OSError:
            pass
        request.close_connection = True


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    from archives.conftest import picture

    running = Server(picture())
    yield running
    running.close()


@pytest.fixture(autouse=True)
def _no_waiting() -> Iterator[None]:
    with stamina.set_testing(True, attempts=4):
        yield


Make = Callable[..., Fetcher]


@pytest.fixture
def fetcher(server: Server, tmp_path: Path) -> Make:
    """A fetcher that resolves every host to this machine, which is allowed explicitly."""

    def make(
        *, total_timeout: float = 20, resolver: object = None, is_allowed: object = None, **more: object
    ) -> Fetcher:
        tls = ssl.create_default_context()
        server.authority.configure_trust(tls)
        connector = Connector(
            timeout=5,
            total_timeout=total_timeout,
            tls=tls,
            resolver=resolver or (lambda host, port: ["127.0.0.1"]),  # type: ignore[arg-type]
            is_allowed=is_allowed or (lambda address: True),  # type: ignore[arg-type]
            port=server.port,
        )
        return Fetcher(tmp_path / "cache", connector=connector, **more)  # type: ignore[arg-type]

    return make


def url(server: Server, path: str, host: str = HOST) -> str:
    return f"https://{host}:{server.port}{path}"


def code_of(fetcher: Fetcher, address: str) -> str:
    with pytest.raises(FetchError) as caught:
        fetcher.fetch(address)
    assert caught.value.detail
    return caught.value.code


def test_a_picture_is_fetched_once_and_kept(server: Server, fetcher: Make, tmp_path: Path) -> None:
    address = url(server, "/media/a?format=png&name=orig")
    assert fetcher().fetch(address) == server.picture
    count = len(server.asked)
    assert fetcher().fetch(address) == server.picture
    assert len(server.asked) == count
    name = hashlib.sha256(address.encode()).hexdigest()
    assert [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()] == [name]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/status/404", "gone"),
        ("/status/410", "gone"),
        ("/status/403", "forbidden"),
        ("/status/429", "rate_limited"),
        ("/status/500", "server_error"),
        ("/status/418", "bad_answer"),
        ("/html.png", "not_an_image"),
        ("/packed.png", "bad_answer"),
        ("/short.png", "unreachable"),
        ("/round", "too_many_redirects"),
        ("/to/http!//pbs.twimg.com/a.png", "not_https"),
        ("/to/https!//evil.example/a.png", "refused_host"),
        ("/to/https!//pbs.twimg.com/a.png", "refused_host"),
        ("/to/https!//169.254.169.254/latest", "refused_host"),
    ],
)
def test_what_goes_wrong_has_a_code(server: Server, fetcher: Make, path: str, code: str) -> None:
    assert code_of(fetcher(), url(server, path)) == code


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("http://pbs.twimg.com/a.png", "not_https"),
        ("ftp://pbs.twimg.com/a.png", "not_https"),
        ("file:///etc/passwd", "bad_url"),
        ("https:///a.png", "bad_url"),
        ("https://user:secret@pbs.twimg.com/a.png", "bad_url"),
        ("https://pbs.twimg.com/a\r\nX: y", "bad_url"),
        ("https://pbs.twimg.com:99999/a", "bad_url"),
        ("https://[::1/a", "bad_url"),
        ("https://127.0.0.1/a.png", "refused_host"),
        ("https://[::1]/a.png", "refused_host"),
        ("https://localhost/a.png", "refused_host"),
        ("https://evil.example/a.png", "refused_host"),
        ("https://pbs.twimg.com.evil.example/a.png", "refused_host"),
        ("https://evilfbcdn.net/a.png", "refused_host"),
        ("https://pbs.twimg.com:22/a.png", "refused_host"),
    ],
)
def test_refused_before_any_connection(server: Server, tmp_path: Path, address: str, code: str) -> None:
    def resolver(host: str, port: int) -> list[str]:
        raise AssertionError("looked up")

    assert code_of(Fetcher(tmp_path, connector=Connector(resolver=resolver)), address) == code


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["192.168.1.1"],
        ["169.254.169.254"],
        ["100.64.0.1"],
        ["0.0.0.0"],
        ["224.0.0.1"],
        ["::1"],
        ["fe80::1%eth0"],
        ["fd00::1"],
        ["::ffff:127.0.0.1"],
        ["::ffff:a9fe:a9fe"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["93.184.216.34", "127.0.0.1"],
        [],
        ["nonsense"],
    ],
)
def test_hosts_that_point_inside_are_refused(server: Server, fetcher: Make, answer: list[str]) -> None:
    before = len(server.asked)
    made = fetcher(resolver=lambda host, port: answer, is_allowed=is_public)
    assert code_of(made, url(server, "/a.png")) == "private_address"
    assert len(server.asked) == before


def test_public_addresses() -> None:
    assert all(is_public(address) for address in ("93.184.216.34", "2606:4700::1111", "64:ff9b::5db8:d822"))


def test_the_address_that_was_checked_is_the_one_connected_to(server: Server, fetcher: Make) -> None:
    """A name that changes its mind between check and connection gets no second question."""
    answers = [["127.0.0.1"], ["203.0.113.1"]]
    asked: list[str] = []

    def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    assert fetcher(resolver=resolver).fetch(url(server, "/rebound.png")) == server.picture
    assert asked == [HOST]


def test_every_redirect_is_checked_anew(server: Server, fetcher: Make) -> None:
    there = url(server, "/b.png", "cdn.bsky.app").replace(":", "!")
    assert fetcher().fetch(url(server, "/to/" + there)) == server.picture
    made = fetcher(is_allowed=is_public, resolver=lambda host, port: ["127.0.0.1"])
    assert code_of(made, url(server, "/to/" + there + "2")) == "private_address"


def test_the_certificate_must_be_the_hosts(server: Server, fetcher: Make) -> None:
    made = fetcher(allow_hosts=["wrong.example"])
    assert code_of(made, url(server, "/a.png", "wrong.example")) == "bad_answer"


def test_limits_on_size_and_time(server: Server, fetcher: Make) -> None:
    assert code_of(fetcher(max_bytes=1000), url(server, "/large.png")) == "too_large"
    assert code_of(fetcher(max_bytes=1000), url(server, "/endless.png")) == "too_large"
    assert code_of(fetcher(total_timeout=0.2, attempts=1), url(server, "/slow.png")) == "timed_out"


def test_failures_that_pass_are_tried_again(server: Server, fetcher: Make) -> None:
    assert fetcher().fetch(url(server, "/flaky.png")) == server.picture
    assert server.asked.count("/flaky.png") == 3
    code_of(fetcher(), url(server, "/status/404"))
    assert server.asked[-1] == "/status/404"
    assert server.asked[-2] != "/status/404"


def test_remote_rows_can_be_fetched(server: Server, fetcher: Make, tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text(f"id,image_url\n1,{url(server, '/media/row.png')}\n")
    with open_archive(table) as archive:
        (item,) = archive.items()
    assert item.status == Status.REMOTE
    assert fetcher().opener(item)() == server.picture


def test_a_cache_that_cannot_be_written_is_explained(server: Server, fetcher: Make, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(Exception, match="can't be written"):
        fetcher().fetch(url(server, "/c.png"))
