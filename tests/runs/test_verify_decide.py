"""A published total and its scores can be checked from the files, and another policy needs no model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bladecheck.cli.estimate import estimate
from bladecheck.cli.review import review
from bladecheck.cli.verify import verify
from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from bladecheck.errors import RunError
from bladecheck.runs import journal
from bladecheck.runs.counts.labels import LabelFile
from bladecheck.runs.decide import again
from bladecheck.runs.engines.local import LocalEngine
from bladecheck.runs.folder import RunFolder
from invented import answer, archive, run
from score_helpers import NEAR, Score, exported, fill
from tiny import BLUE, GREEN, RED, draw

POLICY = """name = "strict"
summary = "Holds early, and guns."
gun = "hold"

[thresholds.knife]
check = 0.001
hold = 0.01
"""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    truth = run(tmp_path / "run", archive(500, 0.1))
    review(tmp_path / "run", labels=150, export=tmp_path / "sample.csv")
    review(tmp_path / "run", import_=answer(tmp_path / "sample.csv", truth, tmp_path / "a.csv"))
    estimate(tmp_path / "run", by="account", compare=["2023,2024"])
    return tmp_path / "run"


def test_what_was_published_is_what_the_files_say(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify(published, sample=0) == 0
    said = capsys.readouterr().out
    assert "The seed is the hash of the frame" in said
    assert "total: as recomputed" in said
    assert "differs" not in said


def change(path: Path, edit: Callable[[str], str]) -> None:
    text = path.read_text()
    assert edit(text) != text
    path.write_text(edit(text))


@pytest.mark.parametrize(
    ("name", "edit", "says"),
    [
        ("review/frame.csv", lambda text: text.replace("below 0.02", "from 0.8", 1), "frame.csv has the hash"),
        ("review/plan.json", lambda text: text.replace('"seed": "', '"seed": "0'), "The seed is 0"),
        (
            "review/plan.json",
            lambda text: text.replace('"score": 0.0', '"score": 0.3', 1),
            "not allocated as by the rule",
        ),
        ("estimate.json", lambda text: text.replace('"yes": ', '"yes": 1', 1), "total: not as recomputed"),
    ],
)
def test_what_was_altered_is_found(
    published: Path, capsys: pytest.CaptureFixture[str], name: str, edit: Callable[[str], str], says: str
) -> None:
    change(published / name, edit)
    assert verify(published, sample=0) == 2
    assert says in capsys.readouterr().out


def test_a_label_of_a_row_that_was_not_drawn_is_found(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with LabelFile(published / "review/labels.jsonl") as file:
        file.put("0" * 32, "1" * 64, "yes", "A")
    assert verify(published, sample=0) == 2
    assert f"is of row {'0' * 32}, which was not drawn" in capsys.readouterr().out


def test_pictures_are_scored_again(
    score: Score, tiny_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score(fill(tmp_path / "archive", 30), tmp_path / "run")
    assert verify(tmp_path / "run", sample=10, bundle=str(tiny_path)) == 0
    assert "10 pictures scored again; the largest difference of a score is 0.000000" in capsys.readouterr().out
    path = tmp_path / "run/journal.jsonl"
    records = [record for record in journal.read(path) if record]
    path.unlink()
    with journal.Journal(path) as altered:
        for record in records:
            if record.get("result", {}).get("decision") == "clear":
                record["result"]["decision"] = "check"
            altered.append([record])
    assert verify(tmp_path / "run", sample=30, bundle=str(tiny_path)) == 2
    assert "check 0.0" in capsys.readouterr().out


def test_another_policy_gives_the_rows_that_scoring_would_have(
    score: Score, classifier: Classifier, tmp_path: Path
) -> None:
    (tmp_path / "strict.toml").write_text(POLICY)
    pictures, strict = fill(tmp_path / "archive", 30), find(tmp_path / "strict.toml")
    draw(RED, (9, 9)).save(pictures / "small.png")
    frames = [draw(colour) for colour in (GREEN, BLUE, RED)]
    frames[0].save(pictures / "moving.gif", save_all=True, append_images=frames[1:], duration=100)
    score(pictures, tmp_path / "run")
    done = again(RunFolder(tmp_path / "run"), strict)
    assert done.changed > 0
    assert done.waiting == 1
    engine = LocalEngine(classifier, strict, workers=2, near=NEAR)
    score(pictures, tmp_path / "fresh", engine)
    wanted = {row["row_id"]: row for row in exported(tmp_path / "fresh")}
    got = {row["row_id"]: row for row in exported(done.folder.path)}
    moving = {name for name, row in wanted.items() if row["member"] == "moving.gif"}
    assert got == {name: row for name, row in wanted.items() if name not in moving}
    assert again(RunFolder(tmp_path / "run"), strict).pictures == 0
    score(pictures, tmp_path / "run", engine, side_by_side=True)  # scores what could not be decided, and only that
    assert {row["row_id"]: row for row in exported(done.folder.path)} == wanted


def test_the_same_policy_is_refused(score: Score, tmp_path: Path) -> None:
    score(fill(tmp_path / "archive", 3), tmp_path / "run")
    with pytest.raises(RunError, match="already"):
        again(RunFolder(tmp_path / "run"), find(None))
