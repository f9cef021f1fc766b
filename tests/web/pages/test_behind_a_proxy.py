"""Under a path behind a reverse proxy: the documents' own examples, run by a real proxy."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Page, expect

Serve = Callable[..., AbstractContextManager[str]]
OPERATIONS = Path(__file__).parents[3] / "docs" / "operations.md"
NGINX = """daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {server}
}}
"""


def example(language: str) -> str:
    return OPERATIONS.read_text().split(f"```{language}\n")[1].split("```")[0]


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[str]:
    kept = {**os.environ, "HOME": str(log.parent), "XDG_CONFIG_HOME": str(log.parent), "XDG_DATA_HOME": str(log.parent)}
    with log.open("wb") as written:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=written, env=kept)
    try:
        for _ in range(500):
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def nginx(site: str, folder: Path, *changes: tuple[str, str]) -> Iterator[str]:
    """nginx with the documents' example; only ports and certificate are exchanged, and what `changes` say."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip("needs nginx: apt-get install nginx")
    port = free_port()
    text = re.sub(r"\n +ssl_certificate.*", "", example("nginx"))
    exchanged = (("443 ssl", f"127.0.0.1:{port}"), ("http://127.0.0.1:8000", site), *changes)
    for old, new in exchanged:
        assert old in text
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, server=text))
    with running([program, "-c", str(folder / "nginx.conf")], port, folder / "log") as address:
        yield address


@contextmanager
def caddy(site: str, folder: Path) -> Iterator[str]:
    """Caddy with the documents' example, over plain HTTP on a free port."""
    program = shutil.which("caddy")
    if program is None:
        pytest.skip("needs Caddy: apt-get install caddy")
    port = free_port()
    text = example("caddy").replace("press.example", f"http://127.0.0.1:{port}").replace("127.0.0.1:8000", site[7:])
    (folder / "Caddyfile").write_text("{\n\tadmin off\n}\n" + text)
    with running([program, "run", "--config", str(folder / "Caddyfile")], port, folder / "log") as address:
        yield address


@pytest.fixture(scope="module")
def behind(serve: Serve) -> Iterator[str]:
    with serve(trusted_proxies="127.0.0.1") as site:
        yield site


def work(page: Page, address: str, pictures: dict[str, Path]) -> None:
    """All that the page does, below the path."""
    outside: list[str] = []
    page.on("request", lambda one: outside.append(one.url) if one.url.startswith("http") else None)
    page.goto(f"{address}/bladecheck")
    page.set_input_files("input[type=file]", [pictures["hold"], pictures["clear"]])
    page.get_by_role("button", name="Check pictures").click()
    expect(page.locator("#results-title")).to_have_text("2 pictures checked")
    page.get_by_role("button", name="Change the copy").last.click()
    page.get_by_role("button", name="Add an area to cover").click()
    expect(page.locator(".bc-made").last).to_contain_text("1 area is covered.")
    page.get_by_role("button", name="Make a record").click()
    for number in (1, 2):
        page.locator(f"#outcome-{number}").check()
    page.get_by_role("button", name="Make the record").click()
    expect(page.locator(".bc-record")).to_be_visible()
    page.get_by_role("link", name="Help", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How to read an answer")
    assert len(outside) > 15
    assert not [url for url in outside if not re.match(rf"{address}/bladecheck(/|$)", url)]


def test_the_documents_nginx(page: Page, behind: str, pictures: dict[str, Path], tmp_path: Path) -> None:
    with nginx(behind, tmp_path) as address:
        work(page, address, pictures)
        for path in ("healthz", "model", "privacy", "record/open", "docs/files/start.js"):
            assert httpx2.get(f"{address}/bladecheck/{path}").status_code == 200
        assert httpx2.get(f"{address}/bladecheck/openapi.json").json()["servers"] == [{"url": "/bladecheck"}]
        moved = httpx2.get(f"{address}/bladecheck/help/").headers["location"]
        assert moved == f"{address}/bladecheck/help"


def test_the_documents_caddy(page: Page, behind: str, pictures: dict[str, Path], tmp_path: Path) -> None:
    with caddy(behind, tmp_path) as address:
        page.goto(f"{address}/bladecheck")
        page.set_input_files("input[type=file]", pictures["clear"])
        page.get_by_role("button", name="Check pictures").click()
        expect(page.locator("#results-title")).to_have_text("1 picture checked")
        assert page.url == f"{address}/bladecheck/#results"


def test_without_scripts_and_with_a_proxy_that_leaves_the_path(
    plain_page: Page, serve: Serve, pictures: dict[str, Path], tmp_path: Path
) -> None:
    page = plain_page
    with serve(root_path="/bladecheck/") as site, nginx(site, tmp_path, (f"{site}/;", f"{site};")) as address:
        page.goto(f"{address}/bladecheck/")
        page.set_input_files("input[type=file]", pictures["hold"])
        page.get_by_role("button", name="Check pictures").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("1 picture checked")
        page.get_by_role("button", name="Make a record").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Make a record of this check")
        page.goto(f"{address}/bladecheck/record")
        assert page.url == f"{address}/bladecheck/"
        expect(page.locator("[aria-current=page]")).to_have_text("Check pictures")


def test_a_proxy_that_refuses_a_body_is_understood(
    page: Page, behind: str, pictures: dict[str, Path], tmp_path: Path
) -> None:
    with nginx(behind, tmp_path, ("client_max_body_size 256m", "client_max_body_size 500")) as address:
        page.goto(f"{address}/bladecheck/")
        page.set_input_files("input[type=file]", pictures["hold"])
        page.get_by_role("button", name="Check pictures").click()
        expect(page.locator("#queue")).to_contain_text("Something between this computer and the service refuses")
