"""`decide`: pure, monotone, gated, and every word it says is in the closed vocabulary."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bladecheck.core import taxonomy
from bladecheck.core.bundle import Band, Gates, Thresholds
from bladecheck.core.taxonomy import RANK, Decision
from bladecheck.core.verdict import REASONS, Policy, Scores, Seen, decide

PROBABILITY = st.floats(0, 1)
BANDS = st.tuples(PROBABILITY, PROBABILITY).map(lambda pair: Band(check=min(pair), hold=max(pair)))
FEATURES = st.dictionaries(st.sampled_from(taxonomy.FEATURES), PROBABILITY)
THRESHOLDS = st.builds(
    Thresholds,
    labels=st.fixed_dictionaries({"knife": BANDS, "gun": BANDS, "other_weapon": BANDS}),
    blade_sure=PROBABILITY,
    feature_seen=FEATURES,
    chosen_for=st.just("tests"),
)
POLICIES = st.builds(
    Policy,
    thresholds=st.dictionaries(st.sampled_from(taxonomy.LABELS), BANDS),
    gun=st.sampled_from(("hold", "check", "ignore")),
    other_weapon=st.sampled_from(("hold", "check", "ignore")),
    food=st.sampled_from(("hold", "check")),
    drawing=st.sampled_from(("hold", "check")),
)
BLADES = st.sampled_from(taxonomy.BLADES).flatmap(
    lambda name: PROBABILITY.map(lambda p: {**dict.fromkeys(taxonomy.BLADES, (1 - p) / 8), name: p})
)
GATES, SEEN = Gates(min_side=32, min_contrast=4), Seen(640, 480, 90)
PLAIN = Thresholds(
    labels=dict.fromkeys(taxonomy.LABELS, Band(check=0.3, hold=0.7)),
    blade_sure=0.5,
    feature_seen=dict.fromkeys(taxonomy.FEATURES, 0.5),
    chosen_for="tests",
)


def scores(knife: float, gun: float = 0.0, **more: Any) -> Scores:
    return Scores(labels={"knife": knife, "gun": gun}, **more)


def codes(given: Scores, policy: Policy | None = None) -> list[str]:
    return [reason.code for reason in decide(given, SEEN, PLAIN, GATES, policy).reasons]


@given(
    low=PROBABILITY,
    high=PROBABILITY,
    other=PROBABILITY,
    blade=BLADES,
    features=FEATURES,
    thresholds=THRESHOLDS,
    policy=POLICIES,
    label=st.sampled_from(taxonomy.LABELS),
    weapon=PROBABILITY,
)
def test_a_higher_score_never_lowers_the_decision(
    low: float,
    high: float,
    other: float,
    blade: dict[str, float],
    features: dict[str, float],
    thresholds: Thresholds,
    policy: Policy,
    label: str,
    weapon: float,
) -> None:
    low, high = sorted((low, high))
    rest = dict.fromkeys(taxonomy.LABELS, other)
    ranks = [
        RANK[
            decide(
                Scores({**rest, label: value}, blade, features, {"axe": weapon}), SEEN, thresholds, GATES, policy
            ).decision
        ]
        for value in (low, high)
    ]
    assert ranks[0] <= ranks[1]


@given(knife=PROBABILITY, gun=PROBABILITY, blade=BLADES, features=FEATURES, policy=POLICIES, thresholds=THRESHOLDS)
def test_every_verdict_has_documented_reasons_and_keeps_the_raw_scores(
    knife: float,
    gun: float,
    blade: dict[str, float],
    features: dict[str, float],
    policy: Policy,
    thresholds: Thresholds,
) -> None:
    given = Scores({"knife": knife, "gun": gun, "other_weapon": gun}, blade, features, {"axe": knife, "bow": 1 - knife})
    verdict = decide(given, SEEN, thresholds, GATES, policy)
    assert verdict.scores is given
    assert verdict.reasons
    known = set(REASONS) | {f"blade_{name}" for name in taxonomy.BLADES} | {"weapon_axe", "weapon_bow"}
    assert {reason.code for reason in verdict.reasons} <= known
    assert len({reason.code for reason in verdict.reasons}) == len(verdict.reasons)
    assert decide(given, SEEN, thresholds, GATES, policy) == verdict


@given(knife=PROBABILITY, gun=PROBABILITY, side=st.integers(0, 31), policy=POLICIES)
def test_gates_come_before_any_score(knife: float, gun: float, side: int, policy: Policy) -> None:
    for seen, reason in (
        (Seen(side, 900, 90), "too_small"),
        (Seen(900, side, 90), "too_small"),
        (Seen(99, 99, 3), "blank"),
    ):
        verdict = decide(scores(knife, gun), seen, PLAIN, GATES, policy)
        assert verdict.decision is Decision.CANNOT_JUDGE
        assert [given.code for given in verdict.reasons] == [reason]


@pytest.mark.parametrize(
    ("knife", "decision", "reason"),
    [
        (0.0, Decision.CLEAR, "no_knife"),
        (0.2999, Decision.CLEAR, "no_knife"),
        (0.3, Decision.CHECK, "knife_unsure"),
        (0.6999, Decision.CHECK, "knife_unsure"),
        (0.7, Decision.HOLD, "knife"),
        (1.0, Decision.HOLD, "knife"),
    ],
)
def test_bands_include_their_lower_edge(knife: float, decision: Decision, reason: str) -> None:
    assert decide(scores(knife), SEEN, PLAIN, GATES).decision is decision
    assert codes(scores(knife)) == [reason]


@pytest.mark.parametrize("feature", ["serrated", "several_knives", "food_scene", "drawing"])
def test_a_feature_is_seen_from_its_threshold_on(feature: str) -> None:
    assert feature in codes(scores(0.9, features={feature: 0.5}))
    assert feature not in codes(scores(0.9, features={feature: 0.4999}))


@pytest.mark.parametrize(
    ("action", "sure", "unsure"), [("hold", "hold", "check"), ("check", "check", "check"), ("ignore", "clear", "clear")]
)
def test_what_a_gun_leads_to_is_the_policys(action: Any, sure: str, unsure: str) -> None:
    policy = Policy(gun=action)
    assert decide(scores(0, 0.9), SEEN, PLAIN, GATES, policy).decision == sure
    assert decide(scores(0, 0.5), SEEN, PLAIN, GATES, policy).decision == unsure
    assert "gun" in codes(scores(0, 0.9), policy), "seen is said, whatever follows from it"


@pytest.mark.parametrize(
    ("action", "sure", "unsure"), [("hold", "hold", "check"), ("check", "check", "check"), ("ignore", "clear", "clear")]
)
def test_what_another_weapon_leads_to_is_the_policys_and_its_kind_is_said(action: Any, sure: str, unsure: str) -> None:
    policy = Policy(other_weapon=action)
    axe = Scores({"knife": 0.0, "other_weapon": 0.9}, weapon={"axe": 0.8, "bow": 0.2})
    maybe = Scores({"knife": 0.0, "other_weapon": 0.5}, weapon={"axe": 0.8, "bow": 0.2})
    vague = Scores({"knife": 0.0, "other_weapon": 0.9}, weapon={"axe": 0.5, "bow": 0.5})
    assert decide(axe, SEEN, PLAIN, GATES, policy).decision == sure
    assert decide(maybe, SEEN, PLAIN, GATES, policy).decision == unsure
    assert codes(axe, policy) == ["no_knife", "other_weapon", "weapon_axe"]
    assert codes(maybe, policy) == ["no_knife", "other_weapon_unsure"]
    assert codes(vague, policy) == ["no_knife", "other_weapon"]
    assert [decide(one, SEEN, PLAIN, GATES).weapon for one in (axe, maybe, vague)] == ["axe", None, None]


def test_unless_told_otherwise_other_weapons_and_drawings_go_to_a_person() -> None:
    assert decide(Scores({"knife": 0.0, "other_weapon": 1.0}), SEEN, PLAIN, GATES).decision is Decision.CHECK
    assert decide(scores(1.0, features={"drawing": 0.9}), SEEN, PLAIN, GATES).decision is Decision.CHECK


def test_lenient_policies_send_food_and_drawings_to_a_person() -> None:
    lenient = Policy(food="check", drawing="check")
    kitchen = scores(0.9, blade={"kitchen": 0.9}, features={"food_scene": 0.9})
    zombie = scores(0.9, blade={"zombie": 0.9}, features={"food_scene": 0.9})
    drawn = scores(0.9, blade={"zombie": 0.9}, features={"drawing": 0.9})
    assert [decide(s, SEEN, PLAIN, GATES, lenient).decision for s in (kitchen, zombie, drawn)] == [
        "check",
        "hold",
        "check",
    ]
    strict = Policy(food="hold", drawing="hold")
    assert [decide(s, SEEN, PLAIN, GATES, strict).decision for s in (kitchen, zombie, drawn)] == ["hold"] * 3


def test_the_kind_is_named_only_when_likely_enough() -> None:
    sure, unsure = scores(0.9, blade={"zombie": 0.5, "fixed": 0.5 - 1e-9}), scores(0.9, blade={"zombie": 0.49})
    assert decide(sure, SEEN, PLAIN, GATES).kind == "zombie"
    assert "blade_zombie" in codes(sure)
    assert decide(unsure, SEEN, PLAIN, GATES).kind is None
    assert decide(scores(0.5, blade={"zombie": 0.9}), SEEN, PLAIN, GATES).kind is None, "no kind without a knife"


def test_a_model_without_guns_still_decides() -> None:
    thresholds = PLAIN.model_copy(update={"labels": {"knife": PLAIN.labels["knife"]}})
    assert decide(Scores({"knife": 0.9}), SEEN, thresholds, GATES).decision is Decision.HOLD


def test_a_policy_may_move_one_label_and_leave_the_other() -> None:
    strict = Policy(thresholds={"knife": Band(check=0.05, hold=0.1)})
    assert decide(scores(0.2), SEEN, PLAIN, GATES, strict).decision is Decision.HOLD
    assert decide(scores(0, 0.2), SEEN, PLAIN, GATES, strict).decision is Decision.CLEAR


def test_what_lies_on_a_gate_is_judged() -> None:
    """The gates name the least that is judged: a side of 32 pixels and a contrast of 4 are enough."""
    for seen in (Seen(32, 900, 90), Seen(900, 32, 90), Seen(99, 99, 4)):
        assert decide(scores(0.9), seen, PLAIN, GATES).decision is Decision.HOLD
    for seen in (Seen(31, 32, 90), Seen(32, 31, 90), Seen(99, 99, 3.999)):
        assert decide(scores(0.9), seen, PLAIN, GATES).decision is Decision.CANNOT_JUDGE


@pytest.mark.parametrize(
    ("knife", "said"),
    [
        (0.9, ["knife", "blade_cutlery", "serrated", "in_hand", "food_scene", "drawing"]),
        (0.5, ["knife_unsure", "food_scene", "drawing"]),
        (0.1, ["no_knife"]),
    ],
)
def test_a_blade_is_described_where_it_is_sure_a_scene_where_there_may_be_one(knife: float, said: list[str]) -> None:
    seen = dict.fromkeys(("serrated", "in_hand", "food_scene", "drawing"), 0.9)
    assert codes(scores(knife, blade={"cutlery": 0.9}, features=seen)) == said


def test_leniency_in_kitchens_is_for_kitchen_knives_and_cutlery_that_are_sure() -> None:
    lenient = Policy(food="check", drawing="hold")
    for kind, decision in (("kitchen", "check"), ("cutlery", "check"), ("machete", "hold")):
        given = scores(0.9, blade={kind: 0.9}, features={"food_scene": 0.9})
        assert decide(given, SEEN, PLAIN, GATES, lenient).decision == decision
    vague = scores(0.9, blade={"kitchen": 0.4, "cutlery": 0.4}, features={"food_scene": 0.9})
    assert decide(vague, SEEN, PLAIN, GATES, lenient).decision is Decision.HOLD, "its kind is not sure"
    doubtful = scores(0.5, features={"drawing": 0.9})
    assert decide(doubtful, SEEN, PLAIN, GATES, Policy(drawing="check")).decision is Decision.CHECK


@pytest.mark.parametrize(("knife", "decision"), [(0.1, "check"), (0.5, "check"), (0.9, "hold")])
def test_a_damaged_file_is_never_clear_and_a_knife_in_it_stays_one(knife: float, decision: str) -> None:
    verdict = decide(scores(knife), Seen(640, 480, 90, True), PLAIN, GATES)
    assert verdict.decision == decision
    assert verdict.reasons[-1].code == "maybe_damaged"
    assert "maybe_damaged" not in codes(scores(knife))
