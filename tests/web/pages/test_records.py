"""The approval record: who must sign, what it holds, that it prints, and that it can't be forged on the way."""

from __future__ import annotations

import hashlib
import json
import subprocess
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bladecheck.core.record import fingerprint


def ask(page: Page, site: str, *files: Path) -> None:
    page.goto(site)
    page.set_input_files("input[type=file]", list(files))
    page.get_by_role("button", name="Check pictures").click()
    page.locator("#results-title", has_text="checked").wait_for()
    page.get_by_role("button", name="Make a record").click()
    page.get_by_role("heading", name="Make a record of this check").wait_for()


def download(page: Page, link: str) -> Path:
    with page.expect_download() as found:
        page.get_by_role("link", name=link).click()
    return Path(found.value.path())


def test_the_policy_decides_whether_a_name_is_needed(page: Page, strict_site: str, pictures: dict[str, Path]) -> None:
    ask(page, strict_site, pictures["hold"], pictures["clear"])
    page.get_by_label("Post the copy that was made here").first.check()
    page.get_by_label("Post it as it is").last.check()
    page.get_by_role("button", name="Make the record").click()
    summary = page.locator(".govuk-error-summary")
    expect(summary.get_by_role("link")).to_have_text(
        ["Enter the full name of who approves this", "Enter why this is necessary and right"]
    )
    assert page.title().startswith("Error: ")
    expect(summary).to_be_focused()
    summary.get_by_role("link").first.click()
    expect(page.get_by_label("Full name of who approves")).to_be_focused()
    expect(page.get_by_label("Full name of who approves")).to_have_accessible_description(
        "You need this if you use a picture that is not clear Error: Enter the full name of who approves this"
    )
    # What was chosen before is still there.
    expect(page.get_by_label("Post the copy that was made here").first).to_be_checked()
    page.get_by_label("Full name of who approves").fill("Ann Example")
    page.get_by_label("Why this is necessary and right").fill("The owner <is> sought & the item has to be known.")
    page.get_by_role("button", name="Make the record").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Record of a picture check")
    expect(page.locator(".bc-record")).to_contain_text("The owner <is> sought & the item has to be known.")


@pytest.mark.parametrize("outcome", ["Do not post it", "Post words without a picture"])
def test_no_name_is_needed_where_the_picture_is_not_used(
    page: Page, strict_site: str, pictures: dict[str, Path], outcome: str
) -> None:
    ask(page, strict_site, pictures["hold"])
    page.get_by_label(outcome).check()
    page.get_by_role("button", name="Make the record").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Record of a picture check")


def test_the_record_holds_what_was_checked_and_who_decided(page: Page, site: str, pictures: dict[str, Path]) -> None:
    ask(page, site, pictures["hold"], pictures["broken"])
    copy = page.locator("[data-sha256]").get_attribute("data-sha256") or ""
    page.locator("#outcome-1-3").check()
    page.locator("#outcome-2").check()
    page.get_by_label("Was the answer wrong? hold.png").select_option("drawn")
    page.locator("#decider").fill("Bea Example")
    page.get_by_label("Full name of who approves").fill("Ann Example")
    page.locator("#approver_role").fill("Head of news")
    page.get_by_label("Case or reference number").fill("A/1")
    page.get_by_label("Link to the post").fill("https://example.org/1")
    page.get_by_role("button", name="Make the record").click()
    record = json.loads(download(page, "Download as data (JSON)").read_text())
    first, second = record["pictures"]
    assert first["result"]["image"]["sha256"] == hashlib.sha256(pictures["hold"].read_bytes()).hexdigest()
    assert first["result"]["decision"] == "hold"
    assert first["result"]["scores"]["knife"] > 0.7
    assert first["outcome"] == {"code": "copy", "text": "Post the copy that was made here"}
    assert first["copy"]["sha256"] == copy
    assert first["copy"]["areas"]
    assert first["correction"] == {"code": "drawn", "text": "It is drawn, printed or a toy"}
    assert second["copy"] is None
    assert second["result"]["error"]["code"] == "not_an_image"
    assert record["decided_by"] == {"name": "Bea Example", "role": ""}
    assert record["approved_by"] == {"name": "Ann Example", "role": "Head of news"}
    assert record["post"]["case_number"] == "A/1"
    assert record["signature"] is None
    assert {"name", "version", "sha256"} <= set(first["result"]["model"])
    assert record["policy"]["sha256"] == first["result"]["policy"]["sha256"]
    assert record["made_at"].endswith("+00:00")
    assert record["fingerprint"] == fingerprint(record)
    changed = {**record, "approved_by": {"name": "Somebody else", "role": ""}}
    assert fingerprint(changed) != record["fingerprint"]
    html = download(page, "Download this page (HTML)").read_text()
    assert record["fingerprint"] in html
    assert "<script" not in html
    assert copy in html


def test_the_record_prints(page: Page, site: str, pictures: dict[str, Path], tmp_path: Path) -> None:
    ask(page, site, pictures["hold"], pictures["clear"])
    for number in (1, 2):
        page.locator(f"#outcome-{number}").check()
    page.get_by_label("Full name of who approves").fill("Ann Example")
    page.get_by_role("button", name="Make the record").click()
    expect(page.get_by_role("button", name="Print this record")).to_be_visible()
    printed = page.pdf(path=tmp_path / "record.pdf", format="A4")
    assert printed.startswith(b"%PDF")
    page.emulate_media(media="print")
    expect(page.get_by_role("button", name="Print this record")).to_be_hidden()
    expect(page.get_by_role("navigation")).to_be_hidden()
    expect(page.locator(".bc-record")).to_contain_text("Ann Example")
    assert page.locator(".bc-entry").count() == 2


def test_a_changed_result_makes_no_record(page: Page, site: str, pictures: dict[str, Path]) -> None:
    ask(page, site, pictures["hold"])
    token = page.locator("#approval-form [name=sealed]").get_attribute("value") or ""
    body, _, mac = token.partition(".")
    forged = json.loads(urlsafe_b64decode(body))
    forged["value"]["result"]["decision"] = "clear"
    value = f"{urlsafe_b64encode(json.dumps(forged).encode()).decode()}.{mac}"
    page.locator("#approval-form [name=sealed]").evaluate("(field, value) => { field.value = value; }", value)
    page.locator("#outcome-1").check()
    page.get_by_role("button", name="Make the record").click()
    expect(page.get_by_role("alert")).to_contain_text("The results were changed")
    expect(page.get_by_role("alert")).to_contain_text("Check the pictures again.")


def test_a_record_without_pictures_or_of_nonsense_is_refused(site: str) -> None:
    for field in ("other=1", "sealed=", "sealed=x.y", "sealed=" + "ü" * 50):
        answer = subprocess.run(
            ["curl", "-s", "-o", "-", "-w", "%{http_code}", "-F", field, f"{site}/record/finished"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert answer.endswith("400")
        assert "This record cannot be made" in answer


def test_a_record_page_can_not_be_reloaded_into_existence(page: Page, site: str) -> None:
    for path in ("/record", "/record/finished", "/check"):
        page.goto(f"{site}{path}")
        assert page.url == f"{site}/"
