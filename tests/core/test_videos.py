"""Videos: which frames are looked at, what decides, and what hostile, damaged and odd files come to."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bladecheck.core.classifier import Classifier
from bladecheck.core.images import Picture, PictureLimits, Timeline
from bladecheck.core.result import classify_bytes
from bladecheck.core.video_limits import VideoLimits
from bladecheck.core.videos import sampling
from bladecheck.core.videos.decoding import Video
from bladecheck.core.videos.reading import load
from bladecheck.core.videos.sampling import Coded
from bladecheck.errors import (
    BrokenPicture,
    NotAPicture,
    PictureError,
    PictureTooLarge,
    PictureTooSlow,
    UnsupportedPicture,
)
from filmed import SIZE, encoded, film, sound_only
from tiny import BLUE, GREEN, RED, draw

STILL = ((GREEN, 2.0),)
SHORT_RED = ((GREEN, 2.2), (RED, 0.3), (GREEN, 2.5))
PLAIN = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 0x40000000)
QUARTER_TURN = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, SIZE[1] << 16, 0, 0x40000000)
FAST_START = (("movflags", "frag_keyframe+empty_moov"),)


def seen(data: bytes, limits: PictureLimits | None = None, *, at_least: int | None = None) -> Picture:
    """As `load`, but decoded in this process, which is faster; what the process adds has tests of its own."""
    allowed = (limits or PictureLimits()).video
    assert allowed is not None
    told, frames = Video(data, allowed, at_least).look()
    timeline = Timeline(told.seconds, tuple(told.times), told.longest_gap)
    size = told.width, told.height
    known = (*size, told.frame_count, told.has_gps, tuple(frames), told.damaged)
    return Picture("", told.format, *known, timeline=timeline)


def within(**limits: float) -> PictureLimits:
    return PictureLimits(video=replace(VideoLimits(), **limits))  # type: ignore[arg-type]


def test_the_worst_frame_decides_and_its_time_is_told(classifier: Classifier) -> None:
    result = classify_bytes(film(SHORT_RED), classifier, evidence=True)
    assert (result["status"], result["decision"]) == ("ok", "hold")
    assert 2.2 <= result["video"]["frame_at"] < 2.5
    assert result["video"]["seconds"] == pytest.approx(5.0)
    assert result["image"]["format"] == "MP4"
    assert result["image"]["frames"] == 50
    assert result["looks"] == result["video"]["frames_looked_at"]
    assert result["evidence"]["values"][3][3] > 0.9  # the map is that of the frame that decided


def test_a_gun_in_another_frame_than_the_knife_does_not_hide_it(classifier: Classifier) -> None:
    assert classify_bytes(film(((BLUE, 2.0), (RED, 1.0))), classifier)["decision"] == "hold"
    assert classify_bytes(film(((BLUE, 2.0), (GREEN, 1.0))), classifier)["decision"] == "check"


def test_a_short_shot_between_even_frames_is_found_by_its_key_frame() -> None:
    """Two even frames, which both miss it; x264 begins a shot with a key frame."""
    picture = seen(film(SHORT_RED), within(frames=3))
    assert picture.timeline is not None
    assert len(picture.timeline.times) == 3
    assert any(2.2 <= time < 2.5 for time in picture.timeline.times)


def test_a_still_scene_costs_no_more_than_its_even_frames() -> None:
    long = seen(film(((GREEN, 30.0),), options=(("g", "10"),)))
    assert len(long.frames) == sampling.even_count(30.0, VideoLimits().frames) == 16


@pytest.mark.parametrize(
    ("format", "codec", "name"),
    [
        ("mp4", "libx264", "MP4"),
        ("mov", "mpeg4", "MOV"),
        ("webm", "libvpx", "WEBM"),
        ("webm", "libvpx-vp9", "WEBM"),
        ("matroska", "libx264", "MKV"),
        ("mov", "prores_ks", "MOV"),
    ],
)
def test_formats_of_phones_browsers_and_editors(format: str, codec: str, name: str, classifier: Classifier) -> None:
    pixels = "yuva444p10le" if codec == "prores_ks" else "yuv420p"
    result = classify_bytes(film(((GREEN, 0.6), (RED, 0.6)), format, codec, pixels=pixels), classifier)
    assert (result["decision"], result["image"]["format"]) == ("hold", name)
    assert 0.6 <= result["video"]["frame_at"] < 1.2
    assert (result["image"]["width"], result["image"]["height"]) == SIZE
    assert "maybe_damaged" not in {reason["code"] for reason in result["reasons"]}


def test_phone_videos_are_seen_upright() -> None:
    plain = film(STILL)
    place = plain.rindex(PLAIN)  # of the track, after that of the film
    turned = seen(plain[:place] + QUARTER_TURN + plain[place + len(QUARTER_TURN) :])
    assert (turned.width, turned.height) == SIZE[::-1]
    was = seen(plain).frames[0]
    corner = int(SIZE[0] * 0.2), int(SIZE[1] * 0.2)  # the mark, which a quarter turn takes to the upper right
    assert was.getpixel(corner) != turned.frames[0].getpixel(corner)
    assert turned.frames[0].getpixel((SIZE[1] - 1 - corner[1], corner[0])) == was.getpixel(corner)


def test_transparency_goes_on_white() -> None:
    glass = draw(RED, SIZE)
    glass.putalpha(0)
    shown = seen(encoded([glass] * 3, "mov", "prores_ks", pixels="yuva444p10le")).frames[0]
    assert min(shown.getpixel((5, 5))) > 250


def test_frames_may_be_shrunk_as_the_model_needs_them() -> None:
    picture = seen(film(STILL, size=(512, 384)), at_least=64)
    assert (picture.width, picture.height) == (512, 384)
    assert picture.frames[0].size == (128, 96)


def test_times_count_from_the_first_frame_whatever_the_clock_says() -> None:
    frames = [draw(GREEN, SIZE)] * 5
    late = seen(encoded(frames, "matroska", at=[100, 101, 102, 110, 140]))
    assert late.timeline is not None
    assert late.timeline.times[0] == pytest.approx(0.2)
    assert late.timeline.seconds == pytest.approx(4.1, abs=0.2)
    assert late.timeline.longest_gap >= 2.9  # the frame rate varies: one frame stands for three seconds


def test_a_video_of_one_frame(classifier: Classifier) -> None:
    result = classify_bytes(encoded([draw(RED, SIZE)]), classifier)
    assert (result["decision"], result["video"]["frame_at"]) == ("hold", 0.0)


@pytest.mark.parametrize("kind", ["fragmented", "webm"])
def test_one_that_ends_early_is_never_clear(kind: str, classifier: Classifier) -> None:
    whole = film(((GREEN, 3.0),), container=FAST_START, options=(("g", "5"),))
    if kind == "webm":
        whole = film(((GREEN, 3.0),), "webm", "libvpx", options=(("g", "5"),))
    assert classify_bytes(whole, classifier)["decision"] == "clear"
    cut = classify_bytes(whole[: int(len(whole) * 0.7)], classifier)
    assert cut["decision"] == "check"
    assert cut["reasons"][-1]["code"] == "maybe_damaged"


def test_without_its_index_it_is_broken() -> None:
    with pytest.raises(BrokenPicture):
        load(film(STILL)[:-200])


def test_lost_bytes_show_where_they_are_decoded(classifier: Classifier) -> None:
    whole = film(((GREEN, 3.0), (BLUE, 3.0)), options=(("g", "5"), ("qp", "1")))
    start = whole.index(b"mdat") + 400
    holed = whole[:start] + bytes(len(whole[start:-3000])) + whole[-3000:]
    result = classify_bytes(holed, classifier)
    assert result["decision"] in ("check", "cannot_judge")


def test_sound_without_a_picture_is_no_picture(classifier: Classifier) -> None:
    with pytest.raises(NotAPicture, match="no moving picture"):
        load(sound_only())
    assert classify_bytes(sound_only(), classifier)["decision"] == "cannot_judge"


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"max_bytes": 100}, PictureTooLarge),
        ({"max_seconds": 1.0}, PictureTooLarge),
        ({"max_pixels": 1000}, PictureTooLarge),
        ({"max_packets": 5}, PictureTooLarge),
        ({"work_seconds": 0.01}, PictureTooSlow),
    ],
)
def test_limits_are_refusals(limits: dict[str, float], error: type[PictureError]) -> None:
    with pytest.raises(error):
        load(film(STILL), within(**limits))


def test_a_decoder_that_dies_is_a_failure_and_nothing_more(classifier: Classifier) -> None:
    result = classify_bytes(film(STILL, size=(1280, 960)), classifier, limits=within(max_memory=1))
    assert result["status"] == "failed"
    assert result["error"]["code"] in ("broken", "too_large")
    assert classify_bytes(film(STILL), classifier)["status"] == "ok"


def test_other_codecs_are_not_decoded() -> None:
    with pytest.raises(UnsupportedPicture, match="ffv1"):
        seen(film(STILL, "matroska", "ffv1"))


@pytest.mark.parametrize("number", range(3))
def test_garbled_bytes_are_an_error_or_a_verdict_never_a_crash(number: int) -> None:
    data = bytearray(film(SHORT_RED, container=FAST_START))
    for place in range(40 + number, len(data), 61 + number):
        data[place] ^= 0xFF >> (number % 7)
    with suppress(PictureError):
        assert seen(bytes(data)).frames


def test_a_script_that_names_other_files_is_not_followed() -> None:
    with pytest.raises(BrokenPicture):
        load(b"\x00\x00\x00\x18ftypisom" + b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")


def test_far_key_frames_are_decoded_only_as_far_as_allowed() -> None:
    one_key = film(((GREEN, 4.0), (RED, 4.0)), options=(("g", "1000"), ("sc_threshold", "0")))
    near = seen(one_key, within(max_decoded_pixels=10 * 2**16))
    assert near.timeline is not None
    assert max(near.timeline.times) < 2.0
    assert near.timeline.longest_gap > 6.0  # and that is told


def test_the_same_file_always_gives_the_same_frames() -> None:
    one, two = load(film(SHORT_RED)), seen(film(SHORT_RED))
    assert one.timeline == two.timeline
    assert [frame.tobytes() for frame in one.frames] == [frame.tobytes() for frame in two.frames]


def test_the_decoder_says_nothing_on_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PictureError):
        load(film(STILL)[:-200])
    assert capfd.readouterr() == ("", "")


coded = st.lists(st.tuples(st.integers(-1000, 1000), st.booleans()), min_size=1, max_size=60, unique_by=lambda f: f[0])


@given(coded, st.integers(1, 30), st.integers(1, 100))
def test_every_stretch_begins_at_a_key_frame_and_keeps_to_what_is_affordable(
    frames: list[tuple[int, bool]], count: int, affordable: int
) -> None:
    found = [Coded(at, key) for at, key in frames]
    positions = sampling.even_positions(found, count, 1000)
    assert 1 <= len(positions) <= count
    stretches = sampling.stretches(found, positions, affordable)
    keys = {position for position, frame in enumerate(found) if frame.key}
    assert all(stretch.first in keys for stretch in stretches) or not keys or not found[0].key
    assert all(before.last < after.first for before, after in pairwise(stretches))
    assert sum(one.last - one.first + 1 for one in stretches) <= max(affordable, len(stretches))
    assert all(stretch.wanted for stretch in stretches)


@given(st.floats(0, 1e6), st.integers(1, 500))
def test_even_frames_leave_room_for_key_frames(seconds: float, frames: int) -> None:
    count = sampling.even_count(seconds, frames)
    assert 1 <= count <= frames
    assert frames < 3 or count < frames
