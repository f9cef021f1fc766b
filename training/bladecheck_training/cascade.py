"""A cascade of two finished bundles: from which scores of the quick one on the other is asked, and what both reach.

Nothing is trained. What the quick model settles is chosen, and measured, on its scores of pictures that its heads had
not seen: of `dev`, and of the police pictures by the heads of the other folds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.progress import track

from bladecheck.core import bundle
from bladecheck.core.bundle import Bundle
from bladecheck.core.classifier import Classifier
from bladecheck.core.taxonomy import LABELS
from bladecheck_training import bundling, metrics, restate, settle, tables
from bladecheck_training.config import Config
from bladecheck_training.fitting import Fitted
from bladecheck_training.manifest import Row
from bladecheck_training.net import KNIFE
from bladecheck_training.scored import Logits, Scored

MISSED = 0.004
"""Share of the pictures with a label that the lender does not clear which the first model may settle, in each set."""
TITLES = {
    "dev": "dev (never trained on)",
    "police": "police: the first's scores cross-validated; NOT the lender's, whose heads have seen these pictures",
}
SUMMARY = (
    "{first} settles in one quick look what it is sure to be harmless; {lender} judges the rest as it would alone. "
    "For archives in which most pictures show no weapon."
)
LIMIT = "A knife that {first} is sure not to see is never shown to {lender}; see above how many that were."


@dataclass(frozen=True)
class Answers:
    """What both models say of the labelled pictures of one set.

    Attributes:
        first: logits of the quick model's only look, float32 [N, WIDTH].
        lender: logits of all the lender's looks together, float32 [N, WIDTH].
        looks: how many those were, int64 [N].
        tools: sources whose pictures are no ordinary photos.
    """

    rows: Sequence[Row]
    first: Logits
    lender: Logits
    looks: npt.NDArray[np.int64]
    tools: tuple[str, ...] = ()

    def scored(self, logits: Logits) -> Scored:
        """These pictures with one answer each, float32 [N, WIDTH]."""
        return Scored(self.rows, logits[:, None], tools=self.tools)


def build(folder: Path, first: Path, lender: Path, rows: Sequence[Row], config: Config, version: str) -> Bundle:
    """Write the cascade of the bundles `first` and `lender` into `folder`, with its card and golden pictures.

    Args:
        rows: of the splits dev and police.
        config: of the run that `first` came from; its predictions are read from its work folder.

    Raises:
        ValueError: if the run has predicted nothing yet.
    """
    quick, whole = bundle.load(first), bundle.load(lender)
    sets = asked(whole, rows, Path(config.work), tuple(config.data.tools))
    small, large = settle.fitted(quick), settle.fitted(whole)
    below = {name: _below(list(sets.values()), LABELS.index(name), small, large) for name in LABELS}
    found: dict[str, Any] = json.loads((lender / bundle.MANIFEST).read_bytes())
    names = {"first": quick.manifest.name, "lender": whole.manifest.name}
    found |= {
        "name": folder.name,
        "version": version,
        "summary": SUMMARY.format(**names),
        "parent": None,
        "first": {"name": quick.manifest.name, "sha256": quick.sha256, "below": below},
        "lender": {"name": whole.manifest.name, "sha256": whole.sha256},
        "training": {"commit": bundling.commit(), "first": _named(quick), "lender": _named(whole)},
        "metrics": {TITLES[name]: measured(name, sets, below, small, large) for name in sets},
        "limits": [*whole.manifest.limits, LIMIT.format(**names)],
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / bundle.GOLDEN).write_text(json.dumps({"cases": []}))
    bundling.state(folder, found)
    cases = bundling.golden(Classifier(bundle.load(folder)))
    (folder / bundle.GOLDEN).write_text(json.dumps({"cases": cases}, indent=1))
    return restate.written(folder, found)


def _named(one: Bundle) -> str:
    return f"{one.manifest.name} {one.manifest.version} (sha256 {one.sha256})"


def asked(lender: Bundle, rows: Sequence[Row], work: Path, tools: tuple[str, ...] = ()) -> dict[str, Answers]:
    """What both models say of each set; the lender's answers are kept in `work`, since they take long."""
    if not (work / "predictions.npz").exists():
        raise ValueError(f"{work} has no predictions; train the first model's run to the end.")
    predicted = np.load(work / "predictions.npz")
    kept = work / f"answers-{lender.sha256[:16]}.npz"
    if not kept.exists():
        np.savez(kept, **_answers(Classifier(lender), rows))  # type: ignore[arg-type]
    known, found = np.load(kept), {}
    place = {str(name): index for index, name in enumerate(known["ids"])}
    by_id = {row.id: row for row in rows}
    for name, key in (("dev", "final"), ("police", "police")):
        if f"{key}_ids" in predicted.files:
            ids = [str(one) for one in predicted[f"{key}_ids"]]
            index = [place[one] for one in ids]
            firsts = predicted[f"{key}_logits"][:, 0]
            seen = [by_id[one] for one in ids]
            found[name] = Answers(seen, firsts, known["logits"][index], known["looks"][index], tools)
    return found


