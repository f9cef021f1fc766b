"""The sentences: every code has one, policies replace what they may, and the model card shows whatever is in it."""

from __future__ import annotations

import multiprocessing
import re
from pathlib import Path
from typing import Any

import pytest

from bladecheck.core import policy_file, wording_file
from bladecheck.core.taxonomy import Decision
from bladecheck.core.verdict import Policy
from bladecheck.errors import PictureError
from bladecheck.web.pages import model_card, wording
from bladecheck.web.pages.approval import Checked, approval_needed, seal, unseal
from bladecheck.web.pages.cards import SummaryRow
from bladecheck.web.pages.site import sealing_key


def result(decision: str, *codes: str, kind: str | None = None) -> dict[str, Any]:
    return {"decision": decision, "reasons": [{"code": code, "text": code} for code in codes], "kind": kind}


def subclasses(kind: type) -> set[type]:
    return {kind} | {found for child in kind.__subclasses__() for found in subclasses(child)}


def test_every_decision_has_words() -> None:
    for table in (wording.ANSWERS, wording.STEPS, wording.BESIDE_POLICY):
        assert set(table) == set(Decision)
    assert len({answer.word for answer in wording.ANSWERS.values()}) == len(Decision)


def test_every_failure_says_what_to_do() -> None:
    codes = {kind.code for kind in subclasses(PictureError)} - {PictureError.code}
    assert codes <= set(wording.REMEDIES)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (result("hold", "knife", kind="machete"), "a machete"),
        (result("hold", "knife"), "a knife"),
        (result("hold", "no_knife", "gun"), "a firearm"),
        (result("hold", "knife", "gun"), "a knife"),
        (result("hold", "no_knife", "other_weapon"), "a weapon"),
        ({**result("hold", "no_knife", "other_weapon"), "weapon_kind": "axe"}, "an axe"),
    ],
)
def test_a_policy_names_what_was_found(found: dict[str, Any], expected: str) -> None:
    said = wording.advice(found, policy_file.find("default"))
    assert said is not None
    assert expected in said


@pytest.mark.parametrize("name", policy_file.available())
@pytest.mark.parametrize("decision", list(Decision))
def test_shipped_policies_give_steps_without_placeholders(name: str, decision: str) -> None:
    rules = policy_file.find(name)
    found = result(decision, "knife" if decision in ("hold", "check") else "no_knife")
    said = [*wording.steps(found, rules), wording.advice(found, rules) or "", wording.alt_text(found, rules) or ""]
    assert not any("{" in text for text in said)
    assert (wording.APPROVAL in said) == (rules.approver_required and decision != "clear")


def test_nothing_is_said_to_be_blurred_where_only_a_firearm_shows() -> None:
    assert "blurred" not in (wording.alt_text(result("hold", "no_knife", "gun"), policy_file.find("default")) or "")


@pytest.mark.parametrize("decision", ["check", "cannot_judge"])
def test_no_words_claim_a_knife_where_nobody_is_sure(decision: str) -> None:
    for rules in (policy_file.find(), policy_file.find("only-when-necessary")):
        found = result(decision, "knife_unsure", "gun_unsure")
        said = (wording.post(found, rules) or "") + (wording.alt_text(found, rules) or "")
        assert not re.search("recovered|took|weapon|firearm", said)


@pytest.mark.parametrize("name", policy_file.available())
@pytest.mark.parametrize("code", ["gun", "other_weapon"])
def test_advice_on_another_weapon_does_not_say_that_it_is_covered(name: str, code: str) -> None:
    said = wording.advice(result("hold", "no_knife", code), policy_file.find(name)) or ""
    assert "covers blades only" in said
    assert "blade blurred" not in said
    assert "blurred copy" not in said


