"""The copy to post: what is covered stays covered, the rest stays as it was; the person says what and how large."""

from __future__ import annotations

import io
import json
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from playwright.sync_api import Browser, Page, expect

from bladecheck.core.classifier import Classifier
from bladecheck.core.images import PictureLimits
from bladecheck.web.pages import wording
from bladecheck.web.pages.copies import MOST_AREAS, PLATFORMS, BadPlan, Plan, as_numbers, draw, plan_from
from tiny import GREEN, encode
from tiny import draw as drawn
from web.pages.fetching import fetch

LIMITS = PictureLimits()


def pixels(data: bytes) -> np.ndarray[Any, np.dtype[np.int64]]:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image.convert("RGB")).astype(np.int64)


def stripes(step: int) -> bytes:
    """Fine detail in the left half, whose mean is the same for any step."""
    values = np.full((300, 400, 3), (30, 120, 200), np.uint8)
    columns = np.arange(200) // step % 2 == 0
    values[:, :200][:, columns] = (250, 20, 20)
    values[:, :200][:, ~columns] = (50, 20, 20)
    return encode(Image.fromarray(values))


def test_what_is_covered_cannot_be_told_apart() -> None:
    plan = Plan(((0.0, 0.0, 0.5, 1.0),))
    one, other = (pixels(draw(stripes(step), plan, LIMITS)) for step in (1, 2))
    assert np.abs(one - other)[:, :200].max() <= 6
    assert np.ptp(one[:, :195], axis=2).max() <= 8, "no colour is left"
    original = pixels(stripes(1))
    assert np.abs(one - original)[:, 240:].max() <= 6, "the rest is as it was"


def test_colours_are_kept_whatever_profile_the_file_has() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    copy = draw(encode(drawn(GREEN, (300, 200)), "JPEG", quality=95, icc_profile=profile), Plan(), LIMITS)
    assert np.abs(pixels(copy)[150, 200] - np.array(GREEN)).max() <= 6


def test_no_hidden_data_is_left() -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRET"
    copy = draw(encode(drawn(GREEN, (300, 200)), "JPEG", exif=exif.tobytes(), comment=b"SECRET"), Plan(), LIMITS)
    assert b"SECRET" not in copy
    assert b"Exif" not in copy


@pytest.mark.parametrize(("platform", "size"), PLATFORMS.items())
def test_a_platforms_size_is_that_size_and_never_enlarged(platform: str, size: tuple[int, int] | None) -> None:
    large = pixels(draw(encode(drawn(GREEN, (2600, 2400))), Plan(platform=platform), LIMITS)).shape
    assert (large[1], large[0]) == (size or (2048, 1890))
    small = pixels(draw(encode(drawn(GREEN, (200, 100))), Plan(platform=platform), LIMITS)).shape
    assert small[1] <= 200
    assert small[0] <= 100
    if size:
        assert abs(small[1] / small[0] - size[0] / size[1]) < 0.05
    assert platform in wording.PLATFORMS


def test_a_cut_keeps_every_pixel_of_a_large_picture() -> None:
    data = encode(drawn(GREEN, (5000, 3000)), "JPEG")
    assert pixels(draw(data, Plan(crop=(0.5, 0.5, 0.7, 0.7)), LIMITS)).shape[:2] == (600, 1000)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"areas": "x"}, "areas"),
        ({"areas": "[[0, 0, 1]]"}, "areas"),
        ({"areas": "[[0, 0, 1, NaN]]"}, "areas"),
        ({"areas": "[[0, 0, 1, 1.5]]"}, "areas"),
        ({"areas": "[[0.5, 0, 0.5, 1]]"}, "areas"),
        ({"areas": json.dumps([[0, 0, 1, 1]] * (MOST_AREAS + 1))}, "areas"),
        ({"areas": "[]", "crop": "[0, 0, true, 1]"}, "crop"),
        ({"area-1-left": "10"}, "area-1-top"),
        ({"area-2-left": "10", "area-2-top": "x", "area-2-width": "5", "area-2-height": "5"}, "area-2-top"),
        ({"crop-left": "0", "crop-top": "0", "crop-width": "101", "crop-height": "5"}, "crop-width"),
        ({"platform": "billboard"}, "platform"),
    ],
)
def test_a_plan_that_makes_no_sense_names_the_field(given: dict[str, str], field: str) -> None:
    with pytest.raises(BadPlan) as caught:
        plan_from(given)
    assert caught.value.field == field


