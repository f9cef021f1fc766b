"""What a record allows, who may approve it, handing it over, and verifying it from the command line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from bladecheck.cli import main
from bladecheck.core.images import PictureLimits
from bladecheck.core.record import SCHEMA, fingerprint, finished, new_key
from bladecheck.web.pages.previews import thumbnail
from web.pages.fetching import fetch

Serve = Callable[..., AbstractContextManager[str]]
WHY = "The public can help to find its owner."


def ask(page: Page, site: str, *files: Path) -> None:
    page.goto(site)
    page.set_input_files("input[type=file]", list(files))
    page.get_by_role("button", name="Check pictures").click()
    page.locator("#results-title", has_text="checked").wait_for()
    page.get_by_role("button", name="Make a record").click()
    page.get_by_role("heading", name="Make a record of this check").wait_for()


def download(page: Page, link: str) -> bytes:
    with page.expect_download() as found:
        page.get_by_role("link", name=link).click()
    return Path(found.value.path()).read_bytes()


def test_a_reload_makes_the_same_record(plain_page: Page, site: str, pictures: dict[str, Path]) -> None:
    page = plain_page
    ask(page, site, pictures["clear"])
    page.locator("#outcome-1").check()
    page.get_by_role("button", name="Make the record").click()
    before = json.loads(download(page, "Download as data (JSON)"))
    page.wait_for_timeout(1100)
    page.reload()
    assert json.loads(download(page, "Download as data (JSON)")) == before
    expect(page.locator(".bc-record")).to_contain_text(before["fingerprint"])


def test_only_outcomes_that_the_policy_allows(
    page: Page, site: str, strict_site: str, pictures: dict[str, Path]
) -> None:
    ask(page, site, pictures["hold"], pictures["broken"], pictures["clear"])
    rows = [page.locator(f"[name=outcome-{number}]").all() for number in (1, 2, 3)]
    assert [[one.get_attribute("value") for one in row] for row in rows] == [
        ["not_posted", "words_only", "copy"],
        ["not_posted", "words_only"],
        ["not_posted", "words_only", "copy", "as_is"],
    ]
    ask(page, strict_site, pictures["hold"])
    page.get_by_label("Post it as it is").check()
    page.get_by_label("Full name of who approves").fill("Ann Example")
    page.get_by_label("Why this is necessary and right").fill("because")
    page.get_by_role("button", name="Make the record").click()
    expect(page.locator(".govuk-error-summary")).to_contain_text("Enter why this is necessary and right, in a sentence")
    page.get_by_label("Why this is necessary and right").fill(WHY)
    page.get_by_role("button", name="Make the record").click()
    expect(page.locator(".bc-record")).to_contain_text("Post it as it is")


def test_each_picture_shows_on_the_form(page: Page, site: str, pictures: dict[str, Path]) -> None:
    ask(page, site, pictures["hold"], pictures["broken"])
    expect(page.locator(".bc-thumbnail img")).to_have_count(1)
    assert page.locator(".bc-thumbnail img").evaluate("(image) => image.naturalWidth") == 200


def test_only_who_is_listed_may_approve(page: Page, serve: Serve, pictures: dict[str, Path], tmp_path: Path) -> None:
    policy = tmp_path / "mine.toml"
    policy.write_text(
        'name = "mine"\nsummary = "A test."\napprover_required = true\napprovers = ["Head of News", "Ann Example"]\n'
    )
    with serve(str(policy)) as site:
        ask(page, site, pictures["hold"])
        page.get_by_label("Post the copy that was made here").check()
        page.get_by_label("Full name of who approves").fill("Bea Example")
        page.get_by_label("Why this is necessary and right").fill(WHY)
        page.get_by_role("button", name="Make the record").click()
        expect(page.locator(".govuk-error-summary")).to_contain_text("these approve: Head of News, Ann Example")
        page.locator("#approver_role").fill("head of news")
        page.get_by_role("button", name="Make the record").click()
        expect(page.locator(".bc-record")).to_contain_text("Bea Example, head of news")


def verify(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str]:
    """Exit code and words of `bladecheck record verify`, in this process: starting one takes longer than verifying."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["bladecheck", "record", "verify", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            main()
    shown = capsys.readouterr()
    return int(stopped.value.code or 0), shown.out + shown.err


