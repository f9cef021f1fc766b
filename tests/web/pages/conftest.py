"""A real server on a free port and a real Chromium, for the page's tests."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, expect, sync_playwright

from bladecheck.core import policy_file
from bladecheck.core.classifier import Classifier
from bladecheck.web.app import create_app
from bladecheck.web.settings import Settings
from tiny import BLUE, GREEN, RED, draw, encode

GPS_IFD = 0x8825
Serve = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="session")
def serve(classifier: Classifier) -> Serve:
    """Start the service with a shipped policy and settings; gives its address."""

    @contextmanager
    def started(policy_name: str | None = None, model: Classifier | None = None, **settings: object) -> Iterator[str]:
        chosen = Settings(port=0, drain_seconds=0, **settings)  # type: ignore[arg-type]
        app = create_app(model or classifier, chosen, policy_file.find(policy_name))
        server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="on"))
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        while not (server.started and app.state.workers.loaded.is_set()):
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)

    return started


@pytest.fixture(scope="session")
def site(serve: Serve) -> Iterator[str]:
    """The service under the default policy."""
    with serve() as address:
        yield address


@pytest.fixture(scope="session")
def strict_site(serve: Serve) -> Iterator[str]:
    """The service under the policy that asks for an approver."""
    with serve("only-when-necessary") as address:
        yield address


@pytest.fixture(scope="module")  # no longer: Playwright keeps an event loop in this thread, which others need
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    expect.set_options(timeout=20_000)
    with sync_playwright() as running:
        opened = running.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            ignore_default_args=["--disable-back-forward-cache"],  # as in a browser that people use
        )
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page; a script error, a refusal by the content security policy or a request elsewhere fails the test."""
    yield from _page(browser, javascript=True)


@pytest.fixture
def plain_page(browser: Browser) -> Iterator[Page]:
    """The same without JavaScript."""
    yield from _page(browser, javascript=False)


def _page(browser: Browser, javascript: bool) -> Iterator[Page]:
    context = browser.new_context(java_script_enabled=javascript, accept_downloads=True)
    opened = context.new_page()
    opened.set_default_timeout(20_000)
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("console", lambda line: troubles.append(line.text) if _alarming(line) else None)
    opened.on("request", lambda request: None if _local(request.url) else troubles.append(request.url[:80]))
    yield opened
    context.close()
    assert not troubles


def _alarming(line: ConsoleMessage) -> bool:
    # A page that answers with an error status on purpose is logged by the browser as a failed resource.
    return bool(line.type == "error" and "Failed to load resource" not in line.text)


def _local(url: str) -> bool:
    return url.startswith(("http://127.0.0.1", "data:", "blob:", "about:"))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Drawn files by name: hold, check, clear, place (clear, with GPS), tiny (too small), broken (no picture)."""
    folder = tmp_path_factory.mktemp("pictures")
    located = draw(GREEN, (321, 243))
    exif = located.getexif()
    exif.get_ifd(GPS_IFD).update({1: "N", 2: (51.0, 30.0, 0.0), 3: "W", 4: (0.0, 7.0, 0.0)})
    contents = {
        "hold": encode(draw(RED, (321, 243))),
        "check": encode(draw(BLUE, (321, 243))),
        "clear": encode(draw(GREEN, (321, 243))),
        "place": encode(located, "JPEG", exif=exif),
        "tiny": encode(draw(RED, (9, 9))),
        "broken": b"this is no picture",
    }
    for name, data in contents.items():
        (folder / f"{name}.png").write_bytes(data)
    return {name: folder / f"{name}.png" for name in contents}
