"""Loopback is no wall: foreign names and other sites' pages are refused, by hand and in a real browser."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from bladecheck.web.keys import new_key
from bladecheck.web.settings import Settings
from serving import Running, serve
from tiny import RED, draw, encode

PNG = {"Content-Type": "image/png"}
RED_PNG = encode(draw(RED))


@pytest.fixture(scope="module")
def running(tiny_path: Path) -> Iterator[Running]:
    with serve(tiny_path, allowed_hosts="pictures.force.example") as started:
        yield started


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:{port}", 200),
        ("LOCALHOST.", 200),
        ("127.0.0.1:{port}", 200),
        ("[::1]:{port}", 200),
        ("192.0.2.7:8000", 200),  # nobody's DNS decides what a number means
        ("pictures.force.example", 200),
        ("Pictures.Force.Example:443", 200),
        ("evil.example:{port}", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example@127.0.0.1", 421),
        ("", 421),
    ],
)
def test_only_known_names_are_answered(running: Running, host: str, status: int) -> None:
    for path in ("/", "/v1/model", "/healthz", "/metrics"):
        answer = httpx2.get(running.url + path, headers={"Host": host.format(port=running.port)})
        assert answer.status_code == status
    if status == 421:
        assert answer.json()["code"] == "foreign_host"
        assert "BLADECHECK_ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "null"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),  # another port of this machine
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}, 403),
        ({"Origin": "http://127.0.0.1:{port}"}, 200),
        ({"Origin": "https://pictures.force.example"}, 200),  # a proxy that puts its own idea into Host
        ({"Origin": "http://localhost:{port}"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/v1/classify", "/v1/redact"])
def test_other_sites_can_not_send(running: Running, path: str, headers: dict[str, str], status: int) -> None:
    given = {key: value.format(port=running.port) for key, value in headers.items()}
    answer = httpx2.post(running.url + path, content=RED_PNG, headers={**PNG, **given})
    assert answer.status_code == status
    assert status == 200 or answer.json()["code"] == "cross_site"


@pytest.mark.parametrize("path", ["/v1/model", "/metrics", "/model", "/docs", "/v2/models/tiny", "/openapi.json"])
def test_other_sites_can_not_read_but_links_work(running: Running, path: str) -> None:
    other = {"Sec-Fetch-Site": "cross-site"}
    assert httpx2.get(running.url + path, headers={**other, "Sec-Fetch-Mode": "no-cors"}).status_code == 403
    frame = {**other, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"}
    assert httpx2.get(running.url + path, headers=frame).status_code == 403
    link = {**other, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    assert httpx2.get(running.url + path, headers=link).status_code == 200


def test_beyond_loopback_a_key_stands_for_the_name(tiny_path: Path) -> None:
    key, digest = new_key()
    known = {"Authorization": f"Bearer {key}", "Host": "bladecheck.internal"}
    with serve(tiny_path, host="0.0.0.0", api_key_hashes=digest) as running:
        url = f"http://127.0.0.1:{running.port}/v1/model"
        assert httpx2.get(url, headers=known).status_code == 200
        assert httpx2.get(url, headers={"Host": "bladecheck.internal"}).status_code == 401


def test_names_with_more_than_a_name_are_refused() -> None:
    with pytest.raises(ValueError, match="'https://a' is no host name"):
        Settings(allowed_hosts="https://a")  # type: ignore[arg-type]


PAGE = b"""<!doctype html><title>elsewhere</title>
<a href="http://127.0.0.1:%d/">follow</a>
<form method="post" enctype="multipart/form-data" action="http://127.0.0.1:%d/check"><input name="file"></form>
"""


@pytest.fixture(scope="module")
def elsewhere(running: Running) -> Iterator[int]:
    """The port of another site's server, with a page that links and posts to the service."""

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(PAGE % (running.port, running.port))

        def log_message(self, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for whom evil.example is 127.0.0.1, as after a DNS rebind."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    bent = "--host-resolver-rules=MAP evil.example 127.0.0.1"
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-dev-shm-usage", bent]
        opened = playwright.chromium.launch(executable_path=path, args=options)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def statuses(running: Running, before: int, least: int = 1) -> list[int]:
    """What was answered since, once that many answers are in the log, which is read by another thread."""
    until = time.monotonic() + 10
    while True:
        lines = [json.loads(line) for line in running.log[before:]]
        found = [line["status"] for line in lines if line["event"] == "answered"]
        if len(found) >= least or time.monotonic() > until:
            return found
        time.sleep(0.05)


ASK = "([url, options]) => fetch(url, options).then(answer => answer.status).catch(error => String(error))"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost"])
def test_another_sites_page_gets_nothing_out_of_a_browser(
    running: Running, elsewhere: int, page: Page, host: str
) -> None:
    page.goto(f"http://{host}:{elsewhere}/")
    before = len(running.log)
    for path, options in (
        ("/v1/classify", {"method": "POST", "mode": "no-cors", "body": "x"}),
        ("/v1/model", {"mode": "no-cors"}),
        ("/v1/model", {}),
    ):
        page.evaluate(ASK, [f"http://127.0.0.1:{running.port}{path}", options])
    found = statuses(running, before)
    assert found == [403] * len(found) != []
    with page.expect_navigation() as sent:
        page.evaluate("document.forms[0].submit()")
    assert sent.value is not None
    assert sent.value.status == 403
    assert "Another site asked for it" in page.content()


def test_a_link_from_elsewhere_opens_the_page(running: Running, elsewhere: int, page: Page) -> None:
    page.goto(f"http://evil.example:{elsewhere}/")
    with page.expect_navigation() as followed:
        page.click("a")
    assert followed.value is not None
    assert followed.value.status == 200
    assert page.locator("input[type=file]").count()


def test_a_name_bent_to_loopback_gets_nothing(running: Running, page: Page) -> None:
    """The attack: a page that came from evil.example asks its own name again, which by now means 127.0.0.1.

    To the browser that is "same-origin"; only the name in Host gives it away.
    """
    home = f"http://evil.example:{running.port}"
    opened = page.goto(home + "/help")
    assert opened is not None
    assert opened.status == 421
    assert "This service has another name" in page.content()
    for path, options in (("/v1/model", {}), ("/metrics", {}), ("/v1/classify", {"method": "POST", "body": "x"})):
        assert page.evaluate(ASK, [home + path, options]) == 421


def test_our_own_page_is_not_another_site(running: Running, page: Page, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(RED_PNG)
    for host in ("127.0.0.1", "localhost"):
        page.goto(f"http://{host}:{running.port}/")
        page.set_input_files("input[type=file]", tmp_path / "red.png")
        with page.expect_navigation() as sent:
            page.evaluate("HTMLFormElement.prototype.submit.call(document.querySelector('form[enctype]'))")
        assert sent.value is not None
        assert sent.value.status == 200
