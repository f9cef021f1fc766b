"""The vocabulary is closed, complete, and speaks of looks, never of law."""

from __future__ import annotations

import re

from bladecheck import errors
from bladecheck.core import taxonomy
from bladecheck.core.taxonomy import RANK, Decision
from bladecheck.core.verdict import BLADE_FEATURES, REASONS

LEGAL = re.compile(
    r"\b(illegal|legal|offence|offensive weapon|banned|prohibited|crime|criminal|unlawful)\b", re.IGNORECASE
)


def test_each_decision_has_a_rank_of_its_own() -> None:
    assert set(RANK) == set(Decision)
    assert sorted(RANK.values()) == list(range(len(Decision)))
    assert max(RANK, key=RANK.__getitem__) is Decision.HOLD
    assert min(RANK, key=RANK.__getitem__) is Decision.CLEAR


def test_each_blade_has_words_and_each_feature_a_reason() -> None:
    assert tuple(taxonomy.BLADE_WORDS) == taxonomy.BLADES
    assert tuple(taxonomy.WEAPON_WORDS) == taxonomy.WEAPONS
    assert set(taxonomy.FEATURES) <= set(REASONS)
    assert set(BLADE_FEATURES) | {"food_scene", "drawing"} == set(taxonomy.FEATURES)


def test_names_are_unique_across_the_vocabulary() -> None:
    names = taxonomy.LABELS + taxonomy.BLADES + taxonomy.FEATURES + taxonomy.WEAPONS
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z][a-z_]*", name) for name in names)


def test_reasons_are_plain_sentences_without_legal_words() -> None:
    for code, text in REASONS.items():
        assert re.fullmatch(r"[a-z][a-z_]*", code)
        assert text[0].isupper()
        assert text.endswith(".")
        assert not LEGAL.search(text)


def test_error_codes_are_unique_and_stable_names() -> None:
    def below(kind: type[errors.BladecheckError]) -> list[type[errors.BladecheckError]]:
        return [kind, *(found for child in kind.__subclasses__() for found in below(child))]

    kinds = [kind for kind in below(errors.BladecheckError) if kind.__module__ == "bladecheck.errors"]
    codes = [kind.code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z][a-z_]*", code) for code in codes)
    assert all(kind.__doc__ for kind in kinds)
    assert str(errors.BrokenPicture("cut off.")) == errors.BrokenPicture("cut off.").detail == "cut off."
