"""The copy to post: no metadata survives, and what was blurred can't be brought back."""

from __future__ import annotations

import io
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from bladecheck.core.areas import boxes, mask
from bladecheck.core.classifier import Classifier
from bladecheck.core.images import PictureLimits
from bladecheck.core.redact import GRAIN, Redacted, mosaic, redact
from bladecheck.core.verdict import Policy
from tiny import BLUE, GREEN, RED, draw, encode

SECRET = b"SECRET-PLACE"
BLADE = np.s_[64:256, 160:320]
"""Rows and columns of the blade in `scene`: whole cells of the tiny model's 4 x 4 map."""


def scene(detail: int = 0, size: tuple[int, int] = (320, 256)) -> Image.Image:
    """A dark scene with a red "blade" on the right whose fine pattern depends on `detail`."""
    pixels = np.full((size[1], size[0], 3), 40, np.uint8)
    pixels[::7, ::5] = 90
    blade = pixels[BLADE]
    blade[:] = (245, 10, 10)
    # Both patterns have the same mean in every 2 x 2 block: only fine detail differs.
    rows, columns = np.indices(blade.shape[:2])
    blade[(rows + (columns if detail else 0)) % 2 == 0, 0] = 215
    return Image.fromarray(pixels)


def copied(data: bytes, classifier: Classifier) -> tuple[Redacted, Image.Image]:
    copy = redact(data, classifier, Policy(), PictureLimits())
    with Image.open(io.BytesIO(copy.data)) as image:
        image.load()
        return copy, image


def loaded(**options: Any) -> dict[str, Any]:
    """Everything that may carry a secret, as Pillow's save options."""
    exif = Image.Exif()
    exif[0x010E] = exif[0x9286] = SECRET.decode()
    exif[0x0112] = 6
    exif.get_ifd(0x8825)[1] = "N"
    exif.get_ifd(0x8825)[29] = SECRET.decode()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes() + SECRET
    return {"exif": exif.tobytes(), "icc_profile": profile, "xmp": b"<x:xmpmeta>" + SECRET + b"</x:xmpmeta>", **options}


def text_chunks() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", SECRET.decode())
    info.add_itxt("XML:com.adobe.xmp", SECRET.decode())
    return info


CARRIERS: list[tuple[str, dict[str, Any], str]] = [
    ("JPEG", loaded(comment=SECRET, quality=95), "JPEG"),
    ("PNG", {key: value for key, value in loaded(pnginfo=text_chunks()).items() if key != "xmp"}, "PNG"),
    ("WEBP", loaded(lossless=True), "WEBP"),
    ("TIFF", {"exif": loaded()["exif"], "icc_profile": loaded()["icc_profile"]}, "JPEG"),
    ("AVIF", loaded(quality=95), "JPEG"),
    ("GIF", {"comment": SECRET}, "JPEG"),
]


@pytest.mark.parametrize(("format", "options", "becomes"), CARRIERS, ids=[entry[0] for entry in CARRIERS])
def test_no_metadata_survives(classifier: Classifier, format: str, options: dict[str, Any], becomes: str) -> None:
    data = encode(scene(), format, **options)
    assert SECRET in data or format == "AVIF"
    copy, image = copied(data, classifier)
    assert SECRET not in copy.data
    assert image.format == becomes
    assert copy.media_type == f"image/{becomes.lower()}"
    assert not image.getexif()
    assert not {"exif", "icc_profile", "xmp", "comment", "XML:com.adobe.xmp"} & set(image.info)
    for mark in (b"Exif", b"ICC_PROFILE", b"iCCP", b"tEXt", b"iTXt", b"eXIf", b"XMP ", b"http://ns.adobe.com"):
        assert mark not in copy.data


