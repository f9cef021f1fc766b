"""Damaged and hostile files: a typed error or a picture, in bounded memory and time, and never another exception."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from bladecheck.core import hazards, images
from bladecheck.core.classifier import Classifier
from bladecheck.core.result import classify_bytes
from bladecheck.errors import PictureError
from odd import HEIC, animation, broken, gif, jpeg_scans, png_bomb, scene, tiff
from tiny import BLUE, GREEN, RED, encode

BROKEN, ROUNDS = broken(), 500
SMALL = images.PictureLimits(max_pixels=1_000_000, max_animation_pixels=4_000_000)


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_a_typed_failure(name: str, classifier: Classifier) -> None:
    data, code = BROKEN[name]
    started = time.process_time()
    result = classify_bytes(data, classifier)
    assert (result["status"], result["decision"], result["error"]["code"]) == ("failed", "cannot_judge", code)
    assert result["error"]["detail"].endswith(".")
    assert len(result["error"]["detail"]) < 200
    assert time.process_time() - started < 3, "refusing must be cheap"


@pytest.mark.parametrize(("size", "decision"), [((1, 1), "cannot_judge"), ((20_000, 10), "cannot_judge")])
def test_tiny_and_thin_pictures_get_a_verdict(size: tuple[int, int], decision: str, classifier: Classifier) -> None:
    for format in ("PNG", "JPEG", "BMP", "TIFF", "GIF"):
        result = classify_bytes(encode(Image.new("RGB", size, RED), format), classifier)
        assert (result["status"], result["decision"]) == ("ok", decision)
        assert [reason["code"] for reason in result["reasons"]] == ["too_small"]


def test_long_but_tall_enough_is_judged(classifier: Classifier) -> None:
    result = classify_bytes(encode(scene((20_000, 40))), classifier)
    assert (result["status"], result["image"]["width"]) == ("ok", 20_000)
    assert "too_small" not in [reason["code"] for reason in result["reasons"]]


def test_a_blank_picture_cannot_be_judged(classifier: Classifier) -> None:
    result = classify_bytes(encode(Image.new("RGB", (200, 200), RED)), classifier)
    assert [reason["code"] for reason in result["reasons"]] == ["blank"]


def test_limits_are_exact_and_settable() -> None:
    data = encode(scene((50, 40)))
    assert images.load(data, images.PictureLimits(max_pixels=2000, max_bytes=len(data))).width == 50
    for limits in (images.PictureLimits(max_pixels=1999), images.PictureLimits(max_bytes=len(data) - 1)):
        with pytest.raises(images.PictureTooLarge, match=r"1,999|the limit is"):
            images.load(data, limits)
    with pytest.raises(images.PictureTooLarge, match="more than 9 frames"):
        images.load(gif(10), images.PictureLimits(max_frames=9))
    assert images.load(gif(10), images.PictureLimits(max_frames=10)).frame_count == 10


def test_limits_may_be_raised_beyond_pillows_own() -> None:
    data = encode(Image.new("1", (20_000, 9_500)))
    with pytest.raises(images.PictureTooLarge):
        images.load(data)
    assert images.load(data, images.PictureLimits(max_pixels=190_000_000)).width == 20_000


def test_headers_are_counted_as_decoders_do() -> None:
    assert hazards.gif_frames(animation([RED, GREEN, BLUE], "GIF"), 100) == 3
    assert hazards.gif_frames(gif(50), 20) == 20
    assert hazards.gif_frames(b"GIF89a", 5) == 0
    assert hazards.tiff_pages(encode(scene(), "TIFF"), 100) == (1, 1)
    assert hazards.tiff_pages(animation([RED, GREEN, BLUE], "TIFF"), 100)[0] == 3
    assert hazards.tiff_pages(tiff(1, 9, strips=9, ring=True), 5) == (5, 9)
    progressive = encode(scene(), "JPEG", progressive=True)
    assert hazards.jpeg_scans(encode(scene(), "JPEG"), 99) == 1
    assert hazards.jpeg_scans(progressive, 99) == progressive.count(b"\xff\xda") == 10
    assert hazards.jpeg_scans(progressive, 5) == 5
    assert hazards.jpeg_scans(b"\xff\xd8\xff", 9) == 0


def test_scans_elsewhere_in_a_jpeg_do_not_count_and_cannot_hide_others() -> None:
    inner = encode(scene(), "JPEG", progressive=True)
    outer = {"exif": b"Exif\0\0" + inner, "progressive": True}
    assert hazards.jpeg_scans(encode(scene(), "JPEG", exif=outer["exif"]) + inner * 9, 99) == 1
    assert hazards.jpeg_scans(encode(scene(), "JPEG", **outer) + inner * 9, 30) == 10
    data = jpeg_scans(64, 50)
    at = data.rindex(b"\xff\xda")
    comment = b"\xff\xfe\x00\x04\xff\xd9"  # an end of the image that is only a comment's text
    assert hazards.jpeg_scans(data[:at] + comment + data[at:], 99) == hazards.jpeg_scans(data, 99) == 56


def test_bytes_after_the_end_of_a_jpeg_do_not_matter() -> None:
    video = random.Random(1).randbytes(20_000_000)  # as phones append to a "motion photo"
    data = encode(scene((4000, 3000)), "JPEG", progressive=True) + video
    assert images.load(data, images.PictureLimits(max_scan_pixels=10 * 12_000_000)).width == 4000


def samples() -> dict[str, bytes]:
    image = scene((64, 48))
    found = {format: encode(image, format) for format in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")}
    found |= {f"animated {format}": animation([RED, GREEN], format) for format in ("GIF", "WEBP", "PNG", "AVIF")}
    found["progressive"] = encode(image, "JPEG", progressive=True)
    found["palette"] = encode(image.quantize(8))
    found["deflate"] = encode(image, "TIFF", compression="tiff_adobe_deflate")
    return {**found, "HEIC": HEIC}


def mutate(data: bytes, chance: random.Random) -> bytes:
    """A few bytes changed, a piece cut out, doubled or replaced: mostly near the start, where the headers are."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = int(len(changed) * chance.random() ** chance.choice((1, 3)))
        match chance.randrange(5):
            case 0:
                changed[at : at + 1] = chance.randbytes(1)
            case 1:
                changed[at : at + 4] = chance.choice((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"))
            case 2:
                del changed[at : at + chance.randint(1, 64)]
            case 3:
                changed[at:at] = changed[at : at + chance.randint(1, 64)]
            case _:
                changed = changed[: max(at, 16)]
    return bytes(changed)


SAMPLES = samples()


@pytest.mark.parametrize("name", SAMPLES)
def test_only_picture_errors_escape_from_damaged_bytes(name: str) -> None:
    data, chance, refused = SAMPLES[name], random.Random(name), 0
    for _ in range(ROUNDS):
        try:
            picture = images.load(mutate(data, chance), SMALL, at_least=chance.choice((None, 16)))
        except PictureError:
            refused += 1
            continue
        assert all(frame.mode == "RGB" and min(frame.size) > 0 for frame in picture.frames)
    assert 0 < refused < ROUNDS or name == "HEIC", "the mutations should leave some pictures readable, and not all"


MEASURE = """
import sys, time
from bladecheck.core import images
def peak(): return int(open("/proc/self/status").read().split("VmHWM:")[1].split()[0]) // 1024
data = open(sys.argv[1], "rb").read()
images.load(open(sys.argv[2], "rb").read())
before, started = peak(), time.process_time()
try: images.load(data, at_least=448); outcome = "ok"
except images.PictureError as error: outcome = error.code
print(outcome, peak() - before, time.process_time() - started)
"""


def measure(data: bytes, folder: Path) -> tuple[str, int, float]:
    """Outcome, growth of the peak memory in MB and CPU seconds of a load in a fresh process."""
    (folder / "data").write_bytes(data)
    (folder / "warm").write_bytes(encode(scene()))
    command = [sys.executable, "-c", MEASURE, str(folder / "data"), str(folder / "warm")]
    outcome, peak, seconds = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=120
    ).stdout.split()
    return outcome, int(peak), float(seconds)


BOMBS = {
    "a real PNG of 60,000 x 60,000": (lambda: png_bomb(60_000), "too_large", 16, 1),
    "a GIF of 9,000 frames": (lambda: gif(9_000, (100, 100)), "ok", 64, 5),
    "a GIF of two million frames": (lambda: gif(2_000_000), "too_large", 64, 2),
    "a TIFF in four million strips": (lambda: BROKEN["tiff in four million strips"][0], "too_large", 64, 2),
    "a JPEG of 2,000 scans": (lambda: jpeg_scans(1000, 2000), "ok", 100, 20),
    "64 megapixels, JPEG": (lambda: encode(Image.linear_gradient("L").resize((8000, 8000)), "JPEG"), "ok", 64, 5),
    "64 megapixels, transparent PNG": (
        lambda: encode(Image.new("RGBA", (8000, 8000), (200, 0, 0, 90)), compress_level=1),
        "ok",
        800,
        20,
    ),
}


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
@pytest.mark.parametrize("name", BOMBS)
def test_memory_and_time_are_bounded(name: str, tmp_path: Path) -> None:
    make, expected, megabytes, seconds = BOMBS[name]
    outcome, peak, used = measure(make(), tmp_path)
    assert outcome == expected
    assert peak < megabytes
    assert used < seconds
