"""Every plain-English sentence that an answer is put in, in one place. A force's policy may replace some of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bladecheck.core.taxonomy import BLADE_WORDS, Decision
from bladecheck.core.verdict import GUN_CODES, KNIFE_CODES, Policy

SERVICE = "Bladecheck"


@dataclass(frozen=True, slots=True)
class AnswerWords:
    """How a decision is said: one word, the line beside it, what it means in general, and the style of its label."""

    word: str
    title: str
    meaning: str
    style: str


ANSWERS: dict[str, AnswerWords] = {
    Decision.HOLD: AnswerWords(
        "Hold",
        "Do not post this picture as it is",
        "A knife or other blade can be seen. Do not post the picture as it is. Post words only, or a copy in which the "
        "blade cannot be seen.",
        "hold",
    ),
    Decision.CHECK: AnswerWords(
        "Check",
        "A person needs to look before you post",
        "The check is not sure, or your policy asks for a second look. Look at the marked area, then decide.",
        "check",
    ),
    Decision.CLEAR: AnswerWords(
        "Clear",
        "No knife was found",
        "No knife was found. Look at the picture once yourself: a small, far or partly hidden knife can be missed.",
        "clear",
    ),
    Decision.CANNOT_JUDGE: AnswerWords(
        "Cannot judge",
        "This picture has not been judged",
        "The file could not be read, or the picture is too small or blank. This says nothing about what it shows.",
        "unknown",
    ),
}

STEPS: dict[str, tuple[str, ...]] = {
    Decision.HOLD: (
        "Ask whether the post needs a picture at all. Words are often enough.",
        "If it does, use a copy in which the weapon cannot be seen: blurred or cropped.",
        "Look at that copy yourself before you post it.",
    ),
    Decision.CHECK: (
        "Show the picture and look at it, first at any area that is marked.",
        "If you see a knife or another weapon, treat the picture as “Hold”.",
        "If you do not, you can post it under your usual rules. Write down who decided.",
    ),
    Decision.CLEAR: (
        "Look at the picture once yourself: a small, far or partly hidden knife can be missed.",
        "You can then post it under your usual rules.",
    ),
    Decision.CANNOT_JUDGE: (
        "Do not take this as “Clear”. Look at the picture yourself.",
        "Try again with another copy of it.",
    ),
}
BESIDE_POLICY: dict[str, tuple[str, ...]] = {
    Decision.HOLD: ("If you use a blurred or cropped copy, look at it yourself before you post it.",),
    Decision.CHECK: ("Show the picture and look at it, first at any area that is marked.", "Write down who decided."),
    Decision.CLEAR: (),
    Decision.CANNOT_JUDGE: (),
}
"""Steps that a policy's own advice does not make superfluous."""

APPROVAL = "Your policy asks for approval: make a record with the name of who approves it and why."

REMEDIES: dict[str, str] = {
    "empty": "The file is empty. Export or download it again.",
    "not_an_image": "The file is not a picture of a kind that can be read. Save it as a JPEG or PNG and try again.",
    "too_large": "The picture is too large. Save a smaller copy and try again.",
    "broken": "The file is damaged or cut short. Export or download it again.",
    "unsupported": "This kind of file cannot be read here. Save it as a JPEG or PNG and try again.",
    "missing_decoder": "This service cannot read HEIC pictures. Save it as a JPEG and try again.",
    "too_slow": "Checking the picture took too long. Save a smaller copy and try again.",
    "no_score": "The model gave no usable score. Save the picture as a JPEG and try again.",
    "unreadable_file": "The file could not be read. Make sure that it is there and that you may open it.",
    "internal": "The service failed on this picture. Try again; if that fails, tell the team that runs it.",
    "too_small": "The picture is too small. Find the original, or a larger copy.",
    "maybe_damaged": "The file may be damaged. Export or download it again, and check that copy.",
    "blank": "The picture is blank, or nearly so. Make sure that it is the right file.",
}

LIMITS: tuple[str, ...] = (
    "It can miss a knife that is small, far away, partly hidden, out of focus or seen edge-on.",
    "It can take other shiny or pointed things for a knife.",
    "It cannot tell whether carrying the item is an offence, how long a blade is, or what a scene means.",
    "It does not read text, and does not recognise people.",
)

GPS = "This file says where the picture was taken. Use a copy without that before you post."
GPS_HAS_COPY = "This file says where the picture was taken. The copy below does not."
NO_PREVIEW = "The picture could not be shown here. Open the file to look at it."
NO_COPY = "A blurred copy could not be made. Check the picture again, or blur or crop it by other means."
COPY_CLEAN = "The hidden data of the file is taken out. The copy is at most 2,048 pixels wide or high."
COPY_MADE: dict[str, str] = {
    "part": "The area where the knife shows is blurred, and the hidden data of the file is taken out.",
    "whole": "The whole picture is blurred, because no single area holds the knife. Consider posting words only.",
    "none": "Nothing in it is blurred, because no knife was found in its first frame.",
}
COPY_AGAIN: dict[str, str] = {
    Decision.HOLD: "We checked the copy too: Hold. A knife can still be seen in it. Do not post it: blur or crop more.",
    Decision.CHECK: "We checked the copy too: Check. Look at it closely; blur or crop more if the blade can be seen.",
    Decision.CLEAR: "We checked the copy too: Clear. Look at it yourself before you post it.",
    Decision.CANNOT_JUDGE: "The copy could not be judged. Look at it yourself before you post it.",
}

