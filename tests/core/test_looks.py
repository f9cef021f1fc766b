"""Several looks are one answer: the rule that training measures, the same for one picture and for many."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from altered import alter
from bladecheck.core import looks, seams
from bladecheck.core.bundle import Looks
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import replay
from bladecheck.core.images import Picture
from bladecheck.core.preprocess import prepare, prepare_part
from bladecheck.core.verdict import Verdict
from bladecheck.errors import GoldenMismatch
from tiny import CROPS, RED, draw, encode

GREY, BOXES = (60, 60, 60), [tuple(box) for box in CROPS]


def cornered(size: tuple[int, int] = (120, 90)) -> Image.Image:
    """A grey picture whose lower right quarter is red: no more than doubtful as a whole."""
    image = Image.new("RGB", size, GREY)
    image.paste(RED, (size[0] // 2, size[1] // 2, *size))
    return image


def numbers(verdict: Verdict) -> list[float]:
    scores = verdict.scores
    return [*scores.labels.values(), *scores.blade.values(), *scores.weapon.values(), *scores.raw.values()]


def test_a_doubtful_picture_is_looked_at_again_and_the_highest_label_counts(looking: Classifier) -> None:
    picture = looking.load(encode(cornered()))
    frame = picture.frames[0]
    verdict = looking.classify_one(picture)
    each = [looking.run(prepare(frame, looking.bundle.spec)).logits]
    each += [looking.run(prepare_part(frame, looking.bundle.spec, box)).logits for box in BOXES]  # type: ignore[arg-type]
    assert verdict.looks == 5
    assert verdict.scores.raw["knife"] == max(float(logits[0]) for logits in each) > float(each[0][0]) + 2
    assert verdict.scores.raw["zombie"] == float(each[int(np.argmax([one[0] for one in each]))][3 + 5])
    assert verdict.decision == "hold"


def test_a_sure_picture_is_looked_at_once(looking: Classifier) -> None:
    assert looking.classify_one(looking.load(encode(draw(RED)))).looks == 1


def test_looks_can_be_weighted() -> None:
    logits = np.array([[0.0, 2.0, 1.0], [2.0, -1.0, 5.0]], np.float32)

    class Two:
        labels = ("knife", "gun")

    found = looks.combined(logits, Two(), rule(kinds="weighted"))  # type: ignore[arg-type]
    weights = 1 / (1 + np.exp(-np.array([0.0, 2.0])))
    assert found == pytest.approx([2.0, 2.0, float((weights * [1, 5]).sum() / weights.sum())], abs=1e-4)
    assert looks.combined(logits, Two(), rule(kinds="best")) == pytest.approx([2, 2, 5])  # type: ignore[arg-type]


def rule(**changed: str) -> Looks:
    return Looks.model_validate({"crops": [(0, 0, 0.6, 0.6)], "again_from": 0, "again_to": 1} | changed)


def test_the_whole_may_count_as_much_as_its_most_suspicious_part() -> None:
    both, logits = rule(combine="first_and_max"), np.array([[-4.0, 3.0], [2.0, 1.0], [-1.0, 5.0]], np.float32)

    class Two:
        labels = ("knife", "gun")

    def knife_and_gun(parts: int) -> list[float]:
        return looks.combined(logits, Two(), both, parts).tolist()  # type: ignore[arg-type]

    assert knife_and_gun(0) == [-1.0, 5.0]
    assert knife_and_gun(1) == [-1.0, 5.0]
    assert knife_and_gun(2) == [2.0, 5.0], "a picture of a collage counts in full"
    sure = np.array([[3.0, 0.0], [1.0, 0.0]], np.float32)
    assert looks.combined(sure, Two(), both)[0] == 3.0  # type: ignore[arg-type]


def test_batches_agree_with_one_by_one(looking: Classifier) -> None:
    chance = np.random.default_rng(3)
    pictures: list[Picture] = []
    for index in range(12):
        image = cornered((90 + index, 120 - index)) if index % 3 else draw(RED)
        image.paste(tuple(int(value) for value in chance.integers(0, 255, 3)), (5, 5, 20, 25))
        pictures.append(looking.load(encode(image)))
    alone = [looking.classify_one(picture) for picture in pictures]
    assert len({verdict.looks for verdict in alone}) > 1
    assert [numbers(one) for one in looking.classify(pictures)] == [numbers(one) for one in alone]
    assert [numbers(one) for one in looking.classify(pictures[::-1])[::-1]] == [numbers(one) for one in alone]


def test_the_merged_map_keeps_what_only_a_crop_shows_and_where(looking: Classifier) -> None:
    evidence = looking.classify_one(looking.load(encode(cornered()))).evidence
    assert evidence is not None
    assert evidence.shape == (looks.MAP_SIDE, looks.MAP_SIDE)
    half = looks.MAP_SIDE // 2
    assert evidence[half + 2 :, half + 2 :].min() > 0.9
    assert evidence[: half - 2].max() < 0.1
    assert evidence[:, : half - 2].max() < 0.1


def test_one_map_of_the_whole_is_only_made_finer() -> None:
    values = np.zeros((4, 4), np.float32)
    values[1, 2] = 1
    found = looks.merged([values], [looks.WHOLE], 16)
    assert np.unravel_index(found.argmax(), found.shape) in {(y, x) for y in range(4, 8) for x in range(8, 12)}
    assert found.max() > 0.7


def test_golden_pictures_are_replayed_with_looks(looking_path: Path, looking: Classifier, tmp_path: Path) -> None:
    assert replay(looking).worst == 0.0
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in looking_path.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    alter(copy, lambda manifest: manifest["preprocess"].pop("looks"))
    with pytest.raises(GoldenMismatch, match="'corner': knife is"):
        replay(Classifier.open(copy))


def sheet(columns: int, rows: int, gap: int, cell: int = 96) -> Image.Image:
    """A sheet of lively pictures, with gutters of `gap` pixels."""
    chance = np.random.default_rng(columns * 10 + rows)
    darkest = (0, 90, 90)  # never red

    def colour() -> tuple[int, ...]:
        return tuple(int(value) for value in chance.integers(darkest, (110, 255, 255)))

    made = Image.new("RGB", (columns * (cell + gap), rows * (cell + gap)), "white")
    for row in range(rows):
        for column in range(columns):
            one = Image.new("RGB", (cell, cell), colour())
            pen = ImageDraw.Draw(one)
            for _ in range(12):
                x, y, w, h = (int(v) for v in chance.integers(2, cell - 12, 4))
                pen.ellipse(
                    (x, y, x + w // 2 + 3, y + h // 2 + 3), fill=tuple(int(v) for v in chance.integers(0, 255, 3))
                )
            made.paste(one, (column * (cell + gap) + gap // 2, row * (cell + gap) + gap // 2))
    return made


@pytest.mark.parametrize(("columns", "rows", "gap"), [(2, 2, 6), (5, 4, 6), (3, 3, 4), (2, 1, 6)])
def test_each_picture_of_a_sheet_is_found(columns: int, rows: int, gap: int) -> None:
    parts = seams.parts(sheet(columns, rows, gap))
    assert len(parts) <= seams.MOST
    for row in range(rows):
        for column in range(columns):
            x, y = (column + 0.5) / columns, (row + 0.5) / rows
            around = [box for box in parts if box[0] < x < box[2] and box[1] < y < box[3]]
            assert around, (row, column, parts)
            left, top, right, bottom = around[0]
            assert (right - left) * (bottom - top) < 1.3 / (columns * rows)


def test_a_red_picture_in_a_sheet_of_twenty_is_found_though_the_whole_says_clear(looking: Classifier) -> None:
    made = sheet(5, 4, 6)
    before = looking.classify_one(looking.load(encode(made)))
    made.paste(RED, (102 * 3 + 3, 102 * 2 + 3, 102 * 3 + 99, 102 * 2 + 99))
    ImageDraw.Draw(made).ellipse((102 * 3 + 20, 102 * 2 + 20, 102 * 3 + 50, 102 * 2 + 60), fill=(120, 10, 10))
    picture = looking.load(encode(made))
    first = looking.scores(looking.run(prepare(picture.frames[0], looking.bundle.spec)).logits).labels["knife"]
    verdict = looking.classify_one(picture)
    assert max(before.scores.labels["knife"], first) < 0.3
    assert verdict.decision == "hold"
    assert 20 < verdict.looks <= 1 + len(CROPS) + seams.MOST


def test_plain_pictures_have_no_seams() -> None:
    gradient = np.add.outer(np.arange(300), np.arange(400)) % 251
    assert seams.parts(Image.fromarray(gradient.astype(np.uint8)).convert("RGB")) == []
    assert seams.parts(Image.new("RGB", (300, 200), "white")) == []
    assert seams.parts(draw(RED, (300, 200))) == []
    assert seams.parts(Image.new("RGB", (1, 900))) == []


def test_where_the_blade_is_and_how_much_of_the_picture_it_takes(looking: Classifier) -> None:
    verdict = looking.classify_one(looking.load(encode(cornered())))
    assert verdict.peak == pytest.approx((0.5, 0.5, 1.0, 1.0), abs=0.05)
    assert verdict.covered == pytest.approx(0.25, abs=0.05)
    calm = looking.classify_one(looking.load(encode(draw((20, 200, 20)))))
    assert (calm.peak, calm.covered) == (None, None)


def test_pictures_unlike_the_measured_ones_are_told_apart(looking: Classifier) -> None:
    """By what they differ in, however strongly: measured ones differ in red and green alone."""

    def unlike(colour: tuple[int, int, int]) -> float:
        found = looking.classify_one(looking.load(encode(draw(colour)))).unlike
        assert found is not None
        return found

    assert unlike((250, 128, 128)) < 0.2
    assert unlike((140, 128, 128)) < 0.5
    assert unlike((128, 128, 250)) > 1
    assert unlike((128, 128, 150)) > 1


def test_a_range_that_does_not_tell_is_not_used(looking_path: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(looking_path, tmp_path / "old"))
    alter(folder, lambda manifest: manifest["embedding_range"].pop("measure"))
    old = Classifier.open(folder)
    assert old.classify_one(old.load(encode(draw((128, 128, 250))))).unlike is None


def test_a_green_picture_is_another_weapon_of_its_kind(looking: Classifier) -> None:
    verdict = looking.classify_one(looking.load(encode(draw((20, 230, 20)))))
    assert (verdict.decision, verdict.weapon) == ("check", "axe")
    assert [reason.code for reason in verdict.reasons] == ["no_knife", "other_weapon", "weapon_axe"]
