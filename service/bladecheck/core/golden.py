"""Replay of a bundle's golden pictures: same pixels, same scores, or the bundle is not ready."""

from __future__ import annotations

import base64
import hashlib
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from PIL import Image

from bladecheck.core.bundle import GOLDEN, Bundle, Probability, Strict, parse, read
from bladecheck.core.classifier import Classifier
from bladecheck.core.preprocess import Pixels, prepare
from bladecheck.errors import GoldenMismatch, PictureError

TOLERANCE = 0.25
"""Of the root mean square, over all scores of a picture, of what their logits differ by. Activations are quantised on
the fly, so the last digits of a processor's float kernels become whole steps: with base 1.2.2, arithmetic without any
overflow lay .06 to .14 apart on its golden pictures, single probabilities up to .064. Products that overflow lay .42
to .91 off (base 1.2.1 without VNNI and with). Pixels of PNG files must match exactly."""
LEAST = 1e-3
"""Probabilities nearer than that to 0 or 1 count as that: their logits would say much of nothing."""


class GoldenCase(Strict):
    """A recorded picture: its file as base64, the sha256 of its prepared pixels, and every score by name."""

    name: str
    data: str
    pixels_sha256: str
    scores: dict[str, Probability]


class GoldenCases(Strict):
    cases: tuple[GoldenCase, ...]


@dataclass(frozen=True, slots=True)
class Replay:
    """How many golden pictures were replayed, and the largest difference of one, in logits (see TOLERANCE)."""

    cases: int
    worst: float


def recorded(bundle: Bundle) -> tuple[GoldenCase, ...]:
    """The bundle's golden pictures with expected pixels and scores."""
    source = bundle.path / GOLDEN
    return parse(GoldenCases, read(source), source).cases


def replay(classifier: Classifier) -> Replay:
    """Score every golden picture again.

    Raises:
        GoldenMismatch: naming the picture and what differs.
    """
    cases = recorded(classifier.bundle)
    if not cases:
        raise GoldenMismatch(f"{classifier.bundle.path} has no golden pictures.")
    with ThreadPoolExecutor(2) as pool:  # a server is not ready before
        return Replay(len(cases), max(pool.map(partial(_checked, classifier), cases)))


def _checked(classifier: Classifier, case: GoldenCase) -> float:
    """`_difference`, with the picture's name in every error."""
    try:
        return _difference(classifier, case)
    except PictureError as error:
        raise GoldenMismatch(f"Golden picture {case.name!r}: {error.detail}") from error


def rescored(classifier: Classifier, cases: tuple[GoldenCase, ...]) -> list[GoldenCase]:
    """The same pictures with what this model says of them now, for a bundle that is being made."""
    found = []
    for case in cases:
        frame = classifier.load(base64.b64decode(case.data)).frames[0]
        found.append(case.model_copy(update={"scores": _scores(classifier, frame)}))
    return found


def _scores(classifier: Classifier, frame: Image.Image, pixels: Pixels | None = None) -> dict[str, float]:
    """Every probability of a frame by name, as golden.json keeps them."""
    scores = classifier.scores(classifier.look(frame, pixels).logits)
    return {**scores.labels, **scores.blade, **scores.features, **scores.weapon}


def _difference(classifier: Classifier, case: GoldenCase) -> float:
    """Root mean square of what the logits of all scores of one golden picture differ by."""
    picture = classifier.load(base64.b64decode(case.data))
    pixels = prepare(picture.frames[0], classifier.bundle.spec)
    if picture.format == "PNG" and hashlib.sha256(pixels.tobytes()).hexdigest() != case.pixels_sha256:
        raise GoldenMismatch(f"Golden picture {case.name!r}: the prepared pixels differ.")
    actual = _scores(classifier, picture.frames[0], pixels)
    if set(actual) != set(case.scores):
        raise GoldenMismatch(f"Golden picture {case.name!r} records scores of {', '.join(sorted(case.scores))}.")
    apart = {name: abs(_logit(actual[name]) - _logit(expected)) for name, expected in case.scores.items()}
    difference = math.sqrt(sum(each * each for each in apart.values()) / len(apart))
    if not difference <= TOLERANCE:
        name = max(apart, key=lambda key: apart[key])
        raise GoldenMismatch(
            f"Golden picture {case.name!r}: {name} is {actual[name]:.4f}, recorded {case.scores[name]:.4f}; "
            f"all scores lie {difference:.2f} apart in logits, and {TOLERANCE} is allowed."
        )
    return difference


def _logit(probability: float) -> float:
    bounded = min(max(probability, LEAST), 1 - LEAST)
    return math.log(bounded / (1 - bounded))
