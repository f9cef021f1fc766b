"""A graph, its calibration and its measures to a bundle folder that the service accepts."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import importlib.metadata
import io
import json
import platform
import subprocess
from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from PIL import Image, ImageDraw

from bladecheck.core import bundle, taxonomy
from bladecheck.core.classifier import Classifier
from bladecheck.core.preprocess import prepare
from bladecheck.core.weights import HEADS
from bladecheck_training import card, export, novelty
from bladecheck_training.calibrate import Platt
from bladecheck_training.config import Config, Targets
from bladecheck_training.fitting import Fitted
from bladecheck_training.manifest import Row
from bladecheck_training.views import Library

GRAPH_LICENCE, GRAPH_AUTHOR = "Apache-2.0", "Bladecheck contributors"
PACKAGES = ("torch", "torchvision", "timm", "onnx", "onnxruntime", "numpy", "pillow", "scikit-learn")


@dataclass(frozen=True)
class Facts:
    """What was fitted and measured.

    Attributes:
        occupied: from this value on a cell of the map counts as blade.
        limit: of the embedding's distance.
        parent: sha256 of the bundle gone on from, or None.
    """

    fitted: Fitted
    occupied: float
    limit: float
    parent: str | None
    metrics: dict[str, Any]
    notes: dict[str, Any]


def write(
    folder: Path, config: Config, library: Library, used: AbstractSet[str], facts: Facts, arrays: dict[str, Any]
) -> None:
    """Add golden.json, bundle.json and README.md to a folder that has model.onnx and heads.npz, and check the result.

    Args:
        used: ids of the pictures that took part in training.
        arrays: what heads.npz is to hold beside the heads.
    """
    with np.load(folder / HEADS) as heads:
        kept = {name: heads[name] for name in ("weight", "bias")}
    np.savez(folder / HEADS, **kept, **arrays)
    export.named(
        folder / bundle.MODEL, name=config.model.name, version=config.model.version, licence=GRAPH_LICENCE,
        author=GRAPH_AUTHOR, description=config.card.summary,
        config_sha256=hashlib.sha256(json.dumps(plain(config), sort_keys=True).encode()).hexdigest(),
    )  # fmt: skip
    _manifest(folder, config, library, used, facts, golden={"cases": []})
    cases = golden(Classifier(bundle.load(folder)))
    _manifest(folder, config, library, used, facts, golden={"cases": cases})
    (folder / "README.md").write_text(card.render(bundle.load(folder)))


def plain(config: Config) -> dict[str, Any]:
    """The config without what the manifest says elsewhere, and without paths, which mean nothing to others."""
    value = dataclasses.asdict(config)
    for key in ("work", "models", "card"):
        del value[key]
    for key in ("teacher", "weights", "parent"):
        if "/" in value["model"][key]:
            value["model"][key] = Path(value["model"][key]).name
    for key in ("labels", "images", "pool", "outlines"):
        value["data"].pop(key)
    return value


def _manifest(
    folder: Path, config: Config, library: Library, used: AbstractSet[str], facts: Facts, golden: dict[str, Any]
) -> None:
    (folder / bundle.GOLDEN).write_text(json.dumps(golden, indent=1))
    fitted, shapes = facts.fitted, _shapes(folder / bundle.MODEL)
    value = {
        "schema": bundle.SCHEMA,
        "name": config.model.name,
        "version": config.model.version,
        "summary": config.card.summary,
        "input": "uint8 NHWC RGB",
        "preprocess": dict(config.preprocess) | looks(config, fitted),
        "outputs": {
            "labels": taxonomy.LABELS, "blades": taxonomy.BLADES, "features": taxonomy.FEATURES,
            "weapons": taxonomy.WEAPONS,
            "occupancy": shapes["occupancy"], "embedding": shapes["embedding"][0],
        },
        "calibration": {
            "labels": {name: platt(p) for name, p in fitted.labels.items()},
            "features": {name: platt(p) for name, p in fitted.features.items()},
            "blade_temperature": fitted.blade_temperature,
            "weapon_temperature": fitted.weapon_temperature,
        } | ({"first_look": platt(fitted.rule.first)} if config.crops else {}),
        "thresholds": {
            "labels": {name: {"check": low, "hold": high} for name, (low, high) in fitted.bands.items()},
            "blade_sure": fitted.blade_sure, "weapon_sure": fitted.weapon_sure, "occupied": facts.occupied,
            "feature_seen": fitted.feature_seen,
            "chosen_for": chosen_for(config.targets),
        },
        "gates": {"min_side": 32, "min_contrast": 6},
        "files": {},
        "parent": facts.parent,
        "embedding_range": {"limit": facts.limit, "share": novelty.SHARE, "measure": "beside"},
        "data": counts(list(library.rows.values()), used) | {
            "unlabelled": dict(Counter(library.pool[name] for name in used if name in library.pool)),
            "licences": config.card.licences, "for_lawyers": list(config.card.lawyers),
        },
        "training": {
            "commit": commit(), "config": plain(config), "python": platform.python_version(),
            "packages": {name: importlib.metadata.version(name) for name in PACKAGES}, **facts.notes,
        } | ({"tried": list(config.card.tried)} if config.card.tried else {}),
        "metrics": facts.metrics,
        "limits": config.card.limits,
    }  # fmt: skip
    state(folder, value)


def looks(config: Config, fitted: Fitted) -> dict[str, Any]:
    """What `preprocess` says of looks."""
    if not config.crops:
        return {}
    rule = fitted.rule
    return {"looks": {"crops": config.crops, "combine": rule.combine, "kinds": rule.kinds,
                      "again_from": rule.again_from, "again_to": rule.again_to}}  # fmt: skip


def platt(value: Platt) -> dict[str, float]:
    """As the manifest has it."""
    return {"scale": value.scale, "shift": value.shift}


def _shapes(path: Path) -> dict[str, list[int]]:
    """Sizes of the graph's outputs for one picture, by name."""
    graph = onnx.load(path, load_external_data=False).graph
    return {item.name: [int(d.dim_value) for d in item.type.tensor_type.shape.dim[1:]] for item in graph.output}


