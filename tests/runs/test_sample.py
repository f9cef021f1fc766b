"""From a run to a total with an interval: draw, label, estimate, through the commands themselves."""

from __future__ import annotations

import csv
import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from scipy.stats import betabinom

from bladecheck.cli.estimate import estimate
from bladecheck.cli.export import export as export_rows
from bladecheck.cli.plan import plan
from bladecheck.cli.report import report
from bladecheck.cli.review import review
from bladecheck.errors import RunError
from bladecheck.runs.counts import alike
from bladecheck.runs.counts.labels import LabelFile
from bladecheck.runs.counts.limits import Cell
from bladecheck.runs.counts.opened import open_sample
from bladecheck.runs.counts.sample import LABELS
from bladecheck.runs.verify import draw_and_labels
from invented import Invented, answer, archive, run


def read(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


def estimated(path: Path, **options: Any) -> dict[str, Any]:
    estimate(path, **options)
    found: dict[str, Any] = json.loads((path / "estimate.json").read_text())
    return found


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """A run of 1,500 pictures with a sample of 300, labelled from the truth."""
    truth = run(tmp_path / "run", archive(1_500, 0.06))
    review(tmp_path / "run", labels=300, export=tmp_path / "sample.csv")
    answer(tmp_path / "sample.csv", truth, tmp_path / "answers.csv")
    assert review(tmp_path / "run", import_=tmp_path / "answers.csv", who="A") == 0
    return tmp_path / "run"


def test_from_plan_to_total(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan(labelled, by="year", within="20%")
    said = capsys.readouterr().out
    assert "1,500 pictures in 8 strata" in said
    assert "Within 20 %: about" in said
    found = estimated(labelled, by="account,year", compare=["2023,2024"])
    said = capsys.readouterr().out
    truth = sum(one.knife for one in archive(1_500, 0.06))
    total = found["total"]
    assert total["low"] <= truth <= total["high"]
    assert total["at_least"] >= total["yes"]
    assert found["sentences"][0] in said
    assert f"of 1,500 pictures (95 % interval {total['at_least']:,} to {total['at_most']:,}) show a knife" in said
    assert {one["stratum"]: one["N"] for one in found["strata"]} == {
        line["stratum"]: int(line["N"]) for line in read(labelled / "strata.csv")
    }
    assert sum(one["N"] for one in found["strata"]) == 1_500
    assert sum(one["n"] for one in found["strata"]) == 300
    assert [line["domain"] for line in read(labelled / "estimate.csv")][:2] == ["all", "anytown, 2023"]
    (compared,) = found["comparisons"]
    assert compared["difference"]["estimate"] == pytest.approx(
        compared["after"]["estimate"] - compared["before"]["estimate"]
    )
    assert "2024 against 2023: " in said
    assert sum(one["size"] for one in found["domains"]) == 1_500
    assert len(found["looks"]) == 1
    estimate(labelled, as_json=True)
    assert json.loads(capsys.readouterr().out)["looks"][1]["labels"] == 300


def test_a_reader_can_redraw_the_sample_from_its_files(labelled: Path) -> None:
    written = json.loads((labelled / "review/plan.json").read_text())
    frame = (labelled / "review/frame.csv").read_bytes()
    assert written["seed"] == written["frame_sha256"] == hashlib.sha256(frame).hexdigest()
    strata: dict[str, list[str]] = {}
    for line in read(labelled / "review/frame.csv"):
        strata.setdefault(line["stratum"], []).append(line["row_id"])
    drawn = set()
    for stratum, units in strata.items():
        units.sort(key=lambda unit: hashlib.sha256(f"{written['seed']}:{unit}".encode()).hexdigest())
        drawn |= set(units[: written["batches"][0]["strata"][stratum]])
    assert drawn == {line["row_id"] for line in read(labelled.parent / "sample.csv")}


def test_a_sample_is_drawn_once_and_more_keeps_it(labelled: Path, tmp_path: Path) -> None:
    before = (labelled / "review/plan.json").read_bytes()
    review(labelled, labels=300, export=tmp_path / "again.csv")
    assert (labelled / "review/plan.json").read_bytes() == before
    with pytest.raises(RunError, match=r"300 are drawn already .* --more"):
        review(labelled, labels=301, export=tmp_path / "again.csv")
    review(labelled, more=50, export=tmp_path / "more.csv")
    assert [line["row_id"] for line in read(tmp_path / "more.csv")][:300] == [
        line["row_id"] for line in read(tmp_path / "sample.csv")
    ]
    assert len(read(tmp_path / "more.csv")) == 350
    found = estimated(labelled)
    assert found["labels"]["waiting"] == 50
    assert found["total"]["labelled"] == 300


def test_rows_that_were_not_drawn_are_refused_by_name(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = {line["row_id"] for line in read(labelled.parent / "sample.csv")}
    foreign = next(one["row_id"] for one in read(labelled / "review/frame.csv") if one["row_id"] not in drawn)
    table = labelled.parent / "foreign.csv"
    table.write_text(f"row_id,label\n{foreign},yes\n")
    before = (labelled / "review" / LABELS).read_bytes()
    assert review(labelled, import_=table) == 2
    assert f"row {foreign!r} was not drawn: left out" in capsys.readouterr().err
    assert (labelled / "review" / LABELS).read_bytes() == before


def test_a_word_that_is_no_answer_takes_nothing(labelled: Path) -> None:
    rows = [line["row_id"] for line in read(labelled.parent / "sample.csv")]
    table = labelled.parent / "wrong.csv"
    table.write_text(f"row_id,label\n{rows[0]},no\n{rows[1]},maybe\n")
    before = (labelled / "review" / LABELS).read_bytes()
    with pytest.raises(RunError, match="'maybe' for row"):
        review(labelled, import_=table)
    assert (labelled / "review" / LABELS).read_bytes() == before


def test_who_stops_early_has_a_smaller_sample_and_a_gap_ends_it(tmp_path: Path) -> None:
    truth = run(tmp_path / "run", archive(900, 0.1))
    review(tmp_path / "run", labels=200, export=tmp_path / "sample.csv")
    rows = [line["row_id"] for line in read(tmp_path / "sample.csv")]
    part = tmp_path / "part.csv"
    lines = [f"{row},{'yes' if truth[row].knife else 'no'}" for row in rows[:120]]
    part.write_text("row_id,label\n" + "\n".join(lines) + "\n")
    review(tmp_path / "run", import_=part)
    found = estimated(tmp_path / "run")
    assert found["total"]["labelled"] == 120
    assert found["labels"]["waiting"] == 80
    beyond = tmp_path / "beyond.csv"
    beyond.write_text("row_id,label\n" + "\n".join(f"{row},yes" for row in rows[160:]) + "\n")
    review(tmp_path / "run", import_=beyond)
    assert estimated(tmp_path / "run")["total"]["labelled"] == 120


def test_nothing_labelled_is_said(tmp_path: Path) -> None:
    run(tmp_path / "run", archive(100, 0.1))
    with pytest.raises(RunError, match=r"No sample has been drawn .*bladecheck review"):
        estimate(tmp_path / "run")
    review(tmp_path / "run", labels=40, export=tmp_path / "sample.csv")
    with pytest.raises(RunError, match="Nothing is labelled"):
        estimate(tmp_path / "run")
    with pytest.raises(RunError, match="too few for"):
        review(tmp_path / "run", labels=3, count="distinct", export=tmp_path / "sample.csv")


def test_everything_labelled_is_exact(tmp_path: Path) -> None:
    pictures = archive(80, 0.2)
    truth = run(tmp_path / "run", pictures)
    review(tmp_path / "run", labels=80, export=tmp_path / "sample.csv")
    review(tmp_path / "run", import_=answer(tmp_path / "sample.csv", truth, tmp_path / "a.csv"))
    total = estimated(tmp_path / "run")["total"]
    assert total["low"] == total["high"] == total["estimate"] == sum(one.knife for one in pictures)


def test_the_same_bytes_are_labelled_once(tmp_path: Path) -> None:
    pictures = [Invented(f"{n}.jpg", 0.5, True, bytes_of="same" if n < 6 else None) for n in range(10)]
    truth = run(tmp_path / "run", pictures)
    review(tmp_path / "run", labels=10, export=tmp_path / "sample.csv")
    assert len(read(tmp_path / "sample.csv")) == 5
    review(tmp_path / "run", import_=answer(tmp_path / "sample.csv", truth, tmp_path / "a.csv"))
    assert estimated(tmp_path / "run")["total"]["yes"] == 10
    assert estimated(tmp_path / "run", count="distinct")["total"]["yes"] == 5


def test_posts_are_drawn_as_posts(tmp_path: Path) -> None:
    pictures = [Invented(f"{n}.jpg", 0.9 if n % 4 == 0 else 0.01, n % 4 == 0, post=str(n // 4)) for n in range(80)]
    truth = run(tmp_path / "run", pictures)
    review(tmp_path / "run", labels=12, count="posts", export=tmp_path / "sample.csv")
    assert len(read(tmp_path / "sample.csv")) == 48
    review(tmp_path / "run", count="posts", import_=answer(tmp_path / "sample.csv", truth, tmp_path / "a.csv"))
    found = estimated(tmp_path / "run", count="posts")
    assert (found["total"]["size"], found["total"]["yes"], found["total"]["estimate"]) == (20, 12, 20)
    with pytest.raises(RunError, match="No sample has been drawn"):
        estimate(tmp_path / "run")


def test_cant_tell_is_no_in_the_headline_and_yes_in_the_second_figure(tmp_path: Path) -> None:
    run(tmp_path / "run", [Invented(f"{n}.jpg", 0.5, True) for n in range(100)])
    review(tmp_path / "run", labels=40, export=tmp_path / "sample.csv")
    rows = [line["row_id"] for line in read(tmp_path / "sample.csv")]
    table = tmp_path / "a.csv"
    table.write_text("row_id,label\n" + "".join(f"{r},{'unsure' if n < 4 else 'yes'}\n" for n, r in enumerate(rows)))
    review(tmp_path / "run", import_=table)
    total = estimated(tmp_path / "run")["total"]
    assert (total["yes"], total["unsure"], total["unsure_as_yes"]) == (36, 4, {"estimate": 100, "at_most": 100})


def test_what_is_not_covered_is_counted(tmp_path: Path) -> None:
    pictures = [Invented(f"{n}.jpg", 0.3, False) for n in range(40)]
    pictures += [Invented(f"f{n}.jpg", 0, False, status="failed") for n in range(3)]
    pictures += [Invented(f"r{n}.jpg", 0.9, True, is_repost=True) for n in range(2)]
    pictures += [Invented(f"j{n}.jpg", 0.9, True, decision="cannot_judge") for n in range(7)]
    truth = run(tmp_path / "run", pictures)
    review(tmp_path / "run", labels=20, export=tmp_path / "sample.csv")
    review(tmp_path / "run", import_=answer(tmp_path / "sample.csv", truth, tmp_path / "a.csv"))
    found = estimated(tmp_path / "run")
    assert found["not_covered"]["by_status"] == {"failed": 3, "repost": 2}
    assert found["not_covered"]["by_account_and_year"][0] == {
        "status": "failed", "account": "anytown", "year": "2024", "rows": 3
    }  # fmt: skip
    assert [one["stratum"] for one in found["strata"]] == ["0.2 to 0.8", "cannot judge"]
    assert found["total"]["size"] == 47
    assert "If all 3 that could not be read or had showed knives" in " ".join(found["sentences"])


def test_scoring_anew_changes_nothing_and_other_bytes_lose_their_label(tmp_path: Path) -> None:
    pictures = archive(300, 0.1)
    truth = run(tmp_path / "run", pictures)
    review(tmp_path / "run", labels=100, export=tmp_path / "sample.csv")
    review(tmp_path / "run", import_=answer(tmp_path / "sample.csv", truth, tmp_path / "a.csv"))
    before = estimated(tmp_path / "run")
    (tmp_path / "run/journal.jsonl").unlink()
    run(tmp_path / "run", [replace(one, score=0.5) for one in pictures])
    after = estimated(tmp_path / "run")
    assert after["strata"] == before["strata"]
    assert {**after["total"], "model_alone": 0} == {**before["total"], "model_alone": 0}
    (tmp_path / "run/journal.jsonl").unlink()
    run(tmp_path / "run", [replace(one, bytes_of=f"new {one.name}") for one in pictures])
    with pytest.raises(RunError, match="Nothing is labelled"):
        estimate(tmp_path / "run")


def test_a_grown_archive_is_drawn_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pictures = archive(480, 0.1)
    path, table, answers = tmp_path / "run", tmp_path / "sample.csv", tmp_path / "a.csv"
    truth = run(path, pictures[:320])
    review(path, labels=100, export=table)
    review(path, import_=answer(table, truth, answers))
    before, labels = json.loads((path / "review/plan.json").read_text()), (path / "review" / LABELS).read_bytes()
    with pytest.raises(RunError, match="Nothing came into the run"):
        review(path, redraw=True)
    (path / "journal.jsonl").unlink()
    truth = run(path, pictures[5:])
    capsys.readouterr()
    review(path, labels=100, export=table)
    assert "160 pictures came into the run after the draw" in capsys.readouterr().err
    estimate(path)
    assert "--redraw" in capsys.readouterr().out
    assert review(path, redraw=True, labels=150) == 0
    assert "160 pictures came, 5 left; 150 of 475 drawn with the same seed" in capsys.readouterr().out
    after = json.loads((path / "review/plan.json").read_text())
    assert after["seed"] == before["seed"] == hashlib.sha256((path / "review/frame.csv").read_bytes()).hexdigest()
    assert json.loads((path / "review/plan-1.json").read_text()) == before
    assert (path / "review" / LABELS).read_bytes() == labels
    opened = open_sample(path)
    ranks = {row: hashlib.sha256(f"{before['seed']}:{row}".encode()).hexdigest() for row in truth}
    for stratum, count in after["batches"][0]["strata"].items():
        units = sorted((row for row in truth if opened.sample.frame[row] == stratum), key=lambda row: ranks[row])
        assert set(units[:count]) <= set(opened.sample.drawn())
    waiting = [
        row for row, sha256 in opened.queue("first", opened.labels) if not opened.labels.given("first", row, sha256)
    ]
    assert 0 < len(waiting) < 300 - 100  # most answers count again
    review(path, export=table)
    review(path, import_=answer(table, truth, answers))
    found = estimated(path)
    assert (found["total"]["size"], found["total"]["labelled"], found["labels"]["waiting"]) == (475, 150, 0)
    assert found["not_covered"]["scored_after_the_draw"] == 0
    assert found["total"]["low"] <= sum(one.knife for one in truth.values()) <= found["total"]["high"]
    checked = draw_and_labels(opened)
    assert not checked.wrong
    assert "only an earlier draw had" in " ".join(checked.said)
    with LabelFile(path / "review" / LABELS) as file:
        foreign = next(row for row in truth if row not in {*opened.sample.drawn(), *opened.sample.drawn_before()})
        file.put(foreign, "0" * 64, "yes", "A")
    assert any(foreign in line for line in draw_and_labels(opened).wrong)
    (path / "review/frame.csv").write_text("row_id,stratum\n")
    assert any("The seed is" in line for line in draw_and_labels(open_sample(path)).wrong)


def test_two_labellers_disagree_and_settle(tmp_path: Path) -> None:
    truth = run(tmp_path / "run", archive(600, 0.15))
    review(tmp_path / "run", labels=200, export=tmp_path / "sample.csv")
    review(tmp_path / "run", import_=answer(tmp_path / "sample.csv", truth, tmp_path / "a.csv"), who="A")
    review(tmp_path / "run", second=True, export=tmp_path / "second.csv")
    rows = [line["row_id"] for line in read(tmp_path / "second.csv")]
    assert 50 <= len(rows) < 70
    flip = next(row for row in rows if truth[row].knife)
    other = tmp_path / "b.csv"
    answers = [f"{row},{'yes' if truth[row].knife != (row == flip) else 'no'}" for row in rows]
    other.write_text("row_id,label\n" + "\n".join(answers) + "\n")
    yes = estimated(tmp_path / "run")["total"]["yes"]
    assert review(tmp_path / "run", second=True, import_=other, who="A") == 2
    assert review(tmp_path / "run", second=True, import_=other, who="B") == 0
    found = estimated(tmp_path / "run")
    assert (found["total"]["yes"], found["total"]["unsure"]) == (yes - 1, 1)
    agreed = found["agreement"]
    assert (agreed["pictures"], agreed["agree"]) == (50, 49 if flip in rows[:50] else 50)
    assert agreed["low"] < agreed["share"] <= agreed["high"]
    assert 0 < agreed["kappa"] <= 1
    assert abs(agreed["alpha"] - agreed["kappa"]) < 0.02
    review(tmp_path / "run", settle=True, export=tmp_path / "settle.csv")
    assert [line["row_id"] for line in read(tmp_path / "settle.csv")] == [flip]
    (tmp_path / "s.csv").write_text(f"row_id,label\n{flip},yes\n")
    review(tmp_path / "run", settle=True, import_=tmp_path / "s.csv", who="A")
    assert estimated(tmp_path / "run")["total"]["yes"] == yes


def test_an_answer_from_someone_else_does_not_overwrite(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert review(labelled, import_=labelled.parent / "answers.csv", who="B") == 2
    assert "was answered by A already; --second" in capsys.readouterr().err
    assert review(labelled, import_=labelled.parent / "answers.csv", who="A") == 0
    assert "0 answers taken, 300 known already" in capsys.readouterr().out


def test_ranges_that_assume_alike_errors_lie_apart(labelled: Path) -> None:
    with pytest.raises(typer.BadParameter, match="--by"):
        estimate(labelled, assume_alike=True)
    found = estimated(labelled, by="account,month", assume_alike=True)
    lines = read(labelled / "assume-alike.csv")
    assert [line["domain"] for line in lines] == [one["domain"] for one in found["domains"]]
    truth = dict.fromkeys((line["domain"] for line in lines), 0)
    for one in archive(1_500, 0.06):
        assert one.date
        truth[f"{one.account}, {one.date:%Y-%m}"] += one.knife
    inside = [int(line["range_low"]) <= truth[line["domain"]] <= int(line["range_high"]) for line in lines]
    assert sum(inside) / len(inside) > 0.85
    for line, one in zip(lines, found["domains"], strict=True):
        assert int(line["yes"]) <= int(line["range_low"])
        assert int(line["range_high"]) < one["at_most"]  # narrower than what is known without the assumption
    report(labelled)
    html = (labelled / "report.html").read_text()
    assert "Range if the model errs alike everywhere" in html
    assert html.count('height="16" fill="url(#hatched)"') >= len(lines)
    estimate(labelled, by="account,month")
    assert not (labelled / "assume-alike.csv").exists()
    report(labelled)
    assert "errs alike" not in (labelled / "report.html").read_text()


def test_a_range_is_what_adding_up_gives() -> None:
    whole = {"a": Cell("a", 100, 20, 1), "b": Cell("b", 50, 10, 6)}
    cells = [Cell("a", 5, 1, 0), Cell("b", 4, 1, 1)]
    chances = [0.0] * 8
    for low in range(5):
        for high in range(4):
            chances[low + high] += betabinom.pmf(low, 4, 1.5, 19.5) * betabinom.pmf(high, 3, 6.5, 4.5)
    sums = [sum(chances[: count + 1]) for count in range(8)]
    first, last = next(k for k in range(8) if sums[k] > 0.025), next(k for k in range(8) if sums[k] >= 0.975)
    assert alike._range(cells, whole, 0.95) == (1 + first, 1 + last)
    assert alike._range([Cell("a", 3, 3, 2)], whole, 0.95) == (2, 2)


def test_undo_is_a_further_line_and_a_torn_line_is_none(labelled: Path) -> None:
    path = labelled / "review" / LABELS
    row = read(labelled.parent / "sample.csv")[0]["row_id"]
    count = len(path.read_bytes().splitlines())
    with LabelFile(path) as file:
        file.undo(row, "A")
    assert len(path.read_bytes().splitlines()) == count + 1
    assert row not in open_sample(labelled).labels.by_row["first"]
    with path.open("ab") as stream:
        stream.write(b'{"row":"torn')
    assert len(open_sample(labelled).labels.by_row["first"]) == 299


@pytest.mark.parametrize(
    ("compare", "says"),
    [
        ("2023-01..2024-02,2024", "14 months against 12 months"),
        ("2023", "two or more"),
        ("2023,2023", "overlap"),
        ("2023-01..2023-06,2023-06..2023-11", "overlap"),
        ("2023,nobody", "no year"),
        ("2019,2020", "no scored picture"),
        ("2023,anytown", "can't be compared"),
    ],
)
def test_what_cannot_be_compared(labelled: Path, compare: str, says: str) -> None:
    with pytest.raises(RunError, match=says):
        estimate(labelled, compare=[compare])


def test_verdicts_allow_for_the_number_of_comparisons_and_looks(tmp_path: Path) -> None:
    truth = run(tmp_path / "run", archive(400, 0.2))
    review(tmp_path / "run", labels=200, looks=2, by="account", export=tmp_path / "sample.csv")
    review(tmp_path / "run", import_=answer(tmp_path / "sample.csv", truth, tmp_path / "a.csv"))
    found = estimated(tmp_path / "run", compare=["2023,2024", "anytown,otherton"])
    assert [one["verdict_confidence"] for one in found["comparisons"]] == [pytest.approx(1 - 0.05 / 4)] * 2
    assert len(found["strata"]) == 8


def test_a_clear_difference_is_called_one(tmp_path: Path) -> None:
    before, after = datetime(2023, 5, 1, tzinfo=UTC), datetime(2024, 5, 1, tzinfo=UTC)
    pictures = [Invented(f"{n}.jpg", 0.5, n % 10 == 0, date=before) for n in range(200)]
    pictures += [Invented(f"m{n}.jpg", 0.5, n % 2 == 0, date=after) for n in range(200)]
    truth = run(tmp_path / "run", pictures)
    review(tmp_path / "run", labels=200, by="year", export=tmp_path / "sample.csv")
    review(tmp_path / "run", import_=answer(tmp_path / "sample.csv", truth, tmp_path / "a.csv"))
    found = estimated(tmp_path / "run", compare=["2023-05,2024-05", "2024-05,2023-05"])
    assert [one["verdict"] for one in found["comparisons"]] == ["higher", "lower"]


def test_label_studio_gets_no_predictions_and_gives_answers_back(labelled: Path, tmp_path: Path) -> None:
    review(labelled, export=tmp_path / "studio")
    tasks = json.loads((tmp_path / "studio/tasks.json").read_text())
    assert [task["data"]["row_id"] for task in tasks] == [line["row_id"] for line in read(tmp_path / "sample.csv")]
    assert {name for task in tasks for name in task} == {"data"}
    assert {name for task in tasks for name in task["data"]} == {"image", "row_id", "sha256"}
    for task in tasks:
        result = {"type": "choices", "value": {"choices": ["cannot_tell"]}}
        task["annotations"] = [{"was_cancelled": False, "result": [result]}]
    (tmp_path / "done.json").write_text(json.dumps(tasks[:7]))
    review(labelled, import_=tmp_path / "done.json", who="A")
    assert estimated(labelled)["total"]["unsure"] == 7
    (tmp_path / "done.json").write_text('[{"data": {}}]')
    with pytest.raises(RunError, match="no JSON export of Label Studio"):
        review(labelled, import_=tmp_path / "done.json")
    with pytest.raises(typer.BadParameter, match="bladecheck review"):
        export_rows(labelled, "label-studio")
