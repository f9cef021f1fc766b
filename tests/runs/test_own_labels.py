"""Labels given with `review` measure and adapt a model, each picture counting for as many as it was drawn for."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bladecheck.archives import open_archive
from bladecheck.cli.adapt import adapt
from bladecheck.cli.evaluate import evaluate
from bladecheck.cli.own_labels import own
from bladecheck.cli.review import review
from bladecheck.core.bundle import load
from bladecheck.core.classifier import Classifier
from bladecheck.core.learning import seen
from bladecheck.core.policy_file import find
from bladecheck.errors import LabelsError, RunError
from bladecheck.runs.counts.opened import open_sample
from bladecheck.runs.engines.local import LocalEngine
from bladecheck.runs.folder import RunFolder
from bladecheck.runs.run import Run
from tiny import draw, encode

KNIVES, OTHERS, COPIES, LABELS = 60, 140, 20, 120


@pytest.fixture(scope="module")
def reviewed(looking: Classifier, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over purple knives, red ones and green pictures, 20 of them copies; of a sample three can't be told."""
    folder = tmp_path_factory.mktemp("reviewed")
    chance = np.random.default_rng(3)
    (folder / "archive").mkdir()
    for number in range(KNIVES + OTHERS):
        base = (220, 30, 30) if number < 15 else (130, 30, 130) if number < KNIVES else (40, 140, 60)
        red, green, blue = (int(v) for v in np.clip(np.array(base) + chance.integers(-30, 31, 3), 0, 255))
        name = f"{'knife' if number < KNIVES else 'other'}-{number}.png"
        picture = (
            draw((40, 141, 60))
            if number >= KNIVES + OTHERS - COPIES
            else draw((red, green, blue), (40 + number % 9, 50))
        )
        (folder / "archive" / name).write_bytes(encode(picture))
    engine = LocalEngine(looking, find(None), workers=2, near=False)
    with open_archive([folder / "archive"]) as archive:
        Run([folder / "archive"], archive.items(), engine, RunFolder(folder / "run")).go()
    review(folder / "run", labels=LABELS, export=folder / "sample.csv")
    with (folder / "sample.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    where = next(column for column, value in rows[0].items() if str(value).endswith(".png"))
    with (folder / "answers.csv").open("w", newline="") as stream:
        out = csv.writer(stream)
        out.writerow(("row_id", "label"))
        for number, row in enumerate(rows):
            out.writerow((row["row_id"], "unsure" if number < 3 else "yes" if "knife-" in row[where] else "no"))
    assert review(folder / "run", import_=folder / "answers.csv") == 0
    return folder / "run"


def test_each_labelled_picture_counts_for_as_many_as_it_was_drawn_for(reviewed: Path) -> None:
    opened = open_sample(reviewed)
    with own(reviewed) as given:
        weights = {hashlib.sha256(one.read()).hexdigest(): one.weight for one in given.labelled}
        assert all(one.read() == Path(one.name).read_bytes() for one in given.labelled)
        assert all(one.knife == ("knife-" in one.name) for one in given.labelled)
    assert '3 pictures that were answered "can\'t tell" are left out.' in given.notes
    sizes = {one.name: one.size / opened.sample.drawn_counts[one.name] for one in opened.sample.strata}
    expected: dict[str, float] = {}
    for name in opened.sample.drawn():
        ((row, sha256),) = opened.frame.units[name].rows
        if opened.labels.answer(row, sha256) != "unsure":
            expected[sha256] = expected.get(sha256, 0.0) + sizes[opened.sample.frame[name]]
    assert weights == pytest.approx(expected)
    assert len(weights) < LABELS - 3, "copies are one picture, which stands for all of them"
    assert len(set(sizes.values())) > 1


def test_shares_are_those_of_the_whole_run(
    reviewed: Path, looking_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(reviewed, bundle=str(looking_path), as_json=True) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    classifier = Classifier.open(looking_path)
    with own(reviewed) as given:
        knives = [one for one in given.labelled if one.knife]
        held = [one.weight for one in knives if classifier.classify_one(classifier.load(one.read())).decision == "hold"]
    assert found["weighted"]
    assert found["knives held"]["value"] == pytest.approx(sum(held) / sum(one.weight for one in knives), abs=1e-4)
    assert (found["knives held"]["n"], found["knives held"]["positives"]) == (len(knives), len(held))
    assert found["knives held"]["low"] < found["knives held"]["value"] < found["knives held"]["high"]
    evaluate(reviewed, bundle=str(looking_path))
    assert "Shares are of the whole run" in capsys.readouterr().out


def test_a_reviewed_run_adapts_a_bundle_that_says_to_what(
    reviewed: Path, looking_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(seen, "ALIKE", 1.1)  # three numbers are too few to tell look-alikes by
    out = tmp_path / "mine"
    adapt(reviewed, out, bundle=str(looking_path), missed=0.02, false_hold=0.02, embeddings=None, archive=None)
    assert "Installed" in capsys.readouterr().out
    with own(reviewed) as given:
        assert load(out).manifest.data["labels_sha256"] == given.sha256
    evaluate(reviewed, bundle=str(out))
    assert "was adapted to these very labels" in capsys.readouterr().err


def test_a_run_without_labels_is_refused_with_what_to_do(reviewed: Path, tmp_path: Path) -> None:
    with pytest.raises(LabelsError, match=r"folder without labels.*bladecheck review"), own(tmp_path):
        pass
    moved = tmp_path / "moved"
    (reviewed.parent / "archive").rename(moved)
    try:
        with pytest.raises(RunError, match="--archive"), own(reviewed):
            pass
    finally:
        moved.rename(reviewed.parent / "archive")
