"""A tiny labelled set that is drawn here, and a run's configuration for it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

OUTLINES = {"p72": [{"part": "blade", "points": [[20, 20], [60, 30], [20, 40]]},
                    {"part": "handle", "points": [[10, 20], [20, 20], [20, 40], [10, 40]]}]}  # fmt: skip
COLUMNS = ["id", "split", "knife", "gun", "blade", "setting", "style", "features", "other", "group", "video",
           "source_repo", "flags", "boxes"]  # fmt: skip


def draw(rng: np.random.Generator, knife: bool) -> tuple[Image.Image, list[float]]:
    """A bright blade, or a dark disc, on a coloured ground; and the box around it in 0..1."""
    size = (int(rng.integers(70, 130)), int(rng.integers(70, 130)))
    image = Image.new("RGB", size, tuple(int(v) for v in rng.integers(40, 160, 3)))
    x, y = rng.uniform(0.1, 0.4) * size[0], rng.uniform(0.1, 0.5) * size[1]
    w, h = 0.45 * size[0], 0.2 * size[1]
    pen = ImageDraw.Draw(image)
    if knife:
        pen.polygon([(x, y), (x + w, y + h / 2), (x, y + h)], fill=(250, 250, 250))
    else:
        pen.ellipse((x, y, x + w, y + 2 * h), fill=(20, 20, 20))
    return image, [x / size[0], y / size[1], (x + w) / size[0], (y + h) / size[1]]


@pytest.fixture(scope="session")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with images/ and labels.csv: 48 train, 24 dev and 20 police pictures."""
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "images").mkdir()
    rng = np.random.default_rng(5)
    with (folder / "labels.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS, restval="")
        writer.writeheader()
        for number in range(92):
            split = "train" if number < 48 else "dev" if number < 72 else "police"
            knife = number % 2 == 0
            image, box = draw(rng, knife)
            image.save(folder / "images" / f"p{number}.jpg")
            edges = ", ".join(f"{edge:.3f}" for edge in box)
            row = {
                "id": f"p{number}",
                "split": split,
                "knife": int(knife),
                "gun": int(number % 7 == 1),
                "blade": "none",
                "group": f"g{number // 2}",
                "source_repo": ["a/web", "b/tools"][number % 3 == 0],
            }
            if knife:
                row |= {
                    "blade": ["kitchen", "zombie"][number % 4 // 2],
                    "setting": "hand",
                    "style": "photo",
                    "features": "S" if number % 4 == 2 else "",
                    "boxes": f'[["knife", {edges}]]' if number % 3 else "",
                }
            writer.writerow(row)
    (folder / "outlines.json").write_text(json.dumps(OUTLINES))
    return folder


@pytest.fixture(scope="session")
def config_file(labelled: Path) -> Path:
    """A run of seconds: a CLIP tower of three thin blocks, one of them frozen."""
    path = labelled / "run.toml"
    path.write_text(f"""
work = "{labelled}/work"
models = "{labelled}/models"
[data]
labels = "{labelled}/labels.csv"
police_views = 1
parts = 6
laid = 9
tools = ["b/tools"]
outlines = "{labelled}/outlines.json"
lifted = 1
leave_out = ["a/web", "b/tools"]
[model]
name = "thin"
version = "0.0.1"
backbone = "vit_base_patch16_clip_quickgelu_224"
weights = "none"
frozen_blocks = 1
options = {{embed_dim = 128, depth = 3, num_heads = 2, img_size = 64}}
[preprocess]
size = 64
fit = "squash"
filter = "bicubic"
[looks]
crops = [[0.0, 0.0, 0.6, 0.6], [0.4, 0.4, 1.0, 1.0]]
[optimisation]
epochs = 2.0
batch = 8
drop_tokens = 0.25
[card]
summary = "Drawn."
limits = ["Only for tests."]
tried = ["Nothing else."]
""")
    return path
