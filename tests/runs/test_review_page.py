"""The labelling page, as a labeller meets it: a real process, real pictures, a real browser."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bladecheck.cli.estimate import estimate
from bladecheck.cli.review import review
from bladecheck.errors import RunError
from bladecheck.runs.counts.opened import open_sample
from bladecheck.runs.counts.sample import LABELS
from score_helpers import COMMAND, Score, fill
from serving import environment

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
Serve = Callable[..., AbstractContextManager[tuple[str, "subprocess.Popen[str]"]]]


@pytest.fixture
def run(score: Score, tmp_path: Path) -> Path:
    """A run of 27 good pictures, some of them the same."""
    score(fill(tmp_path / "archive", 30), tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def serve(run: Path) -> Serve:
    """Starts the page in a process of its own; gives its address."""

    @contextmanager
    def started(*options: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
        command = [*COMMAND, "review", str(run), *options]
        with subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            assert process.stdout is not None
            said = ""
            while not (found := re.search(r"http://\S+/", said)):
                line = process.stdout.readline()
                assert line, said
                said += line
            try:
                yield found[0], process
            finally:
                process.kill()

    return started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    expect.set_options(timeout=20_000)
    with sync_playwright() as running:
        opened = running.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page; a script error or a request elsewhere fails the test."""
    opened = browser.new_page()
    opened.set_default_timeout(20_000)
    troubles: list[str] = []
    opened.on("pageerror", lambda error: troubles.append(str(error)))
    opened.on("request", lambda one: None if one.url.startswith("http://127.0.0.1") else troubles.append(one.url[:80]))
    yield opened
    opened.close()
    assert not troubles


def ask(address: str, path: str, body: object = None, **headers: str) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address + path, data, headers)
    with urllib.request.urlopen(request, timeout=30) as reply:
        found: dict[str, Any] = json.load(reply)
    return found


def status(address: str, path: str, body: object = None, **headers: str) -> int:
    try:
        ask(address, path, body, **headers)
    except urllib.error.HTTPError as error:
        return error.code
    except ValueError:
        return 200
    return 200


def answers(run: Path) -> dict[str, str]:
    return {row: given.answer for row, given in open_sample(run).labels.by_row["first"].items()}


def test_labelling_with_the_keyboard_alone(serve: Serve, run: Path, page: Page, tmp_path: Path) -> None:
    with serve("--labels", "20", "--who", "Ann", "--blur") as (address, _):
        page.goto(address)
        expect(page.locator("#progress")).to_contain_text("0 of ")
        expect(page.locator("#frame")).to_have_class(re.compile("blurred"))
        page.keyboard.press("b")
        expect(page.locator("#frame")).not_to_have_class(re.compile("blurred"))
        for key, done in (("1", 1), ("2", 2), ("3", 3)):
            before = page.locator("#picture").get_attribute("src")
            page.keyboard.press(key)
            expect(page.locator("#progress")).to_contain_text(f"{done} of ")
            assert page.locator("#picture").get_attribute("src") != before
            assert len(answers(run)) == done  # on disk before the next picture shows
        assert list(answers(run).values()) == ["yes", "no", "unsure"]
        page.keyboard.press("u")
        expect(page.locator("#progress")).to_contain_text("2 of ")
        page.keyboard.press("Backspace")
        expect(page.locator("#progress")).to_contain_text("1 of ")
        page.keyboard.press("1")
        expect(page.locator("#progress")).to_contain_text("2 of ")
        assert list(answers(run).values()) == ["yes", "yes"]
        page.keyboard.press("z")
        expect(page.locator("#zoom")).to_have_attribute("aria-pressed", "true")
        page.keyboard.press("g")
        expect(page.locator("#frame")).to_have_class(re.compile("grey"))
        page.keyboard.press("?")
        expect(page.locator("#about")).to_be_visible()
        page.keyboard.press("Escape")
        page.screenshot(path=str(tmp_path / "label.png"))
        for _ in range(40):
            if "All" in (page.locator("#progress").text_content() or ""):
                break
            done = len(answers(run))
            page.keyboard.press("2")
            expect(page.locator("#progress")).not_to_contain_text(f"{done} of ")
        expect(page.locator("#progress")).to_contain_text("are labelled")
        assert not page.locator("#yes").is_enabled()
        text = page.locator("body").inner_text()
        assert not re.search(r"score|anytown|P00\d\d", text)


def label(address: str, say: Callable[[str], str]) -> dict[str, str]:
    """Answer all that the page shows; gives the answers by row."""
    state, given = ask(address, "begin", {}), dict[str, str]()
    while row := state["row"]:
        assert "answers" not in state, "blind: nobody else's answer is told"
        given[row] = say(row)
        state = ask(address, "answer", {"tab": state["tab"], "row": row, "answer": given[row], "seconds": 1})
    return given


