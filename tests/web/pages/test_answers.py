"""The answers' page in a real browser: choose or drop, read, reveal, download."""

from __future__ import annotations

import io
import json
import re
from base64 import b64decode, b64encode
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from bladecheck.core.result import classify_bytes
from tiny import GREEN, RED, draw

DROP = """([selector, files]) => {
  const data = new DataTransfer();
  for (const [name, base64] of files) {
    const bytes = Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
    data.items.add(new File([bytes], name, { type: "image/png" }));
  }
  const target = document.querySelector(selector);
  for (const type of ["dragenter", "dragover", "drop"]) {
    target.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: data }));
  }
}"""


def send(page: Page, site: str, *files: Path) -> None:
    page.goto(site)
    page.set_input_files("input[type=file]", list(files))
    page.get_by_role("button", name="Check pictures").click()


def test_each_answer_comes_with_its_word_reasons_and_next_steps(
    page: Page, site: str, pictures: dict[str, Path]
) -> None:
    names = ["hold", "check", "clear", "tiny", "broken"]
    send(page, site, *(pictures[name] for name in names))
    expect(page.get_by_role("heading", level=1)).to_have_text("5 pictures checked")
    expect(page.locator("#results-summary")).to_have_text("1 to hold, 1 to check, 2 not judged, 1 clear.")
    expect(page.locator("#queue .bc-state")).to_have_text(["Hold", "Check", "Cannot judge", "Cannot judge", "Clear"])
    first = page.locator("#picture-1")
    expect(first.get_by_role("heading", level=2)).to_contain_text("Do not post this picture as it is")
    expect(first).to_contain_text("A knife or other bladed article can be seen.")
    expect(first).to_contain_text("zombie-style knife")
    expect(page.locator("#picture-5")).to_contain_text("Save it as a JPEG or PNG and try again.")
    assert page.title() == "5 pictures checked – Bladecheck"


def test_the_page_says_what_the_library_says(
    page: Page, site: str, pictures: dict[str, Path], classifier: Classifier
) -> None:
    send(page, site, pictures["hold"])
    page.locator("#picture-1").wait_for()
    sealed = page.locator("#picture-1 [name=sealed]").get_attribute("value") or ""
    shown = json.loads(b64decode(sealed.split(".")[0], altchars="-_"))["value"]["result"]
    assert shown == classify_bytes(pictures["hold"].read_bytes(), classifier, find())


@pytest.mark.parametrize("target", [".govuk-file-upload-button", "h1"])
def test_pictures_can_be_dropped(page: Page, site: str, pictures: dict[str, Path], target: str) -> None:
    page.goto(site)
    files = [[name, b64encode(pictures[name].read_bytes()).decode()] for name in ("hold", "clear")]
    page.evaluate(DROP, [target, files])
    expect(page.locator(".govuk-file-upload-button")).to_contain_text("2 pictures chosen")
    page.get_by_role("button", name="Check pictures").click()
    expect(page.locator("#queue .bc-state")).to_have_text(["Hold", "Clear"])


def test_the_picture_stays_blurred_until_asked_for(page: Page, site: str, pictures: dict[str, Path]) -> None:
    send(page, site, pictures["hold"])
    page.locator("#picture-1").wait_for()
    expect(page.locator("#picture-1 .bc-picture__image")).to_have_css("filter", re.compile("blur"))
    page.get_by_label("without the blur").check()
    expect(page.locator("#picture-1 .bc-picture__image")).to_have_css("filter", "none")
    marks = page.locator("#picture-1 .bc-picture__marks")
    expect(marks).to_be_visible()
    page.get_by_label("Mark where to look").uncheck()
    expect(marks).to_be_hidden()