def test_orientation_is_applied_at_full_size(classifier: Classifier) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    large = scene().resize((1600, 1280))
    copy, image = copied(encode(large, "JPEG", quality=95, exif=exif.tobytes()), classifier)
    assert image.size == (1280, 1600)
    # Turned a quarter clockwise: what was on the right is at the bottom.
    assert copy.extent == "part"
    upright = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(upright[:300] - np.asarray(large).astype(int)[:, :300].swapaxes(0, 1)[:, ::-1]).max() < 30
    assert np.ptp(upright[1000:1500, 200:1000], axis=2).max() <= 2


def test_the_blade_is_gone_and_the_rest_is_untouched(classifier: Classifier) -> None:
    before = scene()
    copy, image = copied(encode(before), classifier)
    after, original = np.asarray(image.convert("RGB")).astype(int), np.asarray(before).astype(int)
    assert copy.extent == "part"
    assert copy.decision == "hold"
    assert copy.knife_after < 0.3
    assert np.array_equal(after[:, :60], original[:, :60])
    assert np.ptp(after[BLADE], axis=2).max() <= 1, "grey: no colour of the blade is left"


def test_what_was_blurred_is_irrecoverable(classifier: Classifier) -> None:
    """Two blades that differ in fine detail only leave the same pixels (but for rounding): it is not in the copy."""
    one, other = (copied(encode(scene(detail)), classifier)[1].convert("RGB") for detail in (0, 1))
    assert not np.array_equal(np.asarray(scene(0)), np.asarray(scene(1)))
    assert np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int))[BLADE].max() <= 2


def test_the_mosaic_keeps_a_handful_of_values() -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (480, 640, 3), np.uint8))
    shrunk = mosaic(noise).convert("L").resize((GRAIN, 9), Image.Resampling.BOX)
    again = shrunk.resize((640, 480), Image.Resampling.BICUBIC)
    assert np.abs(np.asarray(again).astype(int) - np.asarray(mosaic(noise).convert("L"))).mean() < 3


def test_a_whole_picture_of_blade_is_blurred_whole_or_all_over(classifier: Classifier) -> None:
    copy, image = copied(encode(draw(RED, (400, 300))), classifier)
    assert copy.decision == "hold"
    assert copy.knife_after < 0.3
    middle = np.asarray(image.convert("RGB"))[150, 200].astype(int)
    assert middle.max() - middle.min() <= 1


def spotted(size: tuple[int, int] = (400, 300)) -> Image.Image:
    """A grey picture with a red "blade" in its lower right and a green thing on the left."""
    image = Image.new("RGB", size, (60, 60, 60))
    image.paste(GREEN, (20, 30, 50, 60))
    image.paste(RED, (220, 160, 370, 280))
    return image


