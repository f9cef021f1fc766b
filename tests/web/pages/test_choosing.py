"""Choosing files: what is chosen can be seen and changed, and what would be refused is said before it is sent."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, Route, expect

from bladecheck.web.pages.cards import stem
from bladecheck.web.pages.check import in_size
from tiny import draw, encode
from web.pages.fetching import fetch

Serve = Callable[..., AbstractContextManager[str]]
INPUT = "input[type=file]"


def check(page: Page) -> None:
    page.get_by_role("button", name="Check pictures").click()


def names(page: Page) -> list[str]:
    return page.locator(".bc-chosen__name").all_text_contents()


def sent(page: Page) -> list[str]:
    found: list[str] = page.evaluate("[...document.querySelector('input[type=file]').files].map((one) => one.name)")
    return found


def test_choosing_again_adds_and_each_can_be_removed(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.goto(site)
    page.set_input_files(INPUT, [pictures["hold"], pictures["check"]])
    page.set_input_files(INPUT, pictures["clear"])
    assert names(page) == sent(page) == ["hold.png", "check.png", "clear.png"]
    expect(page.locator(".govuk-file-upload-button")).to_contain_text("3 pictures chosen")
    size = sum(pictures[name].stat().st_size for name in ("hold", "check", "clear"))
    expect(page.locator(".bc-chosen__title")).to_have_text(f"3 pictures chosen, {in_size(size)}")
    expect(page.locator(".bc-chosen__size").first).to_have_text(in_size(pictures["hold"].stat().st_size))
    page.get_by_role("button", name="Remove check.png").click()
    assert names(page) == sent(page) == ["hold.png", "clear.png"]
    expect(page.locator("#upload-form [role=status]")).to_contain_text("check.png removed. 2 pictures chosen")
    check(page)
    expect(page.locator("#results-title")).to_have_text("2 pictures checked")


def test_limits_are_the_services_and_known_before_sending(
    serve: Serve, page: Page, pictures: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "heavy.png").write_bytes(bytes(60_000))
    Image.new("RGB", (400, 300)).save(tmp_path / "wide.png")
    (tmp_path / "empty.png").write_bytes(b"")
    with serve(picture_max_bytes=51_200, picture_max_pixels=100_000) as site:
        page.on("request", lambda request: pytest.fail("sent") if request.method == "POST" else None)
        page.goto(site)
        expect(page.locator("#pictures-hint")).to_contain_text("up to 50 kB and 0.1 million pixels each")
        page.set_input_files(INPUT, [*tmp_path.glob("*.png"), pictures["clear"]])
        rows = page.locator(".bc-chosen__row")
        expect(rows.filter(has_text="heavy.png")).to_contain_text("heavy.png is larger than 50 kB.")
        expect(rows.filter(has_text="wide.png")).to_contain_text(
            "wide.png has 0.2 million pixels; the most is 0.1 million"
        )
        expect(rows.filter(has_text="empty.png")).to_contain_text("empty.png is empty.")
        expect(page.locator(".bc-chosen__note")).to_have_count(3)
        check(page)
        summary = page.locator(".govuk-error-summary")
        expect(summary.get_by_role("link")).to_have_count(3)
        expect(summary).to_be_focused()
        summary.get_by_role("link").first.click()
        assert "Remove" in page.evaluate("document.activeElement.textContent")


def test_an_error_goes_when_it_is_corrected(page: Page, site: str, pictures: dict[str, Path]) -> None:
    page.goto(site)
    check(page)
    expect(page.locator(".govuk-error-summary")).to_contain_text("Select at least one picture")
    page.set_input_files(INPUT, [pictures["clear"]] * 21)
    expect(page.locator(".govuk-error-summary")).to_contain_text("You can only check up to 20 pictures")
    page.get_by_role("button", name="Remove clear.png").last.click()
    expect(page.locator(".govuk-error-summary, .govuk-error-message, .govuk-form-group--error")).to_have_count(0)
    assert page.title() == "Check pictures – Bladecheck"


def test_the_same_file_twice_is_pointed_out(page: Page, site: str, pictures: dict[str, Path], tmp_path: Path) -> None:
    copied = shutil.copy(pictures["hold"], tmp_path / "IMG 1.png")
    page.goto(site)
    page.set_input_files(INPUT, [pictures["hold"], pictures["clear"]])
    page.set_input_files(INPUT, copied)
    expect(page.locator(".bc-chosen__note")).to_have_text(
        "The same picture as hold.png. Remove one, or it is checked twice."
    )
    check(page)
    expect(page.locator(".bc-queue__note")).to_have_text("The same picture as hold.png")
    files = [(name, pictures["hold"].read_bytes()) for name in ("a.png", "b.png")]
    _, _, body = fetch(f"{site}/check", accept="text/html", files=files)
    assert body.count(b"This is the same file as a.png.") == 1


def test_a_file_that_was_deleted_meanwhile_is_called_that(
    page: Page, site: str, pictures: dict[str, Path], tmp_path: Path
) -> None:
    first, second = (Path(shutil.copy(pictures["hold"], tmp_path / name)) for name in ("first.png", "second.png"))
    page.goto(site)
    page.set_input_files(INPUT, [first, second])
    expect(page.locator(".bc-chosen__note")).to_have_count(1)  # looked at: one is the same as the other
    first.unlink()
    check(page)
    expect(page.locator(".govuk-error-summary")).to_contain_text("first.png was deleted, moved or changed")
    page.get_by_role("button", name="Remove first.png").click()
    expect(page.locator(".govuk-error-summary")).to_have_count(0)

    def deleted_on_the_way(route: Route) -> None:
        second.unlink()
        route.abort()

    page.route("**/check/picture*", deleted_on_the_way)
    check(page)
    expect(page.locator("#queue")).to_contain_text("second.png was deleted, moved or changed after it was chosen.")
    page.unroute("**/check/picture*")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose it again to check second.png").click()
    chooser.value.set_files(pictures["clear"])
    expect(page.locator("#queue .bc-state")).to_have_text("Clear")
    expect(page.locator("#queue a")).to_have_text("clear.png")


def test_counts_are_true_when_the_service_goes_away_midway(page: Page, site: str, pictures: dict[str, Path]) -> None:
    asked = 0

    def gone_after_two(route: Route) -> None:
        nonlocal asked
        asked += 1
        route.abort() if asked > 2 else route.continue_()

    page.route("**/check/picture*", gone_after_two)
    page.goto(site)
    page.set_input_files(INPUT, [pictures[name] for name in ("clear", "hold", "check", "tiny")])
    check(page)
    expect(page.locator("#results-title")).to_have_text("2 of 4 pictures checked")
    expect(page.locator("#results-summary")).to_have_text("1 to hold, 2 not checked, 1 clear.")
    expect(page.locator("#queue .bc-state")).to_have_text(["Hold", "Not checked", "Not checked", "Clear"])
    page.get_by_role("button", name="Make a record").click()
    page.locator("#outcome-1").check()  # about hold.png
    page.locator("#outcome-2-2").check()  # about clear.png
    page.go_back(wait_until="commit")
    page.unroute("**/check/picture*")
    page.get_by_role("button", name="Try all 2 again that were not checked").click()
    expect(page.locator("#results-title")).to_have_text("4 pictures checked")
    expect(page.locator("#queue .bc-state")).to_have_text(["Hold", "Check", "Cannot judge", "Clear"])
    page.get_by_role("button", name="Make a record").click()
    chosen = page.locator("#approval-form input[type=radio]:checked")
    expect(chosen).to_have_count(2)  # what was decided about a picture stays with it, though its number is another now
    assert [one.get_attribute("id") for one in chosen.all()] == ["outcome-1", "outcome-4-2"]


def test_the_list_of_twenty_pictures_fits_a_screen(page: Page, site: str, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"IMG_{2000 + number}.png").write_bytes(encode(draw((30, 200, 30 + number), (64, 64))))
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(site)
    page.set_input_files(INPUT, list(tmp_path.glob("*.png")))
    assert page.locator("#chosen").bounding_box()["height"] < 900  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("IMG 2041 (1).JPG", "IMG 2041 (1)"),
        ("Café Ŵyl.heic", "Café Ŵyl"),
        ("../../etc/passwd", "passwd"),
        ("C:\\fakepath\\a.png", "a"),
        ("a<b>:c|d?.png", "a-b--c-d"),
        ("\u202egnp.exe.png", "gnp.exe"),
        ("CON.png", "CON-picture"),
        ("...", "picture"),
        (".hidden.png", "hidden"),
        ("x" * 300 + ".png", "x" * 80),
    ],
)
def test_downloads_carry_the_files_own_name_as_far_as_it_is_safe(name: str, safe: str) -> None:
    assert stem(name) == safe


@pytest.mark.parametrize(
    ("count", "said"), [(32 * 2**20, "32 MB"), (3 * 2**19, "1.5 MB"), (51_200, "50 kB"), (2**20 - 1, "1,023 kB")]
)
def test_sizes_are_said_alike_by_service_and_script(count: int, said: str) -> None:
    assert in_size(count) == said
