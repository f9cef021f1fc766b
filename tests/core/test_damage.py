"""Damaged pictures: refused, or told as maybe_damaged and never clear; whole ones are left alone."""

from __future__ import annotations

import io
import random
import warnings
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageFilter

from bladecheck.core import damage, images
from bladecheck.core.bundle import Band, Gates, Thresholds
from bladecheck.core.classifier import Classifier
from bladecheck.core.result import classify_bytes
from bladecheck.core.taxonomy import Decision
from bladecheck.core.verdict import Policy, Scores, Seen, decide
from bladecheck.errors import BrokenPicture, PictureError
from bladecheck.runs.decide import decided
from heic_tiles import tiled
from odd import HEIC, animation, chunk, lossless, lossy, scene
from tiny import RED, draw, encode

ROUNDS = 12


def textured(size: tuple[int, int] = (360, 270)) -> Image.Image:
    """A drawing on grain, as a photograph has it."""
    grain = np.random.default_rng(3).normal(0, 9, (size[1], size[0], 1))
    image = np.asarray(scene(size)).astype(float) * 0.8 + 20 + grain
    return Image.fromarray(image.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))


FILES = {
    "JPEG": encode(textured(), "JPEG", quality=85),
    "JPEG progressive": encode(textured(), "JPEG", quality=85, progressive=True),
    "PNG": encode(textured()),
    "WEBP": encode(textured(), "WEBP", quality=85),
    "WEBP lossless": encode(textured(), "WEBP", lossless=True),
    "AVIF": encode(textured(), "AVIF", quality=75),
    "TIFF deflate": encode(textured(), "TIFF", compression="tiff_adobe_deflate"),
    "TIFF JPEG": encode(textured(), "TIFF", compression="jpeg", quality=85),
}
Change = Callable[[bytes, random.Random], bytes]