def test_marks_lie_where_the_knife_is(page: Page, site: str, tmp_path: Path) -> None:
    image = Image.new("RGB", (400, 400), (20, 20, 20))
    image.paste((255, 0, 0), (0, 0, 400, 300))
    image.paste((30, 200, 30), (200, 0, 400, 300))
    image.paste((255, 0, 0), (0, 0, 250, 400))
    image.save(tmp_path / "left.png")
    send(page, site, tmp_path / "left.png")
    uri = page.locator("#picture-1 .bc-picture__marks").get_attribute("src") or ""
    alpha = Image.open(io.BytesIO(b64decode(uri.split(",")[1]))).getchannel("A")
    assert alpha.getpixel((100, 200)) > 0
    assert alpha.getpixel((380, 200)) == 0


def test_an_animation_is_judged_by_its_worst_frame(page: Page, site: str, tmp_path: Path) -> None:
    frames = [draw(colour, (200, 150)) for colour in (GREEN, RED, GREEN)]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:], duration=500)
    send(page, site, tmp_path / "moving.gif")
    card = page.locator("#picture-1")
    expect(card.locator(".bc-card__word")).to_contain_text("Hold")
    expect(card.locator("figcaption")).to_contain_text("The file has several frames.")
    expect(card.locator(".bc-picture__marks")).to_have_count(0)
    expect(card.locator(".bc-copy")).to_contain_text("The check found no blade in this copy.")
    expect(card.locator(".bc-copy")).to_contain_text("It is a still of the first frame")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the first frame as a still").click()
    assert download.value.suggested_filename == "moving-still.jpg"


def test_the_blurred_copy_is_a_clean_picture_without_the_knife(
    page: Page, site: str, pictures: dict[str, Path], classifier: Classifier
) -> None:
    send(page, site, pictures["hold"])
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the covered copy").click()
    assert download.value.suggested_filename == "hold-covered.jpg"
    data = Path(download.value.path()).read_bytes()
    assert classify_bytes(data, classifier, find())["decision"] == "clear"
    with Image.open(io.BytesIO(data)) as copy:
        assert not copy.getexif()
        assert "icc_profile" not in copy.info
    expect(page.locator(".bc-copy")).to_contain_text("The check found no blade in this copy.")


def test_a_place_in_the_file_is_warned_of_and_left_out_of_the_copy(
    page: Page, site: str, pictures: dict[str, Path]
) -> None:
    send(page, site, pictures["place"])
    expect(page.locator("#picture-1 .govuk-warning-text")).to_contain_text("says where the picture was taken")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download a copy without hidden data").click()
    with Image.open(str(download.value.path())) as copy:
        assert not copy.getexif()


def test_suggested_words_follow_the_policy(page: Page, strict_site: str, pictures: dict[str, Path]) -> None:
    send(page, strict_site, pictures["hold"], pictures["check"])
    card = page.locator("#picture-1")
    expect(card).to_contain_text("Do not post this picture unless it is necessary. It shows a zombie-style knife.")
    expect(card).to_contain_text("make a record with the name of who approves it and why")
    expect(card.locator("[data-copyable]").last).to_contain_text("It is a zombie-style knife; the blade is covered.")
    # This policy holds firearms: nothing was covered in them, so nothing may say so.
    gun = page.locator("#picture-2")
    expect(gun.locator(".bc-card__word")).to_contain_text("Hold")
    expect(gun).to_contain_text("It shows a firearm.")
    expect(gun.locator("[data-copyable]").last).not_to_contain_text("is covered")


@pytest.mark.parametrize("javascript", [True, False])
def test_no_picture_and_too_many_are_errors_with_a_link_to_the_field(
    request: pytest.FixtureRequest, site: str, pictures: dict[str, Path], javascript: bool
) -> None:
    page: Page = request.getfixturevalue("page" if javascript else "plain_page")
    page.goto(site)
    page.get_by_role("button", name="Check pictures").click()
    summary = page.locator(".govuk-error-summary")
    expect(summary).to_contain_text("Select at least one picture")
    assert page.title().startswith("Error: ")
    if javascript:
        expect(summary).to_be_focused()
        summary.get_by_role("link").click()
        assert page.evaluate("document.activeElement.closest('#upload-group') !== null")
    page.set_input_files("input[type=file]", [pictures["clear"]] * 21)
    page.get_by_role("button", name="Check pictures").click()
    expect(page.locator(".govuk-error-summary")).to_contain_text("up to 20 pictures")


