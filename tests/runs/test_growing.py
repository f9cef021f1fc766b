"""A run that grows archive by archive ends with the rows of a run over all of them, whatever came first."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from archives.drawn_formats import DATED, SHARING, Drawn, takeout
from bladecheck.runs.columns import Row
from score_helpers import Score, exported

FORMATS = {**DATED, "takeout": takeout}
TOLD = ("platform", "account", "post_id", "posted_at", "is_repost", "alt_text", "status", "sha256", "decision")


def told(folder: Path) -> list[list[object]]:
    rows: list[Row] = exported(folder)
    return sorted(([row[name] for name in TOLD] for row in rows), key=repr)


def drawn(name: str, count: int) -> list[Drawn]:
    start = datetime(2024, 3, 1, tzinfo=UTC)
    return [Drawn(k, "force", start + timedelta(days=5 * k), repost=name in SHARING and k == 2) for k in range(count)]


@pytest.mark.parametrize("name", ["x_archive", "telegram", "instagram", "table", "takeout"])
def test_archives_of_one_format(name: str, score: Score, tmp_path: Path) -> None:
    posts = drawn(name, 5)
    score(FORMATS[name](tmp_path / "whole", posts), tmp_path / "at once")
    parts = [
        FORMATS[name](tmp_path / "parts" / f"p{k}", [posts[place] for place in places])
        for k, places in enumerate(([0, 1, 2], [2, 3], [3, 4, 0]))
    ]
    random.Random(name).shuffle(parts)
    for count in range(1, 4):
        score(parts[:count], tmp_path / "grown")
    score(tmp_path / "parts", tmp_path / "as a folder")
    wanted = told(tmp_path / "at once")
    assert len(wanted) == 5
    assert told(tmp_path / "grown") == told(tmp_path / "as a folder") == wanted


@pytest.mark.parametrize("seed", [1, 2])
def test_archives_of_several_formats(seed: int, score: Score, tmp_path: Path) -> None:
    """Some hold the pictures, some alt texts, some that it was a repost."""
    names = ["api_v1", "web_exporter", "x_archive", "gallery_dl", "table", "graphql"]
    paths = [FORMATS[name](tmp_path / name, drawn("x_archive", 4)) for name in names]
    score(paths, tmp_path / "at once")
    random.Random(seed).shuffle(paths)
    for count in (1, 3, 6):
        score(paths[:count], tmp_path / "grown")
    wanted = told(tmp_path / "at once")
    assert len(wanted) == 4
    assert told(tmp_path / "grown") == wanted
