"""Replay of recorded pictures: exact on the machine that recorded them, and any drift is named."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from altered import replace_file
from bladecheck.core import bundle as bundles
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import recorded, replay
from bladecheck.errors import BundleError, GoldenMismatch


def test_replay_is_exact_where_it_was_recorded(classifier: Classifier) -> None:
    outcome = replay(classifier)
    assert outcome.cases == len(recorded(classifier.bundle)) == 3
    assert outcome.worst == 0.0


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "no cases": (lambda g: g["cases"].clear(), "no golden pictures"),
    "other score": (lambda g: g["cases"][1]["scores"].update(gun=0.1), r"'blue': gun is 0\.9\d+, recorded 0\.1000"),
    "other pixels": (lambda g: g["cases"][0].update(pixels_sha256="0" * 64), "'red': the prepared pixels differ"),
    "score missing": (lambda g: g["cases"][0]["scores"].pop("knife"), "'red' records scores of"),
    "unknown score": (lambda g: g["cases"][0]["scores"].update(axe=0.5), "'red' records scores of axe"),
    "picture broken": (
        lambda g: g["cases"][2].update(data=base64.b64encode(b"text").decode()),
        "'green': The bytes start with",
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_any_difference_is_named(name: str, folder: Path) -> None:
    change, named = CHANGES[name]
    golden = json.loads((folder / bundles.GOLDEN).read_text())
    change(golden)
    replace_file(folder, bundles.GOLDEN, json.dumps(golden).encode())
    with pytest.raises(GoldenMismatch, match=named):
        replay(Classifier.open(folder))


@pytest.mark.parametrize(
    ("drift", "agrees"), [(0.0, True), (0.019, True), (-0.019, True), (0.021, False), (-0.021, False)]
)
def test_two_hundredths_are_the_most_a_score_may_drift(drift: float, agrees: bool, folder: Path) -> None:
    """Processors round int8 differently, by less; a bundle that drifts further does not answer as it was measured."""
    golden = json.loads((folder / bundles.GOLDEN).read_text())
    scores = golden["cases"][2]["scores"]
    kind = next(name for name, score in scores.items() if 0.03 < score < 0.97)
    scores[kind] += drift
    replace_file(folder, bundles.GOLDEN, json.dumps(golden).encode())
    if agrees:
        assert replay(Classifier.open(folder)).worst == pytest.approx(abs(drift), abs=1e-6)
    else:
        with pytest.raises(GoldenMismatch, match=f"'green': {kind} is"):
            replay(Classifier.open(folder))


@pytest.mark.parametrize("text", ["", "{}", '{"cases": [{}]}', '{"cases": [], "more": 1}'])
def test_a_golden_file_of_another_shape_is_a_bundle_error(text: str, folder: Path) -> None:
    replace_file(folder, bundles.GOLDEN, text.encode())
    with pytest.raises(BundleError, match=r"golden\.json"):
        replay(Classifier.open(folder))


@pytest.mark.parametrize("name", bundles.available())
def test_shipped_bundles_replay(name: str) -> None:
    assert replay(Classifier.open(name)).cases > 0