def _answers(classifier: Classifier, rows: Sequence[Row]) -> dict[str, npt.NDArray[Any]]:
    logits, looks = [], []
    for row in track(rows, "Looking", transient=True):
        output = classifier.look(classifier.load(row.path.read_bytes()).frames[0])
        logits.append(output.logits)
        looks.append(output.looks)
    return {"ids": np.array([row.id for row in rows]), "logits": np.stack(logits), "looks": np.array(looks)}


def _below(sets: Sequence[Answers], column: int, small: Fitted, large: Fitted) -> float:
    """Below which score of one label the first model is believed: the highest cut that loses at most `MISSED`.

    What is lost is counted among pictures that show it and that the lender does not clear.
    """
    name = LABELS[column]
    check = large.bands[name][0]
    cuts = [check]
    for one in sets:
        shown = np.array([row.labels.get(name) == 1 for row in one.rows])
        found = shown & (large.labels[name](one.lender[:, column]) >= check)
        score = np.sort(small.labels[name](one.first[:, column])[found])
        if len(score):
            cuts.append(float(score[int(MISSED * len(score))]) * 0.999)
    return round(min(cuts), 4)


def measured(
    name: str, sets: Mapping[str, Answers], below: Mapping[str, float], small: Fitted, large: Fitted
) -> dict[str, Any]:
    """Measures of the cascade on one set, beside those of the lender alone."""
    both = {key: _scored(one, _settled(one, below, small), small, large) for key, one in sets.items()}
    alone = {key: one.scored(one.lender) for key, one in sets.items()}
    one, settled = sets[name], _settled(sets[name], below, small)
    result = tables.summary(both[name], large, [each.known for key, each in both.items() if key != name])
    del result["looks"]
    theirs = tables.brief(alone[name], large)
    knife = np.array([row.knife == 1 for row in one.rows])
    judged = np.array([row.knife is not None for row in one.rows])
    ordinary = alone[name].ordinary
    shares = {
        "settled, of all pictures": (settled & judged, judged),
        "settled, of the ordinary photos": (settled & ordinary, ordinary),
        "settled, of the knife pictures": (settled & knife, knife),
    }
    return result | {
        "the lender alone": theirs,
        "how far the cascade's ROC-AUC lies above the lender's": _gained(both[name].known, alone[name].known),
        **{title: metrics.share(int(hit.sum()), int(among.sum())) for title, (hit, among) in shares.items()},
        "looks of the lender a picture": float(np.where(settled, 0, one.looks)[judged].mean()),
        "looks of the lender a picture, alone": float(one.looks[judged].mean()),
    }


def _settled(one: Answers, below: Mapping[str, float], small: Fitted) -> npt.NDArray[np.bool_]:
    """Which pictures the first model settles, bool [N]."""
    scores = [small.labels[name](one.first[:, LABELS.index(name)]) < low for name, low in below.items()]
    return np.asarray(np.logical_and.reduce(scores), bool)


def _scored(one: Answers, settled: npt.NDArray[np.bool_], small: Fitted, large: Fitted) -> Scored:
    """The cascade's logits: the lender's, and where settled those that its calibration takes for the first's scores."""
    logits = one.lender.copy()
    for column, name in enumerate(LABELS):
        ours, theirs = large.labels[name], small.labels[name]
        logits[settled, column] = (theirs.scale * one.first[settled, column] + theirs.shift - ours.shift) / ours.scale
    logits[settled, len(LABELS) :] = one.first[settled, len(LABELS) :]
    return one.scored(logits)


def _gained(both: Scored, alone: Scored, rounds: int = 1000) -> dict[str, Any]:
    """The difference of two areas on the same pictures, resampled together by group."""
    pairs = np.stack([both.logits[:, KNIFE], alone.logits[:, KNIFE]], 1)

    def difference(truth: metrics.Array, scores: metrics.Array) -> float:
        return metrics.auc(truth, scores[:, 0]) - metrics.auc(truth, scores[:, 1])

    return metrics.interval(difference, both.knife, pairs, both.groups, rounds)
