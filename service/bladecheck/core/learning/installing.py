"""The bundle that an adapted head becomes: its parent's files with another head, golden pictures, manifest and card."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from bladecheck.core import bundle as bundles
from bladecheck.core.bundle import Bundle
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import recorded, rescored
from bladecheck.core.learning import measures
from bladecheck.core.learning.adapting import Adapted
from bladecheck.core.learning.fitting import Head
from bladecheck.core.weights import HEADS
from bladecheck.errors import LabelsError

CARD = "README.md"
UNLIKE = "pictures unlike those that the parent was measured on"


def check_name(target: Path) -> None:
    """Refuse a folder whose name can't be a bundle's.

    Raises:
        LabelsError: with what a name may be.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,40}", target.name):
        raise LabelsError(f"{target.name!r} can't be a bundle's name: a-z, 0-9 and -, at most 41, a letter first.")


def install(found: Adapted, parent: Bundle, target: Path, labels_sha256: str) -> Bundle:
    """Write the adapted bundle into `target`, complete or not at all, and return it.

    Raises:
        LabelsError: if the folder's name can't be a bundle's.
    """
    check_name(target)
    scratch = target.with_name(f"{target.name}.{os.getpid()}.part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    for name in parent.manifest.files:
        if name not in (HEADS, bundles.GOLDEN):
            shutil.copyfile(parent.path / name, scratch / name)
    (scratch / HEADS).write_bytes(_heads(found.head, parent))
    (scratch / bundles.GOLDEN).write_bytes((parent.path / bundles.GOLDEN).read_bytes())
    _describe(scratch, found, parent, target.name, labels_sha256)
    cases = [one.model_dump() for one in rescored(Classifier(bundles.load(scratch)), recorded(parent))]
    (scratch / bundles.GOLDEN).write_text(json.dumps({"cases": cases}, indent=1))
    _describe(scratch, found, parent, target.name, labels_sha256)
    (scratch / CARD).write_text(card(found, parent, target.name), encoding="utf-8")
    bundles.load(scratch)
    before = target.with_name(f"{target.name}.{os.getpid()}.before")
    if target.exists():
        target.rename(before)
    scratch.rename(target)
    shutil.rmtree(before, ignore_errors=True)
    return bundles.load(target)


def _heads(head: Head, parent: Bundle) -> bytes:
    """heads.npz with another column for the knife."""
    column = parent.manifest.outputs.names.index("knife")
    with np.load(parent.path / HEADS, allow_pickle=False) as kept:
        arrays = {name: kept[name].copy() for name in kept.files}
    arrays["weight"][:, column], arrays["bias"][column] = head.weight, head.bias
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _describe(folder: Path, found: Adapted, parent: Bundle, name: str, labels_sha256: str) -> None:
    """Write bundle.json: the parent's, with what is new."""
    manifest: dict[str, Any] = json.loads((parent.path / bundles.MANIFEST).read_bytes())
    identity, (check, hold) = parent.identity, found.bands
    manifest |= {
        "name": name,
        "version": "1.0.0",
        "summary": f"{identity['name']} {identity['version']}, its knife score adapted to {found.stated}.",
        "parent": parent.sha256,
        "files": {file: hashlib.sha256((folder / file).read_bytes()).hexdigest() for file in manifest["files"]},
        "data": {"labels": found.counts, "labels_sha256": labels_sha256, "parent": manifest["data"]},
        "training": {
            "method": "another knife head by ridge logistic regression towards the parent's; everything else is kept",
            "penalty": "infinite" if np.isinf(found.penalty) else found.penalty,
            "parent": f"{identity['name']} {identity['version']} {parent.sha256}",
        },
        "metrics": {
            "own labels, the parent as shipped": found.parent,
            "own labels, adapted, cross-validated by groups": found.new,
            **({UNLIKE: {"own labels": found.unlike}} if found.unlike else {}),
        },
        "limits": [
            f"Adapted to {found.stated}; on other pictures it may do worse than its parent.",
            *manifest["limits"],
        ],
    }
    manifest["calibration"]["labels"]["knife"] = {"scale": found.head.scale, "shift": found.head.shift}
    manifest["thresholds"]["labels"]["knife"] = {"check": check, "hold": hold}
    before = manifest["thresholds"]["chosen_for"]
    manifest["thresholds"]["chosen_for"] = f"knife: {found.chosen_for}; all else: {before}"
    (folder / bundles.MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")


def card(found: Adapted, parent: Bundle, name: str) -> str:
    """The model card."""
    said, identity = measures.said, parent.identity
    rows = [f"| {key} | {said(found.parent[key])} | {said(found.new[key])} |" for key in found.parent]
    check, hold = found.bands
    return "\n".join([
        f"# {name} 1.0.0",
        "",
        f"{identity['name']} {identity['version']} with a knife score adapted to a user's own labels: "
        f"{found.counts['pictures']} pictures, {found.counts['knives']} with a knife, "
        f"in {found.counts['groups']} groups of look-alikes. Written by `bladecheck adapt`.",
        "",
        f"Parent: `{parent.sha256}`. Its graph, map, kinds, features and other labels are unchanged.",
        "",
        f"Knife: check from {check:.4f}, hold from {hold:.4f}; {found.chosen_for}.",
        "",
        f"| on these labels | {identity['name']} {identity['version']} as shipped | adapted, cross-validated |",
        "| --- | --- | --- |",
        *rows,
        "",
        "Values have a 95 % interval and n: Wilson for shares, resampling of groups for the rest. Each picture was "
        "judged by a head, and with thresholds, that saw neither it nor its look-alikes. "
        f"The adapted head had less log loss in {found.likely:.0%} of resamples.",
        "",
        *([f"Of these pictures {said(found.unlike)} lie outside the range of those that {identity['name']} was "
           "measured on: there its map, kinds and other labels are least to be trusted.", ""] if found.unlike else []),
        " ".join(found.what_more_would_buy()),
        "",
        "## What it cannot do",
        "",
        "- It was measured on the labelled pictures alone; on others it may do worse than its parent.",
        *(f"- {limit}" for limit in parent.manifest.limits),
        "",
        "## Where it comes from",
        "",
        "The pictures and labels that it was adapted to are the user's own; none of them is in this folder. Of its "
        f"parent's pictures: {parent.manifest.data.get('licences', 'the parent states no licence')}",
        "",
        *(f"- {line}" for line in parent.manifest.data.get("for_lawyers", ())),
    ]) + "\n"  # fmt: skip
