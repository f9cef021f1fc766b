"""`prepare`: the exact shape for any picture, sides never swapped, pixels that never change between releases."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bladecheck.core.preprocess import FILTERS, FITS, PAD_COLOUR, Spec, contrast, prepare
from bladecheck.errors import BundleError
from odd import scene

SPECS = [(fit, filter) for fit in FITS for filter in FILTERS]


@settings(max_examples=60, deadline=None)
@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    size=st.integers(16, 96),
    fit=st.sampled_from(FITS),
    filter=st.sampled_from(sorted(FILTERS)),
)
def test_any_picture_gives_the_exact_shape(width: int, height: int, size: int, fit: str, filter: str) -> None:
    pixels = prepare(Image.new("RGB", (width, height), (9, 99, 199)), Spec(size, fit, filter))
    assert (pixels.shape, pixels.dtype) == ((size, size, 3), np.uint8)
    assert (pixels == (9, 99, 199)).all(axis=2).any(), "even a sliver must show"


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(st.integers(17, 120), st.integers(17, 120)),
    fit=st.sampled_from(FITS),
    filter=st.sampled_from(sorted(FILTERS)),
)
def test_swapping_the_sides_swaps_the_pixels(size: tuple[int, int], fit: str, filter: str) -> None:
    """A transposed picture gives the transposed pixels, but for clipping between the two passes of the resize."""
    spec, image = Spec(48, fit, filter), scene(size)
    swapped = prepare(image.transpose(Image.Transpose.TRANSPOSE), spec).astype(int)
    assert np.abs(swapped - prepare(image, spec).swapaxes(0, 1)).mean() < 1


def test_squash_keeps_the_corners_where_they_are() -> None:
    for size in ((301, 97), (97, 301)):
        image = Image.new("RGB", size, "black")
        image.paste((255, 0, 0), (size[0] * 3 // 4, 0, *(size[0], size[1] // 4)))
        pixels = prepare(image, Spec(32, "squash", "bicubic"))
        assert pixels[2, 29].tolist() == [255, 0, 0]
        assert pixels[29, 2].tolist() == [0, 0, 0]


def test_crop_takes_the_middle_square_and_pad_shows_the_whole() -> None:
    image = Image.new("RGB", (300, 100), (255, 255, 0))
    image.paste((0, 0, 255), (100, 0, 200, 100))
    cropped, padded = prepare(image, Spec(30, "crop", "bilinear")), prepare(image, Spec(30, "pad", "bilinear"))
    assert (cropped[2:-2, 2:-2] == (0, 0, 255)).all()
    assert (padded[:9] == PAD_COLOUR).all()
    assert padded[15, 4].tolist() == [255, 255, 0]
    assert padded[15, 15].tolist() == [0, 0, 255]


GOLDEN = {
    ((61, 47), "squash", "bilinear"): "8a08fc78cf5a4520",
    ((61, 47), "squash", "bicubic"): "aa2dd22638587fef",
    ((61, 47), "squash", "lanczos"): "70ec442e616868ed",
    ((61, 47), "crop", "bilinear"): "f25b17481e3f6a31",
    ((61, 47), "crop", "bicubic"): "a38ed4236b3c3bb9",
    ((61, 47), "crop", "lanczos"): "60ea018d1bf89abc",
    ((61, 47), "pad", "bilinear"): "781c5b2db91f4671",
    ((61, 47), "pad", "bicubic"): "bb797ca1ad7d7812",
    ((61, 47), "pad", "lanczos"): "1ee359eb89304b61",
    ((47, 61), "squash", "bilinear"): "26e10ee2ceb08636",
    ((47, 61), "squash", "bicubic"): "62a51a2fb52b9c46",
    ((47, 61), "squash", "lanczos"): "47e8d6838b47551c",
    ((47, 61), "crop", "bilinear"): "f46461859e6a8640",
    ((47, 61), "crop", "bicubic"): "58e20b66b910c0aa",
    ((47, 61), "crop", "lanczos"): "9a9b9d6b1ed3b50d",
    ((47, 61), "pad", "bilinear"): "08cc09eeb341db34",
    ((47, 61), "pad", "bicubic"): "10aac89ad789b902",
    ((47, 61), "pad", "lanczos"): "545e485e211d6e8d",
}
"""sha256 of the prepared pixels of `scene` by size, fit and filter. A change here changes every published score."""


@pytest.mark.parametrize(("size", "fit", "filter"), [(size, *spec) for size in ((61, 47), (47, 61)) for spec in SPECS])
def test_prepared_pixels_are_what_they_always_were(size: tuple[int, int], fit: str, filter: str) -> None:
    pixels = prepare(scene(size), Spec(32, fit, filter))
    assert hashlib.sha256(pixels.tobytes()).hexdigest()[:16] == GOLDEN[size, fit, filter]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"size": 15}, "preprocess.size is 15"),
        ({"size": 1025}, "preprocess.size is 1025"),
        ({"fit": "stretch"}, "preprocess.fit is 'stretch'"),
        ({"filter": "nearest"}, "preprocess.filter is 'nearest'"),
        ({"headroom": 0}, "preprocess.headroom is 0"),
    ],
)
def test_an_unknown_value_is_an_error_that_names_it(change: dict[str, Any], named: str) -> None:
    with pytest.raises(BundleError, match=named):
        Spec(**{"size": 32, "fit": "pad", "filter": "bicubic", **change})


def test_only_rgb_is_prepared() -> None:
    with pytest.raises(ValueError, match="not RGBA"):
        prepare(Image.new("RGBA", (40, 40)), Spec(32, "pad", "bicubic"))


def test_contrast_is_a_spread_that_ignores_single_specks() -> None:
    flat = np.full((50, 50, 3), 80, np.uint8)
    assert contrast(flat) == 0
    speck = flat.copy()
    speck[0, 0] = 255
    assert contrast(speck) == 0
    half = flat.copy()
    half[:25] = 180
    assert contrast(half) == 100
