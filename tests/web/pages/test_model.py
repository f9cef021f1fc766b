"""The model at a glance: what is counted, what that tells, and the dots that show it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from bladecheck.core.bundle import load
from bladecheck.core.classifier import Classifier
from bladecheck.web.pages import model_glance
from tiny import write_bundle
from web.pages.test_access import axe_finds_nothing, nothing_spills_at_400_percent

Serve = Callable[..., AbstractContextManager[str]]


def measure(wrong_side: int, n: int, low: float, high: float) -> dict[str, Any]:
    return {"value": wrong_side / n, "low": low, "high": high, "n": n, "positives": wrong_side}


METRICS = {
    "dev (never trained on)": {
        "decisions": {
            "knife_not_clear": measure(248, 249, 0.9776, 0.9993),
            "other_not_clear": measure(22, 546, 0.0268, 0.0603),
            "other_hold": measure(0, 546, 0.0, 0.007),
        }
    },
    "dev (never trained on), by the first look alone": {"decisions": {"knife_not_clear": measure(1, 2, 0.1, 0.9)}},
    "police: knife scores' heads have seen these": {
        "decisions": {
            "knife_not_clear": measure(126, 128, 0.9448, 0.9957),
            "other_not_clear": measure(0, 72, 0.0, 0.05),
        }
    },
    "empty": {"decisions": {"knife_not_clear": {"value": None, "low": None, "high": None, "n": 0, "positives": 0}}},
    "slices of police, cross-validated": {
        "blade: utility": {"knife_not_clear": measure(13, 15, 0.62, 0.96)},
        "setting: hand": {"knife_not_clear": measure(8, 8, 0.67, 1.0)},
    },
    "evidence map": {"peak": 1},
}


def kinds(share: model_glance.Share) -> list[int]:
    return [sum(dot.kind == kind for dot in share.dots) for kind in ("counted", "possible", "right")]


def test_sets_that_say_how_decisions_fell_are_shown_police_first() -> None:
    police, dev = model_glance.glance(METRICS)
    assert police.title.startswith("On a police force")
    assert police.warning == model_glance.SEEN
    assert not dev.warning
    assert dev.shares[0].counted == "Of 249 pictures with a knife, it called 1 “Clear”."
    assert "likely between 0.1 and 2.2 in 100" in dev.shares[0].likely
    assert dev.shares[1].counted == "Of 546 pictures without a knife, it stopped 22, none of them with “Hold”."
    assert police.shares[1].counted == "Of 72 pictures without a knife, it stopped none."
    assert "likely fewer than 5 in 100" in police.shares[1].likely


def test_dots_show_what_was_counted_and_how_far_the_interval_goes() -> None:
    police, dev = model_glance.glance(METRICS)
    assert kinds(dev.shares[0]) == [0, 3, 97]
    assert kinds(police.shares[0]) == [2, 4, 94]
    assert kinds(dev.shares[1]) == [4, 3, 93]
    for share in (*police.shares, *dev.shares):
        assert len({(dot.x, dot.y) for dot in share.dots}) == 100


def test_kinds_that_were_missed() -> None:
    assert model_glance.by_kind(METRICS) == (("Utility knife or box cutter", "2 of 15"),)
    assert model_glance.by_kind({}) == ()


@pytest.mark.parametrize("metrics", [{}, {"a": 1}, {"dev": {"decisions": {}}}, {"dev": {"decisions": None}}])
def test_no_measurement_is_no_number(metrics: dict[str, Any]) -> None:
    assert model_glance.glance(metrics) == ()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Classifier:
    """The tiny model with measurements in its card."""
    folder = write_bundle(tmp_path_factory.mktemp("bundles") / "measured")
    card = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps({**card, "metrics": METRICS}))
    return Classifier(load(folder))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_it_and_the_card_stands_behind(
    page: Page, serve: Serve, measured: Classifier, scheme: Any
) -> None:
    page.emulate_media(color_scheme=scheme)
    with serve(model=measured) as site:
        page.goto(f"{site}/model")
        expect(page.get_by_role("img", name="100 dots: 2 filled, as counted; 4 ringed")).to_be_visible()
        expect(page.locator(".bc-dots")).to_have_count(4)
        expect(page.get_by_role("table")).to_contain_text("2 of 15")
        axe_finds_nothing(page)
        nothing_spills_at_400_percent(page)
        page.get_by_role("link", name="The full model card").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("The model card")
        expect(page.locator("main")).to_contain_text("0.9844 (0.9448 to 0.9957; n 128, positives 126)")
