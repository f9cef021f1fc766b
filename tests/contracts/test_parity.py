"""Command line, HTTP and library give the same numbers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bladecheck.core.classifier import Classifier
from bladecheck.core.result import classify_bytes
from odd import animation, scene
from serving import serve
from tiny import BLUE, GREEN, PURPLE, RED, draw, encode

SHARED = ("status", "decision", "reasons", "scores", "blade", "image", "model")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("pictures")
    made = {
        "red.png": encode(draw(RED)),
        "blue.jpg": encode(draw(BLUE, (1601, 1203)), "JPEG"),
        "green.webp": encode(draw(GREEN, (301, 403)), "WEBP"),
        "purple.bmp": encode(draw(PURPLE), "BMP"),
        "scene.avif": encode(scene((400, 300)), "AVIF"),
        "moving.gif": animation([GREEN, RED], "GIF"),
        "tiny.png": encode(draw(RED, (5, 5))),
        "broken.jpg": encode(draw(RED, (320, 240)), "JPEG")[:900],
        "text.jpg": b"no picture",
    }
    for name, data in made.items():
        (folder / name).write_bytes(data)
    return sorted(folder.iterdir())


def near(one: Any, other: Any) -> bool:
    """Equal in shape and words, and to 1e-6 in numbers."""
    if isinstance(one, dict):
        return set(one) == set(other) and all(near(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(near, one, other))
    return abs(one - other) <= 1e-6 if isinstance(one, float) else bool(one == other)


def test_three_ways_in_one_answer(files: list[Path], tiny_path: Path, classifier: Classifier) -> None:
    script = Path(sys.executable).with_name("bladecheck")
    done = subprocess.run(
        [script, "classify", *files, "--json", "--bundle", tiny_path], capture_output=True, timeout=60
    )
    typed = [json.loads(line) for line in done.stdout.splitlines()]
    with serve(tiny_path) as server, server.client() as client:
        parts = [("file", (path.name, path.read_bytes())) for path in files]
        posted = client.post("/v1/classify", files=parts).json()["results"]
        raw = client.post("/v1/classify", content=files[0].read_bytes(), headers={"Content-Type": "image/jpeg"}).json()
    called = [classify_bytes(path.read_bytes(), classifier) for path in files]
    assert len(typed) == len(posted) == len(called) == len(files)
    for path, *answers in zip(files, typed, posted, called, strict=True):
        first, second, third = ({key: answer.get(key) for key in SHARED} for answer in answers)
        assert near(first, third), path
        assert near(second, third), path
        assert answers[0].get("error") == answers[1].get("error") == answers[2].get("error")
    assert near({key: raw["results"][0].get(key) for key in SHARED}, {key: called[0].get(key) for key in SHARED})