def opened(copy: Redacted) -> np.ndarray[Any, np.dtype[np.int_]]:
    with Image.open(io.BytesIO(copy.data)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_an_occupancy_map_covers_the_blade_and_keeps_the_colours_beside_it(looking: Classifier) -> None:
    copy = redact(encode(spotted()), looking, Policy(), PictureLimits())
    after, original = opened(copy), np.asarray(spotted()).astype(int)
    assert (copy.extent, copy.blade_left) == ("part", ())
    assert np.ptp(after[160:280, 220:370], axis=2).max() <= 1
    changed = np.abs(after - original).max(2) > 3
    assert changed.mean() < 0.35
    assert np.array_equal(after[:120], original[:120])
    (left, top, right, bottom), *_ = copy.areas
    assert left <= 0.55 < 0.925 <= right
    assert top <= 0.54 < 0.93 <= bottom


def test_chosen_areas_are_blurred_and_nothing_else(looking: Classifier) -> None:
    copy = redact(encode(spotted()), looking, Policy(), PictureLimits(), areas=[(0.0, 0.0, 0.25, 0.5)])
    after, original = opened(copy), np.asarray(spotted()).astype(int)
    assert np.ptp(after[:150, :100], axis=2).max() <= 1
    assert np.array_equal(after[:, 140:], original[:, 140:])
    assert copy.areas, "what the model suggests stays known"
    (left, top, right, bottom), *_ = copy.blade_left
    assert (left, top, right, bottom) == pytest.approx((0.55, 0.53, 0.925, 0.93), abs=0.06)


def test_no_areas_blur_nothing_and_say_what_is_left(looking: Classifier) -> None:
    copy = redact(encode(spotted()), looking, Policy(), PictureLimits(), areas=())
    assert copy.extent == "none"
    assert np.array_equal(opened(copy), np.asarray(spotted()))
    assert copy.blade_left


def test_a_crop_is_kept_and_boxes_stay_those_of_the_whole_picture(looking: Classifier) -> None:
    crop = (0.5, 0.5, 1.0, 1.0)
    copy = redact(encode(spotted()), looking, Policy(), PictureLimits(), areas=(), crop=crop)
    assert opened(copy).shape == (150, 200, 3)
    assert np.array_equal(opened(copy), np.asarray(spotted())[150:, 200:])
    (left, top, right, bottom), *_ = copy.blade_left
    assert (left, top, right, bottom) == pytest.approx((0.55, 0.53, 0.925, 0.93), abs=0.06)
    without = redact(encode(spotted()), looking, Policy(), PictureLimits(), areas=(), crop=(0.0, 0.0, 0.5, 1.0))
    assert without.blade_left == ()


@pytest.mark.parametrize("box", [(0.5, 0, 0.5, 1), (0, 0, 1.2, 1), (-0.1, 0, 1, 1), (0, float("nan"), 1, 1)])
def test_a_box_outside_the_picture_is_refused(box: Any, looking: Classifier) -> None:
    for wrong in ({"areas": [box]}, {"crop": box}):
        with pytest.raises(ValueError, match="within 0 to 1"):
            redact(encode(spotted()), looking, Policy(), PictureLimits(), **wrong)


def test_a_slanting_blade_takes_several_boxes_that_cover_it() -> None:
    cells = np.eye(28, dtype=np.bool_)
    found = boxes(cells)
    assert 3 <= len(found) <= 12
    drawn = np.asarray(mask(found, (280, 280)))
    assert drawn[np.kron(cells, np.ones((10, 10))) > 0].min() == 255
    assert (drawn > 0).mean() < 0.25
    assert boxes(np.zeros((4, 4), np.bool_)) == ()


@pytest.mark.parametrize("colour", [GREEN, BLUE])
def test_without_a_knife_nothing_is_blurred(classifier: Classifier, colour: tuple[int, int, int]) -> None:
    copy, image = copied(encode(draw(colour)), classifier)
    assert copy.extent == "none"
    assert np.array_equal(np.asarray(image), np.asarray(draw(colour)))


def test_an_animation_becomes_a_still(classifier: Classifier) -> None:
    frames = [draw(GREEN), draw(RED)]
    image = copied(encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True), classifier)[1]
    assert getattr(image, "n_frames", 1) == 1
    assert np.asarray(image.convert("RGB"))[20, 40, 1] > 150


def test_colours_of_a_wide_profile_are_converted(classifier: Classifier) -> None:
    """The profile goes, so the pixels must change where the profile said something else."""
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = copied(encode(draw(GREEN)), classifier)[1]
    tagged = copied(encode(draw(GREEN), icc_profile=lab_like), classifier)[1]
    assert np.abs(np.asarray(plain).astype(int) - np.asarray(tagged).astype(int)).max() <= 2


def test_over_http(http: httpx2.Client) -> None:
    answer = http.post("/v1/redact", content=encode(scene(), "JPEG"), headers={"Content-Type": "image/jpeg"})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert answer.headers["X-Redacted"] == "part"
    assert float(answer.headers["X-Knife-After"]) < 0.3
    assert answer.headers["X-Decision"] == "hold"
    broken = http.post("/v1/redact", files=[("file", ("a.jpg", b"\xff\xd8\xff"))])
    assert (broken.status_code, broken.json()["code"]) == (422, "broken")
    two = http.post("/v1/redact", files=[("file", ("a", encode(draw(RED))))] * 2)
    assert (two.status_code, two.json()["code"]) == (422, "bad_input")
