"""The whole way through the page in Debian's Firefox: check, cover, reload, record, hand over, approve."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from web.pages.firefox import Firefox, started


def shown(selector: str) -> str:
    """The condition that an element shows."""
    return f"document.querySelector({json.dumps(selector)})?.checkVisibility()"


def test_the_whole_way(strict_site: str, pictures: dict[str, Path], tmp_path: Path) -> None:
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("needs Firefox: apt-get install firefox-esr")
    with started(path, tmp_path) as browser:
        checked_and_covered(browser, strict_site, pictures)
        handed = handed_over(browser, tmp_path / "saved")
        assert json.loads(handed.read_text())["decided_by"]["name"] == "Bea Example"
        approved(browser, strict_site, handed, pictures)


def checked_and_covered(browser: Firefox, site: str, pictures: dict[str, Path]) -> None:
    browser.go(site)
    browser.choose("input[type=file]", pictures["hold"], pictures["clear"])
    browser.click("button", "Check pictures")
    browser.wait("document.querySelector('#results-title')?.textContent === '2 pictures checked'")
    browser.click(".bc-copy button", "Change the copy")
    browser.click("button", "Cut the picture")
    browser.wait("document.querySelector('.bc-made').textContent.includes('It is cut to the part that you chose')")
    browser.click("button", "Make a record")
    browser.wait(shown("#approval-form"))
    browser.type("#decider", "Bea Example")
    browser.reload()
    browser.wait(shown("#approval-form"))
    assert browser.run("return document.querySelector('#decider').value") == "Bea Example"
    browser.back()
    browser.wait(shown("#results-title"))
    browser.wait("document.querySelector('.bc-made').textContent.includes('It is cut to the part that you chose')")


def handed_over(browser: Firefox, saved: Path) -> Path:
    """The record that waits, as the file that was downloaded."""
    browser.click("button", "Make a record")
    browser.wait(shown("#approval-form"))
    for choice in ("[name=outcome-1][value=copy]", "[name=outcome-2][value=as_is]"):
        browser.click(choice)
    browser.click("button", "Hand over for approval")
    browser.wait(shown(".bc-record"))
    browser.click("a", "Download as data (JSON)")
    ends = time.monotonic() + 20
    while not (found := list(saved.glob("*.json"))):
        assert time.monotonic() < ends, "nothing was downloaded"
        time.sleep(0.05)
    return found[0]


def approved(browser: Firefox, site: str, handed: Path, pictures: dict[str, Path]) -> None:
    browser.go(f"{site}/record/open")
    browser.choose("#file", handed)
    browser.choose("#picture", pictures["hold"])
    browser.click("button", "Open the record")
    browser.wait(shown(".bc-entry img"))
    browser.type("#reason", "The public can help to find its owner.")
    browser.type("#approver", "Ann Example\ue007")  # Enter
    browser.wait(shown(".bc-record"))
    assert browser.run("return document.querySelector('.bc-record').textContent.includes('Ann Example')")