def test_a_second_labeller_and_the_agreement_of_the_two(
    serve: Serve, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sample, words = tmp_path / "sample.csv", cycle(("yes", "no", "no", "unsure"))
    review(run, labels=20, export=sample)
    rows = [line.partition(",")[0] for line in sample.read_text().splitlines()[1:]]
    sample.write_text("row_id,label\n" + "".join(f"{row},{next(words)}\n" for row in rows))
    review(run, import_=sample, who="A")
    first = answers(run)
    with pytest.raises(RunError, match="from someone else than A"):
        review(run, second=True, who="A")
    flip = next(row for row, answer in first.items() if answer == "yes")
    with serve("--second", "--who", "B") as (address, _):
        second = label(address, lambda row: "no" if first[row] == "unsure" or row == flip else first[row])
    assert first.keys() == second.keys(), "a fifth, but at least 50: all of so few"
    capsys.readouterr()
    estimate(run, as_json=True)
    told = json.loads(capsys.readouterr().out)["agreement"]
    pairs = [(first[row], second[row]) for row in first]
    total, agree = len(pairs), sum(one == other for one, other in pairs)
    assert (told["pictures"], told["agree"]) == (total, agree)
    assert agree == total - 1 - sum(answer == "unsure" for answer in first.values())
    assert told["low"] < agree / total < told["high"]
    assert {(one["first"], one["second"]): one["pictures"] for one in told["table"]} == Counter(pairs)
    ones, others = Counter(first.values()), Counter(second.values())
    chance = sum(ones[word] * others[word] for word in ones) / total**2
    assert told["kappa"] == pytest.approx((agree / total - chance) / (1 - chance))


def test_every_button_has_a_name_and_axe_finds_nothing(serve: Serve, page: Page) -> None:
    with serve("--labels", "20") as (address, _):
        page.goto(address)
        expect(page.locator("#progress")).to_contain_text("0 of ")
        for state in ("start", "help", "taken"):
            if state == "help":
                page.get_by_role("button", name="Help").click()
            if state == "taken":
                page.keyboard.press("Escape")
                ask(address, "begin", {})
                page.get_by_role("button", name="Yes").click()
                expect(page.locator("#trouble")).to_contain_text("another tab")
            found = Axe().run(page, options=RULES).response["violations"]
            assert not found, (state, [(one["id"], [node["html"] for node in one["nodes"]]) for one in found])
        page.set_viewport_size({"width": 320, "height": 512})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.get_by_role("button", name="Label here instead").click()
        expect(page.locator("#trouble")).to_be_empty()
        page.keyboard.press("1")
        expect(page.locator("#progress")).to_contain_text("1 of ")


def test_one_of_two_tabs_wins(serve: Serve, run: Path) -> None:
    with serve("--labels", "20") as (address, _):
        first, second = ask(address, "begin", {}), ask(address, "begin", {})
        late = {"tab": first["tab"], "row": first["row"], "answer": "yes", "seconds": 1}
        assert status(address, "answer", late) == 409
        assert answers(run) == {}
        after = ask(address, "answer", {**late, "tab": second["tab"]})
        assert (after["done"], after["row"]) == (1, second["next"])


def test_kill_9_between_the_key_and_the_next_picture_loses_nothing(serve: Serve, run: Path) -> None:
    with serve("--labels", "20") as (address, process):
        state = ask(address, "begin", {})
        row = state["row"]
        ask(address, "answer", {"tab": state["tab"], "row": row, "answer": "yes", "seconds": 1})
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert answers(run) == {row: "yes"}
    with serve() as (address, _):
        state = ask(address, "begin", {})
        assert (state["done"], state["can_undo"]) == (1, True)
        assert ask(address, "undo", {"tab": state["tab"]})["row"] == row


def test_two_programs_do_not_write_the_same_labels(serve: Serve, run: Path) -> None:
    with serve("--labels", "20"):
        other = subprocess.run(
            [*COMMAND, "review", str(run)], env=environment(), capture_output=True, text=True, timeout=60
        )
    assert other.returncode == 1
    assert "is being written by process" in other.stderr


def test_only_this_page_is_answered(serve: Serve, run: Path) -> None:
    with serve("--labels", "20") as (address, _):
        assert status(address, "begin", {}, Host="evil.example") == 403
        assert status(address, "begin", {}, Origin="http://evil.example") == 403
        bare = re.sub(r"[^/]+/$", "", address)
        assert status(bare, "begin", {}) == 403
        assert status(bare + "wrong-key/", "begin", {}) == 403
        assert status(address, "../../etc/passwd") == 404
        assert status(address, "answer", {"tab": "x"}) in (400, 409)
        state = ask(address, "begin", {})
        wrong = {"tab": state["tab"], "row": "0" * 32, "answer": "yes", "seconds": 0}
        assert status(address, "answer", wrong) == 400
        assert status(address, "answer", {**wrong, "row": state["row"], "answer": "maybe"}) == 400
        with urllib.request.urlopen(f"{address}picture/{state['row']}", timeout=30) as reply:
            assert reply.headers["Content-Type"].startswith("image/")
            assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
            assert reply.headers["Cache-Control"] == "no-store"
        assert answers(run) == {}


def test_a_picture_that_changed_is_not_shown(serve: Serve, run: Path, tmp_path: Path) -> None:
    with serve("--labels", "20") as (address, _):
        state = ask(address, "begin", {})
        for path in (tmp_path / "archive").iterdir():
            path.write_bytes(b"\xff\xd8\xffother")
        assert status(address, f"picture/{state['row']}") == 409


def test_an_archive_that_moved_is_found(serve: Serve, run: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "archive").rename(tmp_path / "elsewhere/archive")
    gone = subprocess.run(
        [*COMMAND, "review", str(run), "--labels", "20"], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert "--archive" in gone.stderr
    with serve("--archive", str(tmp_path / "elsewhere")) as (address, _):
        assert status(address, f"picture/{ask(address, 'begin', {})['row']}") == 200


def test_pictures_of_the_sample_are_copied_on_request(run: Path, tmp_path: Path) -> None:
    command = [*COMMAND, "review", str(run), "--labels", "20", "--export", str(tmp_path / "s.csv"), "--pictures",
               str(tmp_path / "pictures")]  # fmt: skip
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "s.csv").read_text().splitlines()[1:]
    assert len(lines) == len(list((tmp_path / "pictures").iterdir()))
    assert all(Path(line.split(",")[1]).is_file() for line in lines)
    assert not (run / "review" / LABELS).exists()
