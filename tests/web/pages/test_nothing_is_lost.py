"""Back, Forward, Help, a reload: answers, copies and what was typed are still there; the service keeps nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Dialog, Page, expect


def check(page: Page, site: str, *files: Path) -> None:
    page.goto(site)
    page.set_input_files("input[type=file]", list(files))
    page.get_by_role("button", name="Check pictures").click()
    page.locator("#results-title", has_text="checked").wait_for()


def back(page: Page) -> None:
    page.go_back(wait_until="commit")  # a page from the back/forward cache loads nothing


def forward(page: Page) -> None:
    page.go_forward(wait_until="commit")


def test_help_and_back(page: Page, site: str, pictures: dict[str, Path]) -> None:
    check(page, site, pictures["hold"], pictures["clear"])
    page.get_by_role("link", name="Help", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("How to read an answer")
    back(page)
    expect(page.locator(".bc-card:visible")).to_have_count(2)
    expect(page.locator("[data-download][href]")).to_have_count(2)


def test_the_browser_itself_holds_the_page(page: Page, site: str, pictures: dict[str, Path]) -> None:
    check(page, site, pictures["hold"])
    page.evaluate("window.mark = 'the same page'")
    page.get_by_role("link", name="Help", exact=True).click()
    page.get_by_role("heading", name="How to read an answer").wait_for()
    back(page)
    page.locator(".bc-card").wait_for()
    assert page.evaluate("window.mark") == "the same page"


def test_back_and_forward_between_choice_answers_and_record(page: Page, site: str, pictures: dict[str, Path]) -> None:
    check(page, site, pictures["hold"], pictures["clear"])
    page.locator("#queue a").last.click()
    page.get_by_role("button", name="Make a record").click()
    page.get_by_label("Full name of who approves").fill("Ann Example")
    page.locator("[name=outcome-1]").first.check()
    back(page)
    expect(page.locator(".bc-card:visible")).to_have_count(2)
    forward(page)
    expect(page.get_by_label("Full name of who approves")).to_have_value("Ann Example")
    back(page)
    back(page)
    back(page)
    expect(page.get_by_role("button", name="Check pictures")).to_be_visible()
    expect(page.locator(".bc-card:visible")).to_have_count(0)
    forward(page)
    expect(page.locator(".bc-card:visible")).to_have_count(2)
    page.get_by_role("button", name="Make a record").click()
    expect(page.get_by_label("Full name of who approves")).to_have_value("Ann Example")
    expect(page.locator("[name=outcome-1]").first).to_be_checked()
    page.get_by_role("link", name="Back to the answers").click()
    expect(page.locator(".bc-card:visible")).to_have_count(2)


def test_a_reload_keeps_answers_and_makes_the_copy_again(page: Page, site: str, pictures: dict[str, Path]) -> None:
    check(page, site, pictures["hold"], pictures["broken"])
    before = page.locator("[data-sha256]").get_attribute("data-sha256")
    page.reload()
    expect(page.locator("#results-title")).to_have_text("2 pictures checked")
    expect(page.locator("#results-summary")).to_have_text("1 to hold, 1 not judged.")
    expect(page.locator("#queue .bc-state")).to_have_text(["Hold", "Cannot judge"])
    # The file came from the browser's own encrypted store: the very same copy.
    expect(page.locator("[data-download][href]")).to_have_count(1)
    assert page.locator("[data-sha256]").get_attribute("data-sha256") == before
    expect(page.locator("#picture-1 .bc-picture__image")).to_have_css("filter", re.compile("blur"))


def test_a_reload_keeps_a_copy_as_it_was_changed(page: Page, site: str, pictures: dict[str, Path]) -> None:
    check(page, site, pictures["clear"])
    page.get_by_role("button", name="Change the copy").click()
    page.get_by_role("button", name="Add an area to cover").click()
    page.get_by_label("Size of the copy").select_option("square")
    expect(page.locator(".bc-made")).to_contain_text("1 area is covered.")
    expect(page.locator(".bc-made")).to_contain_text("JPEG, 243 × 243 pixels")
    before = page.locator("[data-sha256]").get_attribute("data-sha256")
    page.reload()
    expect(page.locator("[data-download][href]")).to_have_count(1)
    expect(page.locator(".bc-made")).to_contain_text("1 area is covered.")
    assert page.locator("[data-sha256]").get_attribute("data-sha256") == before
    page.get_by_role("button", name="Change the copy").click()
    expect(page.locator(".bc-box")).to_have_count(1)
    expect(page.get_by_label("Size of the copy")).to_have_value("square")


def test_a_reload_keeps_what_was_typed_and_the_record(page: Page, site: str, pictures: dict[str, Path]) -> None:
    check(page, site, pictures["hold"])
    page.get_by_role("button", name="Make a record").click()
    page.get_by_label("Full name of who approves").fill("Ann Example")
    page.locator("[name=outcome-1]").first.check()
    page.reload()
    expect(page.get_by_label("Full name of who approves")).to_have_value("Ann Example")
    expect(page.locator("[name=outcome-1]").first).to_be_checked()
    page.get_by_role("button", name="Make the record").click()
    expect(page.get_by_role("heading", level=1).locator("visible=true")).to_have_text("Record of a picture check")
    before = page.locator(".bc-record").inner_text()
    page.reload()
    expect(page.locator(".bc-record")).to_be_visible()
    assert page.locator(".bc-record").inner_text() == before


def test_a_lost_service_loses_nothing(page: Page, site: str, pictures: dict[str, Path]) -> None:
    check(page, site, pictures["hold"])
    page.get_by_role("button", name="Make a record").click()
    page.get_by_label("Full name of who approves").fill("Ann Example")
    page.locator("[name=outcome-1]").first.check()
    page.route("**/record/finished*", lambda route: route.abort())
    page.get_by_role("button", name="Make the record").click()
    expect(page.get_by_role("alert")).to_have_text("The service could not be reached. Nothing was lost: try again.")
    page.unroute("**/record/finished*")
    page.get_by_role("button", name="Make the record").click()
    expect(page.locator(".bc-record")).to_contain_text("Ann Example")


def test_a_fresh_first_page_offers_the_answers_and_forgets_them(
    page: Page, site: str, pictures: dict[str, Path]
) -> None:
    check(page, site, pictures["hold"])
    page.get_by_role("link", name="Check pictures").click()
    expect(page.locator("#kept-answers")).to_contain_text("The answers of the last check (1 picture)")
    page.get_by_role("button", name="Show them").click()
    expect(page.locator(".bc-card:visible")).to_have_count(1)
    page.get_by_role("link", name="Check pictures").click()
    page.get_by_role("button", name="Forget them").click()
    expect(page.locator("#kept-answers")).to_have_count(0)
    assert page.evaluate("Object.keys(sessionStorage).length") == 0
    page.reload()
    expect(page.locator("#kept-answers")).to_have_count(0)
    assert stored(page) == []


def test_files_on_the_officers_disk_are_unreadable(page: Page, site: str, pictures: dict[str, Path]) -> None:
    check(page, site, pictures["clear"])
    page.wait_for_function("sessionStorage.getItem('bladecheck.file.1') !== null")
    [kept] = stored(page)
    assert bytes(kept) != pictures["clear"].read_bytes()
    assert b"PNG" not in bytes(kept)
    assert len(kept) == pictures["clear"].stat().st_size + 16  # AES-GCM adds its tag


def stored(page: Page) -> list[list[int]]:
    found: list[list[int]] = page.evaluate(
        """() => new Promise((done) => {
             const opening = indexedDB.open("bladecheck", 1);
             opening.onupgradeneeded = () => opening.result.createObjectStore("files");
             opening.onsuccess = () => {
               const all = opening.result.transaction("files").objectStore("files").getAll();
               all.onsuccess = () => {
                 opening.result.close();
                 done(all.result.map((one) => [...new Uint8Array(one.data)]));
               };
             };
           })"""
    )
    return found


def leave(page: Page) -> list[str]:
    """Try to go elsewhere, and stay if asked; the kinds of question that came."""
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.once("dialog", stay)
    page.evaluate("setTimeout(() => { location.href = 'about:blank#elsewhere'; }, 0)")
    page.wait_for_timeout(700)
    return asked


@pytest.mark.parametrize("work", ["a changed copy", "a typed record", "a record not saved"])
def test_leaving_with_unsaved_work_warns(page: Page, site: str, pictures: dict[str, Path], work: str) -> None:
    check(page, site, pictures["clear"])
    if work == "a changed copy":
        page.get_by_role("button", name="Change the copy").click()
        page.get_by_role("button", name="Add an area to cover").click()
        expect(page.locator(".bc-made")).to_contain_text("1 area is covered.")
        save = page.get_by_role("link", name="Download the covered copy")
    else:
        page.get_by_role("button", name="Make a record").click()
        page.locator("[name=outcome-1]").first.check()
        page.get_by_label("Full name of who approves").press_sequentially("Ann")
        if work == "a typed record":
            assert leave(page) == ["beforeunload"]
            expect(page.get_by_label("Full name of who approves")).to_have_value("Ann")
        page.get_by_role("button", name="Make the record").click()
        save = page.get_by_role("link", name="Download as data (JSON)")
    save.wait_for()
    assert leave(page) == ["beforeunload"]
    with page.expect_download():
        save.click()
    assert leave(page) == []


def test_reading_answers_is_no_unsaved_work(page: Page, site: str, pictures: dict[str, Path]) -> None:
    check(page, site, pictures["clear"])
    page.get_by_label("without the blur").check()
    assert leave(page) == []
