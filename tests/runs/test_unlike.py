"""How much of a run is unlike what its model was measured on: in run.json, the report, and on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bladecheck.archives import open_archive
from bladecheck.cli.report import report
from bladecheck.core.classifier import Classifier
from bladecheck.core.policy_file import find
from bladecheck.runs.counts.unlike import sentence
from bladecheck.runs.engines.local import LocalEngine
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.run import Run
from score_helpers import Score, exported
from tiny import draw, encode


def scored(classifier: Classifier, folder: Path, far: int, near: int) -> Path:
    """A run over so many blue pictures, outside the measured range, and reddish ones within."""
    (folder / "archive").mkdir(parents=True)
    for number in range(far + near):
        colour = (128, 128, 250) if number < far else (250, 128, 128)
        (folder / "archive" / f"{number}.png").write_bytes(encode(draw(colour, (41 + number, 50))))
    engine = LocalEngine(classifier, find(None), workers=1, near=False)
    with open_archive([folder / "archive"]) as archive:
        Run([folder / "archive"], archive.items(), engine, RunFolder(folder / "run")).go()
    return folder / "run"


def test_the_share_stands_in_run_json_and_the_report(looking: Classifier, tmp_path: Path) -> None:
    run = scored(looking, tmp_path, far=5, near=5)
    manifest = json.loads((run / "run.json").read_text())
    assert manifest["counts"]["unlike"] == {"pictures": sum(row["unlike"] > 1 for row in exported(run)), "of": 10}
    assert manifest["counts"]["unlike"]["pictures"] == 5
    assert manifest["model_card"]["embedding_range"]["share"] == 0.99
    report(run)
    text = (run / "report.html").read_text()
    assert text.count("5 of 10 pictures (50.0%; 95 % interval 23.7% to 76.3%) are unlike those that the model was") == 2
    assert "its stated error rates may not hold here" in text


def test_a_model_that_does_not_say_makes_no_claim(score: Score, pictures: Path, tmp_path: Path) -> None:
    score(pictures, tmp_path / "run")
    assert json.loads((tmp_path / "run" / "run.json").read_text())["counts"]["unlike"] is None
    report(tmp_path / "run")
    text = (tmp_path / "run" / "report.html").read_text()
    assert "does not say which pictures are unlike" in text
    assert "may not hold here" not in text


@pytest.mark.parametrize(("pictures", "scored", "warned"), [(0, 50, False), (1, 20, False), (12, 1000, False),
                                                            (60, 1000, True), (30, 40, True)])  # fmt: skip
def test_a_warning_needs_more_than_chance(pictures: int, scored: int, warned: bool) -> None:
    said = sentence({"unlike": {"pictures": pictures, "of": scored}}, {"embedding_range": {"share": 0.99}})
    assert said is not None
    assert f"{pictures} of {scored:,} pictures" in said
    assert "of which 1% are" in said
    assert ("may not hold here" in said) is warned
