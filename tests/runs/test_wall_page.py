"""The wall as people meet it: a real server, real pictures, a real browser, the keyboard alone."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bladecheck.archives import open_archive
from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from bladecheck.runs.counts.opened import draw_sample
from bladecheck.runs.engines.local import LocalEngine
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.run import Options, Run
from bladecheck.runs.wall.marks import FILE, FOLDER, read
from bladecheck.runs.wall.server import opened
from score_helpers import NEAR
from tiny import BLUE, GREEN, RED, draw, encode

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
COMPLETE = "[...document.querySelectorAll('.tile img')].every((image) => image.complete)"
HOSTILE = "<img src=x onerror=document.title='owned'>"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, classifier: Classifier) -> Path:
    """A run of 70 pictures from a table with hostile text, 20 of them drawn for labelling."""
    place = tmp_path_factory.mktemp("wall")
    (place / "archive").mkdir()
    lines = ["file,account,date,text"]
    for number in range(70):
        red, green, blue = (RED, GREEN, BLUE)[number % 3]
        colour = ((red + 250 - number) // 2, green // 2 + number, blue // 2) if number % 3 else (230, number, 20)
        data = encode(draw(colour, (161 + number % 5, 97)), "PNG")
        (place / f"archive/p{number:02d}.png").write_bytes(data)
        account = HOSTILE if number % 10 == 3 else "anytown"
        lines.append(f"p{number:02d}.png,{account},2024-{1 + number // 10:02d}-15T12:00:00Z,{HOSTILE} seized")
    (place / "archive/posts.csv").write_text("\n".join(lines) + "\n")
    with open_archive([place / "archive"]) as archive:
        engine = LocalEngine(classifier, find(None), workers=2, near=NEAR)
        Run([place / "archive"], archive.items(), engine, RunFolder(place / "run"), Options()).go()
    draw_sample(place / "run", 20)
    return place / "run"


@pytest.fixture(scope="module")
def address(run: Path) -> Iterator[str]:
    with opened(run, "Ann", None) as wall:
        page = wall.page(0)
        thread = threading.Thread(target=page.serve)
        thread.start()
        yield page.address
        page.stop()
        thread.join(20)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with sync_playwright() as running:
        launched = running.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """The wall, loaded; a script error or a request elsewhere fails the test."""
    fresh = browser.new_page()
    fresh.set_default_timeout(20_000)
    troubles: list[str] = []
    fresh.on("pageerror", lambda error: troubles.append(str(error)))
    fresh.on("request", lambda one: None if one.url.startswith("http://127.0.0.1") else troubles.append(one.url[:80]))
    fresh.goto(address)
    expect(fresh.locator(".tile")).to_have_count(60, timeout=20_000)
    yield fresh
    fresh.close()
    assert not troubles


def marked(run: Path) -> dict[str, str]:
    return {row: given[1] for row, given in read(run / FOLDER / FILE).standing().items()}


def violations(page: Page) -> list[object]:
    found = Axe().run(page, options=RULES).response["violations"]
    return [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in found]


def wait(page: Page, condition: str) -> None:
    """Playwright's own waiting for a condition needs eval, which the page's policy forbids."""
    for _ in range(200):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(100)
    raise AssertionError(condition)


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id"))


def blur_of(page: Page) -> str:
    return str(page.locator(".tile img").first.evaluate("image => getComputedStyle(image).filter"))


def test_looking_and_marking_with_the_keyboard_alone(page: Page, run: Path, tmp_path: Path) -> None:
    assert "70 pictures of 70 match" in (page.locator("#status").text_content() or "")
    assert blur_of(page).startswith("blur")
    page.keyboard.press("Tab")
    assert focused(page) == "by"
    page.keyboard.type("deci")
    page.keyboard.press("Tab")
    expect(page.locator(".title").first).to_contain_text("hold: ")
    for _ in range(40):
        if focused(page).startswith("tile-"):
            break
        page.keyboard.press("Tab")
    assert focused(page) == "tile-0"
    for key in ("ArrowRight", "ArrowDown", "ArrowUp", "Home", " ", "Shift+ArrowRight"):
        page.keyboard.press(key)
    expect(page.locator("#chosen")).to_have_text("2 pictures chosen.")
    page.keyboard.press("1")
    expect(page.locator("#chosen")).to_contain_text("2 pictures marked “knife”; it is on the disk.")
    assert list(marked(run).values()) == ["knife", "knife"]
    expect(page.locator("#tile-1")).to_be_focused()
    page.keyboard.press("u")
    expect(page.locator("#chosen")).to_contain_text("taken back from 2 pictures")
    assert marked(run) == {}
    page.keyboard.press("b")
    assert blur_of(page) == "none"
    page.screenshot(path=str(tmp_path / "wall.png"))
    page.keyboard.press("Enter")
    expect(page.locator("#facts")).to_contain_text(HOSTILE)
    page.keyboard.press("2")
    expect(page.locator("#one-said")).to_contain_text("1 picture marked “no knife”")
    page.screenshot(path=str(tmp_path / "one.png"))
    page.keyboard.press("ArrowRight")
    expect(page.locator("#o-back")).to_be_enabled()
    page.keyboard.press("Escape")
    expect(page.locator("#one")).not_to_be_visible()
    expect(page.locator("#tile-2")).to_be_focused()
    page.keyboard.press("PageDown")
    expect(page.locator("#status")).to_contain_text("page 2 of 2")
    expect(page.locator(".tile")).to_have_count(10)
    expect(page.locator(".tile").first.locator(".what")).to_have_text("to be labelled")
    page.keyboard.press("3")
    expect(page.locator("#chosen")).to_contain_text("1 picture left alone")
    page.go_back()
    expect(page.locator("#status")).to_contain_text("page 1 of 2")
    assert page.locator(".marked").all_text_contents() == ["✓ no knife"]
    assert list(marked(run).values()) == ["no_knife"]
    assert "owned" not in page.title()


def test_months_filters_and_all_that_match(page: Page, run: Path) -> None:
    page.locator("#timeline button").nth(2).click()
    expect(page.locator(".tile")).to_have_count(10)
    assert "start=2024-03&end=2024-03" in page.url
    page.reload()
    expect(page.locator(".tile")).to_have_count(10)
    assert page.locator("#timeline button").nth(2).get_attribute("aria-pressed") == "true"
    page.get_by_role("button", name="Clear filters").click()
    expect(page.locator(".tile")).to_have_count(60)
    page.get_by_label("Account").fill(HOSTILE)
    page.get_by_label("Words in the post").fill("SEIZED")
    page.keyboard.press("Enter")
    expect(page.locator(".tile")).to_have_count(7)
    # The account alone has as many, so wait for what the words were asked for: the pictures and the months.
    asked = "performance.getEntriesByType('resource').filter(one => one.name.includes('words=SEIZED'))"
    page.wait_for_function(f"{asked}.length === 2")
    page.get_by_role("button", name="Choose all that match").click()
    expect(page.locator("#chosen")).to_contain_text("All 7 pictures that match are chosen, on every page.")
    page.locator("#m-again").click()
    expect(page.locator("#chosen")).to_contain_text(re.compile("pictures? marked “look again”"))
    assert "again" in marked(run).values()
    page.get_by_label("Words in the post").fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.locator("#none")).to_be_visible()
    assert "owned" not in page.title()


def test_axe_finds_nothing_and_a_narrow_screen_does_not_scroll_sideways(page: Page) -> None:
    assert not violations(page)
    page.get_by_role("button", name="Help").click()
    assert not violations(page)
    page.keyboard.press("Escape")
    page.locator("#tile-0").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#facts")).to_contain_text("Row")
    assert not violations(page)
    page.keyboard.press("Escape")
    page.get_by_label("Words in the post").fill("nowhere")
    page.keyboard.press("Enter")
    expect(page.locator("#none")).to_be_visible()
    assert not violations(page)
    page.set_viewport_size({"width": 320, "height": 600})
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def test_a_contact_sheet_has_pictures_and_says_what_it_is(page: Page, tmp_path: Path) -> None:
    page.evaluate(f"window.print = () => {{ window.printed = {COMPLETE}; }}")
    page.get_by_role("button", name="Print contact sheet").click()
    wait(page, "window.printed === true")
    page.emulate_media(media="print")
    expect(page.locator("#sheet")).to_be_visible()
    assert "no total may be made of them" in page.locator("#sheet").inner_text()
    assert not page.locator("#filters").is_visible()
    page.screenshot(path=str(tmp_path / "sheet.png"))
    page.pdf(path=str(tmp_path / "sheet.pdf"))
    assert (tmp_path / "sheet.pdf").read_bytes().startswith(b"%PDF")


def test_pictures_that_cannot_be_opened_are_said(page: Page, run: Path) -> None:
    wait(page, COMPLETE)
    shutil.rmtree(run / "thumbs")
    files = sorted((run.parent / "archive").glob("*.png"))
    kept = {path: path.read_bytes() for path in files}
    try:
        for path in files:
            path.unlink()
        page.reload()
        expect(page.locator(".gone")).to_have_count(60, timeout=20_000)
        page.locator("#tile-0").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#large-trouble")).to_contain_text("can’t be opened")
    finally:
        for path, data in kept.items():
            path.write_bytes(data)
