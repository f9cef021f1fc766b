"""Replay of recorded pictures: exact on the machine that recorded them, and any drift is named."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from altered import replace_file
from bladecheck.core import bundle as bundles
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import recorded, replay
from bladecheck.core.weights import FILE, unpack
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


@pytest.mark.parametrize(("apart", "agrees"), [(0.24, True), (-0.24, True), (0.26, False), (-0.26, False)])
def test_all_scores_together_may_lie_a_quarter_of_a_logit_apart(apart: float, agrees: bool, folder: Path) -> None:
    """What the float kernels of processors make of activations that are quantised on the fly lies below, and integer
    products that overflow lie above."""
    golden = json.loads((folder / bundles.GOLDEN).read_text())
    scores = golden["cases"][2]["scores"]
    middling = {name: math.log(score / (1 - score)) for name, score in scores.items() if 0.05 < score < 0.95}
    step = apart * math.sqrt(len(scores) / len(middling))
    scores |= {name: 1 / (1 + math.exp(-logit - step)) for name, logit in middling.items()}
    replace_file(folder, bundles.GOLDEN, json.dumps(golden).encode())
    if agrees:
        assert replay(Classifier.open(folder)).worst == pytest.approx(abs(apart), abs=1e-3)
    else:
        with pytest.raises(GoldenMismatch, match=r"'green': .* apart in logits, and 0\.25 is allowed"):
            replay(Classifier.open(folder))


@pytest.mark.parametrize("name", bundles.available())
def test_no_processor_cuts_off_the_products_of_a_shipped_bundle(name: str) -> None:
    """Without VNNI, pairs of products with uint8 activations are added in 16 bits."""
    folder = bundles.find(name).path
    if not (folder / FILE).exists():
        pytest.skip("computes in float32")
    widest = max(int(np.abs(codes.astype(int)).max()) for codes in unpack(folder / FILE).values())
    assert 255 * widest * 2 <= np.iinfo(np.int16).max


@pytest.mark.parametrize("text", ["", "{}", '{"cases": [{}]}', '{"cases": [], "more": 1}'])
def test_a_golden_file_of_another_shape_is_a_bundle_error(text: str, folder: Path) -> None:
    replace_file(folder, bundles.GOLDEN, text.encode())
    with pytest.raises(BundleError, match=r"golden\.json"):
        replay(Classifier.open(folder))


@pytest.mark.parametrize("name", bundles.available())
def test_shipped_bundles_replay(name: str) -> None:
    assert replay(Classifier.open(name)).cases > 0
