"""A bundle adapted to a user's own labels: another knife head on the same trunk, installed only if it is better."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bladecheck.core import bundle as bundles
from bladecheck.core.bundle import Bundle
from bladecheck.core.classifier import Classifier
from bladecheck.core.golden import recorded, rescored
from bladecheck.core.learning import fitting, measures
from bladecheck.core.learning.fitting import Head, Table
from bladecheck.core.learning.labels import Labelled
from bladecheck.core.learning.seen import Looked, Reading, groups
from bladecheck.core.weights import HEADS
from bladecheck.errors import LabelsError

LEAST = 20
"""Labelled pictures of each kind, knife and other, that adapting needs."""
CONFIDENT, AREA_LOST = 0.95, 0.002
"""Better means: less log loss in this share of resamples, and no more than so much less area under the ROC curve."""
# Shares of the labels for which it is worked out what they alone would have given.
CURVE = (0.25, 0.5, 0.75, 1.0)
CARD = "README.md"
Bands = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Targets:
    """Error rates that thresholds are chosen for: knives that end as clear, and other pictures that are held."""

    missed: float = 0.02
    false_hold: float = 0.02


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came of it.

    Attributes:
        head: fitted on all labels.
        bands: check and hold of the knife score.
        penalty: what it was fitted with; infinite: the shipped head, recalibrated.
        parent, new: measures side by side, the new ones cross-validated.
        likely: share of resamples in which the new one has less log loss.
        better: whether it is worth installing.
        curve: (labels learned from, log loss), for what more labels would buy.
        counts: pictures, knives and groups.
    """

    head: Head
    bands: Bands
    penalty: float
    parent: dict[str, Any]
    new: dict[str, Any]
    likely: float
    better: bool
    curve: list[tuple[int, float]]
    counts: dict[str, int]


def adapt(labelled: Sequence[Labelled], readings: Sequence[Reading], bundle: Bundle, targets: Targets) -> Adapted:
    """Fit a knife head to labelled pictures and judge it by cross-validation."""
    manifest = bundle.manifest
    first = manifest.calibration.first_look
    looked = Looked(readings, manifest.preprocess.looks, (first.scale, first.shift) if first else (1.0, 0.0))
    truth = np.array([one.knife for one in labelled], np.int64)
    table = Table(looked, truth, groups(labelled, looked.whole))
    if len(set(table.groups)) < 2 * fitting.FOLDS:
        raise LabelsError(f"The pictures fall into {len(set(table.groups))} groups of look-alikes; at least "
                          f"{2 * fitting.FOLDS} are needed to tell whether anything got better.")  # fmt: skip
    shipped = shipped_head(bundle)
    before, after = shipped.probabilities(looked), fitting.cross_validated(table, shipped)
    everything = np.arange(len(truth))
    penalty = fitting.choose_penalty(table, everything, shipped)
    loss_before, loss_after = (measures.log_losses(truth, score) for score in (before, after))
    gains = measures.resampled(lambda among: float((loss_before - loss_after)[among].mean()), table.groups)
    likely = float((gains > 0).mean())
    band = manifest.thresholds.labels["knife"]
    held = _crossed_bands(table, after, targets)
    parent = _measured(table, before, np.full(len(truth), band.check), np.full(len(truth), band.hold))
    new = _measured(table, after, *held)
    return Adapted(
        head=fitting.fit(table, everything, shipped, penalty),
        bands=chosen_bands(truth, after, targets),
        penalty=penalty,
        parent=parent,
        new=new,
        likely=likely,
        better=likely >= CONFIDENT and new["auc"]["value"] >= parent["auc"]["value"] - AREA_LOST,
        curve=fitting.learning_curve(table, shipped, penalty, CURVE),
        counts={"pictures": len(truth), "knives": int(truth.sum()), "groups": len(set(table.groups))},
    )


def shipped_head(bundle: Bundle) -> Head:
    """A bundle's own knife head."""
    column, platt = bundle.manifest.outputs.names.index("knife"), bundle.manifest.calibration.labels["knife"]
    with np.load(bundle.path / HEADS, allow_pickle=False) as heads:
        weight, bias = heads["weight"][:, column].astype(np.float64), float(heads["bias"][column])
    return Head(weight, bias, platt.scale, platt.shift)


def chosen_bands(truth: measures.Truth, score: measures.Floats, targets: Targets) -> Bands:
    """The highest `check` that misses no more knives than allowed; the lowest `hold` that holds no more others.

    `hold` is at least .5. Each lies midway between the scores that it parts.
    """
    knives, others = np.sort(score[truth == 1]), np.sort(score[truth == 0])[::-1]
    allowed = int(targets.missed * len(knives))
    check = (knives[allowed] + (knives[allowed - 1] if allowed else 0.0)) / 2
    allowed = min(int(targets.false_hold * len(others)), len(others) - 1)
    hold = max(0.5, (others[allowed] + (others[allowed - 1] if allowed else 1.0)) / 2)
    return round(float(min(check, hold)), 4), round(float(min(hold, 0.999)), 4)


