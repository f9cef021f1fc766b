"""What becomes of damaged pictures: how many knife pictures end as `clear` because bytes of their file were lost.

Each picture is written in every format, damaged in many ways and judged. Every result should equal that of the whole
file, or be failed, `maybe_damaged` or `cannot_judge`; the last two columns count what slipped through.

    .venv/bin/python benchmarks/damage.py --bundle small
    .venv/bin/python benchmarks/damage.py --bundle small --pictures FOLDER --labels labels.csv --most 40
    .venv/bin/python benchmarks/damage.py --whole FOLDER      # false alarms among pictures that are whole
    .venv/bin/python benchmarks/damage.py --mutations 20000   # small pictures, mutated at random, tiny model
    .venv/bin/python benchmarks/damage.py --journals 1000     # damaged journals of a run
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from bladecheck.core import images
from bladecheck.core.classifier import Classifier
from bladecheck.core.result import classify_bytes, classify_picture
from bladecheck.core.verdict import Policy
from bladecheck.errors import PictureError

SAVED: dict[str, tuple[str, dict[str, Any]]] = {
    "JPEG": ("JPEG", {"quality": 85}),
    "JPEG, optimised tables": ("JPEG", {"quality": 85, "optimize": True}),
    "JPEG, progressive": ("JPEG", {"quality": 85, "progressive": True}),
    "JPEG, restarts": ("JPEG", {"quality": 85, "restart_marker_rows": 1}),
    "PNG": ("PNG", {}),
    "WebP, lossy": ("WEBP", {"quality": 85}),
    "WebP, lossless": ("WEBP", {"lossless": True}),
    "AVIF": ("AVIF", {"quality": 75}),
    "HEIC": ("HEIF", {"quality": 75}),
    "GIF": ("GIF", {}),
    "TIFF, plain": ("TIFF", {}),
    "TIFF, LZW": ("TIFF", {"compression": "tiff_lzw"}),
    "TIFF, deflate": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "TIFF, JPEG": ("TIFF", {"compression": "jpeg", "quality": 85}),
    "BMP": ("BMP", {}),
}
Damage = Callable[[bytes, random.Random], bytes]


def block(data: bytes, pick: random.Random) -> tuple[int, int]:
    """Where a block of a disk or of a download lies, past the headers: begin and size."""
    size = min(pick.choice((512, 4096, 4096, 16384)), max(1, len(data) // 8))
    begin = pick.randrange(min(len(data) // 20, 1000), max(2, len(data) - size))
    return begin, size


def cut(data: bytes, pick: random.Random) -> bytes:
    return data[: pick.randrange(len(data) // 20, len(data) - 2)]


def zeroed(data: bytes, pick: random.Random) -> bytes:
    begin, size = block(data, pick)
    return data[:begin] + bytes(size) + data[begin + size :]


def garbled(data: bytes, pick: random.Random) -> bytes:
    begin, size = block(data, pick)
    return data[:begin] + pick.randbytes(size) + data[begin + size :]


def removed(data: bytes, pick: random.Random) -> bytes:
    begin, size = block(data, pick)
    return data[:begin] + data[begin + size :]


def swapped(data: bytes, pick: random.Random) -> bytes:
    """Two blocks in each other's place."""
    first, size = block(data, pick)
    second = pick.randrange(first, len(data) - size + 1)
    if second < first + size:
        return removed(data, pick)
    between = data[first + size : second]
    return data[:first] + data[second : second + size] + between + data[first : first + size] + data[second + size :]


