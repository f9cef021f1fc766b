"""The closed vocabulary: what a model may say. A bundle that uses a name not listed here is refused.

No name here is a legal finding: "zombie" describes a look (see docs/labels.md), never an offence.
"""

from __future__ import annotations

from enum import StrEnum


class Decision(StrEnum):
    """What a press officer does next; ordered from least to most restrictive by `RANK`."""

    CLEAR = "clear"
    CHECK = "check"
    HOLD = "hold"
    CANNOT_JUDGE = "cannot_judge"


RANK: dict[Decision, int] = {Decision.CLEAR: 0, Decision.CANNOT_JUDGE: 1, Decision.CHECK: 2, Decision.HOLD: 3}

LABELS: tuple[str, ...] = ("knife", "gun", "other_weapon")
"""Independent scores: a picture may show all of them, some or none."""

BLADES: tuple[str, ...] = ("kitchen", "cutlery", "folding", "utility", "fixed", "zombie", "machete", "sword")
"""Given a knife, one distribution over its kind."""

WEAPONS: tuple[str, ...] = (
    "axe",
    "knuckleduster",
    "baton",
    "bow",
    "crossbow",
    "catapult",
    "stun_gun",
    "spray",
    "grenade",
)
"""Given another weapon, one distribution over its kind. A tool or sports gear (hammer, bat) by itself is none."""

FEATURES: tuple[str, ...] = (
    "serrated",
    "holes",
    "points",
    "lurid",
    "several_knives",
    "in_hand",
    "food_scene",
    "drawing",
    "blood",
)
"""What else can be seen, each an independent score; used for reasons, never as a verdict of its own."""

BLADE_WORDS: dict[str, str] = {
    "kitchen": "kitchen knife",
    "cutlery": "table cutlery",
    "folding": "folding knife",
    "utility": "utility knife or box cutter",
    "fixed": "fixed-blade knife",
    "zombie": "zombie-style knife",
    "machete": "machete",
    "sword": "sword",
}

WEAPON_WORDS: dict[str, str] = {
    "axe": "axe",
    "knuckleduster": "knuckleduster",
    "baton": "baton or cosh",
    "bow": "bow",
    "crossbow": "crossbow",
    "catapult": "catapult",
    "stun_gun": "stun gun",
    "spray": "irritant spray",
    "grenade": "grenade",
}
