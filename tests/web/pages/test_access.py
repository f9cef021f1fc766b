"""Everybody can use every page: axe finds nothing, the keyboard is enough, 320 pixels are wide enough."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
Step = Callable[[Page, str, dict[str, Path]], None]


def start(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.goto(site)


def start_with_error(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.goto(site)
    page.get_by_role("button", name="Check pictures").click()
    page.locator(".govuk-error-summary").wait_for()


def chosen(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.goto(site)
    page.set_input_files("input[type=file]", [pictures["hold"], pictures["clear"]])


def results(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.goto(site)
    page.set_input_files("input[type=file]", list(pictures.values()))
    page.get_by_role("button", name="Check pictures").click()
    page.get_by_role("heading", name=f"{len(pictures)} pictures checked").wait_for()
    page.locator("#picture-1-reveal").check()
    for summary in page.locator("summary").all():
        summary.click()


def chosen_with_errors(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.goto(site)
    page.evaluate("document.getElementById('upload-form').dataset.mostBytes = 2000")
    page.set_input_files("input[type=file]", [pictures["hold"], pictures["place"], *[pictures["clear"]] * 20])
    page.get_by_role("button", name="Check pictures").click()
    page.locator(".govuk-error-summary").wait_for()


def results_with_failures(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.route("**/check/picture*", lambda route: route.abort())
    page.goto(site)
    page.set_input_files("input[type=file]", [pictures["hold"], pictures["clear"]] * 4)
    page.get_by_role("button", name="Check pictures").click()
    page.get_by_role("heading", name="0 of 8 pictures checked").wait_for()


def editor(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.goto(site)
    page.set_input_files("input[type=file]", [pictures["hold"], pictures["clear"]])
    page.get_by_role("button", name="Check pictures").click()
    page.get_by_role("heading", name="2 pictures checked").wait_for()
    for _ in range(2):
        page.get_by_role("button", name="Change the copy").first.click()
    page.get_by_role("button", name="Cut the picture").first.click()
    page.locator(".bc-old").first.wait_for()
    expect(page.locator(".bc-old")).to_have_count(0)


def copy_by_numbers_with_error(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.goto(f"{site}/copy")
    page.get_by_label("Left, %").first.fill("much")
    page.get_by_role("button", name="Make the copy").click()
    page.locator(".govuk-error-summary").wait_for()


def copy_by_numbers(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.goto(f"{site}/copy")
    page.get_by_label("Picture", exact=True).set_input_files(pictures["hold"])
    page.get_by_role("button", name="Make the copy").click()
    page.get_by_role("heading", name="The copy of hold.png").wait_for()


def record_form(page: Page, site: str, pictures: dict[str, Path]) -> None:
    results(page, site, pictures)
    page.get_by_role("button", name="Make a record").click()
    page.get_by_role("heading", name="Make a record of this check").wait_for()


def record_form_with_errors(page: Page, site: str, pictures: dict[str, Path]) -> None:
    record_form(page, site, pictures)
    page.get_by_role("button", name="Make the record").click()
    page.locator(".govuk-error-summary").wait_for()


def record(page: Page, site: str, pictures: dict[str, Path]) -> None:
    record_form(page, site, pictures)
    for number in range(1, len(pictures) + 1):
        page.locator(f"#outcome-{number}-2").check()
    page.get_by_label("Full name of who approves").fill("Ann Example")
    page.get_by_role("button", name="Make the record").click()
    page.get_by_role("heading", name="Record of a picture check").wait_for()


def at(path: str) -> Step:
    def go(page: Page, site: str, pictures: dict[str, Path]) -> None:
        page.goto(f"{site}{path}")

    go.__name__ = path.strip("/").replace("/", "_")
    return go


PLACES: list[Step] = [
    start,
    start_with_error,
    chosen,
    chosen_with_errors,
    results,
    results_with_failures,
    editor,
    copy_by_numbers,
    copy_by_numbers_with_error,
    record_form,
    record_form_with_errors,
    record,
    *map(
        at, ("/copy", "/record/open", "/help", "/model", "/model/card", "/privacy", "/accessibility", "/no-such-page")
    ),
]
EVERYWHERE = pytest.mark.parametrize("place", PLACES, ids=lambda place: place.__name__)
FOCUS = """() => {
  const found = document.activeElement;
  if (!found || found === document.body) return null;
  const box = found.getBoundingClientRect(), style = getComputedStyle(found);
  const label = found.labels && found.labels[0];
  const near = label ? getComputedStyle(label, "::before").boxShadow : "none";
  return { name: found.id || found.textContent.trim(), top: box.top, height: box.height,
           shown: style.outlineStyle !== "none" || style.boxShadow !== "none" || near !== "none" };
}"""


@EVERYWHERE
def test_every_page_and_state(page: Page, site: str, pictures: dict[str, Path], place: Step) -> None:
    place(page, site, pictures)
    axe_finds_nothing(page)
    page.emulate_media(color_scheme="dark")
    axe_finds_nothing(page, ["color-contrast"])
    targets_are_large_enough(page)
    nothing_spills_at_400_percent(page)


def axe_finds_nothing(page: Page, rules: list[str] | None = None) -> None:
    options = {"runOnly": rules, "resultTypes": ["violations"]} if rules else RULES
    found = Axe().run(page, options=options).response["violations"]
    assert not found, json.dumps([(one["id"], [node["html"] for node in one["nodes"]]) for one in found], indent=1)


def nothing_spills_at_400_percent(page: Page) -> None:
    page.set_viewport_size({"width": 320, "height": 256})  # 1280 x 1024 at 400 %, WCAG 1.4.10
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def targets_are_large_enough(page: Page) -> None:
    small = page.evaluate(
        """[...document.querySelectorAll("button, summary, input:not([type=hidden]), a.govuk-button, .bc-queue a")]
             .filter((one) => one.checkVisibility())
             .map((one) => [one.outerHTML.slice(0, 80), one.getBoundingClientRect()])
             .filter(([, box]) => box.width < 24 || box.height < 24).map(([html]) => html)"""
    )
    assert not small


def test_the_keyboard_alone_is_enough(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.goto(site)
    page.keyboard.press("Tab")
    assert page.evaluate(FOCUS)["name"] == "Skip to main content"
    with page.expect_file_chooser() as chooser:
        press_until(page, "pictures")
        page.keyboard.press("Enter")
    chooser.value.set_files([pictures["hold"], pictures["check"], pictures["clear"]])
    press_until(page, "chosen-2")
    page.keyboard.press("Enter")
    expect(page.locator(".bc-chosen__row")).to_have_count(2)
    assert page.evaluate("document.activeElement.id") == "chosen-3"  # the next one: the focus is not lost
    press_until(page, "Check pictures")
    page.keyboard.press("Enter")
    expect(page.locator("#results-title")).to_have_text("2 pictures checked")
    assert page.evaluate("document.activeElement.id") == "results-title"
    press_until(page, "picture-1-reveal")
    page.keyboard.press("Space")
    expect(page.locator("#picture-1-reveal")).to_be_checked()
    press_until(page, "Download the covered copy of hold.png")
    with page.expect_download():
        page.keyboard.press("Enter")
    press_until(page, "Suggested wording and alt text for hold.png")
    page.keyboard.press("Enter")
    expect(page.locator("#picture-1 [data-copyable]").first).to_be_visible()
    press_until(page, "Make a record")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Make a record of this check")
    for field in ("outcome-1", "outcome-2"):
        press_until(page, field)
        page.keyboard.press("Space")
    press_until(page, "approver")
    page.keyboard.type("Ann Example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Record of a picture check")


def press_until(page: Page, name: str) -> None:
    """Tab on until the named element has the focus; every stop on the way must show it and lie on the screen."""
    for _ in range(90):
        page.keyboard.press("Tab")
        focus = page.evaluate(FOCUS)
        if focus:
            assert focus["shown"], f"the focus does not show on {focus['name']}"
            assert focus["top"] + focus["height"] > 0
            if focus["name"] == name:
                return
    raise AssertionError(f"{name} can't be reached with the keyboard")


def test_motion_is_off_for_who_asks(browser: Browser, site: str, pictures: dict[str, Path]) -> None:
    context = browser.new_context(reduced_motion="reduce")
    page = context.new_page()
    results(page, site, pictures)
    durations = page.evaluate(
        "[...document.querySelectorAll('*')].map((one) => getComputedStyle(one).transitionDuration)"
    )
    assert set(durations) == {"0s"}
    context.close()


def test_the_decision_does_not_hang_on_colour(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.emulate_media(forced_colors="active")
    results(page, site, pictures)
    expect(page.locator("#picture-1 h2")).to_have_accessible_name(
        re.compile(r"^Hold\s*:\s*Do not post this picture as it is")
    )
