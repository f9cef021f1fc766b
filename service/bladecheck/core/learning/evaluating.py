"""How well a bundle does on a user's own labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bladecheck.core.classifier import Classifier
from bladecheck.core.learning import measures
from bladecheck.core.learning.labels import Labelled
from bladecheck.core.result import Result, classify_bytes
from bladecheck.core.taxonomy import Decision
from bladecheck.core.verdict import Policy
from bladecheck.errors import BladecheckError

WEIGHTED = (
    "Shares are of the whole run: each picture counts for as many as it was drawn from. The table counts pictures."
)


@dataclass(frozen=True, slots=True)
class Judged:
    """A labelled picture and what the bundle decided."""

    labelled: Labelled
    result: Result

    @property
    def score(self) -> float:
        return float(self.result["scores"]["knife"])

    @property
    def wrong(self) -> bool:
        """A knife that was cleared, or another picture that was held for a knife."""
        if self.labelled.knife:
            return bool(self.result["decision"] == Decision.CLEAR)
        return any(reason["code"] == "knife" for reason in self.result["reasons"])


@dataclass(slots=True)
class Evaluation:
    """What was judged, and what could not be.

    Attributes:
        failed: pictures that can't be read, with the reason.
    """

    judged: list[Judged] = field(default_factory=list)
    failed: list[tuple[Labelled, str]] = field(default_factory=list)

    @property
    def errors(self) -> list[Judged]:
        """Missed knives, then false holds, the surest first."""
        wrong = [one for one in self.judged if one.wrong]
        return sorted(wrong, key=lambda one: (not one.labelled.knife, -abs(one.score - 0.5)))

    def measured(self) -> dict[str, Any]:
        """Every measure with n and interval; shares by Wilson, the area by resampling groups."""
        truth = np.array([one.labelled.knife for one in self.judged], np.int64)
        score = np.array([one.score for one in self.judged])
        weight = np.array([one.labelled.weight for one in self.judged])
        groups = [one.labelled.group or one.result["image"]["sha256"] for one in self.judged]
        area = measures.interval(lambda among: measures.auc(truth[among], score[among], weight[among]), groups)
        return {
            "pictures": len(truth),
            "knives": int(truth.sum()),
            "failed": len(self.failed),
            "auc": area,
            "weighted": bool(len(weight) and np.any(weight != weight[0])),
            "unlike what was measured": self._unlike(),
            "confusion": self._confusion(),
            "knives not clear": self._share(1, Decision.HOLD, Decision.CHECK, Decision.CANNOT_JUDGE),
            "knives held": self._share(1, Decision.HOLD),
            "others clear": self._share(0, Decision.CLEAR),
            "others held": self._share(0, Decision.HOLD),
            "risk by coverage": measures.risk_coverage(truth, score, weight),
        }

    def _confusion(self) -> dict[str, dict[str, int]]:
        return {name: {str(decision): sum(one.labelled.knife == knife and one.result["decision"] == decision
                                          for one in self.judged) for decision in Decision}
                for name, knife in (("knife", 1), ("other", 0))}  # fmt: skip

    def _share(self, knife: int, *decisions: Decision) -> measures.Measured:
        among = [one for one in self.judged if one.labelled.knife == knife]
        return _share_of(among, [one.result["decision"] in decisions for one in among])

    def _unlike(self) -> measures.Measured | None:
        """The share outside the range of the pictures that the bundle was measured on; None if it states none."""
        known = [one for one in self.judged if one.result["unlike"] is not None]
        return _share_of(known, [one.result["unlike"] > 1 for one in known]) if known else None


def _share_of(judged: Sequence[Judged], hit: Sequence[bool]) -> measures.Measured:
    return measures.weighted_share(np.array(hit, bool), np.array([one.labelled.weight for one in judged]))


def evaluate(labelled: Iterable[Labelled], classifier: Classifier, policy: Policy | None = None) -> Evaluation:
    """Judge every labelled picture as the service would."""
    found = Evaluation()
    for one in labelled:
        try:
            result = classify_bytes(one.read(), classifier, policy)
        except OSError as error:
            found.failed.append((one, str(error.strerror)))
            continue
        except BladecheckError as error:  # an archive that no longer has it
            found.failed.append((one, error.detail))
            continue
        if result["status"] == "failed":
            found.failed.append((one, result["error"]["detail"]))
        else:
            found.judged.append(Judged(one, result))
    return found


def lines(measured: dict[str, Any], errors: Sequence[Judged], most: int = 20) -> list[str]:
    """The evaluation as text."""
    said, unlike = measures.said, measured["unlike what was measured"]
    found = [
        f"{measured['pictures']} pictures, {measured['knives']} with a knife; {measured['failed']} could not be read.",
        *([WEIGHTED] if measured["weighted"] else []),
        f"Area under the ROC curve: {said(measured['auc'])}",
        *(f"{name[0].upper()}{name[1:]}: {said(measured[name])}"
          for name in ("knives not clear", "knives held", "others clear", "others held")),
        *([f"Unlike what the model was measured on: {said(unlike)}"] if unlike else []),
        "", "label    " + "".join(f"{name:>14}" for name in Decision),
        *(f"{label:<9}" + "".join(f"{count:>14}" for count in row.values())
          for label, row in measured["confusion"].items()),
        "", "If only the surest were left to the score (cut at 0.5), the rest to people:",
        *(f"  {part['coverage']:>4.0%} of the pictures: wrong {said(part['wrong'])}"
          for part in measured["risk by coverage"]),
    ]  # fmt: skip
    if errors:
        found += ["", "Wrong, missed knives first:"]
        found += [f"  {'knife' if one.labelled.knife else 'other'}  {one.result['decision']:<6} {one.score:.3f}  "
                  f"{one.labelled.name}" for one in errors[:most]]  # fmt: skip
        found += [f"  and {len(errors) - most} more: --errors FILE lists all."] if len(errors) > most else []
    return found
