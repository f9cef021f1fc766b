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
    labels=st.fixed_dictionaries({"knife": BANDS, "gun": BANDS}),
    blade_sure=PROBABILITY,
    feature_seen=FEATURES,
    chosen_for=st.just("tests"),
)
POLICIES = st.builds(
    Policy,
    thresholds=st.dictionaries(st.sampled_from(("knife", "gun")), BANDS),
    gun=st.sampled_from(("hold", "check", "ignore")),
    food=st.sampled_from(("hold", "check")),
    drawing=st.sampled_from(("hold", "check")),
)
BLADES = st.sampled_from(taxonomy.BLADES).flatmap(
    lambda name: PROBABILITY.map(lambda p: {**dict.fromkeys(taxonomy.BLADES, (1 - p) / 8), name: p})
)
GATES, SEEN = Gates(min_side=32, min_contrast=4), Seen(640, 480, 90)
PLAIN = Thresholds(
    labels={"knife": Band(check=0.3, hold=0.7), "gun": Band(check=0.3, hold=0.7)},
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
    label=st.sampled_from(("knife", "gun")),
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
) -> None:
    low, high = sorted((low, high))
    rest = "gun" if label == "knife" else "knife"
    ranks = [
        RANK[decide(Scores({label: value, rest: other}, blade, features), SEEN, thresholds, GATES, policy).decision]
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
    given = scores(knife, gun, blade=blade, features=features)
    verdict = decide(given, SEEN, thresholds, GATES, policy)
    assert verdict.scores is given
    assert verdict.reasons
    known = set(REASONS) | {f"blade_{name}" for name in taxonomy.BLADES}
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
    assert [decide(s, SEEN, PLAIN, GATES).decision for s in (kitchen, zombie, drawn)] == ["hold"] * 3


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
