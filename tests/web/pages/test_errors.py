"""Error pages for people, problem documents for programs, and what a busy or loading service shows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, Route, expect

from bladecheck.core.classifier import Classifier
from bladecheck.web.app import create_app
from bladecheck.web.keys import new_key
from bladecheck.web.settings import Settings
from web.pages.fetching import fetch

Serve = Callable[..., AbstractContextManager[str]]


@pytest.mark.parametrize(
    ("accept", "kind"), [("text/html,*/*;q=0.8", "text/html"), ("application/json", "application/problem+json")]
)
def test_a_missing_page_is_a_page_for_browsers_only(site: str, accept: str, kind: str) -> None:
    status, headers, body = fetch(f"{site}/no-such-page", accept=accept)
    assert status == 404
    assert headers["content-type"].startswith(kind)
    assert (b"Page not found" in body) == (kind == "text/html")


def test_the_api_answers_programs_even_if_they_accept_html(site: str) -> None:
    _, headers, _ = fetch(f"{site}/v1/no-such", accept="text/html")
    assert headers["content-type"].startswith("application/problem+json")


def test_too_large_uploads_get_a_page(serve: Serve, page: Page, tmp_path: Path) -> None:
    (tmp_path / "large.png").write_bytes(b"x" * 300_000)
    settings = {"max_body_bytes": 100_000, "max_inflight_bytes": 200_000}
    with serve(**settings) as site:
        status, headers, body = fetch(f"{site}/check", accept="text/html", files=[("a.png", b"x" * 300_000)])
        assert (status, headers["content-type"]) == (413, "text/html; charset=utf-8")
        assert b"The pictures are too large" in body
        page.goto(site)
        page.set_input_files("input[type=file]", tmp_path / "large.png")
        page.get_by_role("button", name="Check pictures").click()
        expect(page.locator(".govuk-error-summary")).to_contain_text("large.png is larger than 33 kB")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"json": {"code": "body_too_large", "detail": "Too many bytes."}}, "The picture is too large."),
        (
            {"body": "<html><h1>413 Request Entity Too Large</h1></html>", "content_type": "text/html"},
            "Something between this computer and the service refuses a file of this size.",
        ),
    ],
)
def test_a_413_says_whose_limit_it_is(
    page: Page, site: str, pictures: dict[str, Path], answer: dict[str, Any], said: str
) -> None:
    page.route("**/check/picture*", lambda route: route.fulfill(status=413, **answer))
    page.goto(site)
    page.set_input_files("input[type=file]", pictures["hold"])
    page.get_by_role("button", name="Check pictures").click()
    expect(page.locator("#queue .bc-state")).to_have_text("Not checked")
    expect(page.locator("#queue")).to_contain_text(said)
    expect(page.locator("#results-summary")).to_have_text("1 not checked.")
    expect(page.get_by_role("button", name="Make a record")).to_be_hidden()


def test_too_many_requests_get_a_page(serve: Serve) -> None:
    with serve(requests_per_minute=1) as site:
        answers = [fetch(f"{site}/check", accept="text/html", files=[("a.png", b"x")]) for _ in range(3)]
    assert [status for status, _, _ in answers] == [200, 429, 429]
    _, headers, body = answers[-1]
    assert int(headers["retry-after"]) > 0
    assert b"Too many requests" in body


def test_while_the_model_loads_pages_open_and_checks_wait(classifier: Classifier, pictures: dict[str, Path]) -> None:
    gate = threading.Event()

    def slowly() -> Classifier:
        gate.wait(20)
        return classifier

    app = create_app(slowly, Settings(port=0))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        site = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        assert fetch(f"{site}/", accept="text/html")[0] == 200
        assert fetch(f"{site}/help", accept="text/html")[0] == 200
        files = [("clear.png", pictures["clear"].read_bytes())]
        for status, headers, body in (
            fetch(f"{site}/model", accept="text/html"),
            fetch(f"{site}/check", accept="text/html", files=files),
        ):
            assert status == 503
            assert headers["retry-after"]
            assert b"The service is busy or starting" in body
    finally:
        gate.set()
        server.should_exit = True
        thread.join(10)


def test_the_page_waits_while_the_service_is_busy(page: Page, site: str, pictures: dict[str, Path]) -> None:
    refusals = 2

    def busy_at_first(route: Route) -> None:
        nonlocal refusals
        refusals -= 1
        if refusals >= 0:
            route.fulfill(status=503, headers={"Retry-After": "1"}, json={"code": "overloaded", "detail": "Busy."})
        else:
            route.continue_()

    page.route("**/check/picture*", busy_at_first)
    page.goto(site)
    page.set_input_files("input[type=file]", pictures["hold"])
    page.get_by_role("button", name="Check pictures").click()
    expect(page.locator("#queue .bc-state")).to_have_text("Hold")


def test_a_lost_connection_can_be_tried_again(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.route("**/check/picture*", lambda route: route.abort())
    page.goto(site)
    page.set_input_files("input[type=file]", [pictures["hold"], pictures["clear"]])
    page.get_by_role("button", name="Check pictures").click()
    expect(page.locator("#results-summary")).to_have_text("2 not checked.")
    expect(page.locator("#results-title")).to_have_text("0 of 2 pictures checked")
    page.unroute("**/check/picture*")
    page.get_by_role("button", name="Try again to check hold.png").click()
    expect(page.locator("#queue .bc-state").first).to_have_text("Hold")
    expect(page.locator("#results-summary")).to_have_text("1 to hold, 1 not checked.")
    expect(page.locator("#results-title")).to_have_text("1 of 2 pictures checked")


def test_answers_are_not_stored_and_files_are(site: str, pictures: dict[str, Path]) -> None:
    files = [("clear.png", pictures["clear"].read_bytes())]
    assert fetch(f"{site}/check", accept="text/html", files=files)[1]["cache-control"] == "no-store"
    _, _, body = fetch(f"{site}/", accept="text/html")
    style = body.decode().split('rel="stylesheet" href="')[1].split('"')[0]
    status, headers, _ = fetch(site + style)
    assert status == 200
    assert "immutable" in headers["cache-control"]


def test_a_browser_signs_in_with_the_key_as_password(serve: Serve, browser: Browser, pictures: dict[str, Path]) -> None:
    key, digest = new_key()
    with serve(api_key_hashes=digest) as site:
        status, headers, body = fetch(f"{site}/", accept="text/html")
        assert (status, headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert headers["www-authenticate"].startswith("Basic")
        assert b"You need a key" in body
        context = browser.new_context(http_credentials={"username": "press", "password": key})
        page = context.new_page()
        page.goto(site)
        page.set_input_files("input[type=file]", pictures["hold"])
        page.get_by_role("button", name="Check pictures").click()
        expect(page.locator("#queue .bc-state")).to_have_text("Hold")
        context.close()


def test_a_file_name_is_text(page: Page, site: str, tmp_path: Path, pictures: dict[str, Path]) -> None:
    odd = tmp_path / "<img src=x onerror=alert(1)> & 'co' “é”.png"
    odd.write_bytes(pictures["hold"].read_bytes())
    page.goto(site)
    page.set_input_files("input[type=file]", odd)
    page.get_by_role("button", name="Check pictures").click()
    expect(page.locator("#picture-1 .bc-card__name")).to_have_text(odd.name)
    expect(page.locator("#queue")).to_contain_text(odd.name)


def test_nothing_is_written_to_disk(
    site: str, pictures: dict[str, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import tempfile

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    files = [(f"{number}.jpg", pictures["place"].read_bytes() + bytes(3 * 2**20)) for number in range(4)]
    status, _, body = fetch(f"{site}/check", accept="text/html", files=files)
    assert status == 200
    assert body.count(b'class="bc-card ') == 4
