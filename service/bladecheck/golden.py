"""Replay of a bundle's golden pictures: same pixels, same scores, or the bundle is not ready."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass

from bladecheck.classifier import Classifier
from bladecheck.errors import GoldenMismatch
from bladecheck.preprocess import prepare

TOLERANCE = 0.02
"""On probabilities: int8 kernels of different processors round differently; pixels of PNG files must match exactly."""


@dataclass(frozen=True, slots=True)
class Replay:
    """How many golden pictures were replayed, and the largest difference of any probability."""

    cases: int
    worst: float


def replay(classifier: Classifier) -> Replay:
    """Score every golden picture again.

    Raises:
        GoldenMismatch: naming the picture and what differs.
    """
    worst, cases = 0.0, classifier.bundle.golden()
    if not cases:
        raise GoldenMismatch(f"{classifier.bundle.path} has no golden pictures.")
    for case in cases:
        picture = classifier.load(base64.b64decode(case["data"]))
        pixels = prepare(picture.frames[0], classifier.bundle.spec)
        if picture.format == "PNG" and hashlib.sha256(pixels.tobytes()).hexdigest() != case["pixels_sha256"]:
            raise GoldenMismatch(f"Golden picture {case['name']!r}: the prepared pixels differ.")
        scores = classifier.scores(classifier.run(pixels).logits)
        actual = {**scores.labels, **scores.blade, **scores.features}
        for name, expected in case["scores"].items():
            worst = max(worst, abs(actual[name] - expected))
            if abs(actual[name] - expected) > TOLERANCE:
                raise GoldenMismatch(
                    f"Golden picture {case['name']!r}: {name} is {actual[name]:.4f}, recorded {expected:.4f}."
                )
    return Replay(len(cases), worst)
