"""The whole core in a few lines, on a real tiny model."""

from __future__ import annotations

from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import replay
from bladecheck.core.result import classify_bytes
from tiny import BLUE, GREEN, RED, draw, encode


def test_red_is_held_blue_is_checked_green_is_clear(classifier: Classifier) -> None:
    decisions = [classify_bytes(encode(draw(colour)), classifier)["decision"] for colour in (RED, BLUE, GREEN)]
    assert decisions == ["hold", "check", "clear"]


def test_golden_replays(classifier: Classifier) -> None:
    assert replay(classifier).worst < 1e-6
