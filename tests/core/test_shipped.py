"""What shipped models say of real photos: scikit-image's anywhere, labelled ones where developers have them."""

from __future__ import annotations

import csv
import importlib.metadata
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bladecheck.core import bundle
from bladecheck.core.classifier import Classifier
from bladecheck.core.verdict import Decision

PHOTOS = ("astronaut.png", "brick.png", "chelsea.png", "coffee.png", "coins.png", "grass.png", "gravel.png",
          "motorcycle_left.png", "retina.jpg", "rocket.jpg")  # fmt: skip
EACH = 15


@pytest.fixture(scope="module", params=bundle.available())
def model(request: pytest.FixtureRequest) -> Iterator[Classifier]:
    return Classifier.open(request.param)


def photo(name: str) -> bytes:
    files = importlib.metadata.files("scikit-image") or []
    return next(Path(str(file.locate())) for file in files if file.parts[-2:] == ("data", name)).read_bytes()


def test_everyday_photos_are_clear(model: Classifier) -> None:
    decisions = {name: model.classify_one(model.load(photo(name))).decision for name in PHOTOS}
    assert Decision.HOLD not in decisions.values(), decisions
    doubtful = 1 if model.bundle.manifest.name == bundle.DEFAULT else 3  # the small model asks a person more often
    assert sum(decision is Decision.CLEAR for decision in decisions.values()) >= len(PHOTOS) - doubtful, decisions


def test_labelled_pictures_are_told_apart(model: Classifier, shared: Path) -> None:
    with (shared / "data" / "labels.csv").open(newline="") as stream:
        dev = [row for row in csv.DictReader(stream) if row["split"] == "dev" and row["knife"]]
    sample = [row for knife in "10" for row in [row for row in dev if row["knife"] == knife][:EACH]]
    verdicts = [
        model.classify_one(model.load((shared / "data" / "images" / f"{row['id']}.jpg").read_bytes())) for row in sample
    ]
    scores = [verdict.scores.labels["knife"] for verdict in verdicts]
    pairs = [knife > other for knife in scores[:EACH] for other in scores[EACH:]]
    assert sum(pairs) / len(pairs) > 0.97
    assert sum(verdict.decision is Decision.CLEAR for verdict in verdicts[:EACH]) <= 1
    assert sum(verdict.decision is Decision.HOLD for verdict in verdicts[EACH:]) <= 1


def test_the_card_is_what_the_bundle_says(model: Classifier) -> None:
    manifest = json.loads((model.bundle.path / bundle.MANIFEST).read_text())
    card = (model.bundle.path / "README.md").read_text()
    dev = next(part for name, part in manifest["metrics"].items() if name.startswith("dev"))
    assert f"| {dev['knife_auc']['value']:.4f} |" in card
    assert f"# {manifest['name']} {manifest['version']}" in card
