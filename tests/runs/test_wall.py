"""The wall without a browser: filters and pages, marks on the disk, thumbnails, and what labellers must not be told."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bladecheck.cli.estimate import estimate
from bladecheck.cli.review import review
from bladecheck.cli.wall import wall as command
from bladecheck.errors import RunError
from bladecheck.runs.counts.opened import draw_sample, open_sample
from bladecheck.runs.local_page import HEADERS, Reply
from bladecheck.runs.table import Ledger
from bladecheck.runs.wall import kept, thumbs
from bladecheck.runs.wall.marks import FILE, FOLDER, read
from bladecheck.runs.wall.server import Wall, opened
from invented import Invented, answer, archive, run
from score_helpers import COMMAND, Score, fill
from serving import environment
from tiny import RED, draw, encode

Made = tuple[Path, dict[str, Invented]]
HOSTILE = '<img src=x onerror=alert(1)>"\u2028'


def told(reply: Reply) -> Any:
    assert reply.status == 200
    return json.loads(reply.body)


def listed(wall: Wall, **query: object) -> dict[str, Any]:
    found: dict[str, Any] = told(wall.list("", query))
    return found


def rows(wall: Wall, **query: object) -> list[str]:
    return [tile["row"] for tile in listed(wall, **{"size": 240, **query})["tiles"]]


def mark(wall: Wall, given: Sequence[str], value: str = "knife", **more: object) -> dict[str, Any]:
    found: dict[str, Any] = told(wall.mark("", {"tab": "t", "mark": value, "rows": list(given), **more}))
    return found


@contextmanager
def at(path: Path) -> Iterator[Wall]:
    with opened(path, "Ann", None) as wall:
        yield wall


@pytest.fixture
def invented(tmp_path: Path) -> tuple[Path, dict[str, Invented]]:
    """A run of 400 pictures without an archive: copies, no dates, reposts, failures, hostile names."""
    pictures = archive(380, 0.1)
    pictures += [Invented(f"copy{n}.jpg", 0.9, True, bytes_of="one", post=str(n)) for n in range(7)]
    pictures += [Invented(f"undated{n}.jpg", 0.01, False, date=None) for n in range(3)]
    pictures += [Invented(f"repost{n}.jpg", 0.3, False, is_repost=True) for n in range(5)]
    pictures += [Invented(f"{HOSTILE}{n}.jpg", 0.6, False, account=HOSTILE) for n in range(2)]
    pictures += [Invented(f"broken{n}.jpg", 0, False, status="failed") for n in range(3)]
    return tmp_path / "run", run(tmp_path / "run", pictures)


def test_filters_and_arrangements_give_what_the_rows_say(invented: Made) -> None:
    path, truth = invented
    known = {row: one for row, one in truth.items() if one.status == "ok"}
    with at(path) as wall:
        everything = listed(wall)
        assert (everything["total"], everything["pages"], len(everything["tiles"])) == (len(known), 7, 60)
        assert set(rows(wall)) | set(rows(wall, page=2)) == set(known)
        assert listed(wall, page=99)["page"] == 7
        hold = {row for row, one in known.items() if one.score >= 0.5}
        assert set(rows(wall, decision="hold")) == hold
        by = listed(wall, by="decision", size=240)
        assert [one["decision"] for one in by["tiles"]] == ["hold"] * len(hold) + ["check"] * by["headings"][
            "check"
        ] + ["clear"] * (240 - len(hold) - by["headings"]["check"])
        assert by["headings"]["hold"] == len(hold)
        assert set(rows(wall, account="otherton", start="2024-03", end="2024-03")) == {
            row for row, one in known.items()
            if one.account == "otherton" and one.date and (one.date.year, one.date.month) == (2024, 3)
        }  # fmt: skip
        assert len(rows(wall, start="unknown", end="unknown")) == 3
        assert len(rows(wall, reposts="reposts")) == 5
        assert not set(rows(wall, start="2024-12")) & set(rows(wall, start="unknown", end="unknown"))
        assert len(rows(wall, words="COPY")) == 7
        assert len(rows(wall, words=HOSTILE)) == 2
        first = listed(wall, by="posted")["tiles"][0]
        assert (first["copies"], first["times"]) == (7, 7)
        assert listed(wall, by="posted")["total"] == len(known) - 6
        assert len(rows(wall, by="alike")) == 7
        assert set(rows(wall, cluster=first["row"])) == set(rows(wall, words="copy"))
        months = told(wall.months("", {"start": "2024-03", "end": "2024-03"}))
        assert sum(one["pictures"] for one in months) == len(known)
        assert [one["month"] for one in months] == [f"{y}-{m:02d}" for y in (2023, 2024) for m in range(1, 13)] + [
            "unknown"
        ]
        begun = told(wall.begin("", {}))
        assert begun["without"] == {"failed": 3}
        assert HOSTILE.replace("\u2028", " ") in [name.replace("\u2028", " ") for name in begun["choices"]["account"]]


@pytest.mark.parametrize("query", [{"by": "score"}, {"reposts": "x"}, {"page": "x"}])
def test_an_unknown_choice_is_refused(invented: Made, query: dict[str, str]) -> None:
    with at(invented[0]) as wall, pytest.raises(ValueError):
        wall.list("", query)


def test_marks_are_kept_taken_back_and_written_as_csv(invented: Made, tmp_path: Path) -> None:
    path, truth = invented
    with at(path) as wall:
        one, two, three = rows(wall)[:3]
        assert mark(wall, [one, two]) == {"marked": 2, "held": 0}
        mark(wall, [two, three], "again")
        assert told(wall.undo("", {"tab": "t"})) == {"marked": 2}
        assert set(rows(wall, mark="knife")) == {one, two}
        assert told(wall.undo("", {"tab": "other"})) == {"marked": 0}
        assert mark(wall, [one], "") == {"marked": 1, "held": 0}
        assert mark(wall, [], all=True, filter={"words": HOSTILE})["marked"] == 2
        copies = listed(wall, by="posted")["tiles"][0]["row"]
        assert mark(wall, [copies], "no_knife", by="posted")["marked"] == 7
        assert len(rows(wall, mark="none")) == 240
        with pytest.raises(ValueError, match="maybe"):
            mark(wall, [one], "maybe")
        text = wall.marks("", {}).body.decode("utf-8-sig")
    with at(path) as wall:
        assert set(rows(wall, mark="knife")) == {two, *rows(wall, words=HOSTILE)}
        assert len(rows(wall, mark="no_knife")) == 7
    assert command(path, export=tmp_path / "marks.csv") == 0
    assert (tmp_path / "marks.csv").read_bytes().decode("utf-8-sig") == text
    lines = {line["row_id"]: line for line in csv.DictReader(io.StringIO(text))}
    assert len(lines) == 10
    assert (lines[two]["mark"], lines[two]["who"], lines[two]["member"]) == ("knife", "Ann", truth[two].name)
    assert all(line["posted_at"] and line["decision"] == "hold" for row, line in lines.items() if truth[row].post)


def test_two_tabs_mark_side_by_side_and_each_takes_back_its_own(invented: Made) -> None:
    with at(invented[0]) as wall:
        one, two = told(wall.begin("", {}))["tab"], told(wall.begin("", {}))["tab"]
        row = rows(wall)[0]
        for tab, value in ((one, "knife"), (two, "no_knife")):
            wall.mark("", {"tab": tab, "mark": value, "rows": [row]})
        wall.undo("", {"tab": one})
        assert rows(wall, mark="no_knife") == [row]
        wall.undo("", {"tab": two})
        assert rows(wall, mark="none")[0] == row


def test_marks_never_enter_an_estimate_nor_change_answers(invented: Made, tmp_path: Path) -> None:
    path, truth = invented
    review(path, labels=60, export=tmp_path / "sample.csv")
    review(path, import_=answer(tmp_path / "sample.csv", truth, tmp_path / "answers.csv"))
    estimate(path)
    before = json.loads((path / "estimate.json").read_text())
    labels = (path / "review/labels.jsonl").read_bytes()
    with at(path) as wall:
        drawn = open_sample(path).drawn_rows()[0][0]
        about = told(wall.about(drawn, {}))
        assert (about["drawn"], about["held"]) == (True, False)
        assert mark(wall, [], "knife", all=True)["held"] == 0
    estimate(path)
    after = json.loads((path / "estimate.json").read_text())
    assert {**after, "looks": 0} == {**before, "looks": 0}
    assert (path / "review/labels.jsonl").read_bytes() == labels


def test_nobody_is_told_what_the_model_said_of_pictures_to_be_labelled(tmp_path: Path) -> None:
    pictures = [replace(one, bytes_of=f"pair {n // 2}") for n, one in enumerate(archive(300, 0.2))]
    truth, path = run(tmp_path / "run", pictures), tmp_path / "run"
    with at(path) as wall:
        assert listed(wall)["held"] == 0
        marked = rows(wall)
        mark(wall, marked)
        review(path, labels=50, export=tmp_path / "sample.csv")  # while the wall is open
        drawn = {sha256 for _, sha256 in open_sample(path).drawn_rows()}
        everything = [*listed(wall, size=240)["tiles"], *listed(wall, size=240, page=2)["tiles"]]
        held = {tile["row"] for tile in everything if tile["held"]}
        assert held == {row for row, one in truth.items() if told(wall.about(row, {}))["sha256"] in drawn}
        assert len(held) > 50  # copies, too
        for tile in everything:
            assert (tile["decision"] == "waiting") == tile["held"]
            if tile["held"]:
                about = told(wall.about(tile["row"], {}))
                assert (about["decision"], about["kind"], about["score_knife"], about["reasons"]) == (
                    "waiting",
                    "",
                    None,
                    [],
                )
        for query in ({"decision": "hold"}, {"decision": "clear"}, {"kind": "not sure"}, {"mark": "knife"}):
            assert not held & set(rows(wall, **query))
        assert set(rows(wall, decision="waiting")) == held
        assert [tile["held"] for tile in listed(wall, by="decision", size=240, page=2)["tiles"]][-len(held) :]
        got = mark(wall, sorted(held), "no_knife")
        assert got == {"marked": 0, "held": len(held)}
        lines = list(csv.DictReader(io.StringIO(wall.marks("", {}).body.decode("utf-8-sig"))))
        assert {bool(line["decision"] or line["score_knife"]) for line in lines if line["row_id"] in held} == {False}
        review(path, import_=answer(tmp_path / "sample.csv", truth, tmp_path / "answers.csv"))
        assert listed(wall)["held"] == 0
        review(path, second=True, export=tmp_path / "second.csv")
        first = (tmp_path / "second.csv").read_text().splitlines()[1].split(",")[0]
        (tmp_path / "b.csv").write_text(f"row_id,label\n{first},yes\n")
        review(path, second=True, import_=tmp_path / "b.csv", who="B")
        assert listed(wall)["held"] >= len(truth) / 10  # a second labeller has begun: the rest of that part waits
    with at(path) as wall:
        assert listed(wall)["held"] >= len(truth) / 10


def test_a_sample_of_another_policys_folder_is_held_back_too(tmp_path: Path) -> None:
    run(tmp_path / "run", archive(100, 0.2))
    run(tmp_path / "run/with-tiny-1.0.0-00000000-strict", archive(100, 0.2))
    review(tmp_path / "run", labels=30, export=tmp_path / "sample.csv")
    with at(tmp_path / "run/with-tiny-1.0.0-00000000-strict") as wall:
        assert listed(wall)["held"] == 30


def test_a_sample_that_cannot_be_read_shows_nothing(tmp_path: Path) -> None:
    run(tmp_path / "run", archive(100, 0.2))
    with at(tmp_path / "run") as wall:
        review(tmp_path / "run", labels=30, export=tmp_path / "sample.csv")
        (tmp_path / "run/review/plan.json").write_text("{}")
        for _ in range(2):
            with pytest.raises(RunError, match=r"plan\.json"):
                wall.list("", {})


def test_an_archive_that_is_gone_is_said_and_kept_thumbnails_still_show(score: Score, tmp_path: Path) -> None:
    score(fill(tmp_path / "archive", 12), tmp_path / "run")
    (tmp_path / "archive/later.jpg").write_bytes(encode(draw(RED, (900, 700)), "JPEG"))
    score(tmp_path / "archive", tmp_path / "run")
    with at(tmp_path / "run") as wall:
        wall.wait()
        large = rows(wall, words="later")[0]
        data = wall.thumb(large, {}).body
        with Image.open(io.BytesIO(data)) as image:
            assert max(image.size) == thumbs.SIDE
        kept = [path for path in (tmp_path / "run/thumbs").rglob("*") if path.is_file()]
        assert [path.read_bytes() for path in kept] == [data]
        assert wall.picture(large, {}).type == "image/jpeg"
        (tmp_path / "archive/later.jpg").write_bytes(encode(draw(RED, (90, 70)), "JPEG"))
        with pytest.raises(RunError, match="another one"):
            wall.picture(large, {})
    (tmp_path / "archive").rename(tmp_path / "moved")
    with at(tmp_path / "run") as wall:
        wall.wait()
        found = listed(wall)
        assert "--archive" in found["archive"]["trouble"]
        assert wall.thumb(large, {}).body == data
        with pytest.raises(RunError, match="--archive"):
            wall.picture(large, {})
        shutil.rmtree(tmp_path / "run/thumbs")
        with pytest.raises(RunError, match="--archive"):
            wall.thumb(large, {})
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "moved").rename(tmp_path / "elsewhere/archive")
    with opened(tmp_path / "run", "A", tmp_path / "elsewhere") as wall:
        assert wall.thumb(rows(wall)[0], {}).type == "image/jpeg"


def test_a_torn_thumbnail_is_made_again(score: Score, tmp_path: Path) -> None:
    score(fill(tmp_path / "archive", 3), tmp_path / "run")
    with at(tmp_path / "run") as wall:
        row = rows(wall)[0]
        data = wall.thumb(row, {}).body
        (path,) = (path for path in (tmp_path / "run/thumbs").rglob("*.jpg"))
        path.write_bytes(data[:50])
        assert wall.thumb(row, {}).body == data


def test_kill_9_after_a_mark_loses_nothing_and_only_this_page_is_answered(
    invented: Made,
) -> None:
    path, truth = invented
    wanted = next(iter(truth))
    with subprocess.Popen(
        [*COMMAND, "wall", str(path)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        try:
            said = process.stdout.readline() + process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+/\S+/", said)
            assert found, said
            with pytest.raises(RunError, match=f"is being written by process {process.pid}"), at(path):
                raise AssertionError("two programs write the same marks")
            for headers, wrong in (({"Host": "evil.example"}, 403), ({"Origin": "http://evil.example"}, 403)):
                request = urllib.request.Request(found[0] + "list", headers=headers)
                with pytest.raises(urllib.error.HTTPError) as refused:
                    urllib.request.urlopen(request, timeout=30)
                assert refused.value.code == wrong
                refused.value.close()
            with urllib.request.urlopen(found[0] + "page.js", timeout=30) as reply:
                assert reply.headers["Content-Security-Policy"] == HEADERS["Content-Security-Policy"]
            body = json.dumps({"tab": "t", "mark": "knife", "rows": [wanted]}).encode()
            with urllib.request.urlopen(urllib.request.Request(found[0] + "mark", body), timeout=30) as reply:
                assert json.load(reply)["marked"] == 1
            process.send_signal(signal.SIGKILL)
            process.wait()
        finally:
            process.kill()
    assert list(read(path / FOLDER / FILE).standing()) == [wanted]
    with (path / FOLDER / FILE).open("ab") as stream:
        stream.write(b'{"nth":2,"mark":"kn')
    with at(path) as wall:
        assert rows(wall, mark="knife") == [wanted]


def everything(wall: Wall) -> list[Any]:
    """What the page shows of a run."""
    listings = [listed(wall, by=by, size=240) for by in ("month", "decision", "kind", "account", "posted", "alike")]
    begun = {**told(wall.begin("", {})), "tab": ""}
    return [*([one["total"], one["tiles"], one["headings"]] for one in listings), told(wall.months("", {})), begun]


def test_the_table_is_kept_and_the_journal_not_read_again(invented: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = invented
    with at(path) as wall:
        before = everything(wall)
        mark(wall, rows(wall)[:3])
        marked = everything(wall)
    assert before != marked
    monkeypatch.setattr(kept, "Ledger", None)
    with at(path) as wall:
        assert everything(wall) == marked
    (path / FOLDER / FILE).unlink()
    with at(path) as wall:
        assert everything(wall) == before


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "change",
    [
        lambda path: flipped(path / FOLDER / kept.TABLE),
        lambda path: (path / FOLDER / kept.TABLE).write_bytes(b""),
        lambda path: (path / FOLDER / kept.ABOUT).write_bytes(b"[]"),
        lambda path: (path / FOLDER / kept.TABLE).unlink(),
        lambda path: flipped(path / "journal.jsonl"),
    ],
    ids=["flipped", "empty", "odd", "gone", "journal"],
)
def test_a_kept_table_that_is_damaged_or_of_another_journal_is_built_again(
    invented: Made, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], object]
) -> None:
    path, _ = invented
    with at(path) as wall:
        everything(wall)
    change(path)
    read_again = []
    monkeypatch.setattr(kept, "Ledger", lambda folder: read_again.append(folder) or Ledger(folder))
    for _ in range(2):  # the second time it is kept again
        with at(path) as wall:
            assert listed(wall)["total"] > 0
    assert len(read_again) == 1


def test_what_is_held_back_is_not_told_by_a_kept_table(invented: Made) -> None:
    path, _ = invented
    with at(path) as wall:
        assert not listed(wall)["held"]
    draw_sample(path, 50)
    with at(path) as wall:
        assert listed(wall)["held"] >= 50
    shutil.rmtree(path / "review")
    with at(path) as wall:
        assert not listed(wall)["held"]
