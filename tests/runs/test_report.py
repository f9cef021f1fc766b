"""The report: true to the rows, offline, and safe with hostile text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bladecheck.cli.estimate import estimate
from bladecheck.cli.report import report
from bladecheck.cli.review import review
from bladecheck.runs.report.svg import Bars, columns, nice, rows
from bladecheck.runs.report.totals import estimated, intervals
from invented import Invented, answer, archive, run
from score_helpers import Score, fill

ATTRIBUTES = {"src", "href", "action", "data", "poster", "srcset", "xlink:href"}


class Reader(HTMLParser):
    """Collects what a page would load, its text, and whether its tags close."""

    VOID = frozenset(("meta", "br", "link", "img", "input", "hr"))

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[tuple[str, str | None]] = []
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [(tag, value) for name, value in attrs if name in ATTRIBUTES]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loads += [(tag, value) for name, value in attrs if name in ATTRIBUTES]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    assert reader.open == []
    return reader


def test_report_says_what_the_rows_say(score: Score, pictures: Path, tmp_path: Path) -> None:
    score(pictures, tmp_path / "run", timezone="Europe/London")
    report(tmp_path / "run")
    html = (tmp_path / "run/report.html").read_text()
    page = read(html)
    text = re.sub(r"\s+", " ", " ".join(page.text))
    assert page.loads == []
    assert not re.findall(r"<script|<img|@import|url\((?!#)", html)
    assert "raw counts of a machine's answers, not corrected totals" in text
    assert "27 pictures scored" in text
    assert "3 failed: could not be read" in text
    assert "Europe/London" in text
    assert "Only for tests." in text
    assert "truncated or corrupt" in text
    assert "Not whole" not in text


def test_hostile_names_stay_text(score: Score, tmp_path: Path) -> None:
    archive = tmp_path / "<script>alert(1)</script>&amp"
    archive.parent.joinpath(archive.name).mkdir(parents=True)
    fill(archive, 9)
    (archive / "<img src=x onerror=alert(1)>.jpg").write_bytes(b"")
    score(archive, tmp_path / "run")
    report(tmp_path / "run", title="<b>bold</b>")
    page = read((tmp_path / "run/report.html").read_text())
    assert page.loads == []
    assert "<b>bold</b>" in page.text
    assert any("<img src=x" in text for text in page.text)


def test_an_estimate_stands_above_the_raw_counts(tmp_path: Path) -> None:
    truth = run(tmp_path / "run", archive(400, 0.1))
    report(tmp_path / "run")
    assert "The total, estimated" not in (tmp_path / "run/report.html").read_text()
    review(tmp_path / "run", labels=120, export=tmp_path / "sample.csv")
    review(tmp_path / "run", import_=answer(tmp_path / "sample.csv", truth, tmp_path / "a.csv"))
    estimate(tmp_path / "run", by="account,month", compare=["2023,2024"])
    report(tmp_path / "run")
    page = read((tmp_path / "run/report.html").read_text())
    text = re.sub(r"\s+", " ", " ".join(page.text))
    found = json.loads((tmp_path / "run/estimate.json").read_text())
    assert page.loads == []
    assert all(sentence in text for sentence in found["sentences"])
    assert all(one["stratum"] in text for one in found["strata"])
    assert "too few labels" in text
    assert text.index("The total, estimated") < text.index("Raw counts")


def test_years_have_a_chart_of_their_own_and_what_is_not_drawn_is_said() -> None:
    one = {"low": 1, "high": 3, "estimate": 2.0, "at_least": 1, "at_most": 3, "state": "estimate"}
    months = [{"domain": f"force {n}", **one} for n in range(72)]
    years = {"before": {"name": "2023", **one, "high": 300}, "after": {"name": "2024", **one}}
    (by_month, rest), (by_year, none) = estimated({"domains": months, "comparisons": [years]})["estimate_charts"]
    assert by_month.count("<circle") == 60
    assert "The first 60 of 72 are drawn." in rest
    assert "2023" not in by_month
    assert (by_year.count("<circle"), none) == (2, "")


def test_how_the_archive_was_read_and_what_is_left_out_stand_in_it(tmp_path: Path) -> None:
    def text() -> str:
        report(tmp_path / "run")
        return re.sub(r"\s+", " ", " ".join(read((tmp_path / "run/report.html").read_text()).text))

    usual = {
        "started": "2024",
        "finished": "2024",
        "ended": "complete",
        "bladecheck": "0",
        "warnings": ["<i>Seen</i>."],
    }
    sessions = [
        {
            **usual,
            "date_order": {"posted": "day first (from post ids)"},
            "reading": {"columns": {"account": "screen_name"}},
        },
        {**usual, "date_order": {"when": "month first (clear)"}, "reading": {"columns": {"text": "body"}}},
    ]
    pictures = [Invented(f"{n}.jpg", 0.01, False) for n in range(30)]
    truth = run(tmp_path / "run", [*pictures, Invented("x.jpg", 0, False, status="failed")], sessions=sessions)
    said = text()
    assert "Dates of column posted were taken day first (from post ids)." in said
    assert "Dates of column when were taken month first (clear)." in said
    assert "account from “screen_name”, text from “body”" in said
    assert said.count("<i>Seen</i>.") == 1
    assert "Posted more than once: none." in said
    review(tmp_path / "run", labels=30, export=tmp_path / "sample.csv")
    review(tmp_path / "run", import_=answer(tmp_path / "sample.csv", truth, tmp_path / "a.csv"))
    estimate(tmp_path / "run", by="year")
    assert re.search(r"Not covered by the estimate .{,60} failed anytown 2024 1 ", text())
    assert ">none</text>" in intervals([{"domain": "2024", "low": 0, "high": 0, "state": "estimate"}])
    (tmp_path / "run/journal.jsonl").unlink()
    run(tmp_path / "run", pictures)
    assert "Not covered by any count of scored pictures: none." in text()


def test_an_unfinished_run_says_so(score: Score, pictures: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    score(pictures, run)
    journal = run / "journal.jsonl"
    journal.write_bytes(b"".join(journal.read_bytes().splitlines(keepends=True)[:9]))
    manifest = (run / "run.json").read_text().replace('"ended": "complete"', '"ended": null')
    (run / "run.json").write_text(manifest)
    report(run)
    assert "the run is not complete" in (run / "report.html").read_text()


@pytest.mark.parametrize("draw", [columns, rows])
@pytest.mark.parametrize("bars", [[], [("a & <b>", (0.0, 0.0))], [(f"2024-{n:02d}", (n, 2.0)) for n in range(1, 61)]])
def test_charts_are_well_formed(draw: object, bars: list[tuple[str, tuple[float, ...]]]) -> None:
    assert callable(draw)
    picture = ElementTree.fromstring(draw(Bars('A "chart" & more', ("hold", "check"), bars)))
    assert picture.get("aria-label") == 'A "chart" & more'
    if not any(value for _, values in bars for value in values):
        assert [element.text for element in picture.iter() if element.tag.endswith("text")] == ["none"]
    boxes = [element for element in picture.iter() if element.tag.endswith("rect")]
    assert all(float(box.get("width", 0)) > 0 and float(box.get("y", -1)) >= 0 for box in boxes)


def test_bars_have_the_height_of_their_value() -> None:
    picture = ElementTree.fromstring(columns(Bars("", ("a",), [("x", (5.0,)), ("y", (10.0,))])))
    heights = [float(element.get("height", 0)) for element in picture.iter() if element.tag.endswith("rect")]
    assert heights[1] == pytest.approx(2 * heights[0], abs=0.2)


@pytest.mark.parametrize(("value", "top"), [(0, 2), (1, 2), (3, 4), (7, 8), (9, 10), (11, 20), (640, 800), (81, 100)])
def test_scales_end_at_round_numbers(value: float, top: float) -> None:
    assert nice(value) == top


def test_a_browser_draws_it(score: Score, pictures: Path, tmp_path: Path) -> None:
    browser = shutil.which("chromium")
    if browser is None:
        pytest.skip("needs the chromium browser")
    score(pictures, tmp_path / "run")
    report(tmp_path / "run")
    target = tmp_path / "report.pdf"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--print-to-pdf={target}",
               (tmp_path / "run/report.html").as_uri()]  # fmt: skip
    subprocess.run(command, capture_output=True, timeout=60, check=True)
    assert target.read_bytes().startswith(b"%PDF")
