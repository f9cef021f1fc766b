"""Replay of a bundle's golden pictures: same pixels, same scores, or the bundle is not ready."""

from __future__ import annotations

import base64
import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from PIL import Image

from bladecheck.core.bundle import GOLDEN, Bundle, Probability, Strict, parse, read
from bladecheck.core.classifier import Classifier
from bladecheck.core.preprocess import Pixels, prepare
from bladecheck.errors import GoldenMismatch, PictureError

TOLERANCE = 0.02
"""On probabilities: int8 kernels of different processors round differently; pixels of PNG files must match exactly."""


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
    """How many golden pictures were replayed, and the largest difference of any probability."""

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
    """The largest difference of any probability of one golden picture."""
    picture = classifier.load(base64.b64decode(case.data))
    pixels = prepare(picture.frames[0], classifier.bundle.spec)
    if picture.format == "PNG" and hashlib.sha256(pixels.tobytes()).hexdigest() != case.pixels_sha256:
        raise GoldenMismatch(f"Golden picture {case.name!r}: the prepared pixels differ.")
    actual = _scores(classifier, picture.frames[0], pixels)
    if set(actual) != set(case.scores):
        raise GoldenMismatch(f"Golden picture {case.name!r} records scores of {', '.join(sorted(case.scores))}.")
    for name, expected in case.scores.items():
        if not abs(actual[name] - expected) <= TOLERANCE:
            raise GoldenMismatch(
                f"Golden picture {case.name!r}: {name} is {actual[name]:.4f}, recorded {expected:.4f}."
            )
    return max(abs(actual[name] - expected) for name, expected in case.scores.items())