POST: dict[str, str] = {
    "gun": "Officers recovered a weapon from [place] on [date]. [What happened to the person: arrested, charged, "
    "sentenced]. If you know of someone who carries a weapon, call 101, or Crimestoppers without giving your name on "
    "0800 555 111.",
    "knife": "Officers took a knife off the streets in [place] on [date]. [What happened to the person: arrested, "
    "charged, sentenced]. If you worry about someone who carries a knife, call 101, or Crimestoppers without giving "
    "your name on 0800 555 111.",
}
POST_HINT = "Fill in the brackets. Say what happened and what people can do; leave out how frightening the item looks."
ALT: dict[str, str] = {
    "kind": "An item that police recovered, blurred on purpose. It is a {kind}.",
    "knife": "An item that police recovered, blurred on purpose. It is a knife.",
    "unsure": "[Say in one sentence what the picture shows and why it is posted.]",
    "clear": "[Say in one sentence what the picture shows and why it is posted.] Do not start with “Picture of”.",
}
ALT_HINT = "Check that it is true of the picture you post: the service cannot see what else it shows."

OUTCOMES: dict[str, str] = {
    "not_posted": "Do not post it",
    "words_only": "Post words without a picture",
    "blurred": "Post the blurred or cropped copy",
    "as_is": "Post it as it is",
}
USES = ("blurred", "as_is")

STATEMENT = (
    "This record was made by Bladecheck and handed over; the service kept no copy of it, nor of any picture. It is not "
    "signed electronically. To verify an entry, check the same file again: where the fingerprints of picture, model "
    "and policy are the same, so are the scores and the decision. The service advises; a person decided."
)


def answer(result: Mapping[str, Any]) -> AnswerWords:
    """The wording of a result's decision."""
    return ANSWERS[result["decision"]]


def reasons(result: Mapping[str, Any]) -> list[str]:
    """Why, in plain sentences; for an unreadable file what to do about it, not the decoder's words."""
    return [REMEDIES.get(reason["code"], reason["text"]) for reason in result["reasons"]]


def steps(result: Mapping[str, Any], policy: Policy) -> list[str]:
    """What to do next, in order."""
    decision = result["decision"]
    found = list((BESIDE_POLICY if policy.wording.get(decision) else STEPS)[decision])
    if policy.approver_required and decision != Decision.CLEAR:
        found.append(APPROVAL)
    return found


def advice(result: Mapping[str, Any], policy: Policy) -> str | None:
    """What the force's own policy says to a decision, or None if it is silent."""
    given = policy.wording.get(result["decision"])
    return filled(given, result) if given else None


def post(result: Mapping[str, Any]) -> str | None:
    """A text for a post that stands without the picture, or None where nothing was found."""
    codes = {reason["code"] for reason in result["reasons"]}
    if codes & KNIFE_CODES:
        return POST["knife"]
    return POST["gun"] if codes & GUN_CODES else None


def alt_text(result: Mapping[str, Any], policy: Policy) -> str | None:
    """A start for the alternative text: the policy's if it has one, else ours; None for a picture not judged."""
    decision = result["decision"]
    if decision == Decision.CANNOT_JUDGE:
        return None
    codes = {reason["code"] for reason in result["reasons"]}
    # A policy's words for a held picture speak of a blurred blade; where only a firearm shows nothing was blurred.
    given = policy.alt_text.get(decision)
    if given and not (decision == Decision.HOLD and "knife" not in codes):
        return filled(given, result)
    if decision == Decision.CLEAR:
        return ALT["clear"]
    if decision == Decision.HOLD and "knife" in codes:
        return filled(ALT["kind" if result.get("kind") else "knife"], result)
    return ALT["unsure"]


def copy_notes(extent: str, decision: str) -> tuple[str, ...]:
    """What to know about the blurred copy: how much is blurred, and what was decided when it was checked in turn."""
    return COPY_MADE[extent], COPY_AGAIN[decision]


def filled(text: str, result: Mapping[str, Any]) -> str:
    """Put the kind of blade, or just "knife" (or "firearm", if that is all that shows), in place of {kind}."""
    codes = {reason["code"] for reason in result["reasons"]}
    without = "firearm" if codes & GUN_CODES and not codes & KNIFE_CODES else "knife"
    return text.format(kind=BLADE_WORDS.get(result.get("kind") or "", without))


def summary(results: Sequence[Mapping[str, Any]]) -> str:
    """How many pictures got which answer, the most pressing first: "1 to hold, 2 clear"."""
    words = {Decision.HOLD: "to hold", Decision.CHECK: "to check", Decision.CLEAR: "clear"}
    counts = [
        (sum(result["decision"] == decision for result in results), words.get(decision, "not judged"))
        for decision in (Decision.HOLD, Decision.CHECK, Decision.CANNOT_JUDGE, Decision.CLEAR)
    ]
    return ", ".join(f"{count} {word}" for count, word in counts if count) + "."


def policy_words(policy: Policy) -> str:
    """The policy in a few sentences."""
    said = [policy.summary] if policy.summary else []
    guns = {"hold": "are held", "check": "are for a person to check", "ignore": "are not looked for"}
    said.append(f"Firearms {guns[policy.gun]}.")
    said += [
        f"{what} {'are held' if action == 'hold' else 'are for a person to check'}."
        for what, action in (("Kitchen knives in food scenes", policy.food), ("Drawn or toy knives", policy.drawing))
    ]
    if policy.approver_required:
        said.append("A picture that is not clear may be used only with the name of who approves it and why.")
    return " ".join(said)
