"""One scene in every encoding: the same prepared pixels where no pixel is lost, nearly the same score elsewhere."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from bladecheck.core import images
from bladecheck.core.classifier import Classifier
from bladecheck.core.preprocess import Spec, prepare
from odd import HEIC, animation, directory, exif, lossless, lossy, png16, scene
from tiny import RED, draw, encode

SPEC = Spec(size=32, fit="pad", filter="bicubic")
LOSSLESS, LOSSY = lossless(), lossy()


def pixels_hash(data: bytes) -> str:
    return hashlib.sha256(prepare(images.load(data).frames[0], SPEC).tobytes()).hexdigest()


def upright(data: bytes) -> Image.Image:
    return images.load(data).frames[0]


def farthest(one: Image.Image, other: Image.Image) -> int:
    return int(np.abs(np.asarray(one).astype(int) - np.asarray(other).astype(int)).max())


@pytest.mark.parametrize("name", LOSSLESS)
def test_lossless_encodings_give_identical_pixels(name: str) -> None:
    expected = hashlib.sha256(prepare(scene(), SPEC).tobytes()).hexdigest()
    assert pixels_hash(LOSSLESS[name]) == expected


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_encodings_give_nearly_the_same_score(name: str, classifier: Classifier) -> None:
    reference = classifier.classify_one(classifier.load(encode(scene((610, 470)))))
    verdict = classifier.classify_one(classifier.load(LOSSY[name]))
    # CMYK without a colour profile is converted by the plain formula, which costs a few levels.
    assert verdict.scores.labels["knife"] == pytest.approx(reference.scores.labels["knife"], abs=0.03)
    assert images.load(LOSSY[name]).width == 610


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_exif_orientation_is_undone_exactly(orientation: int, format: str) -> None:
    stored = scene()
    if orientation in images.TRANSPOSE:
        undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
        stored = stored.transpose(undo.get(orientation, images.TRANSPOSE[orientation]))
    options = {"lossless": True} if format == "WEBP" else {}
    picture = images.load(encode(stored, format, exif=exif(orientation), **options))
    assert (picture.width, picture.height) == scene().size
    assert picture.frames[0].tobytes() == scene().tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_jpeg_survives_the_reduced_decode(orientation: int) -> None:
    picture = images.load(encode(scene((640, 320)), "JPEG", exif=exif(orientation)), at_least=64)
    assert (picture.width, picture.height) == ((320, 640) if orientation >= 5 else (640, 320))
    assert sorted(picture.frames[0].size) == [80, 160]
    assert (picture.frames[0].width < picture.frames[0].height) == (orientation >= 5)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_unknown_orientation_is_upright(orientation: int) -> None:
    picture = images.load(encode(scene(), exif=exif(orientation)))
    assert (picture.width, picture.height) == scene().size == picture.frames[0].size


def test_a_broken_place_does_not_lose_the_orientation() -> None:
    entries = [(images.ORIENTATION_TAG, 3, 1, 6), (images.GPS_TAG, 4, 1, 4_000_000_000)]
    tags = b"Exif\0\0II*\0\x08\0\0\0" + directory(entries, 0)
    assert images.load(encode(scene(), "JPEG", exif=tags)).width == scene().height


def test_place_in_exif_and_in_xmp_is_noticed() -> None:
    tags = exif(1)
    tags.get_ifd(images.GPS_TAG)[1] = "N"
    assert images.load(encode(scene(), "JPEG", exif=tags)).has_gps
    assert images.load(encode(scene(), "WEBP", xmp=b'<x exif:GPSLatitude="51,30.0N"/>')).has_gps
    assert not images.load(encode(scene(), "JPEG", exif=exif(6))).has_gps


def photoshop(*fields: tuple[int, bytes]) -> bytes:
    """An APP13 segment's payload with fields of IPTC record 2."""
    data = b"".join(b"\x1c\x02" + bytes([field]) + len(text).to_bytes(2, "big") + text for field, text in fields)
    return b"Photoshop 3.0\x008BIM\x04\x04\x00\x00" + len(data).to_bytes(4, "big") + data + b"\x00" * (len(data) % 2)