def zeroed(data: bytes, pick: random.Random) -> bytes:
    size = len(data) // 10
    at = pick.randrange(len(data) // 5, len(data) - 2 * size)
    return data[:at] + bytes(size) + data[at + size :]


def garbled(data: bytes, pick: random.Random) -> bytes:
    size = len(data) // 10
    at = pick.randrange(len(data) // 5, len(data) - 2 * size)
    return data[:at] + pick.randbytes(size) + data[at + size :]


def removed(data: bytes, pick: random.Random) -> bytes:
    size = len(data) // 10
    at = pick.randrange(len(data) // 5, len(data) - 2 * size)
    return data[:at] + data[at + size :]


def cut(data: bytes, pick: random.Random) -> bytes:
    return data[: pick.randrange(len(data) // 10, len(data) - 50)]


def outcome(data: bytes) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Pillow's, of damaged tags
        try:
            return "maybe_damaged" if images.load(data).damaged else "taken as whole"
        except PictureError:
            return "refused"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("change", [zeroed, garbled, removed, cut])
def test_lost_blocks_are_noticed(name: str, change: Change) -> None:
    """docs/operations.md has the shares over photographs; flipped bits are not among these, since some go unseen."""
    picks = [random.Random(f"{name} {number}") for number in range(ROUNDS)]
    found = Counter(outcome(change(FILES[name], pick)) for pick in picks)
    # VP8's coder may find its place again after a garbled block, as Huffman codes do; a small part is lost then.
    unseen = {("WEBP", garbled): ROUNDS / 3, ("WEBP lossless", garbled): ROUNDS / 2}
    assert found["taken as whole"] <= unseen.get((name, change), 0), found


@pytest.mark.parametrize("name", ["PNG", "TIFF deflate"])
def test_one_flipped_bit_is_noticed_where_there_are_checksums(name: str) -> None:
    data = FILES[name]
    start = data.index(b"IDAT") if name == "PNG" else 10
    for at in range(start, len(data) - 400, len(data) // 40):
        flipped = data[:at] + bytes([data[at] ^ 8]) + data[at + 1 :]
        assert outcome(flipped) != "taken as whole", at


@pytest.mark.parametrize("name", ["WEBP", "AVIF"])
def test_one_flipped_bit_is_noticed_in_arithmetic_coding(name: str) -> None:
    data = FILES[name]
    places = range(len(data) // 4, len(data) * 3 // 4, len(data) // 40)
    found = Counter(outcome(data[:at] + bytes([data[at] ^ 8]) + data[at + 1 :]) for at in places)
    assert found["taken as whole"] <= (found.total() / 4 if name == "WEBP" else 0), found


def test_whole_pictures_are_left_alone() -> None:
    whole = {**lossless(), **lossy(), **FILES, "heic": HEIC, "tiny": encode(draw(RED), "WEBP")}
    whole |= {f"animated {kind}": animation([RED, (0, 0, 255)], kind) for kind in ("GIF", "WEBP", "PNG", "AVIF")}
    clear = textured().convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(clear.size).point(lambda value: 255 if value < 90 else 0))
    whole |= {f"transparent {kind}": encode(clear, kind) for kind in ("WEBP", "AVIF", "PNG", "GIF")}
    flat = Image.new("RGB", (300, 200), RED)
    whole |= {f"flat {kind}": encode(flat, kind) for kind in ("JPEG", "WEBP", "AVIF", "GIF")}
    few = textured((90, 68)).quantize(8).convert("RGB")
    for name, image in (("flat", flat), ("alpha", clear), ("few colours", few), ("dot", draw(RED, (3, 2)))):
        whole |= {f"lossless WebP, {name}, {way}": encode(image, "WEBP", lossless=True, method=way) for way in (0, 6)}
    whole |= {f"JPEG {side}": encode(textured((side, 61)), "JPEG", quality=30) for side in range(60, 77)}
    assert [name for name, data in whole.items() if images.load(data).damaged] == []


@pytest.mark.parametrize("size", [(192, 128), (140, 70), (129, 128)])
def test_whole_tiles_of_a_heic_are_left_alone(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where most of a tile lies outside the picture, as in the lowest row of a telephone's."""
    pytest.importorskip("pi_heif")
    monkeypatch.setattr(damage, "HEVC_LEAST", 0)
    data, _ = tiled(2, 3, size)
    picture = images.load(data)
    assert (picture.width, picture.height, picture.damaged) == (*size, False)


def test_damage_in_any_tile_of_a_heic_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pi_heif")
    monkeypatch.setattr(damage, "HEVC_LEAST", 0)
    data, tiles = tiled(2, 3, (192, 128))
    found: dict[int, Counter[str]] = {}
    for number, (begin, length) in enumerate(tiles):
        for at in range(begin + 60, begin + length - 30, 10):
            garbled = data[:at] + bytes([byte ^ 0x5A for byte in data[at : at + 8]]) + data[at + 8 :]
            found.setdefault(number, Counter())[outcome(garbled)] += 1
    assert len(found) == 6
    assert all(one == found[0] for one in found.values()), "a tile is a tile, wherever it lies"
    assert found[0]["taken as whole"] <= found[0].total() / 4, found


def test_a_jpeg_that_lacks_its_end_marker_only_is_whole() -> None:
    for name in ("JPEG", "JPEG progressive"):
        data = FILES[name]
        expected = images.load(data)
        for short in (data[:-2], data[:-1]):
            picture = images.load(short)
            assert not picture.damaged
            assert picture.frames[0].tobytes() == expected.frames[0].tobytes()
            assert picture.sha256 != expected.sha256, "the hash is of the bytes as received"
        with pytest.raises(BrokenPicture):
            images.load(data[:-40])


def test_a_png_is_decoded_before_its_metadata_is_read() -> None:
    """Its metadata reader loads the pixels and swallows what that raises; half a picture was taken as whole then."""
    data = FILES["PNG"]
    at = data.index(b"IDAT") - 4
    packed = len(data) // 2
    cut_short = data[:at] + chunk(b"IDAT", data[at + 8 : at + packed]) + chunk(b"IEND", b"")
    with pytest.raises(BrokenPicture):
        images.load(cut_short)


def test_checksums_that_no_decoder_needs_are_looked_at() -> None:
    data = FILES["PNG"]
    at = data.index(b"IEND") - 6  # the checksum of the last IDAT chunk
    assert images.load(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]).damaged
    assert not images.load(data[:-12]).damaged, "no IEND: nothing of the picture is missing"


def test_damaged_turns_clear_into_check_and_nothing_else() -> None:
    thresholds = Thresholds(
        labels={"knife": Band(check=0.3, hold=0.7), "gun": Band(check=0.3, hold=0.7)},
        blade_sure=0.5,
        feature_seen={},
        chosen_for="tests",
    )
    gates = Gates(min_side=16, min_contrast=4)
    expected = {0.1: Decision.CHECK, 0.5: Decision.CHECK, 0.9: Decision.HOLD}
    for score, decision in expected.items():
        verdict = decide(Scores({"knife": score}), Seen(100, 100, 90, damaged=True), thresholds, gates)
        assert verdict.decision is decision
        assert [reason.code for reason in verdict.reasons][-1] == "maybe_damaged"
    blank = decide(Scores({"knife": 0.1}), Seen(100, 100, 0, damaged=True), thresholds, gates)
    assert blank.decision is Decision.CANNOT_JUDGE


def test_a_damaged_picture_is_never_clear(classifier: Classifier) -> None:
    green = encode(draw((20, 200, 20), (400, 300)), "WEBP", quality=95)
    assert classify_bytes(green, classifier)["decision"] == "clear"
    jpeg = encode(textured().convert("L").convert("RGB"), "JPEG", quality=85)
    result = classify_bytes(zeroed(jpeg, random.Random(1)), classifier)
    assert result["status"] == "ok"
    assert result["decision"] in ("check", "hold")
    assert result["reasons"][-1]["code"] == "maybe_damaged"


def test_structures_that_point_outside_the_file_are_damage() -> None:
    image = images.load(FILES["AVIF"]).frames[0]
    data = FILES["AVIF"]
    at = data.index(b"iloc") + 14
    for forged in (data[:at] + b"\xff" * 8 + data[at + 8 :], data[: data.index(b"iloc") + 12]):
        assert damage.suspected(forged, "AVIF", image) in (True, False)
    assert damage.suspected(b"II*\0\x08\0\0\0\x05\0", "TIFF", image)


def test_an_unsupported_kind_is_not_called_damaged() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 30)).save(buffer, "BMP")
    data = bytearray(buffer.getvalue())
    data[30] = 4  # compression 4: a JPEG inside a BMP
    with pytest.raises(PictureError) as caught:
        images.load(bytes(data))
    assert caught.value.code == "unsupported"
    assert "BMP" in caught.value.detail


def test_libtiff_writes_nothing_itself(capfd: pytest.CaptureFixture[str]) -> None:
    data = encode(textured(), "TIFF", compression="tiff_lzw")
    for at in range(1000, len(data) - 1000, len(data) // 10):
        outcome(data[:at] + bytes(500) + data[at + 500 :])
    assert capfd.readouterr().err == ""


def test_another_policy_does_not_clear_a_damaged_picture(classifier: Classifier) -> None:
    """`decide` applies a policy to kept scores, where the file is no longer at hand."""
    grey = encode(textured().convert("L").convert("RGB"), "JPEG", quality=85)
    kept = classify_bytes(zeroed(grey, random.Random(1)), classifier)
    manifest = classifier.bundle.manifest
    lenient = Policy(name="lenient", thresholds={"knife": Band(check=0.99, hold=0.999)})
    again = decided(kept, manifest.thresholds, manifest.gates, lenient)
    assert again is not None
    assert again["decision"] == "check"
    assert again["reasons"][-1]["code"] == "maybe_damaged"