def chosen_for(targets: Targets) -> str:
    """What the thresholds promise, in a sentence."""
    return (
        f"with looks, at most {targets.missed:.1%} of knife pictures clear and {10 * targets.false_hold:.1%} of all "
        f"others held in each held-out set, and {targets.false_hold:.2%} of the ordinary photos in dev; other labels: "
        f"at most {targets.other_false_check:.1%} of the ordinary photos (one at least) and four times that of all "
        f"without end as `check`, and as far as that allows at most {targets.other_missed:.0%} of those with as "
        f"`clear`; at most {targets.wrong_kind:.0%} of the kinds "
        f"and {targets.wrong_feature:.0%} of the features that are named are wrong"
    )


def counts(rows: Sequence[Row], used: AbstractSet[str]) -> dict[str, Any]:
    """Pictures by split and label, and by source, with how many of them took part in training."""

    def name(row: Row) -> str:
        return {1: "knife", 0: "no knife", None: "not judged"}[row.knife]

    def part(index: Sequence[int]) -> dict[str, int]:
        return dict(Counter(name(rows[i]) for i in index)) | {"trained on": len(used & {rows[i].id for i in index})}

    return {
        "by_split": {split: part([i for i, row in enumerate(rows) if row.split == split])
                     for split in sorted({row.split for row in rows})},
        "by_blade": dict(Counter(row.blade for row in rows if row.blade)),
        "by_weapon": dict(Counter(row.weapon for row in rows if row.weapon)),
        "by_source": {source: part([i for i, row in enumerate(rows) if row.source == source])
                      for source in sorted({row.source for row in rows})},
    }  # fmt: skip


def commit() -> str:
    """The commit of this code, with "+" if the tree had changes; "unknown" outside a checkout."""
    here = str(Path(__file__).parents[1])

    def git(*arguments: str) -> str:
        command = ["git", "-C", here, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603

    try:
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", ".") else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def state(folder: Path, manifest: dict[str, Any]) -> None:
    """Write bundle.json, with the hashes of the folder's files as they are now."""
    manifest["files"] = {name: _sha256(folder / name) for name in export.files(folder)}
    (folder / bundle.MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def golden(classifier: Classifier) -> list[dict[str, Any]]:
    """Drawn pictures with the pixels and scores that this bundle gives them today."""
    cases = []
    for name, data in _drawings().items():
        picture = classifier.load(data)
        pixels = prepare(picture.frames[0], classifier.bundle.spec)
        scores = classifier.scores(classifier.look(picture.frames[0], pixels).logits)
        values = {**scores.labels, **scores.blade, **scores.features, **scores.weapon}
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
    return {"blade.png": _bytes(blade, "PNG"), "shape.png": _bytes(shape, "PNG"), "clouds.jpg": _bytes(clouds, "JPEG")}


def _bytes(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **({"quality": 90} if kind == "JPEG" else {"optimize": True}))
    return buffer.getvalue()
