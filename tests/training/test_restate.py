"""A finished bundle stated anew: metadata and range change, scores do not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

from bladecheck.core import bundle
from bladecheck.core.classifier import Classifier
from bladecheck_training import restate
from tiny import draw, encode, write_looking


def test_the_graph_says_what_it_is_and_hashes_follow(tmp_path: Path) -> None:
    before = bundle.load(write_looking(tmp_path / "mine"))
    made = restate.describe(tmp_path / "mine", "1.0.1")
    assert made.sha256 != before.sha256
    assert made.manifest.version == "1.0.1"
    model = onnx.load(tmp_path / "mine" / bundle.MODEL, load_external_data=False)
    assert model.doc_string == made.manifest.summary
    facts = Classifier(made).facts
    assert (facts["name"], facts["version"], facts["licence"]) == ("looking", "1.0.1", "Apache-2.0")
    assert facts["author"]
    assert facts["description"] == made.manifest.summary


def test_the_range_is_that_of_the_pictures(tmp_path: Path) -> None:
    write_looking(tmp_path / "mine")
    chance = np.random.default_rng(1)
    pictures = []
    for number in range(120):
        red = int(chance.choice([*range(20, 90), *range(160, 236)]))
        pictures.append(tmp_path / f"{number}.png")
        pictures[-1].write_bytes(encode(draw((red, *(int(each) for each in chance.integers(120, 136, 2))))))
    made = Classifier(restate.measured_range(tmp_path / "mine", pictures))
    stated = made.bundle.manifest.embedding_range
    assert stated is not None
    assert stated.measure == "beside"
    outside = [(made.classify_one(made.load(path.read_bytes())).unlike or 0) > 1 for path in pictures]
    assert sum(outside) <= 3
    far = made.classify_one(made.load(encode(draw((127, 127, 250))))).unlike
    assert far is not None
    assert far > 1
    with pytest.raises(ValueError, match="too few"):
        restate.measured_range(tmp_path / "mine", pictures[:50])
