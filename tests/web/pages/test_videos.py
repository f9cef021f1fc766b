"""Videos over HTTP and on the page, in this process: the worst frame decides and is shown with its time."""

from __future__ import annotations

import base64
import io
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import httpx2
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Page, expect

from bladecheck.archives import open_archive
from bladecheck.core import policy_file
from bladecheck.core.classifier import Classifier
from bladecheck.core.result import classify_bytes
from bladecheck.runs.engines.http import HttpEngine
from bladecheck.runs.engines.local import LocalEngine
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.run import Options, Run
from bladecheck.runs.table import Ledger
from bladecheck.web.schemas import Judged
from filmed import SIZE, film
from tiny import GREEN, RED, draw, encode

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
DANGER = ((GREEN, 1.5), (RED, 0.5), (GREEN, 1.0))


@pytest.fixture(scope="module")
def http(site: str) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=site, timeout=60) as client:
        yield client


def sent(data: bytes, name: str = "clip.mp4") -> list[tuple[str, tuple[str, bytes]]]:
    return [("file", (name, data))]


def test_a_video_is_a_result_among_others(http: httpx2.Client, classifier: Classifier) -> None:
    assert http.get("/v1/model").json()["videos"] is True
    files = [*sent(encode(draw(GREEN)), "a.png"), *sent(film(DANGER))]
    calm, danger = http.post("/v1/classify", files=files).json()["results"]
    assert "video" not in calm
    assert Judged.model_validate(danger).model_dump(exclude_unset=True) == danger
    assert danger["video"] == classify_bytes(film(DANGER), classifier)["video"]
    raw = http.post("/v1/classify", content=film(DANGER), headers={"Content-Type": "video/mp4"})
    assert raw.json()["results"][0]["video"] == danger["video"]


def test_a_copy_to_post_is_made_of_pictures_only(http: httpx2.Client) -> None:
    answer = http.post("/v1/redact", files=sent(film(DANGER)))
    assert (answer.status_code, answer.json()["code"]) == (422, "not_an_image")


def test_the_page_shows_the_frame_that_decided_with_its_time(http: httpx2.Client) -> None:
    page = http.post("/check/picture", files=sent(film(DANGER))).text
    assert "Do not post this video as it is" in page
    moment = re.search(r"This is the frame at 0:01\.(\d)", page)
    assert moment
    assert moment[1] in "56789"
    shown = re.search(r'src="data:image/jpeg;base64,([^"]+)"[^>]*alt="A frame of the video', page)
    assert shown
    red, green, _ = Image.open(io.BytesIO(base64.b64decode(shown[1]))).convert("RGB").getpixel((SIZE[0] - 5, 5))
    assert red > 150 > green  # the frame with the knife, not the first
    assert "Outline around the area" in page
    assert "There is no copy of a video to post here" in page
    assert "Frame that decided" in page
    assert "Alt text</h4>" not in page


def test_in_a_browser_the_answer_to_a_video_is_as_usable_as_any(page: Page, site: str, tmp_path: Path) -> None:
    (tmp_path / "danger.mp4").write_bytes(film(DANGER, size=(320, 240)))
    page.set_viewport_size({"width": 320, "height": 640})
    page.goto(site)
    frames = [draw(GREEN), draw(RED)]
    (tmp_path / "moving.gif").write_bytes(encode(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    page.set_input_files("input[type=file]", [tmp_path / "danger.mp4", tmp_path / "moving.gif"])
    page.get_by_role("button", name="Check pictures").click()
    page.locator("#results-title", has_text="2 pictures checked").wait_for()
    page.get_by_text("This is the frame at 0:01.").wait_for()
    page.get_by_label("Show the picture").first.check()
    assert page.evaluate("document.documentElement.scrollWidth") <= 320
    assert Axe().run(page, options=RULES).violations_count == 0
    hand_over(page, tmp_path / "handed.json")
    page.goto(f"{site}/record/open")
    page.get_by_label("Record as data").set_input_files(tmp_path / "handed.json")
    page.get_by_label("Its pictures and copies").set_input_files([tmp_path / "danger.mp4", tmp_path / "moving.gif"])
    page.get_by_role("button", name="Open the record").click()
    captions = page.locator(".bc-entry figcaption")
    expect(captions).to_have_text(
        [re.compile("frame at 0:01.*play the file"), re.compile("first frame: play the file")]
    )
    page.get_by_role("button", name="Approve").click()
    page.locator(".govuk-error-summary").wait_for()
    assert Axe().run(page, options=RULES).violations_count == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


def hand_over(page: Page, path: Path) -> None:
    page.get_by_role("button", name="Make a record").click()
    for number in (1, 2):
        page.locator(f"[name=outcome-{number}][value=not_posted]").check()
    page.locator("#decider").fill("Bea Example")
    page.get_by_role("button", name="Hand over for approval").click()
    with page.expect_download() as found:
        page.get_by_role("link", name="Download as data (JSON)").click()
    path.write_bytes(Path(found.value.path()).read_bytes())


def test_the_first_page_and_help_say_what_may_be_sent(http: httpx2.Client) -> None:
    assert "Or short videos (MP4, MOV, WebM) up to 128 MB and 10 minutes" in http.get("/").text
    assert "The frame that looks worst decides" in http.get("/help").text


@pytest.mark.parametrize("how", ["setting", "absent"])
def test_where_videos_are_not_looked_at_nothing_is_said_of_them(
    how: str, serve: Callable[..., AbstractContextManager[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    if how == "absent":
        monkeypatch.setitem(sys.modules, "av", None)
    with serve(videos=how == "absent") as address, httpx2.Client(base_url=address, timeout=60) as http:
        assert http.get("/v1/model").json()["videos"] is False
        [result] = http.post("/v1/classify", files=sent(film(DANGER))).json()["results"]
        assert (result["decision"], result["error"]["code"]) == ("cannot_judge", "not_an_image")
        assert ("pip install 'bladecheck[video]'" in result["error"]["detail"]) is (how == "absent")
        assert "MOV" not in http.get("/").text
        assert "A video, PDF or Word file is refused" in http.get("/help").text


def test_a_run_against_a_server_gives_the_same_rows(site: str, classifier: Classifier, tmp_path: Path) -> None:
    archive = tmp_path / "posts"
    archive.mkdir()
    (archive / "danger.mp4").write_bytes(film(DANGER))
    (archive / "broken.mp4").write_bytes(film(DANGER)[:-200])
    (archive / "calm.png").write_bytes(encode(draw(GREEN)))
    found = []
    for engine in (HttpEngine(site), LocalEngine(classifier, policy_file.find(None), workers=1)):
        folder = RunFolder(tmp_path / type(engine).__name__)
        with closing(engine), open_archive(archive, videos=True) as opened:
            Run([archive], opened.items(), engine, folder, Options()).go()
        with Ledger(folder) as ledger:
            found.append(list(ledger.rows()))
    assert found[0] == found[1]
    assert {row["status"] for row in found[0]} == {"ok", "failed"}


def test_one_video_may_take_longer_than_one_picture(serve: Callable[..., AbstractContextManager[str]]) -> None:
    with serve(picture_seconds=0.001) as address, httpx2.Client(base_url=address, timeout=60) as http:
        [film_result] = http.post("/v1/classify", files=sent(film(DANGER))).json()["results"]
        assert film_result["status"] == "ok"
    with serve(video_seconds=0.05) as address, httpx2.Client(base_url=address, timeout=60) as http:
        [late] = http.post("/v1/classify", files=sent(film(DANGER))).json()["results"]
        assert late["error"]["code"] == "too_slow"
