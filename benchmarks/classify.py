"""CPU time per picture for decode, prepare and inference apart, for each bundle, beside plain onnxruntime.

    python benchmarks/classify.py [--pictures 60] [--bundles base small]

Pictures are drawn here: phone-like JPEGs of 1600 x 1200 with texture, so that anyone can run this. Times are CPU
milliseconds on one core (time.process_time), medians over pictures; trust the ratios more than the numbers.
"""

from __future__ import annotations

import argparse
import io
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from bladecheck.core import weights
from bladecheck.core.bundle import find
from bladecheck.core.classifier import Classifier, open_session
from bladecheck.core.preprocess import Pixels, prepare


def draw(count: int) -> list[bytes]:
    """JPEG files of 1600 x 1200 with smooth and fine structure."""
    rng, files = np.random.default_rng(0), []
    for _ in range(count):
        coarse = Image.fromarray(rng.integers(0, 255, (12, 16, 3), dtype=np.uint8)).resize((1600, 1200), 3)
        noisy = np.asarray(coarse).astype(np.int16) + rng.integers(-12, 12, (1200, 1600, 1))
        buffer = io.BytesIO()
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=85)
        files.append(buffer.getvalue())
    return files


def cost(action: Callable[[], object]) -> float:
    """CPU milliseconds of one call."""
    started = time.process_time()
    action()
    return (time.process_time() - started) * 1000


def batch_cost(session: Any, arrays: list[Pixels], size: int) -> float:
    """Median CPU milliseconds per picture of a bare session on ready-made arrays, `size` at a time."""
    groups = [np.stack(arrays[start : start + size]) for start in range(0, len(arrays) - size + 1, size)]
    return statistics.median(cost(lambda g=group: session.run(None, {"pixels": g})) / size for group in groups)


def measure(name: str, files: list[bytes]) -> None:
    """Print one bundle's line."""
    started = time.perf_counter()
    classifier = Classifier(find(name))
    ready, spec = time.perf_counter() - started, classifier.bundle.spec
    pictures = [classifier.load(data) for data in files]
    arrays = [prepare(picture.frames[0], spec) for picture in pictures]
    classifier.run(arrays[0])
    decode = statistics.median(cost(lambda d=data: classifier.load(d)) for data in files)
    prepared = statistics.median(cost(lambda p=picture: prepare(p.frames[0], spec)) for picture in pictures)
    inference = statistics.median(cost(lambda a=array: classifier.run(a)) for array in arrays)
    whole = statistics.median(cost(lambda d=data: classifier.classify_one(classifier.load(d))) for data in files)
    bundle = classifier.bundle
    bare = open_session(bundle.model_path, weights.FILE in bundle.manifest.files)
    bare.run(None, {"pixels": arrays[0][None]})
    one, eight = batch_cost(bare, arrays, 1), batch_cost(bare, arrays, 8)
    values = [decode, prepared, inference, whole, one, eight]
    ratio = whole / (one + decode + prepared)
    print(f"| {name} | {ready:.2f} | {' | '.join(f'{value:.1f}' for value in values)} | {ratio:.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--bundles", nargs="+", default=["base", "small"])
    arguments = parser.parse_args()
    if arguments.pictures < 8:
        parser.error("--pictures: at least 8, since one column is a batch of 8")
    files = draw(arguments.pictures)
    columns = "bundle", "ready after, s", "decode", "prepare", "inference", "whole", "plain b1", "plain b8", "ratio"
    print(f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for name in arguments.bundles:
        measure(name, files)
    print("\nCPU milliseconds a picture. Ratio: the whole against decode + prepare + plain onnxruntime.")


if __name__ == "__main__":
    main()