def with_segment(jpeg: bytes, marker: int, payload: bytes) -> bytes:
    return jpeg[:2] + bytes([0xFF, marker]) + (len(payload) + 2).to_bytes(2, "big") + payload + jpeg[2:]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ([(90, b"Exampleton")], True),
        ([(92, b"Example Street")], True),
        ([(95, b"Exampleshire"), (5, b"Title")], True),
        ([(101, b"United Kingdom"), (5, b"Knife found")], False),
        ([(90, b"  ")], False),
    ],
)
def test_a_place_named_in_iptc_is_noticed(fields: list[tuple[int, bytes]], named: bool) -> None:
    data = with_segment(encode(scene(), "JPEG"), 0xED, photoshop(*fields))
    assert images.load(data).has_place_name is named


@pytest.mark.parametrize(
    ("xmp", "named"),
    [
        (b'<x photoshop:City="Exampleton"/>', True),
        (b"<photoshop:City>Exampleton</photoshop:City>", True),
        (b"<Iptc4xmpExt:LocationName><rdf:Alt><rdf:li xml:lang='x'>Example Street</rdf:li></rdf:Alt>", True),
        (b'<x photoshop:City=""/><photoshop:State></photoshop:State>', False),
        (b'<x photoshop:Country="United Kingdom"/>', False),
    ],
)
def test_a_place_named_in_xmp_is_noticed(xmp: bytes, named: bool) -> None:
    for kind in ("JPEG", "WEBP"):
        assert images.load(encode(scene(), kind, xmp=xmp)).has_place_name is named


def test_broken_place_names_fail_no_picture() -> None:
    data = with_segment(encode(scene(), "JPEG"), 0xED, photoshop((90, b"Exampleton"))[:-9])
    assert not images.load(data).has_gps


def test_corrupt_exif_and_colour_profile_do_not_fail_a_picture() -> None:
    image = scene((64, 48))
    for options in ({"exif": b"Exif\0\0" + b"\xff" * 40}, {"icc_profile": b"no profile" * 9}):
        for format in ("JPEG", "PNG", "WEBP"):
            assert images.load(encode(image, format, **options)).width == 64


def test_greys_of_every_depth_look_the_same() -> None:
    grey = scene().convert("L")
    deep = np.asarray(grey).astype(np.uint16) * 257
    expected = grey.convert("RGB")
    for data in (
        encode(grey),
        png16(deep),
        encode(grey.convert("I"), "TIFF"),
        encode(Image.fromarray(deep), "TIFF"),
        encode(Image.fromarray(deep.astype(np.int32)), "TIFF"),
        encode(Image.fromarray(np.asarray(grey).astype(np.float32) / 255), "TIFF"),
        encode(Image.fromarray(np.asarray(grey).astype(np.float32)), "TIFF"),
    ):
        assert farthest(upright(data), expected) == 0


def test_floats_that_are_no_numbers_are_black() -> None:
    values = np.full((20, 20), np.nan, np.float32)
    values[:10] = 1.0
    values[0, 0] = np.inf
    frame = upright(encode(Image.fromarray(values), "TIFF"))
    assert frame.getpixel((5, 5)) == (255, 255, 255)
    assert frame.getpixel((5, 15)) == (0, 0, 0)


MODES = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F"),
    "WEBP": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "AVIF": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "GIF": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "JPEG": ("1", "L", "RGB", "CMYK", "YCbCr"),
}


@pytest.mark.parametrize(("format", "mode"), [(format, mode) for format, modes in MODES.items() for mode in modes])
def test_every_mode_that_a_format_can_hold_becomes_rgb(format: str, mode: str) -> None:
    frame = upright(encode(scene().convert(mode), format))
    assert (frame.mode, frame.size) == ("RGB", scene().size)
    assert farthest(frame, Image.new("RGB", frame.size)) > 100