def test_advice_may_be_for_a_kind_of_blade(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('name = "mine"\nsummary = "A test."\n[wording]\nhold = "No."\nzombie = "Never."\n')
    rules = policy_file.find(path)
    assert wording.advice(result("hold", "knife", kind="zombie"), rules) == "Never."
    assert wording.advice(result("hold", "knife", kind="kitchen"), rules) == "No."
    assert wording.advice(result("hold", "no_knife", "gun"), rules) == "No."


def test_the_policy_in_words_names_every_kind_of_weapon() -> None:
    said = wording.policy_words(Policy(gun="hold", other_weapon="ignore"))
    assert "Firearms are held." in said
    assert "Other weapons (axes, knuckledusters, batons) are not looked for." in said


@pytest.mark.parametrize("name", wording_file.available())
def test_pointers_lead_somewhere(name: str) -> None:
    rules = Policy(pointers=(*wording_file.find(name).pointers, "No link.", "https://alone.example"))
    *shipped, plain, alone = wording.pointers(rules)
    assert all(pointer.link.startswith("https://") and pointer.text.endswith(".") for pointer in shipped)
    assert (plain.link, alone.link) == ("", "")


def test_words_differ_by_answer_and_kind() -> None:
    rules = policy_file.find()
    found = [
        result("hold", "knife"),
        result("hold", "knife", kind="kitchen"),
        result("hold", "knife", kind="zombie"),
        result("hold", "no_knife", "gun"),
        result("check", "knife_unsure"),
        result("clear", "no_knife"),
    ]
    assert len({wording.post(one, rules) for one in found}) == len(found)
    assert wording.post(result("cannot_judge", "broken"), rules) is None


@pytest.mark.parametrize("name", wording_file.available())
@pytest.mark.parametrize("decision", list(Decision))
def test_an_alt_text_is_a_text(name: str, decision: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(f'name = "mine"\nsummary = "A test."\norganisation = "Anytown Police"\nwording = "{name}"\n')
    rules = policy_file.find(path)
    assert rules.language == name
    said = wording.alt_text(result(decision, "knife"), rules) or ""
    assert "Anytown Police" in said
    assert not re.match("Describe|Say|Write|Do not|Disgrif", said)


def test_the_summary_counts_the_pressing_first() -> None:
    decisions = ("clear", "hold", "cannot_judge", "clear", "check")
    assert wording.summary([result(one) for one in decisions]) == "1 to hold, 1 to check, 1 not judged, 2 clear."


@pytest.mark.parametrize(
    ("decision", "outcome", "needed"),
    [
        ("hold", "as_is", True),
        ("hold", "copy", True),
        ("cannot_judge", "as_is", True),
        ("hold", "not_posted", False),
        ("clear", "as_is", False),
    ],
)
def test_approval_is_for_using_what_is_not_clear(decision: str, outcome: str, needed: bool) -> None:
    checked = [result(decision)]
    assert approval_needed(checked, [outcome], Policy(approver_required=True)) is needed
    assert not approval_needed(checked, [outcome], Policy())


def test_a_sealed_answer_comes_back_without_its_map() -> None:
    checked = Checked("é.jpg", "2026-01-01T00:00:00+00:00", {**result("hold", "knife"), "evidence": {"rows": 1}})
    opened = unseal(seal(checked, b"key"), b"key")
    assert opened.name == "é.jpg"
    assert opened.result == result("hold", "knife")


def test_the_processes_of_one_run_share_the_sealing_key() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(sealing_key) == sealing_key()


def texts(tree: Any) -> str:
    """Everything that the blocks of a tree show, as one text."""
    shown: list[str] = []
    for block in model_card.blocks("Metrics", tree):
        shown += [block.title, block.caption, *block.columns, *block.lines]
        for row in block.rows:
            shown += [row.key, row.value] if isinstance(row, SummaryRow) else row
    return "\n".join(shown)


METRICS = {
    "headline": {"recall": {"value": 0.951234, "low": 0.93, "high": 0.97, "n": 1200}, "note": "at the operating point"},
    "auc": [0.9, 0.88, 0.92],
    "by_slice": {
        "kitchen": {"recall": {"value": 0.9, "low": 0.8, "high": 0.95, "n": 5, "positives": 4}, "pictures": 5},
        "machete": {"recall": {"value": None, "low": None, "high": None, "n": 0, "positives": 0}, "pictures": 31},
    },
    "rows": [{"source": "a", "count": 12345}, {"source": "b", "share": None}],
    "deep": {"a": {"b": {"c": {"d": [1, {"e": True}]}}}},
    "empty": {},
}


def test_the_model_card_leaves_nothing_out() -> None:
    shown = texts(METRICS)
    expected = (
        "0.9512 (0.93 to 0.97; n 1200)",
        "at the operating point",
        "0.9, 0.88, 0.92",
        "Machete",
        "12,345",
        "– (– to –; n 0, positives 0)",
        "By slice",
        "0.9 (0.8 to 0.95; n 5, positives 4)",
        '{"e": true}',
    )
    for text in expected:
        assert text in shown


@pytest.mark.parametrize("tree", [{}, [], None, "text", 3, [[1, [2, 3]], {"a": 1}], {"a": [[1, 2], [3, 4]]}, {"": ""}])
def test_any_tree_can_be_shown(tree: Any) -> None:
    texts(tree)
