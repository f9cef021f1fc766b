"""Sampled frames of an animation; the worst of them decides."""

from __future__ import annotations

import dataclasses

import pytest
from PIL import Image

from bladecheck.core import images
from bladecheck.core.classifier import Classifier
from bladecheck.core.taxonomy import Decision
from bladecheck.core.verdict import Policy
from odd import animation, scene
from tiny import BLUE, GREEN, RED, encode

ANIMATED = ["GIF", "WEBP", "PNG", "AVIF", "TIFF"]


@pytest.mark.parametrize("format", ANIMATED)
@pytest.mark.parametrize("where", range(4))
def test_one_frame_with_a_knife_holds_the_whole(format: str, where: int, classifier: Classifier) -> None:
    colours = [(20, 200 - 9 * index, 20) for index in range(4)]  # encoders merge frames that are equal
    colours[where] = RED
    picture = classifier.load(animation(colours, format))
    assert (picture.frame_count, len(picture.frames)) == (4, 4)
    verdict = classifier.classify_one(picture)
    assert (verdict.decision, verdict.frame) == (Decision.HOLD, where)


@pytest.mark.parametrize("format", ["WEBP", "PNG"])
def test_frames_are_spread_evenly_from_first_to_last(format: str) -> None:
    shades = [(index * 25, 0, 0) for index in range(10)]
    frames = images.load(animation(shades, format), images.PictureLimits(frames=4)).frames
    assert [round(frame.getpixel((40, 40))[0] / 25) for frame in frames] == [0, 3, 6, 9]


def test_the_pixel_budget_limits_how_far_an_animation_is_decoded() -> None:
    data = animation([(index * 25, 0, 0) for index in range(10)], "WEBP")
    picture = images.load(data, images.PictureLimits(max_animation_pixels=5 * images.FRAME_COST))
    assert picture.frame_count == 10
    assert picture.frames[-1].getpixel((40, 40))[0] == pytest.approx(100, abs=2)


def test_all_sampled_frames_together_keep_to_the_pixel_limit() -> None:
    data = animation([RED, GREEN, BLUE, RED], "WEBP")
    assert len(images.load(data, images.PictureLimits(max_pixels=2 * 64 * 48)).frames) == 2
    pages = [Image.new("RGB", (10, 10)), scene((300, 300)), scene((301, 300))]
    growing = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:])
    with pytest.raises(images.PictureTooLarge):
        images.load(growing, images.PictureLimits(max_pixels=100_000))


def test_the_worst_frame_is_worst_by_decision_not_by_knife_score(classifier: Classifier) -> None:
    """A gun in one frame and a hint of red in another: the gun decides where the policy says hold."""
    picture = classifier.load(animation([(90, 40, 60), BLUE], "PNG"))
    verdict = classifier.classify_one(picture, Policy(gun="hold"))
    assert (verdict.decision, verdict.frame) == (Decision.HOLD, 1)


@pytest.mark.parametrize(("colours", "frame"), [([(150, 20, 20), RED], 1), ([RED, (150, 20, 20)], 0), ([RED, RED], 0)])
def test_of_frames_with_the_same_decision_the_highest_knife_score_counts(
    colours: list[tuple[int, int, int]], frame: int, classifier: Classifier
) -> None:
    verdict = classifier.classify_one(classifier.load(animation(colours, "PNG")))
    highest = max(
        classifier.classify_one(classifier.load(animation([colour], "PNG"))).scores.labels["knife"]
        for colour in colours
    )
    assert (verdict.decision, verdict.frame) == (Decision.HOLD, frame)
    assert verdict.scores.labels["knife"] == highest


def test_an_animation_that_starts_blank_is_still_judged(classifier: Classifier) -> None:
    blank = Image.new("RGB", (64, 48), "white")
    red = images.load(animation([RED], "PNG")).frames[0]
    data = encode(blank, "PNG", save_all=True, append_images=[red])
    assert classifier.classify_one(classifier.load(data)).decision is Decision.HOLD


def test_a_frame_that_is_cut_off_is_a_typed_failure_or_a_picture() -> None:
    for format in ANIMATED:
        data = animation([RED, GREEN, BLUE], format)
        for share in (0.5, 0.7, 0.9):
            try:
                picture = images.load(data[: int(len(data) * share)])
            except images.PictureError:
                continue
            assert len(picture.frames) >= 1


def test_an_apng_that_promises_frames_it_lacks_is_refused_or_read() -> None:
    data = bytearray(animation([RED, GREEN], "PNG"))
    at = data.index(b"acTL") + 4
    data[at : at + 4] = (2**31 - 1).to_bytes(4, "big")
    with pytest.raises(images.PictureError):
        images.load(bytes(data))


def test_evidence_belongs_to_the_deciding_frame(classifier: Classifier) -> None:
    verdict = classifier.classify_one(classifier.load(animation([GREEN, RED], "PNG")))
    alone = classifier.classify_one(classifier.load(animation([RED], "PNG")))
    assert verdict.evidence is not None
    assert alone.evidence is not None
    assert verdict.evidence.tolist() == alone.evidence.tolist()
    assert (verdict.looks, alone.looks) == (2, 1)  # every frame is looked at
    assert dataclasses.replace(verdict, evidence=None, frame=0, looks=1) == dataclasses.replace(alone, evidence=None)
