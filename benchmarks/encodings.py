"""Does a picture keep its decision in whatever way it is encoded? One scene in a hundred encodings, asked of a model.

Scenes: a drawn knife, and photos that come with scikit-image. Compared with the PNG (those without colour with the grey
PNG): decisions that differ, how far knife scores lie apart, and how many pass for damaged (there should be none).

    .venv/bin/python benchmarks/encodings.py --bundle base
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from PIL import Image

from bladecheck.core.classifier import Classifier
from one_scene import encodings, grey_encodings, knife_scene

PHOTOS = ("chelsea.png", "coffee.png", "astronaut.png", "motorcycle_left.png", "rocket.jpg")
SIZE = (640, 480)


def scenes() -> Iterator[tuple[str, Image.Image]]:
    """Name and picture, all of one size."""
    yield "drawn knife", knife_scene(SIZE)
    for file in importlib.metadata.files("scikit-image") or []:
        if file.parts[-2:-1] == ("data",) and file.name in PHOTOS:
            with Image.open(str(file.locate())) as photo:
                yield file.stem, photo.convert("RGB").resize(SIZE, Image.Resampling.LANCZOS)


def main() -> None:
    """Print a table, a line a scene, and the encodings that got another decision."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", default="base")
    model = Classifier.open(parser.parse_args().bundle)
    print("| scene | encodings | score | decision | other decisions | scores differ by at most | pass for damaged |")
    print("|---|---|---|---|---|---|---|")
    for scene, image in scenes():
        for files, reference in ((encodings(image), "png"), (grey_encodings(image), "grey")):
            pictures = {name: model.load(data) for name, data in files.items()}
            verdicts = {name: model.classify_one(picture) for name, picture in pictures.items()}
            scores = {name: verdict.scores.labels["knife"] for name, verdict in verdicts.items()}
            others = [name for name, one in verdicts.items() if one.decision != verdicts[reference].decision]
            apart = {name: abs(score - scores[reference]) for name, score in scores.items()}
            farthest = max(apart, key=apart.__getitem__)
            damaged = sum(picture.damaged for picture in pictures.values())
            print(
                f"| {scene}{', grey' if reference == 'grey' else ''} | {len(files)} | {scores[reference]:.3f} | "
                f"{verdicts[reference].decision} | {len(others)} {', '.join(others)} | "
                f"{apart[farthest]:.3f} ({farthest}) | {damaged} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
