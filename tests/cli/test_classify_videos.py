"""`bladecheck classify` on videos, in this process."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from bladecheck.cli.classify import classify
from bladecheck.cli.sources import expand
from bladecheck.core.videos.reading import clock
from filmed import film
from tiny import GREEN, RED, draw, encode

DANGER = ((GREEN, 1.5), (RED, 0.5), (GREEN, 1.0))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "calm.png").write_bytes(encode(draw(GREEN)))
    (tmp_path / "danger.MOV").write_bytes(film(DANGER))
    return tmp_path


def test_the_time_stands_behind_the_name(folder: Path, tiny_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    marked = folder.parent / "marked.png"
    assert classify([str(folder)], bundle=str(tiny_path), video_frames=6) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].startswith("hold")
    assert "danger.MOV at 0:01." in lines[2]
    assert classify([str(folder / "danger.MOV")], bundle=str(tiny_path), evidence=marked, video_frames=6) == 0
    assert Image.open(marked).getpixel((90, 5))[0] > 120  # the frame with the knife


def test_without_the_extra_it_is_no_picture_and_says_what_to_install(
    folder: Path, tiny_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert classify([str(folder / "danger.MOV")], as_json=True, bundle=str(tiny_path), video_frames=6) == 2
    result = json.loads(capsys.readouterr().out)
    assert (result["decision"], result["error"]["code"]) == ("cannot_judge", "not_an_image")
    assert "pip install 'bladecheck[video]'" in result["error"]["detail"]
    sources = expand([str(folder)])
    assert [Path(file).name for file in sources.files] == ["calm.png"]
    assert "1 .mov. For videos: pip install 'bladecheck[video]'." in sources.remark


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00.0"), (4.25, "0:04.2"), (59.96, "1:00.0"), (3725.0, "62:05.0")])
def test_times_as_players_show_them(seconds: float, said: str) -> None:
    assert clock(seconds) == said
