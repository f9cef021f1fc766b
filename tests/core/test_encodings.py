"""One scene in a hundred encodings: a shipped model says the same of each, and none passes for damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from PIL import Image

from bladecheck.core import bundle
from bladecheck.core.classifier import Classifier
from bladecheck.core.taxonomy import Decision
from one_scene import encodings, grey_encodings, knife_scene

Encode = Callable[[Image.Image], dict[str, bytes]]
FARTHEST = 0.06
"""Knife scores of one scene may differ by so much: lossy encodings and few colours change pixels."""


@pytest.fixture(scope="module")
def small() -> Iterator[Classifier]:
    if "small" not in bundle.available():
        pytest.skip("the bundle small is not here")
    return Classifier.open("small")


@pytest.mark.parametrize(("encoded", "reference"), [(encodings, "png"), (grey_encodings, "grey")])
def test_every_encoding_of_a_scene_gets_the_same_answer(encoded: Encode, reference: str, small: Classifier) -> None:
    files = encoded(knife_scene((400, 300)))
    pictures = {name: small.load(data) for name, data in files.items()}
    assert {name for name, picture in pictures.items() if picture.damaged} == set(), "whole files pass for damaged"
    verdicts = {name: small.classify_one(picture) for name, picture in pictures.items()}
    assert verdicts[reference].decision is Decision.HOLD
    assert {name for name, verdict in verdicts.items() if verdict.decision is not Decision.HOLD} == set()
    scores = {name: verdict.scores.labels["knife"] for name, verdict in verdicts.items()}
    far = {name: score for name, score in scores.items() if abs(score - scores[reference]) > FARTHEST}
    assert not far, f"{reference} gets {scores[reference]:.3f}"