def test_numbers_in_percent_and_boxes_say_the_same() -> None:
    numbers = {"area-1-left": "10", "area-1-top": "20 %", "area-1-width": "30,5", "area-1-height": "95"}
    assert plan_from(numbers) == plan_from({"areas": "[[0.1, 0.2, 0.405, 1.0]]"})


def test_areas_as_numbers_come_back_as_areas_and_none_beyond_the_last_is_lost() -> None:
    boxes = [(0.1, 0.2, 0.4, 0.95), *[(n / 100, 0.5, n / 100 + 0.05, 0.6) for n in range(MOST_AREAS + 2)]]
    assert plan_from(as_numbers(boxes[:3])).areas == pytest.approx(np.array(boxes[:3]))
    areas = plan_from(as_numbers(boxes)).areas
    assert len(areas) == MOST_AREAS
    assert areas[-1] == pytest.approx((0.18, 0.5, 0.26, 0.6))


def test_a_held_picture_costs_two_inferences_and_a_clear_one_a_single_one(
    site: str, pictures: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[int] = []
    really = Classifier.classify_one

    def counted(self: Classifier, *args: Any, **kwargs: Any) -> Any:
        looked.append(1)
        return really(self, *args, **kwargs)

    monkeypatch.setattr(Classifier, "classify_one", counted)
    for name, most in (("hold", 2), ("check", 1), ("clear", 1), ("place", 1)):
        looked.clear()
        files = [(f"{name}.png", pictures[name].read_bytes())]
        assert fetch(f"{site}/check", accept="text/html", files=files)[0] == 200
        assert len(looked) == most, name


def open_editor(page: Page, site: str, *files: Path) -> None:
    page.goto(site)
    page.set_input_files("input[type=file]", list(files))
    page.get_by_role("button", name="Check pictures").click()
    page.locator("#results-title", has_text="checked").wait_for()
    page.get_by_role("button", name="Change the copy").first.click()
    page.locator(".bc-editor__stage").scroll_into_view_if_needed()


def numbers(page: Page, row: int) -> list[float]:
    return [float(field.input_value()) for field in page.locator(".bc-editor__row").nth(row).locator("input").all()]


def made(page: Page) -> Image.Image:
    """The very copy, once it is up to date."""
    expect(page.locator(".bc-old")).to_have_count(0)
    uri = page.locator("[data-download]").get_attribute("href") or ""
    return Image.open(io.BytesIO(b64decode(uri.split(",")[1])))


def drag(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """From one place on the stage to another, in shares of it."""
    frame = page.locator(".bc-editor__stage").bounding_box()
    assert frame
    at = [(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=4)
    page.mouse.up()


def test_by_pointer_draw_move_resize_and_remove(page: Page, site: str, pictures: dict[str, Path]) -> None:
    open_editor(page, site, pictures["clear"])
    drag(page, (0.3, 0.3), (0.5, 0.6))
    assert numbers(page, 0) == pytest.approx([30, 30, 20, 30], abs=1.5)
    grey = made(page).convert("RGB").getpixel((int(0.4 * 321), int(0.45 * 243)))
    assert isinstance(grey, tuple)
    assert max(grey) - min(grey) <= 4
    drag(page, (0.4, 0.45), (0.5, 0.55))
    assert numbers(page, 0) == pytest.approx([40, 40, 20, 30], abs=1.5)
    drag(page, (0.595, 0.695), (0.8, 0.9))
    assert numbers(page, 0) == pytest.approx([40, 40, 40, 50], abs=2.5)
    drag(page, (0.5, 0.5), (0.95, 0.95))
    assert numbers(page, 0) == pytest.approx([60, 50, 40, 50], abs=2.5)
    page.get_by_role("button", name="Remove area 1").click()
    expect(page.locator(".bc-box")).to_have_count(0)
    expect(page.locator(".bc-made")).to_contain_text("Nothing is covered.")


def test_by_keyboard_alone(page: Page, site: str, pictures: dict[str, Path]) -> None:
    open_editor(page, site, pictures["clear"])
    page.get_by_role("button", name="Add an area to cover").focus()
    page.keyboard.press("Enter")
    for key in ("ArrowRight", "ArrowRight", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown", "Shift+ArrowDown"):
        page.keyboard.press(key)
    assert numbers(page, 0) == [42, 39, 21, 22]
    expect(page.locator(".bc-box")).to_be_focused()
    expect(page.locator(".bc-box")).to_have_accessible_name(
        "Area 1: left 42 %, top 39 %, width 21 %, height 22 %. "
        "Arrow keys move it, Shift and arrow keys change its size, Delete removes it."
    )
    page.get_by_role("button", name="Cut the picture").press("Enter")
    page.keyboard.press("Shift+ArrowLeft")
    copy = made(page)
    assert copy.size == (pytest.approx(0.79 * 321, abs=2), pytest.approx(0.8 * 243, abs=2))
    page.keyboard.press("Delete")
    assert made(page).size == (321, 243)
    page.locator(".bc-box").focus()
    page.keyboard.press("Delete")
    expect(page.get_by_role("button", name="Add an area to cover")).to_be_focused()
    expect(page.locator(".bc-box")).to_have_count(0)


def test_by_numbers_beside_the_picture(page: Page, site: str, pictures: dict[str, Path]) -> None:
    open_editor(page, site, pictures["clear"])
    page.get_by_role("button", name="Add an area to cover").click()
    row = page.locator(".bc-editor__row").first
    row.locator("[data-part=left]").fill("90")
    row.locator("[data-part=left]").blur()
    assert numbers(page, 0)[0] == 90
    assert numbers(page, 0)[2] == 10, "an area ends where the picture does"


def test_by_touch(browser: Browser, site: str, pictures: dict[str, Path]) -> None:
    context = browser.new_context(has_touch=True, viewport={"width": 400, "height": 800})
    page = context.new_page()
    open_editor(page, site, pictures["clear"])
    frame = page.locator(".bc-editor__stage").bounding_box()
    assert frame
    session = context.new_cdp_session(page)
    points = [(0.2, 0.2), (0.3, 0.3), (0.6, 0.5)]
    where = [{"x": frame["x"] + x * frame["width"], "y": frame["y"] + y * frame["height"]} for x, y in points]
    session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [where[0]]})
    for point in where[1:]:
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(page.locator(".bc-box")).to_have_count(1)
    assert numbers(page, 0) == pytest.approx([20, 20, 40, 30], abs=2.5)
    context.close()


def test_the_suggestion_can_be_had_again(page: Page, site: str, pictures: dict[str, Path]) -> None:
    open_editor(page, site, pictures["hold"])
    before = made(page).tobytes()
    count = page.locator(".bc-box").count()
    assert count > 0
    page.locator(".bc-box").first.focus()
    page.keyboard.press("Delete")
    expect(page.locator(".bc-made strong")).to_contain_text("A blade still shows in this copy")
    page.get_by_role("button", name="Start again from the suggestion").click()
    expect(page.locator(".bc-box")).to_have_count(count)
    expect(page.locator(".bc-made")).to_contain_text("The check found no blade in this copy.")
    assert made(page).tobytes() == before


def test_what_is_left_is_said_with_its_place(page: Page, site: str, tmp_path: Path) -> None:
    image = Image.new("RGB", (400, 400), (255, 0, 0))
    image.paste((200, 30, 30), (0, 0, 30, 30))
    image.save(tmp_path / "red.png")
    open_editor(page, site, tmp_path / "red.png")
    while page.locator(".bc-box").count():
        page.locator(".bc-box").first.focus()
        page.keyboard.press("Delete")
    page.get_by_role("button", name="Add an area to cover").click()
    row = page.locator(".bc-editor__row").first
    for part, value in (("left", "0"), ("top", "0"), ("width", "100"), ("height", "25")):
        row.locator(f"[data-part={part}]").fill(value)
        row.locator(f"[data-part={part}]").blur()
    expect(page.locator(".bc-made strong")).to_have_text("A blade still shows in this copy, at the bottom middle.")
    expect(page.locator(".bc-made img")).to_have_attribute(
        "alt", "The copy of red.png, with an outline around what still shows"
    )


def test_without_scripts_areas_are_numbers(plain_page: Page, site: str, pictures: dict[str, Path]) -> None:
    page = plain_page
    page.goto(site)
    page.set_input_files("input[type=file]", [pictures["clear"]])
    page.get_by_role("button", name="Check pictures").click()
    page.get_by_role("link", name="Cover other areas").click()
    page.get_by_role("button", name="Make the copy").click()
    expect(page.locator(".govuk-error-summary")).to_contain_text("Select a picture")
    page.get_by_label("Picture", exact=True).set_input_files(pictures["clear"])
    for part, value in (("Left", "10"), ("Top", "10"), ("Width", "50"), ("Height", "50")):
        page.get_by_label(f"{part}, %").first.fill(value)
    page.get_by_label("Size of the copy").select_option("square")
    page.get_by_role("button", name="Make the copy").click()
    expect(page.locator(".bc-made")).to_contain_text("1 area is covered.")
    expect(page.get_by_label("Left, %").first).to_have_value("10")
    assert made(page).size == (243, 243)
    page.get_by_role("button", name="Make a record").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Make a record of this check")


def too_little_covered(page: Page, site: str, picture: Path) -> None:
    """The form without scripts, answered with a copy of which only the left is covered."""
    page.goto(f"{site}/copy?area-1-left=0&area-1-top=0&area-1-width=25&area-1-height=100")
    page.get_by_label("Picture", exact=True).set_input_files(picture)
    page.get_by_role("button", name="Make the copy").click()
    expect(page.locator(".bc-made strong")).to_contain_text("A blade still shows in this copy")


def test_one_press_covers_what_still_shows(page: Page, site: str, pictures: dict[str, Path]) -> None:
    open_editor(page, site, pictures["hold"])
    again = page.get_by_role("button", name="Cover what still shows")
    expect(again).to_have_count(0)
    while page.locator(".bc-box").count():
        page.locator(".bc-box").first.focus()
        page.keyboard.press("Delete")
    again.press("Enter")
    expect(page.locator(".bc-made")).to_contain_text("The check found no blade in this copy.")
    expect(again).to_have_count(0)
    expect(page.locator(".bc-box")).not_to_have_count(0)
    expect(page.locator("[data-download]")).to_be_focused()


def test_what_still_shows_is_covered_where_a_cut_and_a_size_moved_it(
    page: Page, site: str, pictures: dict[str, Path]
) -> None:
    open_editor(page, site, pictures["hold"])
    while page.locator(".bc-box").count():
        page.locator(".bc-box").first.focus()
        page.keyboard.press("Delete")
    page.get_by_role("button", name="Cut the picture").click()
    page.get_by_label("Size of the copy").select_option("square")
    assert made(page).size == (195, 195)  # 10 to 90 % of 243 rows, to whole pixels
    page.get_by_role("button", name="Cover what still shows").click()
    made(page)
    # The cut keeps 10 to 90 %, the square its middle; a margin of 1/56 may not lead out of it.
    rows = [numbers(page, row) for row in range(page.locator(".bc-box:not([data-box=crop])").count())]
    assert rows
    aside = 10 + 40 * (1 - 243 / 321)
    for left, top, width, height in rows:
        assert left >= aside - 1
        assert left + width <= 100 - aside + 1
        assert 9 <= top <= top + height <= 91


def test_without_scripts_what_still_shows_is_filled_in(plain_page: Page, site: str, pictures: dict[str, Path]) -> None:
    page = plain_page
    too_little_covered(page, site, pictures["hold"])
    expect(page.locator("[data-cover-left]")).to_be_hidden()
    expect(page.locator(".bc-copy")).to_contain_text(
        "The areas below are filled in so that they cover what still shows"
    )
    expect(page.locator(".bc-made__veil")).to_be_visible()
    page.get_by_label("Show the copy as it is").check()
    expect(page.locator(".bc-made__picture")).to_have_css("filter", "none")
    expect(page.locator(".bc-made__veil")).to_be_hidden()
    page.get_by_label("Picture", exact=True).set_input_files(pictures["hold"])
    page.get_by_role("button", name="Make the copy").click()
    expect(page.locator(".bc-made")).to_contain_text("The check found no blade in this copy.")
    page.goto(site)
    page.set_input_files("input[type=file]", [pictures["hold"]])
    page.get_by_role("button", name="Check pictures").click()
    page.get_by_role("link", name="Cover other areas").click()
    for part in ("Width", "Height"):
        assert float(page.get_by_label(f"{part}, %").first.input_value()) > 50
