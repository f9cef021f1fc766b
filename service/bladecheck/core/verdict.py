"""Scores to a decision. Pure: no clock, no I/O, no state; the same scores and policy always give the same verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from bladecheck.core.bundle import Band, Gates, Thresholds
from bladecheck.core.taxonomy import BLADE_WORDS, RANK, Decision

GunAction = Literal["hold", "check", "ignore"]
KnifeAction = Literal["hold", "check"]
Evidence = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model says of one picture.

    Attributes:
        labels: calibrated probability per label, "knife" and "gun".
        blade: given a knife, the distribution over its kind; sums to 1.
        features: calibrated probability per feature.
        raw: uncalibrated logits by name, kept so that a published answer can be traced.
    """

    labels: Mapping[str, float]
    blade: Mapping[str, float] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)
    raw: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the picture itself: size in pixels, and brightness spread of the model's input, 0 to 255."""

    width: int
    height: int
    contrast: int


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, as a stable code and a plain sentence."""

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Policy:
    """A force's rules on top of the model.

    Attributes:
        name, sha256: identity of the policy, carried in every answer.
        thresholds: per label, replaces the bundle's band.
        gun: what a gun alone leads to.
        food: what a knife that is kitchen ware or cutlery in a food scene leads to.
        drawing: what a drawn or toy knife leads to.
        summary: what the policy is for, in one sentence.
        approver_required: a picture that is not clear may only be used with the name of who approved it and why.
        wording: by decision, the advice that is shown with it; may hold {kind}.
        alt_text: by decision, a suggestion to start an alternative text from; may hold {kind}.
    """

    name: str = "default"
    sha256: str = ""
    thresholds: Mapping[str, Band] = field(default_factory=dict)
    gun: GunAction = "check"
    food: KnifeAction = "hold"
    drawing: KnifeAction = "hold"
    summary: str = ""
    approver_required: bool = False
    wording: Mapping[str, str] = field(default_factory=dict)
    alt_text: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, str]:
        """Name and sha256, as every answer and every run carry them."""
        return {"name": self.name, "sha256": self.sha256}


KNIFE_CODES = frozenset(("knife", "knife_unsure"))
"""Reasons that speak of a knife, sure or not: there is something to blur, and to write a post without."""
GUN_CODES = frozenset(("gun", "gun_unsure"))


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with its grounds.

    Attributes:
        evidence: a coarse map [rows, columns] of knife probability, or None.
        frame: index into `Picture.frames` of the frame that decided, which `evidence` belongs to.
    """

    decision: Decision
    reasons: tuple[Reason, ...]
    scores: Scores
    kind: str | None = None
    evidence: Evidence | None = None
    frame: int = 0


REASONS: dict[str, str] = {
    "knife": "A knife or other bladed article can be seen.",
    "knife_unsure": "There may be a knife: a person should look.",
    "no_knife": "No knife was found.",
    "gun": "A firearm, or something that looks like one, can be seen.",
    "gun_unsure": "There may be a firearm: a person should look.",
    "food_scene": "It looks like a kitchen or food scene.",
    "drawing": "It looks like a drawing, poster or toy.",
    "serrated": "A serrated or saw edge shows.",
    "holes": "Holes or slots in the blade show.",
    "points": "Spikes or several points show.",
    "lurid": "The blade has a fantasy shape or lurid colours.",
    "several_knives": "More than one knife shows.",
    "in_hand": "Someone is holding it.",
    "too_small": "The picture is too small to judge.",
    "blank": "The picture is blank, or nearly so.",
}
BLADE_FEATURES = ("serrated", "holes", "points", "lurid", "several_knives", "in_hand")


def decide(scores: Scores, seen: Seen, thresholds: Thresholds, gates: Gates, policy: Policy | None = None) -> Verdict:
    """Turn calibrated scores into a verdict.

    The decision never falls when a label's score rises (monotone), whatever the policy.
    """
    policy = policy or Policy()
    if min(seen.width, seen.height) < gates.min_side:
        return Verdict(Decision.CANNOT_JUDGE, (_reason("too_small"),), scores)
    if seen.contrast < gates.min_contrast:
        return Verdict(Decision.CANNOT_JUDGE, (_reason("blank"),), scores)
    bands = {**thresholds.labels, **policy.thresholds}
    knife = _place(scores.labels["knife"], bands["knife"])
    gun = _place(scores.labels["gun"], bands["gun"]) if "gun" in scores.labels else Decision.CLEAR
    kind = _kind(scores, thresholds) if knife is Decision.HOLD else None
    flags = {name for name, cut in thresholds.feature_seen.items() if scores.features.get(name, 0.0) >= cut}
    decision = max(_soften(knife, kind, flags, policy), _cap(gun, policy.gun), key=RANK.__getitem__)
    return Verdict(decision, tuple(_explain(knife, gun, kind, flags)), scores, kind)


def _place(score: float, band: Band) -> Decision:
    if score >= band.hold:
        return Decision.HOLD
    return Decision.CHECK if score >= band.check else Decision.CLEAR


def _cap(decision: Decision, action: GunAction) -> Decision:
    """Lower a decision to what the policy's action allows."""
    if action == "ignore":
        return Decision.CLEAR
    return Decision.CHECK if action == "check" and decision is Decision.HOLD else decision


def _soften(knife: Decision, kind: str | None, flags: set[str], policy: Policy) -> Decision:
    """Apply the policy's leniency for food scenes and drawings to a sure knife; "not sure" always stays with a person.

    Never below `check`: a rule that cleared sure knives but checked doubtful ones would not be monotone.
    """
    actions: list[KnifeAction] = []
    if "food_scene" in flags and kind in ("kitchen", "cutlery"):
        actions.append(policy.food)
    if "drawing" in flags:
        actions.append(policy.drawing)
    if knife is Decision.HOLD and any(action != "hold" for action in actions):
        return Decision.CHECK
    return knife


def _kind(scores: Scores, thresholds: Thresholds) -> str | None:
    """The kind of blade if one is likely enough, else None: "not sure" is an answer."""
    if not scores.blade:
        return None
    best = max(scores.blade, key=lambda name: scores.blade[name])
    return best if scores.blade[best] >= thresholds.blade_sure else None


def _reason(code: str) -> Reason:
    return Reason(code, REASONS[code])


def _explain(knife: Decision, gun: Decision, kind: str | None, flags: set[str]) -> list[Reason]:
    reasons = []
    if knife is Decision.HOLD:
        reasons.append(_reason("knife"))
        if kind:
            reasons.append(Reason(f"blade_{kind}", f"It looks like this kind: {BLADE_WORDS[kind]}."))
        reasons += [_reason(code) for code in BLADE_FEATURES if code in flags]
    elif knife is Decision.CHECK:
        reasons.append(_reason("knife_unsure"))
    else:
        reasons.append(_reason("no_knife"))
    if gun is not Decision.CLEAR:
        reasons.append(_reason("gun" if gun is Decision.HOLD else "gun_unsure"))
    if knife is not Decision.CLEAR:
        reasons += [_reason(code) for code in ("food_scene", "drawing") if code in flags]
    return reasons
