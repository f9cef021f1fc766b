"""The model at work: batches agree, threads agree, and what is no number is never a negative."""

from __future__ import annotations

import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import numpy_helper
from PIL import Image

from altered import replace_file
from bladecheck.core import bundle as bundles
from bladecheck.core.bundle import Platt
from bladecheck.core.classifier import Classifier, calibrated
from bladecheck.core.evidence import overlay
from bladecheck.core.images import Picture
from bladecheck.core.result import classify_bytes
from bladecheck.core.verdict import Verdict
from bladecheck.errors import NoScore
from odd import animation
from tiny import BLUE, GREEN, PURPLE, RED, draw, encode, graph


@pytest.fixture(scope="module")
def pictures(classifier: Classifier) -> list[Picture]:
    chance = random.Random(7)
    colours = [tuple(chance.randrange(256) for _ in range(3)) for _ in range(24)]
    return [classifier.load(encode(draw(colour, (40 + index, 90 - index)))) for index, colour in enumerate(colours)]


def numbers(verdict: Verdict) -> list[float]:
    scores = verdict.scores
    return [*scores.labels.values(), *scores.blade.values(), *scores.features.values(), *scores.raw.values()]


@pytest.mark.parametrize("size", [1, 3, 8])
def test_batches_of_any_size_agree(size: int, classifier: Classifier, pictures: list[Picture]) -> None:
    alone = [classifier.classify_one(picture) for picture in pictures]
    batched: list[Verdict] = []
    for start in range(0, len(pictures), size):
        batched += classifier.classify(pictures[start : start + size])
    assert [verdict.decision for verdict in batched] == [verdict.decision for verdict in alone]
    assert np.abs(np.array([numbers(v) for v in batched]) - np.array([numbers(v) for v in alone])).max() < 1e-9


def test_order_does_not_matter_and_an_empty_batch_is_empty(classifier: Classifier, pictures: list[Picture]) -> None:
    forwards = classifier.classify(pictures)
    backwards = classifier.classify(pictures[::-1])[::-1]
    assert [numbers(verdict) for verdict in forwards] == [numbers(verdict) for verdict in backwards]
    assert classifier.classify([]) == []


def test_eight_threads_get_the_same_scores_as_one(classifier: Classifier) -> None:
    data = [
        encode(draw(colour, (300, 200)), format) for colour in (RED, BLUE, GREEN, PURPLE) for format in ("PNG", "JPEG")
    ]
    data += [animation([GREEN, RED], format) for format in ("GIF", "WEBP", "PNG")] + [b"", b"text", data[0][:100]]
    alone = [classify_bytes(item, classifier) for item in data]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda item: classify_bytes(item, classifier), data * 20))
    assert together == alone * 20


@given(low=st.floats(-200, 200), high=st.floats(-200, 200), scale=st.floats(0.01, 20), shift=st.floats(-20, 20))
def test_calibration_keeps_the_order_and_stays_a_probability(
    low: float, high: float, scale: float, shift: float
) -> None:
    low, high = sorted((low, high))
    platt = Platt(scale=scale, shift=shift)
    assert 0.0 <= calibrated(low, platt) <= calibrated(high, platt) <= 1.0


def test_the_blade_distribution_sums_to_one(classifier: Classifier, pictures: list[Picture]) -> None:
    for verdict in classifier.classify(pictures):
        assert sum(verdict.scores.blade.values()) == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_a_failure_and_never_clear(bad: float, folder: Path) -> None:
    model = graph()
    for initializer in model.graph.initializer:
        if initializer.name == "bias":
            values = numpy_helper.to_array(initializer).copy()
            values[0] = bad
            initializer.CopyFrom(numpy_helper.from_array(values, "bias"))
    replace_file(folder, bundles.MODEL, model.SerializeToString())
    classifier = Classifier.open(folder)
    result = classify_bytes(encode(draw(GREEN)), classifier)
    assert (result["status"], result["decision"], result["error"]["code"]) == ("failed", "cannot_judge", "no_score")
    with pytest.raises(NoScore, match="tiny"):
        classifier.classify_one(classifier.load(encode(draw(GREEN))))


def test_results_have_one_shape_whatever_happens(classifier: Classifier) -> None:
    good, bad = classify_bytes(encode(draw(RED)), classifier), classify_bytes(b"text", classifier)
    assert {"status", "decision", "reasons", "scores", "blade", "image", "model"} <= set(good)
    assert {"sha256", "width", "height", "format"} <= set(good["image"])
    assert {"status", "decision", "reasons", "error", "image", "model"} <= set(bad)
    assert set(bad["error"]) == {"code", "detail"}
    assert set(good["model"]) == set(bad["model"]) == {"name", "version", "sha256"}
    assert len(bad["image"]["sha256"]) == 64


def test_evidence_is_where_the_red_is(classifier: Classifier) -> None:
    image = Image.new("RGB", (64, 32), GREEN)
    image.paste(RED, (48, 0, 64, 8))
    evidence = classifier.classify_one(classifier.load(encode(image))).evidence
    assert evidence is not None
    assert evidence.shape == (4, 4)
    assert np.unravel_index(evidence.argmax(), evidence.shape) == (0, 3)
    marked = overlay(image, evidence)
    assert marked.size == image.size
    assert marked.getpixel((2, 30)) == pytest.approx(GREEN, abs=30)
    assert overlay(image, None) is image


def test_importing_the_package_loads_no_model_runtime() -> None:
    code = "import sys, bladecheck as b; print('onnxruntime' in sys.modules, b.Classifier, 'torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "<class", "'bladecheck.core.classifier.Classifier'>", "False"]
