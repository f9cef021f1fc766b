"""The arithmetic of totals, against numbers that others worked out, and at its edges."""

from __future__ import annotations

import hashlib
import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bladecheck.errors import RunError
from bladecheck.runs.counts import draw
from bladecheck.runs.counts.agreement import wilson
from bladecheck.runs.counts.draw import Stratum
from bladecheck.runs.counts.estimate import figures
from bladecheck.runs.counts.limits import Cell, Interval, difference, limits, normal, ratio, total

ONE_YEAR = [("A", 2617, 211, 2, 4, 85), ("B", 206, 41, 3, 4, 38), ("C", 82, 25, 10, 20, 47), ("D", 95, 23, 22, 77, 94)]
TWO_YEARS = [
    ("2023-A", 27988, 230, 0, 0, 445.3079089),
    ("2023-B", 1269, 32, 3, 26, 315),
    ("2023-C", 413, 17, 9, 117, 316),
    ("2023-D", 330, 13, 13, 250, 330),
    ("2024-A", 26882, 227, 1, 2.998041241, 653.204311),
    ("2024-B", 1807, 41, 3, 29, 357),
    ("2024-C", 604, 20, 9, 142, 411),
    ("2024-D", 707, 20, 19, 534, 706),
]
"""Strata with N, n, x, and the limits by R's phyper and qbeta."""
NEAR = {"abs": 1e-6}


def cells(table: list[tuple[str, int, int, int, float, float]]) -> list[Cell]:
    return [Cell(*line[:4]) for line in table]


def same(got: Interval, estimate: float, low: float, high: float) -> None:
    assert got.estimate == pytest.approx(estimate, **NEAR)
    assert got.low == pytest.approx(low, **NEAR)
    assert got.high == pytest.approx(high, **NEAR)


@pytest.mark.parametrize("line", ONE_YEAR + TWO_YEARS + [("all", 4000, 300, 23, 201, 445)], ids=lambda line: line[0])
def test_limits_of_a_stratum_are_those_of_r(line: tuple[str, int, int, int, float, float]) -> None:
    assert limits(*line[1:4]) == pytest.approx(line[4:], rel=1e-9)


def test_totals_are_those_worked_out_beforehand() -> None:
    same(total(cells(ONE_YEAR)), 163.548423, 133.354110, 229.582009)
    same(total(cells(TWO_YEARS)), 1861.708229, 1569.906853, 2638.418573)
    before, after = total(cells(TWO_YEARS[:4])), total(cells(TWO_YEARS[4:]))
    same(before, 667.615809, 508.319503, 1163.806276)
    same(after, 1194.092420, 949.607799, 1791.649095)
    same(difference(before, after), 526.476611, -26.675909, 1144.901459)
    times = ratio(before, after)
    assert times is not None
    same(times, 1.788592, 0.976003, 2.923350)
    same(total([Cell("all", 4000, 300, 23)]), 306.666667, 201, 445)


def test_the_normal_cross_check_is_r_surveys() -> None:
    assert normal(cells(ONE_YEAR)) == pytest.approx((163.5484232, 19.97012276), abs=1e-6)
    assert normal(cells(TWO_YEARS)) == pytest.approx((1861.708229, 178.8122526), abs=1e-6)


