"""What a press office's usual task costs on the page: choose, read, cover one by hand, hand over, approve, print.

    bladecheck serve --policy only-when-necessary --port 8000
    python benchmarks/page_task.py http://127.0.0.1:8000 PICTURES...

Needs Chromium and at least one picture that is held. Prints, after each step, the seconds so far (a machine's: nobody
reads or thinks), what was pressed (a file dialogue counts two: open it, choose all), and the fields that were typed.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright


class Counted:
    """A page, and what was pressed and typed on it."""

    def __init__(self, page: Page, site: str) -> None:
        self.page, self.site = page, site
        self.pressed = self.typed = 0
        page.goto(site)
        self.began = time.perf_counter()

    def press(self, *targets: Locator) -> None:
        for target in targets:
            target.click()
            self.pressed += 1

    def button(self, name: str) -> None:
        self.press(self.page.get_by_role("button", name=name).first)

    def choose(self, label: str, *files: Path) -> None:
        self.page.get_by_label(label).set_input_files(files)
        self.pressed += 2

    def type(self, field: str, text: str) -> None:
        self.page.locator(field).fill(text)
        self.typed += 1

    def save(self, link: Locator, folder: Path) -> Path:
        with self.page.expect_download() as found:
            self.press(link)
        found.value.save_as(folder / found.value.suggested_filename)
        return folder / found.value.suggested_filename

    def say(self, what: str) -> None:
        print(f"{time.perf_counter() - self.began:6.1f} s {self.pressed:4} pressed {self.typed:3} typed   {what}")


def check(task: Counted, pictures: list[Path], folder: Path) -> list[Path]:
    """The officer's first half; gives the copies of held pictures."""
    page = task.page
    page.set_input_files("input[type=file]", pictures)
    task.pressed += 2
    task.button("Check pictures")
    page.locator("#results-title", has_text="checked").wait_for()
    task.say(f"all answers: {page.locator('#results-summary').inner_text()}")
    task.press(*page.locator(".bc-card--hold label[for$=reveal]").all())
    task.say("looked at what is held without the blur")
    task.button("Change the copy")
    stage = page.locator(".bc-editor__stage").first
    stage.scroll_into_view_if_needed()
    frame = stage.bounding_box()
    assert frame
    areas = page.locator(".bc-editor").first.locator(".bc-box")
    before = areas.count()
    page.mouse.move(frame["x"] + 0.03 * frame["width"], frame["y"] + 0.97 * frame["height"])
    page.mouse.down()
    page.mouse.move(frame["x"] + 0.2 * frame["width"], frame["y"] + 0.85 * frame["height"], steps=5)
    page.mouse.up()
    task.pressed += 1
    expect(areas).to_have_count(before + 1)
    expect(page.locator(".bc-editor__status").first).not_to_contain_text("Making")
    task.say("one covered by hand, and checked again")
    copies = [task.save(link, folder) for link in page.locator(".bc-card--hold [data-download]").all()]
    task.say(f"{len(copies)} copies saved")
    return copies


def hand_over(task: Counted, folder: Path) -> Path:
    page = task.page
    task.button("Make a record")
    page.locator("#approval-form").wait_for()
    for item in page.locator(".bc-item").all():
        code = "copy" if item.locator(".bc-state--hold").count() else "as_is"
        wanted = item.locator(f"[value={code}]")
        task.press(wanted if wanted.count() else item.locator("[type=radio]").first)
    task.type("#decider", "Bea Example")
    task.button("Hand over for approval")
    handed = task.save(page.get_by_role("link", name="Download as data (JSON)"), folder)
    task.say("handed over")
    return handed


def approve(task: Counted, handed: Path, files: list[Path]) -> None:
    page = task.page
    page.goto(task.site)
    task.press(page.get_by_role("link", name="Approve a record"))
    task.choose("Record as data", handed)
    task.choose("Its pictures and copies", *files)
    task.button("Open the record")
    held = page.locator(".bc-entry", has=page.locator(".bc-state--hold"))
    task.press(*held.locator("label", has_text="without the blur").all())
    task.say("looked at by the approver")
    task.type("#approver", "Ann Example")
    task.type("#reason", "The public can help to find its owner.")
    task.press(page.get_by_role("button", name="Approve").last)
    page.locator(".bc-record").wait_for()
    task.say("approved")
    task.button("Print this record")
    task.say("printed")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("site")
    arguments.add_argument("pictures", nargs="+", type=Path)
    given = arguments.parse_args()
    with sync_playwright() as running, tempfile.TemporaryDirectory() as folder:
        path = shutil.which("chromium") or shutil.which("chromium-browser")
        browser = running.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        page = browser.new_page(accept_downloads=True)
        page.set_default_timeout(120_000)
        expect.set_options(timeout=120_000)
        page.add_init_script("window.print = () => {}")  # a dialogue of the system's, which nobody here answers
        task = Counted(page, given.site)
        copies = check(task, given.pictures, Path(folder))
        approve(task, hand_over(task, Path(folder)), [*given.pictures, *copies])
        browser.close()


if __name__ == "__main__":
    main()