def test_a_record_is_handed_over_approved_and_verified(
    browser: Browser,
    page: Page,
    serve: Serve,
    pictures: dict[str, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    key, handed, altered, approved, copy = (
        tmp_path / name for name in ("key", "handed", "altered", "approved", "copy")
    )
    key.write_text(new_key())
    with serve("only-when-necessary", record_key=str(key)) as site:
        ask(page, site, pictures["hold"])
        page.get_by_label("Post the copy that was made here").check()
        page.get_by_role("button", name="Hand over for approval").click()
        expect(page.locator(".govuk-error-summary")).to_contain_text("Enter the full name of who decided")
        page.locator("#decider").fill("Bea Example")
        page.get_by_role("button", name="Hand over for approval").click()
        expect(page.locator(".bc-record")).to_contain_text("This record waits for approval.")
        expect(page.locator(".bc-record .govuk-button").first).to_have_text("Download as data (JSON)")
        handed.write_bytes(download(page, "Download as data (JSON)"))
        for _ in range(2):
            page.go_back(wait_until="commit")
        copy.write_bytes(download(page, "Download the covered copy"))
        altered.write_text(handed.read_text().replace("Bea Example", "Eve Example"))
        approve(browser, site, altered, handed, approved)
    made = json.loads(approved.read_text())
    assert (made["decided_by"]["name"], made["approved_by"]["name"]) == ("Bea Example", "Ann Example")
    assert made["handed_over"]["fingerprint"] == json.loads(handed.read_text())["fingerprint"]
    code, said = verify(capsys, approved, pictures["hold"], copy, "--key", key)
    assert code == 0, said
    for part in ("unaltered", "signature is valid", f"{copy}: the copy of hold.png", "the picture hold.png"):
        assert part in said
    assert verify(capsys, approved, pictures["clear"])[0] == 2
    assert verify(capsys, altered)[0] == 2
    made["approved_by"]["name"] = "Eve Example"
    altered.write_text(json.dumps({**made, "fingerprint": fingerprint(made)}))
    assert verify(capsys, altered)[0] == 0, "a new fingerprint alone looks fine"
    code, said = verify(capsys, altered, "--key", key)
    assert (code, "WRONG" in said) == (2, True)
    assert "bad_record" in verify(capsys, pictures["hold"])[1]


def approve(browser: Browser, site: str, altered: Path, handed: Path, approved: Path) -> None:
    """Somebody else, on their own page, without scripts."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site)
    page.get_by_role("link", name="Approve a record that was handed to you").click()
    page.get_by_label("Record as data").set_input_files(altered)
    page.get_by_role("button", name="Open the record").click()
    expect(page.locator(".govuk-error-summary")).to_contain_text("This record was altered")
    page.get_by_label("Record as data").set_input_files(handed)
    page.get_by_role("button", name="Open the record").click()
    page.get_by_role("button", name="Approve").click()
    expect(page.locator(".govuk-error-summary")).to_contain_text("Enter the full name of who approves this")
    page.get_by_label("Full name of who approves").fill("Ann Example")
    page.get_by_label("Why this is necessary and right").fill(WHY)
    page.get_by_role("button", name="Approve").click()
    approved.write_bytes(download(page, "Download as data (JSON)"))
    context.close()


@pytest.mark.parametrize("pictures_of", [[], [{}], [{"result": []}], ["hold.png"]], ids=str)
@pytest.mark.parametrize("path", ["/record/open", "/record/approved"])
def test_a_record_that_lacks_something_is_refused(site: str, path: str, pictures_of: list[object]) -> None:
    made = finished({"schema": SCHEMA, "state": "waiting for approval", "pictures": pictures_of}, None)
    status, _, body = fetch(f"{site}{path}", accept="text/html", files=[("r.json", json.dumps(made).encode())])
    assert status == 400
    assert "This record is incomplete." in body.decode()


def handed_over(page: Page, site: str, picture: Path, folder: Path) -> tuple[Path, Path]:
    """A record that waits for approval, and the copy that was made with it, as files."""
    ask(page, site, picture)
    page.get_by_label("Post the copy that was made here").check()
    page.locator("#decider").fill("Bea Example")
    page.get_by_role("button", name="Hand over for approval").click()
    handed, copy = folder / "handed.json", folder / "copy.jpg"
    handed.write_bytes(download(page, "Download as data (JSON)"))
    for _ in range(2):
        page.go_back(wait_until="commit")
    copy.write_bytes(download(page, "Download the covered copy"))
    return handed, copy


def test_an_approver_sees_the_pictures_that_came_with_a_record(
    page: Page, plain_page: Page, strict_site: str, pictures: dict[str, Path], tmp_path: Path
) -> None:
    handed, copy = handed_over(page, strict_site, pictures["hold"], tmp_path)
    page = plain_page
    page.goto(f"{strict_site}/record/open")
    page.get_by_label("Record as data").set_input_files(handed)
    page.get_by_label("Its pictures and copies").set_input_files([pictures["hold"], pictures["clear"]])
    page.get_by_role("button", name="Open the record").click()
    shown = page.locator(".bc-entry figure")
    expect(shown).to_have_text(["The picture"])
    assert page.locator(".bc-entry img").evaluate("(image) => image.naturalWidth") == 321
    expect(page.locator(".govuk-warning-text")).to_contain_text("Not in this record, or changed since: clear.png")
    expect(page.locator("main")).to_contain_text("1 of the record’s files not shown yet")
    page.get_by_label("Full name of who approves").fill("Ann Example")
    page.get_by_role("button", name="Show them").click()
    expect(page.locator(".govuk-error-summary")).to_contain_text("Choose the files that came with the record")
    page.get_by_label("Look at the pictures and copies").set_input_files(copy)
    page.get_by_role("button", name="Show them").click()
    expect(page.get_by_label("Full name of who approves")).to_have_value("Ann Example")
    expect(shown).to_have_text(["The picture", "The copy"])
    expect(page.locator(".govuk-warning-text")).to_have_count(0)
    expect(page.get_by_role("button", name="Show them")).to_have_count(0)
    assert "blur" in page.locator(".bc-entry img").first.evaluate("(image) => getComputedStyle(image).filter")
    page.get_by_label("without the blur").check()
    expect(page.locator(".bc-entry img").last).to_have_css("filter", "none")
    page.get_by_label("Full name of who approves").press("Enter")
    expect(page.locator(".govuk-error-summary")).to_contain_text("Enter why this is necessary and right")
    expect(shown).to_have_text(["The picture", "The copy"])


def test_what_cannot_be_shown_to_an_approver_is_named_so(
    page: Page, strict_site: str, pictures: dict[str, Path], tmp_path: Path
) -> None:
    ask(page, strict_site, pictures["broken"])
    page.get_by_label("Do not post it").check()
    page.locator("#decider").fill("Bea Example")
    page.get_by_role("button", name="Hand over for approval").click()
    handed = tmp_path / "handed.json"
    handed.write_bytes(download(page, "Download as data (JSON)"))
    page.goto(f"{strict_site}/record/open")
    page.get_by_label("Record as data").set_input_files(handed)
    page.get_by_role("button", name="Open the record").click()
    page.get_by_label("Look at the pictures and copies").set_input_files(pictures["broken"])
    page.get_by_label("Full name of who approves").fill("Ann Example")
    page.get_by_label("Why this is necessary and right").fill(WHY)
    page.get_by_role("button", name="Approve").last.click()
    expect(page.locator(".govuk-error-summary")).to_contain_text("Look at the files that you chose, then approve")
    expect(page.locator(".bc-entry")).to_contain_text("it cannot be shown in a page. Open it on your computer")
    page.get_by_role("button", name="Approve").last.click()
    expect(page.locator(".bc-record")).to_contain_text("Ann Example")


def test_no_other_picture_passes_as_the_records(
    page: Page, strict_site: str, pictures: dict[str, Path], tmp_path: Path
) -> None:
    handed, copy = handed_over(page, strict_site, pictures["hold"], tmp_path)
    page.goto(f"{strict_site}/record/open")
    page.get_by_label("Record as data").set_input_files(handed)
    page.get_by_label("Its pictures and copies").set_input_files(copy)
    page.get_by_role("button", name="Open the record").click()
    page.get_by_role("button", name="Approve").wait_for()
    expect(page.locator("[name=seen]")).to_have_count(1)
    page.locator("[name=seen]").evaluate(
        """(field, small) => {
          const [body, mac] = field.value.split(".");
          const found = JSON.parse(atob(body.replaceAll("-", "+").replaceAll("_", "/")));
          found.value.small = small;
          field.value = `${btoa(JSON.stringify(found)).replaceAll("+", "-").replaceAll("/", "_")}.${mac}`;
        }""",
        thumbnail_of(pictures["clear"]),
    )
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("main")).to_contain_text("The results were changed")
    expect(page.locator(".bc-entry img")).to_have_count(0)


def thumbnail_of(picture: Path) -> str:
    return thumbnail(picture.read_bytes(), PictureLimits())