def test_transparency_goes_on_white() -> None:
    clear = Image.new("RGBA", (40, 30), (0, 0, 0, 0))
    half = Image.new("RGBA", (40, 30), (0, 0, 0, 128))
    palette = Image.new("P", (40, 30), 1)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    for data in (encode(clear), encode(clear, "WEBP", lossless=True), encode(clear.convert("LA"))):
        assert upright(data).getpixel((3, 3)) == (255, 255, 255)
    assert upright(encode(half)).getpixel((3, 3)) == (127, 127, 127)
    assert upright(encode(palette, transparency=1)).getpixel((3, 3)) == (255, 255, 255)
    assert upright(encode(palette, transparency=b"\xff\x80")).getpixel((3, 3)) == (255, 127, 127)
    assert upright(encode(palette)).getpixel((3, 3)) == (255, 0, 0)
    assert upright(encode(Image.new("RGB", (40, 30), "red"), transparency=(255, 0, 0))).getpixel((3, 3)) == (255,) * 3


def test_bands_of_a_tall_picture_meet_without_a_seam() -> None:
    tall = scene((300, 200)).resize((3000, 4000))
    tall.putalpha(255)
    assert upright(encode(tall, compress_level=1)).tobytes() == tall.convert("RGB").tobytes()


def test_cmyk_jpegs_are_not_negatives() -> None:
    frame = upright(encode(draw(RED).convert("CMYK"), "JPEG", quality=95))
    red, green, blue = frame.getpixel((50, 40))
    assert red > 200
    assert max(green, blue) < 60


@pytest.mark.parametrize("size", [(3000, 2000), (641, 1283), (500, 4000)])
def test_reduced_jpeg_decode_stays_close_to_the_full_one(size: tuple[int, int]) -> None:
    spec = Spec(size=224, fit="squash", filter="bicubic")
    data = encode(scene(size), "JPEG", quality=90)
    full = prepare(images.load(data).frames[0], spec).astype(float)
    reduced = prepare(images.load(data, at_least=spec.at_least).frames[0], spec).astype(float)
    # Stated tolerance: half a level of 255 on average, 24 on single pixels at hard edges.
    assert np.abs(full - reduced).mean() < 0.5
    assert np.abs(full - reduced).max() <= 24


def test_reduced_decode_keeps_both_sides() -> None:
    for size in ((4000, 3000), (449, 9000), (448, 448), (100, 80)):
        frame = images.load(encode(scene(size), "JPEG"), at_least=448).frames[0]
        assert min(frame.size) >= min(448, *size)


def test_heic_with_its_decoder() -> None:
    pytest.importorskip("pi_heif")
    picture = images.load(HEIC)
    assert (picture.format, picture.width, picture.height) == ("HEIF", 64, 48)
    assert picture.frames[0].getpixel((50, 40))[0] > 200


def test_heic_without_its_decoder_is_a_typed_failure() -> None:
    code = (
        "import sys; sys.modules['pi_heif'] = None\n"
        "from bladecheck.core import images\n"
        "try: images.load(sys.stdin.buffer.read())\n"
        "except images.MissingDecoder as error: print(error.code, error.detail)"
    )
    done = subprocess.run([sys.executable, "-c", code], input=HEIC, capture_output=True, timeout=60)
    assert (
        done.stdout.decode().strip()
        == "missing_decoder HEIC needs an optional decoder: pip install 'bladecheck[heic]'."
    )


def test_size_limits_hold_for_heic_before_decoding() -> None:
    pytest.importorskip("pi_heif")
    with pytest.raises(images.PictureTooLarge, match="64 x 48"):
        images.load(HEIC, images.PictureLimits(max_pixels=64 * 48 - 1))


def test_picture_says_what_it_was() -> None:
    data = animation([(230, 20, 20), (20, 200, 20)], "GIF")
    picture = images.load(data)
    assert (picture.format, picture.frame_count, len(picture.frames)) == ("GIF", 2, 2)
    assert picture.sha256 == hashlib.sha256(data).hexdigest()
    assert images.load(encode(scene(), "AVIF")).format == "AVIF"