def flipped(data: bytes, pick: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(pick.choice((1, 1, 4))):
        changed[pick.randrange(len(data) // 20, len(data))] ^= 1 << pick.randrange(8)
    return bytes(changed)


DAMAGES: dict[str, Damage] = {
    "cut": cut,
    "zeroed": zeroed,
    "garbled": garbled,
    "removed": removed,
    "swapped": swapped,
    "flipped": flipped,
}


def drawn(seed: int) -> Image.Image:
    """A blade with saw teeth and a coloured handle on a table of noisy wood."""
    chance = np.random.default_rng(seed)
    width, height = 900, 660
    down, across = np.mgrid[0:height, 0:width].astype(np.float32)
    wood = np.stack(
        [110 + 30 * np.sin(across / 40 + down / 300 + seed), 80 + 20 * np.sin(across / 40), down * 0 + 50], 2
    )
    image = Image.fromarray((wood + chance.normal(0, 6, wood.shape)).clip(0, 255).astype(np.uint8))
    blade = Image.new("RGBA", image.size)
    pen = ImageDraw.Draw(blade)
    teeth = [(260 + step * 34 + part * 17, 350 - step * 5 + part * 22) for step in range(11) for part in (0, 1)]
    pen.polygon([*teeth, (800, 330), (640, 410), (260, 430)], (206, 210, 216, 255), (90, 90, 96, 255))
    pen.rounded_rectangle((70, 345, 265, 440), 20, (*chance.integers(20, 220, 3).tolist(), 255))
    blade = blade.rotate(float(chance.uniform(-40, 40)), resample=Image.Resampling.BICUBIC)
    image.paste(blade, (0, 0), blade)
    return image.filter(ImageFilter.GaussianBlur(1.0))


def labelled(folder: Path, labels: Path, most: int) -> Iterator[Image.Image]:
    """Pictures that are labelled to show a knife, of the development split."""
    with labels.open(newline="") as stream:
        wanted = [row["id"] for row in csv.DictReader(stream) if row["knife"] == "1" and row["split"] == "dev"]
    random.Random(1).shuffle(wanted)
    for name in wanted[:most]:
        with Image.open(folder / f"{name}.jpg") as image:
            yield image.convert("RGB")


def encoded(image: Image.Image, name: str) -> bytes | None:
    """The file, or None where its encoder is not installed."""
    kind, options = SAVED[name]
    if kind == "HEIF":
        try:
            import pillow_heif  # type: ignore[import-not-found,unused-ignore]  # an encoder; the service only decodes
        except ImportError:
            return None
        pillow_heif.register_heif_opener()
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@dataclass(frozen=True, slots=True)
class Whole:
    """A file as it was: its pixels, its size and the decision on it."""

    data: bytes
    pixels: bytes
    decision: str


class Judge:
    """Says what became of a damaged file; asks the model only where the answer is not known already."""

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier

    def whole(self, data: bytes) -> Whole:
        picture = self._classifier.load(data)
        result = classify_picture(picture, self._classifier, Policy())
        return Whole(data, b"".join(frame.tobytes() for frame in picture.frames), result["decision"])

    def outcome(self, data: bytes, whole: Whole) -> str:
        try:
            picture = self._classifier.load(data)
        except PictureError:
            return "failed"
        if picture.damaged:
            return "maybe_damaged"
        if b"".join(frame.tobytes() for frame in picture.frames) == whole.pixels:
            return "same pixels"
        decision = classify_picture(picture, self._classifier, Policy())["decision"]
        if decision == "cannot_judge":
            return "failed"
        if decision == whole.decision:
            return "same decision"
        return "now clear" if decision == "clear" else "other decision"


OUTCOMES = ("failed", "maybe_damaged", "same pixels", "same decision", "other decision", "now clear")


def table(judge: Judge, pictures: list[Image.Image], rounds: int, seed: int, by_damage: bool) -> Counter[str]:
    """Print the table; give back all outcomes."""
    total: Counter[str] = Counter()
    print(f"| format | n | {' | '.join(OUTCOMES)} |\n|---|---|{'---|' * len(OUTCOMES)}")
    for name in SAVED:
        counts: dict[str, Counter[str]] = {damage: Counter() for damage in DAMAGES}
        for number, image in enumerate(pictures):
            if (data := encoded(image, name)) is None:
                break
            whole = judge.whole(data)
            if whole.decision == "clear":
                continue  # nothing to lose: the model misses this knife anyway
            for damage, make in DAMAGES.items():
                for again in range(rounds):
                    pick = random.Random(f"{seed} {name} {number} {damage} {again}")
                    if (changed := make(data, pick)) != data:
                        counts[damage][judge.outcome(changed, whole)] += 1
        everything: Counter[str] = sum(counts.values(), Counter())
        total += everything
        for line, found in [(name, everything)] + [(f"- {one}", counts[one]) for one in DAMAGES if by_damage]:
            print(f"| {line} | {found.total()} | {' | '.join(str(found[one]) for one in OUTCOMES)} |", flush=True)
    return total


def law(count: int, seed: int) -> Counter[str]:
    """Mutations of small pictures of every format (tests/mutations.py), by the tiny model: what became of them."""
    import tiny
    from mutations import mutated_with_original

    found: Counter[str] = Counter()
    decisions: dict[bytes, str] = {}
    with tempfile.TemporaryDirectory() as place:
        classifier = Classifier.open(tiny.write_bundle(Path(place) / "bundle"))
        for data, original in islice(mutated_with_original(seed), count):
            if original not in decisions:
                decisions[original] = classify_bytes(original, classifier)["decision"]
            result = classify_bytes(data, classifier)
            codes = {reason["code"] for reason in result["reasons"]}
            if result["status"] == "failed":
                found["failed"] += 1
            elif "maybe_damaged" in codes:
                found["maybe_damaged"] += 1
            elif result["decision"] in ("cannot_judge", decisions[original]):
                found["cannot_judge" if result["decision"] == "cannot_judge" else "same decision"] += 1
            else:
                kind = result["image"]["format"]
                found[f"slipped through: {kind}, {decisions[original]} to {result['decision']}"] += 1
    return found


def journals(count: int, seed: int) -> None:
    """Damage the journal of a small run `count` times; raises where a figure changes or scoring does not mend it."""
    import tiny
    from bladecheck.archives import open_archive
    from bladecheck.runs.engines.local import LocalEngine
    from bladecheck.runs.folder import RunFolder
    from bladecheck.runs.run import Run
    from journal_damages import assert_mended, damage
    from score_helpers import exported, fill

    with tempfile.TemporaryDirectory() as place:
        folder, run = fill(Path(place) / "pictures", 30), Path(place) / "run"
        classifier = Classifier.open(tiny.write_bundle(Path(place) / "bundle"))

        def score() -> None:
            with open_archive([folder]) as archive:
                Run([folder], archive.items(), LocalEngine(classifier, workers=1), RunFolder(run)).go()

        score()
        manifest, whole, wanted = (run / "run.json").read_bytes(), (run / "journal.jsonl").read_bytes(), exported(run)
        kinds: Counter[str] = Counter()
        for number in range(seed, seed + count):
            (run / "run.json").write_bytes(manifest)
            kinds[damage(run, whole, number)] += 1
            with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
                assert_mended(run, wanted, score)
    print(f"{kinds.total()} damaged journals, no figure changed, all mended: {dict(kinds)}")


def false_alarms(folder: Path) -> int:
    """How many files of a folder, all taken as whole, are suspected or refused."""
    counts: Counter[str] = Counter()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            counts["suspected" if images.load(path.read_bytes(), at_least=448).damaged else "whole"] += 1
            if counts["suspected"] and images.load(path.read_bytes(), at_least=448).damaged:
                print("suspected:", path)
        except PictureError as error:
            counts[f"refused ({error.code})"] += 1
    print(dict(counts))
    return counts["suspected"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", default="small")
    parser.add_argument("--pictures", type=Path, help="folder of labelled pictures; drawn ones without it")
    parser.add_argument("--labels", type=Path, help="CSV with id, split and knife")
    parser.add_argument("--most", type=int, default=12, help="pictures")
    parser.add_argument("--rounds", type=int, default=4, help="of each damage, for each picture and format")
    parser.add_argument("--by-damage", action="store_true", help="a line for each kind of damage, too")
    parser.add_argument("--mutations", type=int, default=0, help="instead: so many mutated small pictures")
    parser.add_argument("--journals", type=int, default=0, help="instead: so many damaged journals of a run")
    parser.add_argument("--whole", type=Path, help="instead: false alarms among the pictures of this folder")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.whole:
        return 1 if false_alarms(options.whole) else 0
    if options.journals:
        journals(options.journals, options.seed)
        return 0
    if options.mutations:
        for outcome, count in law(options.mutations, options.seed).most_common():
            print(f"{count:>7} {outcome}")
        return 0
    classifier = Classifier.open(options.bundle)
    judge = Judge(classifier)
    if options.pictures:
        pictures = list(labelled(options.pictures, options.labels, options.most))
    else:
        pictures = [drawn(seed) for seed in range(options.most)]
    total = table(judge, pictures, options.rounds, options.seed, options.by_damage)
    print(f"\n{total.total()} damaged files, {total['now clear']} of them now clear.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