@pytest.mark.parametrize(("size", "labelled"), [(40, 12), (300, 60), (5_000, 200), (60_000, 300)])
def test_limits_at_the_edges(size: int, labelled: int) -> None:
    low, high = limits(size, labelled, 0)
    assert low == 0
    assert 0 < high < size
    low, high = limits(size, labelled, labelled)
    assert 0 < low < size
    assert high == size
    assert limits(size, 0, 0) == (0, size)
    assert limits(size, size, 3) == (3, 3)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_hypergeometric_limits_are_the_last_that_the_labels_allow(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 400))
    labelled = data.draw(st.integers(max(1, size // 50 + 1), size - 1))
    yes = data.draw(st.integers(0, labelled))
    low, high = limits(size, labelled, yes)
    tail = (1 - 0.95) / 2  # as floats have it: one of 40 is a tail of exactly .025
    possible = [k for k in range(yes, size - labelled + yes + 1)
                if stats.hypergeom.sf(yes - 1, size, k, labelled) > tail
                and stats.hypergeom.cdf(yes, size, k, labelled) > tail]  # fmt: skip
    assert (low, high) == (possible[0], possible[-1])


def test_counts_that_cannot_be_are_refused() -> None:
    for wrong in ((10, 11, 2), (10, 5, 6), (10, 5, -1)):
        with pytest.raises(ValueError, match="at most"):
            limits(*wrong)


def test_a_stratum_without_labels_takes_the_guess_and_may_be_anything() -> None:
    got = total([Cell("a", 100, 0, 0, guess=0.25), Cell("b", 50, 50, 5)])
    assert (got.estimate, got.low, got.high) == (30, 5, 105)


def test_a_ratio_has_no_upper_limit_where_the_lower_may_be_nothing() -> None:
    none, some = total([Cell("a", 100, 20, 0)]), total([Cell("a", 100, 20, 5)])
    assert ratio(none, some) is None
    times = ratio(Interval(3, 0, 9), some)
    assert times is not None
    assert times.high is None
    assert times.low > 0


def test_an_estimate_is_one_only_if_it_is_firm() -> None:
    assert figures([Cell("a", 1000, 200, 40)], 0.95)["state"] == "estimate"
    few = figures([Cell("a", 61, 3, 0)], 0.95)
    assert few["state"] == "too few labels"
    assert few["labels_needed"] is None
    assert (few["at_least"], few["at_most"]) == (0, limits(61, 3, 0)[1])
    whole = figures([Cell("a", 61, 61, 0)], 0.95)
    assert (whole["state"], whole["at_least"], whole["at_most"]) == ("estimate", 0, 0)
    one = figures([Cell("a", 600, 30, 1)], 0.95)
    assert one["state"] == "too few labels"
    assert 30 < one["labels_needed"] <= 600


STRATA = [Stratum("below 0.02", 55_272, 0.002), Stratum("0.02 to 0.2", 2_700, 0.06),
          Stratum("0.2 to 0.8", 900, 0.5), Stratum("from 0.8", 1_128, 0.96)]  # fmt: skip


def test_allocation_adds_up_and_a_larger_sample_holds_the_smaller() -> None:
    before = dict.fromkeys((one.name for one in STRATA), 0)
    for labels in (20, 100, 300, 1_000, 5_000):
        given = draw.allocate(STRATA, labels)
        assert sum(given.values()) == labels
        assert all(given[name] >= before[name] for name in before)
        before = given
    assert draw.allocate([Stratum("a", 3, 0.5), Stratum("b", 9, 0.1)], 100) == {"a": 3, "b": 9}


def test_fewer_than_five_a_stratum_are_refused() -> None:
    with pytest.raises(RunError, match="ask for 20 or more"):
        draw.allocate(STRATA, 19)


def test_allocation_gives_each_label_where_it_closes_most() -> None:
    strata = [Stratum("a", 40, 0.01), Stratum("b", 12, 0.5), Stratum("c", 9, 0.95)]
    best = min(
        (sum(one.spread(n) for one, n in zip(strata, split, strict=True)), split)
        for split in itertools.product(range(5, 41), range(5, 13), range(5, 10))
        if sum(split) == 30
    )
    given = draw.allocate(strata, 30)
    assert sum(one.spread(given[one.name]) for one in strata) == pytest.approx(best[0])


def test_planned_widths_fall_as_labels_grow() -> None:
    widths = [draw.width(STRATA, draw.allocate(STRATA, labels)) for labels in (300, 600, 1_000, 2_000, 3_000, 5_000)]
    assert all(one is not None for one in widths)
    assert widths == sorted(widths, key=lambda one: -(one or 0))
    assert draw.width([Stratum("a", 100, 0.0)], {"a": 5}) is None


def test_ranks_are_plain_sha256_and_so_the_same_everywhere() -> None:
    frame = {f"{number:032x}": ("low", "high")[number % 3 == 0] for number in range(60)}
    order = draw.ranked("seed", frame)
    for stratum, units in order.items():
        expected = sorted((unit for unit in frame if frame[unit] == stratum),
                          key=lambda unit: hashlib.sha256(f"seed:{unit}".encode()).hexdigest())  # fmt: skip
        assert units == expected
    assert draw.ranked("seed", dict(reversed(frame.items()))) == order
    assert order["low"][:3] == [  # by sha256sum and sort of a shell
        "00000000000000000000000000000017", "0000000000000000000000000000003b",
                                "00000000000000000000000000000026"]  # fmt: skip


def test_the_order_shown_mixes_strata_and_a_batch_comes_after_the_one_before() -> None:
    order = {"a": [f"a{n:03d}" for n in range(100)], "b": [f"b{n}" for n in range(10)]}
    first = draw.shown(order, [{"a": 40, "b": 5}])
    assert len(first) == 45
    half = first[:23]
    assert 19 <= sum(name.startswith("a") for name in half) <= 21
    assert [name for name in first if name.startswith("a")] == order["a"][:40]
    both = draw.shown(order, [{"a": 40, "b": 5}, {"a": 60, "b": 10}])
    assert both[:45] == first
    assert set(both[45:]) == {*order["a"][40:60], *order["b"][5:10]}


def test_bands() -> None:
    wanted = {0.0: "below 0.02", 0.0199: "below 0.02", 0.02: "0.02 to 0.2", 0.2: "0.2 to 0.8", 0.8: "from 0.8"}
    assert {score: draw.band(score) for score in wanted} == wanted
    assert draw.band(None) == "cannot judge"


def test_wilson() -> None:
    assert wilson(0, 0) == (0, 1)
    assert wilson(190, 200) == pytest.approx((0.9104, 0.9726), abs=1e-4)
    low, high = wilson(50, 50)
    assert math.isclose(high, 1)
    assert 0.92 < low < 0.93