def _crossed_bands(table: Table, score: measures.Floats, targets: Targets) -> tuple[measures.Floats, measures.Floats]:
    """check and hold [N] of each picture, chosen on the pictures of the other folds."""
    check, hold = np.zeros(len(score)), np.zeros(len(score))
    folds = table.folds(np.arange(len(score)), fitting.FOLDS)
    for fold in folds:
        rest = np.concatenate([other for other in folds if other is not fold])
        check[fold], hold[fold] = chosen_bands(table.truth[rest], score[rest], targets)
    return check, hold


def _measured(
    table: Table, score: measures.Floats, check: measures.Floats, hold: measures.Floats
) -> dict[str, measures.Measured]:
    truth, groups_ = table.truth, table.groups
    losses = measures.log_losses(truth, score)
    yes, no = int(truth.sum()), int((1 - truth).sum())
    return {
        "auc": measures.interval(lambda among: measures.auc(truth[among], score[among]), groups_),
        "log loss": measures.interval(lambda among: float(losses[among].mean()), groups_),
        "knives not clear": measures.share(int(((score >= check) & (truth == 1)).sum()), yes),
        "knives held": measures.share(int(((score >= hold) & (truth == 1)).sum()), yes),
        "others not clear": measures.share(int(((score >= check) & (truth == 0)).sum()), no),
        "others held": measures.share(int(((score >= hold) & (truth == 0)).sum()), no),
    }


def lines(found: Adapted, parent: Bundle) -> list[str]:
    """The comparison as text."""
    identity = parent.identity
    counts, said = found.counts, measures.said
    rows = [f"{name:<18}{said(found.parent[name]):<34}{said(found.new[name])}" for name in found.parent]
    learned = ", ".join(f"{loss:.3f} with {n}" for n, loss in found.curve)
    gain = found.curve[-2][1] - found.curve[-1][1] if len(found.curve) > 1 else 0.0
    more = "More labels would still help." if gain > 0.005 else "More labels like these would change little."
    return [
        f"{counts['pictures']} pictures, {counts['knives']} with a knife, in {counts['groups']} groups of look-alikes.",
        "",
        f"{'':<18}{identity['name'] + ' ' + identity['version']:<34}adapted (cross-validated)",
        *rows,
        "",
        f"Log loss by number of labels learned from: {learned}. {more}",
        f"The adapted head is better in {found.likely:.0%} of resamples.",
    ]


def install(found: Adapted, parent: Bundle, target: Path, labels_sha256: str) -> Bundle:
    """Write the adapted bundle into `target`, complete or not at all, and return it.

    Raises:
        LabelsError: if the folder's name can't be a bundle's.
    """
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,40}", target.name):
        raise LabelsError(f"{target.name!r} can't be a bundle's name: a-z, 0-9 and -, at most 41, a letter first.")
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
    if target.exists():
        shutil.rmtree(target)
    scratch.rename(target)
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
    stated = f"{found.counts['pictures']} of the user's own labels ({found.counts['knives']} knives)"
    manifest |= {
        "name": name,
        "version": "1.0.0",
        "summary": f"{identity['name']} {identity['version']}, its knife score adapted to {stated}.",
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
        },
        "limits": [f"Adapted to {stated}; on other pictures it may do worse than its parent.", *manifest["limits"]],
    }
    manifest["calibration"]["labels"]["knife"] = {"scale": found.head.scale, "shift": found.head.shift}
    manifest["thresholds"]["labels"]["knife"] = {"check": check, "hold": hold}
    before = manifest["thresholds"]["chosen_for"]
    manifest["thresholds"]["chosen_for"] = f"knife: stated error rates on {stated}; all else: {before}"
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
        f"Knife: check from {check:.4f}, hold from {hold:.4f}.",
        "",
        f"| on these labels | {identity['name']} {identity['version']} as shipped | adapted, cross-validated |",
        "| --- | --- | --- |",
        *rows,
        "",
        "Values have a 95 % interval and n: Wilson for shares, resampling of groups for the rest. Each picture was "
        "judged by a head, and with thresholds, that saw neither it nor its look-alikes. "
        f"The adapted head had less log loss in {found.likely:.0%} of resamples.",
        "",
        "Labels learned from, and log loss on pictures held out: "
        + ", ".join(f"{n}: {loss:.3f}" for n, loss in found.curve) + ".",
        "",
        "## What it cannot do",
        "",
        "- It was measured on the labelled pictures alone; on others it may do worse than its parent.",
        *(f"- {limit}" for limit in parent.manifest.limits),
    ]) + "\n"  # fmt: skip
