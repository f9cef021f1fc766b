"""Near duplicates: the fast search finds what comparing all with all finds."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from bladecheck.runs import duplicates
from bladecheck.runs.duplicates import DISTANCE, LONG, SHORT, Cut, clusters, grouped
from score_helpers import NEAR, Score, exported, scored


def slow(hashes: list[bytes]) -> list[int]:
    """The definition: connected components of all pairs within the distance."""
    groups = list(range(len(hashes)))
    for left in range(len(hashes)):
        for right in range(left):
            if (int.from_bytes(hashes[left]) ^ int.from_bytes(hashes[right])).bit_count() <= DISTANCE:
                old, new = max(groups[left], groups[right]), min(groups[left], groups[right])
                groups = [new if group == old else group for group in groups]
    return groups


def some_hashes(chance: random.Random, count: int) -> list[bytes]:
    """Random ones, and ones a few or many bits from an earlier one."""
    hashes: list[bytes] = []
    for _ in range(count):
        start = int.from_bytes(chance.choice(hashes)) if hashes and chance.random() < 0.6 else chance.getrandbits(256)
        for bit in chance.sample(range(256), chance.choice((0, 1, 15, 30, 31, 32, 33, 60))):
            start ^= 1 << bit
        hashes.append(start.to_bytes(32))
    return hashes


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(0, 40), st.sampled_from([2, 3, 8, duplicates.CROWD]))
def test_agrees_with_comparing_all_pairs(chance: random.Random, count: int, crowd: int) -> None:
    hashes = some_hashes(chance, count)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "CROWD", crowd)
        assert clusters(hashes, cut=SHORT) == slow(hashes)


@pytest.mark.parametrize("crowd", [2, duplicates.CROWD])
def test_long_words_for_many_pictures_give_the_same_answer(monkeypatch: pytest.MonkeyPatch, crowd: int) -> None:
    monkeypatch.setattr(duplicates, "CROWD", crowd)
    hashes = some_hashes(random.Random(5), 250)
    assert clusters(hashes, cut=LONG) == clusters(hashes, cut=SHORT) == slow(hashes)


def test_blocks_of_pairs_give_the_same_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duplicates, "BLOCK", 3)
    hashes = some_hashes(random.Random(6), 100)
    assert clusters(hashes, cut=SHORT) == slow(hashes)


@pytest.mark.parametrize("cut", [SHORT, LONG])
def test_a_distance_that_the_words_cannot_promise_is_refused(cut: Cut) -> None:
    with pytest.raises(ValueError, match="bits apart"):
        clusters([bytes(32)], distance=40, cut=cut)


@pytest.mark.parametrize(("bits", "same"), [(0, True), (31, True), (32, False)])
def test_the_threshold_is_31_bits_wherever_they_lie(bits: int, same: bool) -> None:
    for start in range(0, 256 - bits, 16):
        flipped = ((1 << bits) - 1) << start
        assert (clusters([bytes(32), flipped.to_bytes(32)]) == [0, 0]) is same


def test_many_pictures_do_not_take_long() -> None:
    generator = np.random.default_rng(1)
    made = generator.integers(0, 256, (20_000, 32), np.uint8)
    made[1::2] = made[::2]
    made[1::2, 5] ^= 0b111
    found = clusters([row.tobytes() for row in made])
    assert found == [number - number % 2 for number in range(20_000)]


def around(generator: np.random.Generator, count: int, flips: int) -> npt.NDArray[np.uint8]:
    """A hash, and others that differ from it in some bits, uint8 [N, 32]."""
    bits = np.repeat(generator.integers(0, 2, (1, 256), np.uint8), count, axis=0)
    bits[np.arange(1, count)[:, None], generator.integers(0, 256, (count - 1, flips))] ^= 1
    return np.packbits(bits, axis=1)


@pytest.mark.parametrize("flips", [8, 20])
def test_thousands_of_near_copies_of_one_picture_stay_quick(monkeypatch: pytest.MonkeyPatch, flips: int) -> None:
    """With 8 bits they are near one another too, with 20 near the picture only. All pairs would be 12 million."""
    compared, apart = 0, np.bitwise_count

    def counting(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint8]:
        nonlocal compared
        compared += bits.size
        return apart(bits)

    monkeypatch.setattr(duplicates.np, "bitwise_count", counting)
    assert not grouped(around(np.random.default_rng(2), 5_000, flips)).any()
    assert compared < 8_000_000


def test_crowds_of_two_pictures_stay_two() -> None:
    generator = np.random.default_rng(3)
    one = around(generator, 300, 4)
    other = one ^ np.packbits(np.arange(256) < 60)
    assert list(grouped(np.concatenate((one, other)))) == [0] * 300 + [300] * 300


def test_equal_hashes_cost_nothing() -> None:
    assert not grouped(np.full((200_000, 32), 7, np.uint8)).any()


def test_none_at_all() -> None:
    assert clusters([]) == []


def photograph(seed: int) -> Image.Image:
    chance = random.Random(seed)
    image = Image.linear_gradient("L").resize((300, 200)).convert("RGB")
    pen = ImageDraw.Draw(image)
    for _ in range(25):
        x, y = chance.randrange(300), chance.randrange(200)
        pen.ellipse((x, y, x + chance.randrange(90), y + chance.randrange(90)), tuple(chance.choices(range(256), k=3)))
    return image


@pytest.mark.skipif(not NEAR, reason="needs pdqhash, which could not be built here")
def test_a_smaller_recompressed_copy_is_found_and_another_picture_is_not(score: Score, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    for name, image, quality in (
        ("2024-01-01_a.jpg", photograph(1), 95),
        ("2024-01-02_b.jpg", photograph(1).resize((150, 100)), 60),
        ("2024-01-03_c.jpg", photograph(2), 95),
        ("2024-01-04_d.jpg", photograph(1), 95),
    ):
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        (archive / name).write_bytes(buffer.getvalue())
    (archive / "2024-01-04_d.jpg").write_bytes((archive / "2024-01-01_a.jpg").read_bytes())
    finished = score(archive, tmp_path / "run")
    first, near, other, exact = exported(tmp_path / "run")
    assert near["near_duplicate_of"] == first["row_id"]
    assert near["duplicate_of"] is None
    assert exact["duplicate_of"] == first["row_id"]
    assert first["cluster"] == near["cluster"] == exact["cluster"] == first["sha256"] != other["cluster"]
    assert len(scored(tmp_path / "run")) == 3
    counts = finished.summary.counts()
    assert (counts["exact_duplicates"], counts["near_duplicates"], counts["distinct_pictures"]) == (1, 1, 2)
