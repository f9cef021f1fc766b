"""The whole core in a few lines, on a real tiny model."""

from __future__ import annotations

from bladecheck.classifier import Classifier
from bladecheck.golden import replay
from bladecheck.results import check
from tiny import BLUE, GREEN, RED, draw, encode


def test_red_is_held_blue_is_checked_green_is_clear(classifier: Classifier) -> None:
    decisions = [check(encode(draw(colour)), classifier)["decision"] for colour in (RED, BLUE, GREEN)]
    assert decisions == ["hold", "check", "clear"]


def test_golden_replays(classifier: Classifier) -> None:
    assert replay(classifier).worst < 1e-6
