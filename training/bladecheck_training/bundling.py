"""A graph, its calibration and its measures to a bundle folder that the service accepts."""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import io
import json
import platform
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from bladecheck import bundle, taxonomy
from bladecheck.classifier import Classifier
from bladecheck.preprocess import prepare
from bladecheck_training import card, export
from bladecheck_training.config import Config
from bladecheck_training.evaluate import Fitted
from bladecheck_training.manifest import Row

PACKAGES = ("torch", "torchvision", "timm", "onnx", "onnxruntime", "numpy", "pillow", "scikit-learn")
LIMITS = (
    "It was measured on one UK police unit's posts of half a year and on web photos; another force's style may differ.",
    "Small knives in wide scenes, knives mostly hidden, and knives seen end-on are missed more often.",
    "On police posts the commonest mistakes were utility knives with little or no blade out (missed) and an axe (held).",
    "Shiny long tools (spirit levels, files, saws, some batons) are the likeliest false alarms.",
    "Sheathed or closed knives were left out of training; expect any answer.",
    "The kind of blade describes a look. It is wrong about one time in three on police posts and is no legal finding; "
    "length cannot be told from a photo.",
    "The gun score is a by-product, measured on web photos only; do not rely on it alone.",
    "The model does not know context: a kitchen knife in a recipe and one in an evidence bag are both knives.",
)


def write(
    folder: Path,
    config: Config,
    rows: Sequence[Row],
    fitted: Fitted,
    grid: int,
    metrics: dict[str, Any],
    summary: str,
    notes: dict[str, Any],
) -> None:
    """Add golden.json, bundle.json and README.md to a folder that has model.onnx, and check the result."""
    _manifest(folder, config, rows, fitted, grid, metrics, summary, notes, golden={"cases": []})
    cases = golden(Classifier(bundle.load(folder)))
    _manifest(folder, config, rows, fitted, grid, metrics, summary, notes, golden={"cases": cases})
    (folder / "README.md").write_text(card.render(bundle.load(folder)))


def _manifest(
    folder: Path, config: Config, rows: Sequence[Row], fitted: Fitted, grid: int, metrics: dict[str, Any], summary: str,
    notes: dict[str, Any], golden: dict[str, Any],
) -> None:  # fmt: skip
    (folder / bundle.GOLDEN).write_text(json.dumps(golden, indent=1))
    targets = config.targets
    value = {
        "schema": bundle.SCHEMA,
        "name": config.model.name,
        "version": config.model.version,
        "summary": summary,
        "input": "uint8 NHWC RGB",
        "preprocess": dict(config.preprocess),
        "outputs": {
            "labels": taxonomy.LABELS,
            "blades": taxonomy.BLADES, "features": taxonomy.FEATURES, "evidence": [grid, grid],
        },
        "calibration": {
            "labels": {name: {"scale": p.scale, "shift": p.shift} for name, p in fitted.labels.items()},
            "features": {name: {"scale": p.scale, "shift": p.shift} for name, p in fitted.features.items()},
            "blade_temperature": fitted.blade_temperature,
        },
        "thresholds": {
            "labels": {name: {"check": low, "hold": high} for name, (low, high) in fitted.bands.items()},
            "blade_sure": 0.6,
            "feature_seen": fitted.feature_seen,
            "chosen_for": f"at most {targets.missed:.1%} of knife pictures clear and {targets.false_hold:.2%} of "
            "ordinary photos held, on dev and on cross-validated police pictures",
        },
        "gates": {"min_side": 32, "min_contrast": 6},
        "files": {name: _sha256(folder / name) for name in export.files(folder)},
        "data": counts(rows),
        "training": {
            "commit": commit(), "config": _plain(config), "python": platform.python_version(),
            "packages": {name: importlib.metadata.version(name) for name in PACKAGES}, **notes,
        },
        "metrics": metrics,
        "limits": LIMITS,
    }  # fmt: skip
    (folder / bundle.MANIFEST).write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n")


def counts(rows: Sequence[Row]) -> dict[str, Any]:
    """Pictures by split and label, and by source."""

    def name(row: Row) -> str:
        return {1: "knife", 0: "no knife", None: "not judged"}[row.knife]

    return {
        "by_split": {split: dict(Counter(name(row) for row in rows if row.split == split))
                     for split in sorted({row.split for row in rows})},
        "by_blade": dict(Counter(row.blade for row in rows if row.blade)),
        "by_source": {source: dict(Counter(name(row) for row in rows if row.source == source))
                      for source in sorted({row.source for row in rows})},
        "licences": "Most sources state no licence; pictures were used for training and are not distributed.",
    }  # fmt: skip


def commit() -> str:
    """The commit of the training code, with "+" if the tree had changes; "unknown" outside a checkout."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603, S607

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "training") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def golden(classifier: Classifier) -> list[dict[str, Any]]:
    """Drawn pictures with the pixels and scores that this bundle gives them today."""
    cases = []
    for name, data in _drawings().items():
        picture = classifier.load(data)
        pixels = prepare(picture.frames[0], classifier.bundle.spec)
        scores = classifier.scores(classifier.run(pixels).logits)
        values = {**scores.labels, **scores.blade, **scores.features}
        cases.append({
            "name": name,
            "data": base64.b64encode(data).decode(),
            "pixels_sha256": hashlib.sha256(pixels.tobytes()).hexdigest(),
            "scores": {key: round(value, 6) for key, value in values.items()},
        })  # fmt: skip
    return cases


def _drawings() -> dict[str, bytes]:
    """Odd-sized drawings in several formats: a blade, a plain shape, smooth noise."""
    blade = Image.new("RGB", (301, 187), (196, 180, 150))
    pen = ImageDraw.Draw(blade)
    pen.polygon([(20, 95), (180, 70), (185, 110), (60, 118)], fill=(205, 208, 212), outline=(90, 90, 95))
    pen.rectangle((183, 74, 280, 106), fill=(30, 28, 26))
    shape = Image.new("RGB", (160, 211), (90, 140, 90))
    ImageDraw.Draw(shape).ellipse((30, 50, 120, 150), fill=(220, 190, 60))
    noise = np.random.default_rng(0).integers(0, 255, (6, 8, 3), dtype=np.uint8)
    clouds = Image.fromarray(noise).resize((233, 170), Image.Resampling.BICUBIC)
    return {"blade.png": _bytes(blade, "PNG"), "shape.png": _bytes(shape, "PNG"), "clouds.jpg": _bytes(clouds, "JPEG"),
            "blade.jpg": _bytes(blade, "JPEG")}  # fmt: skip


def _bytes(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"quality": 90} if kind == "JPEG" else {"optimize": True}))
    return buffer.getvalue()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _plain(config: Config) -> dict[str, Any]:
    """The config without paths, which say nothing elsewhere."""
    import dataclasses

    value = dataclasses.asdict(config)
    for key in ("work", "models"):
        del value[key]
    for key in ("labels", "images"):
        value["data"].pop(key)
    return value
