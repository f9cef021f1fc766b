"""What the page suggests to cover, and what it says is left: both told from a map of the blade alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from bladecheck.core.classifier import Classifier
from bladecheck.core.looks import WHOLE
from bladecheck.core.redact import covered, suggested, uncovered

ROWS, COLUMNS = 14, 28


def blade_at(top: int, left: int, height: int, width: int, value: float, peak: float = 0.0) -> np.ndarray:
    """A map with a blade there, and a surer cell in the corner of it."""
    found = np.zeros((ROWS, COLUMNS), np.float32)
    found[top : top + height, left : left + width] = value
    found[top, left] = max(value, peak)
    return found


def test_what_is_left_is_what_the_map_calls_blade_and_nothing_covers(looking: Classifier) -> None:
    manifest = looking.bundle.manifest
    cut = manifest.thresholds.occupied
    sure = blade_at(10, 14, 3, 7, np.nextafter(np.float32(cut), np.float32(1)))
    (box,) = uncovered(sure, manifest, [], None)
    assert box == pytest.approx((14 / COLUMNS, 10 / ROWS, 21 / COLUMNS, 13 / ROWS))
    assert uncovered(blade_at(10, 14, 3, 7, cut - 0.01), manifest, [], None) == ()
    assert uncovered(sure, manifest, [(0.45, 0.65, 0.8, 1.0)], None) == ()
    assert uncovered(sure, manifest, [(0.0, 0.0, 1.0, 0.4)], None) == (box,), "what covers another place hides nothing"
    assert uncovered(None, manifest, [], None) == ()


def test_what_is_left_of_a_part_is_told_within_that_part(looking: Classifier) -> None:
    """The map is that of the copy; what is covered is given in the whole picture."""
    sure = blade_at(4, 8, 4, 8, 1.0)
    assert uncovered(sure, looking.bundle.manifest, [(0.5, 0.5, 1.0, 1.0)], (0.5, 0.5, 1.0, 1.0)) == ()
    (box,) = uncovered(sure, looking.bundle.manifest, [(0.0, 0.0, 0.5, 0.5)], (0.5, 0.5, 1.0, 1.0))
    assert box == pytest.approx((8 / COLUMNS, 4 / ROWS, 16 / COLUMNS, 8 / ROWS))


def test_a_map_that_says_no_less_than_its_threshold_says_blade(classifier: Classifier) -> None:
    """A model without a map of occupied cells: half."""
    manifest = classifier.bundle.manifest
    assert len(uncovered(blade_at(2, 2, 3, 3, 0.5), manifest, [], None)) == 1
    assert uncovered(blade_at(2, 2, 3, 3, 0.49), manifest, [], None) == ()


def test_the_suggestion_covers_the_blade_with_a_margin(looking: Classifier) -> None:
    (box,) = suggested(blade_at(6, 14, 3, 7, 0.9), looking.bundle.manifest)
    assert box == pytest.approx((13 / COLUMNS, 5 / ROWS, 22 / COLUMNS, 10 / ROWS))


@pytest.mark.parametrize("evidence", [None, np.zeros((ROWS, COLUMNS), np.float32), blade_at(0, 0, 2, 2, 0.2)])
def test_where_the_map_does_not_say_all_of_it_is_suggested(evidence: np.ndarray | None, looking: Classifier) -> None:
    assert suggested(evidence, looking.bundle.manifest) == (WHOLE,)


def test_a_strip_is_covered_too() -> None:
    """Much wider than high: the soft edge is worked out in a copy that is one pixel high."""
    strip = Image.new("RGB", (2600, 6), (200, 30, 30))
    after = np.asarray(covered(strip, [(0.0, 0.0, 0.5, 1.0)])).astype(int)
    assert np.ptp(after[:, :1290], axis=2).max() <= 1
    assert (after[:, 1400:] == (200, 30, 30)).all()
