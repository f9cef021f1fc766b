"""A run over overlapping archives: one row each, whichever came first, and an archive that is added later."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from score_helpers import Score, exported
from x_drawing import tweet, write, x_members

COMMON = [tweet(1, "common", "CommonPic01"), tweet(2, "also common", "CommonPic02")]


@pytest.fixture
def archives(tmp_path: Path) -> tuple[Path, Path]:
    """Two exports of one account; the newer lacks one post and has another, and a description of a picture."""
    old = write(tmp_path / "old", x_members([*COMMON, tweet(3, "deleted since", "DeletedPic3")]))
    described = tweet(2, "also common", "CommonPic02", ext_alt_text="A table")
    new = write(tmp_path / "new", x_members([COMMON[0], described, tweet(4, "new", "NewPicAAA04")]))
    return old, new


def test_one_row_each_in_any_order(score: Score, archives: tuple[Path, Path], tmp_path: Path) -> None:
    score(list(archives), tmp_path / "run")
    score(list(reversed(archives)), tmp_path / "other")
    rows = exported(tmp_path / "run")
    assert exported(tmp_path / "other") == rows
    assert sorted(row["text"] for row in rows) == ["also common", "common", "deleted since", "new"]
    told = {row["text"]: (row["source"], [where.split("/")[0] for where in row["also_in"]]) for row in rows}
    assert told["also common"] == ("new", ["old"])
    assert told["new"] == ("new", [])


def test_an_archive_that_is_added_later(score: Score, archives: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = archives
    score(old, tmp_path / "run")
    score([old, new], tmp_path / "run")
    score([old, new], tmp_path / "at once")
    assert exported(tmp_path / "run") == exported(tmp_path / "at once")
    score([new], tmp_path / "newest first")
    score([new, old], tmp_path / "newest first")
    assert exported(tmp_path / "newest first") == exported(tmp_path / "at once")


def test_the_time_zone_is_kept(score: Score, archives: tuple[Path, Path], tmp_path: Path) -> None:
    finished = score(archives[0], tmp_path / "run", timezone="Europe/London")
    again: Callable[..., object] = score
    again(archives[0], tmp_path / "run")
    assert finished.folder.manifest()["timezone"] == "Europe/London"
