"""Videos in archives: those that are held can be opened, whether they are asked for or skipped."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from bladecheck.archives import Item, MediaType, Status, open_archive
from bladecheck.archives.merging import Merging

MP4 = b"\x00\x00\x00\x18ftypmp42" + bytes(100)


@pytest.mark.parametrize("kind", ["folder", "zip"])
def test_videos_are_skipped_or_present_with_the_same_identity(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    if kind == "folder":
        path.mkdir()
        (path / "a.mp4").write_bytes(MP4)
    else:
        with zipfile.ZipFile(path := tmp_path / "archive.zip", "w") as out:
            out.writestr("a.mp4", MP4)
    with open_archive(path) as skipped, open_archive(path, videos=True) as wanted:
        [one], [other] = skipped.items(), wanted.items()
        assert (one.status, other.status) == (Status.VIDEO_SKIPPED, Status.PRESENT)
        assert one.place == other.place
        assert one.open() == other.open() == MP4
        assert (skipped.describe().videos, skipped.describe().videos_held) == (1, 0)
        assert (wanted.describe().videos, wanted.describe().videos_held, wanted.describe().images_local) == (0, 1, 0)
        assert wanted.describe().months == {}


def test_of_two_records_of_a_video_the_one_that_holds_it_stays() -> None:
    told = {"platform": "x", "post_id": "1746827059000246273", "media_type": MediaType.VIDEO, "loose": False}
    spoken_of = Item("x", "b", text="A long text that tells more.", status=Status.VIDEO_SKIPPED, **told)  # type: ignore[arg-type]
    held = Item("x", "a", member="a.mp4", status=Status.VIDEO_SKIPPED, opener=lambda: MP4, **told)  # type: ignore[arg-type]
    merging = Merging()
    for item in (spoken_of, held):
        merging.learn(item)
    assert merging.decide()
    merging.borrow((spoken_of, held))
    [stays] = merging.merged((spoken_of, held))
    assert (stays.member, stays.text) == ("a.mp4", spoken_of.text)
