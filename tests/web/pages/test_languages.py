"""The page in Welsh: every text of the way through it has a phrase, and the page says which language it is in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from bladecheck.core import taxonomy, verdict
from bladecheck.core.verdict import Policy
from bladecheck.web.pages import languages, record_fields, site, wording
from bladecheck.web.pages.languages import GAP, SENTENCE

TEMPLATES = Path(languages.__file__).parent / "templates"
WELSH = languages.find("cy")
CODE = re.compile(r"\{\{.*?\}\}")
Serve = Callable[..., AbstractContextManager[str]]


@pytest.mark.parametrize("name", sorted(languages.TRANSLATED))
def test_every_text_of_a_template_has_a_phrase(name: str) -> None:
    assert [text for text in languages.texts((TEMPLATES / name).read_text()) if text not in WELSH.phrases] == []


def test_every_phrase_of_the_script_has_one_in_welsh() -> None:
    sources = [path.read_text() for path in site.FOLDER.glob("*.js")]
    said = {phrase for source in sources for phrase in re.findall(r'phrase\("([^"]*)"', source)}
    assert len(said) > 40
    assert sorted(said - set(WELSH.script)) == []
    assert [phrase for phrase in WELSH.script if not any(f'"{phrase}"' in source for source in sources)] == []


def said_in_code() -> Iterator[str]:
    """What code says beside templates, as far as it is constant."""
    for answer in wording.ANSWERS.values():
        yield from (answer.word, answer.title, answer.title.replace("picture", "video"))
    for steps in (wording.STEPS, wording.VIDEO_STEPS, wording.BESIDE_POLICY, wording.VIDEO_BESIDE_POLICY):
        yield from (step for found in steps.values() for step in found)
    kinds = [*taxonomy.BLADE_WORDS.values(), *taxonomy.WEAPON_WORDS.values()]
    for words in (
        wording.REMEDIES,
        wording.COPY_BUTTON,
        wording.PLATFORMS,
        wording.OUTCOMES,
        wording.CORRECTIONS,
        verdict.REASONS,
        {kind: verdict.kind_sentence(kind) for kind in kinds},
    ):
        yield from words.values()
    for left in wording.COPY_LEFT.values():
        yield from (left.format(where=""), left.format(where=", at the upper left and lower right"))
    strict = Policy(approver_required=True, approvers=("Ann Example",))
    for policy in (Policy(), strict):
        for field in (*record_fields.DECIDER, *record_fields.POST, *record_fields.approver(policy)):
            yield from filter(None, (field.label, field.label.split(" (")[0], field.hint))
    yield from (text for _, text in (*site.NAVIGATION, *site.FOOTER))
    names = (
        "APPROVAL PLACE PLACE_HAS_COPY GPS GPS_HAS_COPY NO_PREVIEW NO_VIDEO_COPY NO_COPY POST_HINT ALT_HINT COPY_STILL"
    )
    names += " COPY_CLEAN COPY_WHOLE COPY_UNTOUCHED COPY_CUT COPY_SCORE COPY_NONE COPY_UNKNOWN COPY_LOOK"
    yield from (getattr(wording, name) for name in names.split())
    yield wording.PRINTED.format(version="1.0", policy="mine")


def test_what_code_says_has_phrases() -> None:
    def understood(text: str) -> bool:
        known = text in WELSH.phrases or WELSH.say(text) != text
        sentences = SENTENCE.split(text)
        return known and (text in WELSH.phrases or len(sentences) == 1 or all(map(understood, sentences)))

    said = list(dict.fromkeys(said_in_code()))
    assert len(said) > 140
    assert [text for text in said if not understood(text)] == []


def test_gaps_and_code_are_the_same_on_both_sides() -> None:
    for english, welsh in (*WELSH.phrases.items(), *WELSH.script.items()):
        assert sorted(GAP.findall(english)) == sorted(GAP.findall(welsh)), english
        assert sorted(CODE.findall(english)) == sorted(CODE.findall(welsh)), english


def test_gaps_are_filled_and_what_is_unknown_stays() -> None:
    assert WELSH.say("2 areas are covered. Nobody knows this.") == "Mae 2 ardal wedi'u cuddio. Nobody knows this."
    assert WELSH.say("It looks like this kind: sword.") == "Mae'n edrych fel y math hwn: cleddyf."
    assert languages.find("fr") is languages.ENGLISH
    assert languages.find("../cy") is languages.ENGLISH


def test_the_way_through_the_page(
    page: Page, plain_page: Page, serve: Serve, pictures: dict[str, Path], tmp_path: Path
) -> None:
    policy = tmp_path / "mine.toml"
    policy.write_text('name = "mine"\nsummary = "Prawf."\napprover_required = true\nwording = "cy"\n')
    with serve(str(policy)) as address:
        page.goto(address)
        expect(page.locator("html")).to_have_attribute("lang", "cy")
        page.set_input_files("input[type=file]", [pictures["hold"], pictures["clear"]])
        page.get_by_role("button", name="Gwirio lluniau").click()
        expect(page.locator("#results-title")).to_have_text("2 llun wedi'u gwirio")
        expect(page.locator("#results-summary")).to_have_text("1 i'w hatal, 1 yn glir.")
        page.get_by_role("button", name="Newid y copi").first.click()
        assert Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa"]}).response["violations"] == []
        page.get_by_role("button", name="Gwneud cofnod").click()
        page.get_by_role("button", name="Gwneud y cofnod").click()
        expect(page.locator(".govuk-error-summary")).to_contain_text("Dewiswch beth benderfynoch am hold.png")
        plain_page.goto(address)
        plain_page.get_by_role("button", name="Gwirio lluniau").click()
        expect(plain_page.locator(".govuk-error-summary")).to_contain_text("Dewiswch o leiaf un llun")
        plain_page.goto(f"{address}/help")
        expect(plain_page.get_by_role("navigation", name="Dewislen")).to_contain_text("Cymorth")
        assert plain_page.locator("h1").evaluate("(title) => title.closest('[lang]').lang") == "en"
