"""The knife score of a finished bundle under another rule for its looks: calibration, thresholds and measures anew.

Nothing is trained: the graph stays. What does not depend on the knife score (kinds, other weapons, the map) stays in
the manifest as it was measured on police pictures when the bundle was made, cross-validated where it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.progress import track

from bladecheck.core import bundle
from bladecheck.core.bundle import Bundle
from bladecheck.core.classifier import Classifier
from bladecheck.core.preprocess import prepare, prepare_part
from bladecheck_training import bundling, fitting, restate, tables
from bladecheck_training.calibrate import Platt
from bladecheck_training.config import Config
from bladecheck_training.fitting import Fitted
from bladecheck_training.looks import Rule
from bladecheck_training.manifest import Row
from bladecheck_training.scored import Logits, Scored

OTHERWISE = ("kinds", "gun", "other_weapon")
"""On police pictures these measure heads that were cross-validated and are no longer at hand."""


def settle(folder: Path, rows: Sequence[Row], config: Config, looks: Mapping[str, Logits]) -> Bundle:
    """Combine looks as `config.looks.combine` says; write the bundle's manifest, golden answers and card anew.

    Args:
        folder: of a bundle with looks; files in it are replaced.
        rows: of the splits dev and police.
        looks: by split "dev" and "police" logits [N, J, WIDTH] of the whole and each crop, in the order of `rows`.

    Raises:
        ValueError: the bundle's knife score was cross-validated, by heads whose looks can't be had from the bundle.
    """
    found = restate.manifest_of(folder, config.model.version)
    if tables.KEPT["police"] not in found["metrics"]:
        raise ValueError(f"{folder} was not gone on from a parent: its knife score was cross-validated, and those "
                         "heads are not in it. Set [looks] combine and export it from its run.")  # fmt: skip
    before = fitted(bundle.load(folder))
    before = replace(before, rule=replace(before.rule, combine=config.looks.combine))
    sets = {
        name: Scored([row for row in rows if row.split == name], looks[name], before.rule, config.data.tools)
        for name in ("dev", "police")
    }
    after = fitting.knife_fitted(before, list(sets.values()), config.targets)
    found["preprocess"] |= bundling.looks(config, after)
    found["calibration"]["labels"]["knife"] = bundling.platt(after.labels["knife"])
    check, hold = after.bands["knife"]
    found["thresholds"]["labels"]["knife"] = {"check": check, "hold": hold}
    sets |= {"unseen": sets["police"]}  # other heads, but the same knife score
    fresh = tables.measure(sets, after, kept=True) | tables.sliced(sets, after, kept=True)
    found["metrics"] = {
        title: fresh.get(title, old) | ({} if title.startswith("dev") else {k: old[k] for k in OTHERWISE if k in old})
        for title, old in found["metrics"].items()
    }
    found["thresholds"]["chosen_for"] = bundling.chosen_for(config.targets)
    found["summary"], found["limits"] = config.card.summary, config.card.limits
    told = {"config": bundling.plain(config), "commit": bundling.commit(), "tried": list(config.card.tried)}
    found["training"] |= told
    bundling.state(folder, found)
    cases = bundling.golden(Classifier(bundle.load(folder)))
    (folder / bundle.GOLDEN).write_text(json.dumps({"cases": cases}, indent=1))
    return restate.written(folder, found)


def read_looks(folder: Path, rows: Sequence[Row]) -> dict[str, Logits]:
    """What the bundle's graph says of the whole and of every crop of each picture, [N, J, WIDTH] by split."""
    classifier = Classifier(bundle.load(folder))
    spec, again = classifier.bundle.spec, classifier.bundle.manifest.preprocess.looks
    assert again is not None
    found: dict[str, list[Logits]] = {"dev": [], "police": []}
    for row in track(rows, "Looking", transient=True):
        frame = classifier.load(row.path.read_bytes()).frames[0]
        every = [prepare(frame, spec), *(prepare_part(frame, spec, box) for box in again.crops)]
        found[row.split].append(np.stack([classifier.run(pixels).logits for pixels in every]))
    return {name: np.stack(logits) for name, logits in found.items() if logits}


def fitted(made: Bundle) -> Fitted:
    """The calibration, thresholds and rule of looks that a bundle states."""
    calibration, thresholds, again = made.manifest.calibration, made.manifest.thresholds, made.manifest.preprocess.looks
    rule = Rule()
    if again and calibration.first_look:
        first = Platt(calibration.first_look.scale, calibration.first_look.shift)
        rule = Rule(again.again_from, again.again_to, again.kinds, again.combine, first)
    return Fitted(
        labels={name: Platt(one.scale, one.shift) for name, one in calibration.labels.items()},
        features={name: Platt(one.scale, one.shift) for name, one in calibration.features.items()},
        blade_temperature=calibration.blade_temperature,
        weapon_temperature=calibration.weapon_temperature,
        bands={name: (one.check, one.hold) for name, one in thresholds.labels.items()},
        feature_seen=dict(thresholds.feature_seen),
        blade_sure=thresholds.blade_sure,
        weapon_sure=thresholds.weapon_sure,
        rule=rule,
    )
