"""Scores to a decision. Pure: no clock, no I/O, no state; the same scores and policy always give the same verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from bladecheck.core.bundle import Band, Gates, Thresholds
from bladecheck.core.looks import Box
from bladecheck.core.taxonomy import BLADE_WORDS, RANK, WEAPON_WORDS, Decision

WeaponAction = Literal["hold", "check", "ignore"]
KnifeAction = Literal["hold", "check"]
Evidence = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Scores:
    """What the model says of one picture.

    Attributes:
        labels: calibrated probability per label, such as "knife" and "gun".
        blade: given a knife, the distribution over its kind; sums to 1.
        features: calibrated probability per feature.
        weapon: given another weapon, the distribution over its kind; sums to 1.
        raw: uncalibrated logits by name, kept so that a published answer can be traced.
    """

    labels: Mapping[str, float]
    blade: Mapping[str, float] = field(default_factory=dict)
    features: Mapping[str, float] = field(default_factory=dict)
    weapon: Mapping[str, float] = field(default_factory=dict)
    raw: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the picture itself.

    Attributes:
        width, height: in pixels.
        contrast: brightness spread of the model's input, 0 to 255.
        damaged: its file shows signs of damage: what can't be seen any more can't be cleared.
    """

    width: int
    height: int
    contrast: int
    damaged: bool = False


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
        other_weapon: what a weapon that is neither knife nor gun (an axe, a baton) alone leads to.
        food: what a knife that is kitchen ware or cutlery in a food scene leads to.
        drawing: what a drawn or toy knife leads to.
        summary: what the policy is for, in one sentence.
        approver_required: a picture that is not clear may only be used with the name of who approved it and why.
        approvers: names or roles that may approve; anyone if empty.
        wording: by decision, weapon or kind of blade, the advice that is shown with it; may hold {kind}.
        language: of the words that follow, "en" or "cy".
        organisation, helplines: fill {organisation} and {helplines} of the texts.
        pointers: what research and others say of such posts, in plain sentences; one may end with an https address.
        post: by decision, weapon or kind of blade, a text for a post; may hold {kind} and the two above.
        alt_text: the same for the text that is read out in place of the picture.
    """

    name: str = "default"
    sha256: str = ""
    thresholds: Mapping[str, Band] = field(default_factory=dict)
    gun: WeaponAction = "check"
    other_weapon: WeaponAction = "check"
    food: KnifeAction = "hold"
    drawing: KnifeAction = "check"
    summary: str = ""
    approver_required: bool = False
    approvers: tuple[str, ...] = ()
    wording: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"
    organisation: str = "police"
    helplines: str = ""
    pointers: tuple[str, ...] = ()
    post: Mapping[str, str] = field(default_factory=dict)
    alt_text: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> dict[str, str]:
        """Name and sha256, as every answer and every run carry them."""
        return {"name": self.name, "sha256": self.sha256}


KNIFE_CODES = frozenset(("knife", "knife_unsure"))
"""Reasons that speak of a knife, sure or not: there is something to blur, and to write a post without."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with its grounds.

    Attributes:
        kind: of blade, if one is likely enough.
        evidence: a map [rows, columns] in 0..1 of where the blade is, or None.
        frame: index into `Picture.frames` of the frame that decided, which `evidence` and `embedding` belong to.
        looks: how often the model looked, at whole frames and parts of them.
        embedding: float32 [D], what the model's last layer read of that whole frame, or None.
        weapon: kind of other weapon, if one is seen and likely enough.
        peak: the box around where the map is surest of blade; None without a knife, or without an occupancy map.
        covered: share of the picture that the map calls blade, 0..1; None where `peak` is.
        unlike: how far the embedding lies from those of measured pictures; above 1, farther than nearly all of them.
    """

    decision: Decision
    reasons: tuple[Reason, ...]
    scores: Scores
    kind: str | None = None
    evidence: Evidence | None = None
    frame: int = 0
    looks: int = 1
    embedding: Evidence | None = field(default=None, repr=False, compare=False)
    weapon: str | None = None
    peak: Box | None = None
    covered: float | None = None
    unlike: float | None = None


REASONS: dict[str, str] = {
    "knife": "A knife or other bladed article can be seen.",
    "knife_unsure": "There may be a knife: a person should look.",
    "no_knife": "No knife was found.",
    "gun": "A firearm, or something that looks like one, can be seen.",
    "gun_unsure": "There may be a firearm: a person should look.",
    "other_weapon": "Another weapon, or something that looks like one, can be seen.",
    "other_weapon_unsure": "There may be another weapon: a person should look.",
    "food_scene": "It looks like a kitchen or food scene.",
    "drawing": "It looks like a drawing, poster or toy.",
    "serrated": "A serrated or saw edge shows.",
    "holes": "Holes or slots in the blade show.",
    "points": "Spikes or several points show.",
    "lurid": "The blade has a fantasy shape or lurid colours.",
    "several_knives": "More than one knife shows.",
    "in_hand": "Someone is holding it.",
    "blood": "Blood, or something that looks like it, shows.",
    "too_small": "The picture is too small to judge.",
    "blank": "The picture is blank, or nearly so.",
    "maybe_damaged": "The file may be damaged: part of the picture may be missing or wrong.",
}
BLADE_FEATURES = ("serrated", "holes", "points", "lurid", "several_knives", "in_hand", "blood")


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
    places = {name: _place(score, bands[name]) for name, score in scores.labels.items()}
    knife, gun, other = (places.get(name, Decision.CLEAR) for name in ("knife", "gun", "other_weapon"))
    kind = _likeliest(scores.blade, thresholds.blade_sure) if knife is Decision.HOLD else None
    weapon = _likeliest(scores.weapon, thresholds.weapon_sure) if other is Decision.HOLD else None
    flags = {name for name, cut in thresholds.feature_seen.items() if scores.features.get(name, 0.0) >= cut}
    actions = [_soften(knife, kind, flags, policy), _cap(gun, policy.gun), _cap(other, policy.other_weapon)]
    reasons = [*_of_knife(knife, kind, flags), *_of_weapons(gun, other, weapon), *_of_scene(knife, flags)]
    if seen.damaged:
        actions.append(Decision.CHECK)
        reasons.append(_reason("maybe_damaged"))
    return Verdict(max(actions, key=RANK.__getitem__), tuple(reasons), scores, kind, weapon=weapon)


def _place(score: float, band: Band) -> Decision:
    if score >= band.hold:
        return Decision.HOLD
    return Decision.CHECK if score >= band.check else Decision.CLEAR


def _cap(decision: Decision, action: WeaponAction) -> Decision:
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


def _likeliest(kinds: Mapping[str, float], sure: float) -> str | None:
    """The kind if one is likely enough, else None: "not sure" is an answer."""
    best = max(kinds, key=lambda name: kinds[name], default=None)
    return best if best is not None and kinds[best] >= sure else None


def _reason(code: str) -> Reason:
    return Reason(code, REASONS[code])


def _of_knife(knife: Decision, kind: str | None, flags: set[str]) -> list[Reason]:
    if knife is not Decision.HOLD:
        return [_reason("knife_unsure" if knife is Decision.CHECK else "no_knife")]
    kinds = [Reason(f"blade_{kind}", kind_sentence(BLADE_WORDS[kind]))] if kind else []
    return [_reason("knife"), *kinds, *(_reason(code) for code in BLADE_FEATURES if code in flags)]


def _of_weapons(gun: Decision, other: Decision, weapon: str | None) -> list[Reason]:
    seen = {Decision.HOLD: "", Decision.CHECK: "_unsure"}
    reasons = [_reason(name + seen[place]) for name, place in (("gun", gun), ("other_weapon", other)) if place in seen]
    return [*reasons, Reason(f"weapon_{weapon}", kind_sentence(WEAPON_WORDS[weapon]))] if weapon else reasons


def _of_scene(knife: Decision, flags: set[str]) -> list[Reason]:
    return [_reason(code) for code in ("food_scene", "drawing") if code in flags and knife is not Decision.CLEAR]


def kind_sentence(words: str) -> str:
    """The reason that names a kind of blade or weapon."""
    return f"It looks like this kind: {words}."