def test_twenty_pictures_at_once(page: Page, site: str, pictures: dict[str, Path]) -> None:
    send(page, site, *[pictures["hold"], pictures["clear"]] * 10)
    expect(page.get_by_role("heading", level=1)).to_have_text("20 pictures checked")
    expect(page.locator(".bc-card")).to_have_count(20)
    expect(page.locator("#results-summary")).to_have_text("10 to hold, 10 clear.")
    assert page.locator("#queue").bounding_box()["height"] < 900  # type: ignore[index]


def test_progress_is_announced(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.goto(site)
    page.evaluate(
        """() => { window.said = []; new MutationObserver(() => {
             const status = document.querySelector("#results-summary[role=status]");
             if (status) window.said.push(status.textContent);
           }).observe(document, {subtree: true, childList: true}) }"""
    )
    page.set_input_files("input[type=file]", [pictures["hold"], pictures["clear"]])
    page.get_by_role("button", name="Check pictures").click()
    expect(page.locator("#results-title")).to_have_text("2 pictures checked")
    said = page.evaluate("window.said")
    assert "0 of 2 pictures done." in said
    assert "1 of 2 pictures done." in said
    assert re.fullmatch(r"1 to hold, 1 clear\.", said[-1])


def test_paper_has_a_summary_first_and_no_blurred_pictures(page: Page, site: str, pictures: dict[str, Path]) -> None:
    send(page, site, *(pictures[name] for name in ("hold", "check", "clear", "tiny")))
    page.locator("#results-title", has_text="4 pictures checked").wait_for()
    expect(page.get_by_role("button", name="Print the answers")).to_be_visible()
    page.locator("#picture-3-reveal").check()
    page.emulate_media(media="print")
    expect(page.locator("#queue")).to_be_visible()
    expect(page.locator("#results")).to_contain_text("This is no record: it says nothing of who decided what.")
    expect(page.locator("#cards")).to_have_css("break-before", "page")
    expect(page.locator("#picture-1 .bc-picture")).to_be_hidden()  # ink for nothing
    expect(page.locator("#picture-3 .bc-picture")).to_be_visible()
    expect(page.locator("#picture-1 > .bc-print")).to_contain_text("Fingerprint of the picture (SHA-256): ")
    for hidden in (".bc-copy", "#record-form", ".govuk-details", ".govuk-footer"):
        expect(page.locator(f"#results {hidden}, body > {hidden}").first).to_be_hidden()


def test_everything_works_without_scripts(plain_page: Page, site: str, pictures: dict[str, Path]) -> None:
    page = plain_page
    send(page, site, pictures["hold"], pictures["place"], pictures["broken"])
    expect(page.get_by_role("heading", level=1)).to_have_text("3 pictures checked")
    expect(page.locator("#queue .bc-state")).to_have_text(["Hold", "Cannot judge", "Clear"])
    expect(page.locator("#picture-1 .bc-picture__image")).to_have_css("filter", re.compile("blur"))
    page.locator("#picture-1-reveal").check()
    expect(page.locator("#picture-1 .bc-picture__image")).to_have_css("filter", "none")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the covered copy").click()
    with Image.open(str(download.value.path())) as copy:
        assert copy.size == (321, 243)
    page.locator("#picture-1 summary").first.click()
    expect(page.locator("#picture-1 [data-copyable]").first).to_be_visible()
    page.get_by_role("button", name="Make a record").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Make a record of this check")
    for number in (1, 2, 3):
        page.locator(f"#outcome-{number}").check()
    page.get_by_role("button", name="Make the record").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Record of a picture check")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as data (JSON)").click()
    record = json.loads(Path(download.value.path()).read_text())
    assert [item["outcome"]["code"] for item in record["pictures"]] == ["not_posted"] * 3
