"""How well a bundle does on a user's own labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bladecheck.core.classifier import Classifier
from bladecheck.core.learning import measures
from bladecheck.core.learning.labels import Labelled
from bladecheck.core.result import Result, classify_bytes
from bladecheck.core.taxonomy import Decision
from bladecheck.core.verdict import Policy

Progress = Callable[[Iterable[Labelled]], Iterable[Labelled]]


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
        groups = [one.labelled.group or one.result["image"]["sha256"] for one in self.judged]
        area = measures.interval(lambda among: measures.auc(truth[among], score[among]), groups)
        return {
            "pictures": len(truth),
            "knives": int(truth.sum()),
            "failed": len(self.failed),
            "auc": area,
            "confusion": self._confusion(),
            "knives not clear": self._share(1, Decision.HOLD, Decision.CHECK, Decision.CANNOT_JUDGE),
            "knives held": self._share(1, Decision.HOLD),
            "others clear": self._share(0, Decision.CLEAR),
            "others held": self._share(0, Decision.HOLD),
            "risk by coverage": measures.risk_coverage(truth, score),
        }

    def _confusion(self) -> dict[str, dict[str, int]]:
        return {name: {str(decision): sum(one.labelled.knife == knife and one.result["decision"] == decision
                                          for one in self.judged) for decision in Decision}
                for name, knife in (("knife", 1), ("other", 0))}  # fmt: skip

    def _share(self, knife: int, *decisions: Decision) -> measures.Measured:
        among = [one for one in self.judged if one.labelled.knife == knife]
        return measures.share(sum(one.result["decision"] in decisions for one in among), len(among))


def evaluate(labelled: Iterable[Labelled], classifier: Classifier, policy: Policy | None = None) -> Evaluation:
    """Judge every labelled picture as the service would."""
    found = Evaluation()
    for one in labelled:
        try:
            result = classify_bytes(one.path.read_bytes(), classifier, policy)
        except OSError as error:
            found.failed.append((one, str(error.strerror)))
            continue
        if result["status"] == "failed":
            found.failed.append((one, result["error"]["detail"]))
        else:
            found.judged.append(Judged(one, result))
    return found


def lines(measured: dict[str, Any], errors: Sequence[Judged], most: int = 20) -> list[str]:
    """The evaluation as text."""
    said = measures.said
    found = [
        f"{measured['pictures']} pictures, {measured['knives']} with a knife; {measured['failed']} could not be read.",
        f"Area under the ROC curve: {said(measured['auc'])}",
        *(f"{name[0].upper()}{name[1:]}: {said(measured[name])}"
          for name in ("knives not clear", "knives held", "others clear", "others held")),
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
