"""Every plain-English sentence that an answer is put in, in one place. A force's policy may replace some of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bladecheck.core.taxonomy import BLADE_WORDS, WEAPON_WORDS, Decision
from bladecheck.core.verdict import Policy
from bladecheck.core.videos.reading import clock
from bladecheck.web.settings import Settings

SERVICE = "Bladecheck"


@dataclass(frozen=True, slots=True)
class AnswerWords:
    """How a decision is said: one word, the line beside it, what it means in general, and the style of its label."""

    word: str
    title: str
    meaning: str
    style: str


@dataclass(frozen=True, slots=True)
class Pointer:
    """What research or others say of such posts, and where to read it (an https address, or empty)."""

    text: str
    link: str


ANSWERS: dict[str, AnswerWords] = {
    Decision.HOLD: AnswerWords(
        "Hold",
        "Do not post this picture as it is",
        "A knife or other blade can be seen, or another weapon that your policy holds. Do not post the picture as it "
        "is. Post words only, or a copy in which it cannot be seen.",
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
VIDEO_STEPS: dict[str, tuple[str, ...]] = {
    Decision.HOLD: ("Ask whether the post needs a video at all. Words are often enough.",),
    Decision.CHECK: (
        "Play the video and look, first at the time that is named under the frame.",
        "If you see a knife or another weapon, treat the video as “Hold”.",
        "If you do not, you can post it under your usual rules. Write down who decided.",
    ),
    Decision.CLEAR: (
        "Watch the video once yourself, from start to end: what shows for a moment only can be missed.",
        "You can then post it under your usual rules.",
    ),
    Decision.CANNOT_JUDGE: ("Do not take this as “Clear”. Watch the video yourself.",),
}
BESIDE_POLICY: dict[str, tuple[str, ...]] = {
    Decision.HOLD: ("If you use a blurred or cropped copy, look at it yourself before you post it.",),
    Decision.CHECK: ("Show the picture and look at it, first at any area that is marked.", "Write down who decided."),
    Decision.CLEAR: (),
    Decision.CANNOT_JUDGE: (),
}
"""Steps that a policy's own advice does not make superfluous."""
VIDEO_BESIDE_POLICY: dict[str, tuple[str, ...]] = {
    **BESIDE_POLICY,
    Decision.HOLD: (),
    Decision.CHECK: (VIDEO_STEPS[Decision.CHECK][0], "Write down who decided."),
}

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

PLACE_HAS_COPY = "This file names the place where the picture was taken. The copy below does not."
PLACE = "This file names the place where the picture was taken. Use a copy without that before you post."
GPS = "This file says where the picture was taken. Use a copy without that before you post."
GPS_HAS_COPY = "This file says where the picture was taken. The copy below does not."
NO_PREVIEW = "The picture could not be shown here. Open the file to look at it."
NO_VIDEO_COPY = (
    "There is no copy of a video to post here. Cut out the scenes with the weapon or cover it in a video editor, watch "
    "the new video from start to end, and check it again."
)
NO_COPY = "A blurred copy could not be made. Check the picture again, or blur or crop it by other means."
COPY_BUTTON = {
    "touched": "Download the covered copy",
    "clean": "Download a copy without hidden data",
    "still": "Download the first frame as a still",
    "touched still": "Download the covered still",
}
COPY_STILL = "It is a still of the first frame; the other frames are not in it."
PRINTED = (
    "Answers of Bladecheck {version} under the policy “{policy}”. They are advice; a person decides. "
    "This is no record: it says nothing of who decided what."
)
SAME = "This is the same file as {name}."
COPY_DESCRIPTION = "The copy to post"
COPY_CLEAN = "Hidden data of the file (place, time, device) is taken out."
COPY_WHOLE = "The whole picture is blurred, because the check could not tell where the blade is."
COPY_UNTOUCHED = "Nothing is covered."
COPY_CUT = "It is cut to the part that you chose."
COPY_LEFT: dict[str, str] = {
    "knife": "A blade still shows in this copy{where}.",
    "knife_unsure": "A blade may still show in this copy{where}.",
    "gun": "A firearm shows in this copy.",
    "gun_unsure": "There may be a firearm in this copy.",
    "other_weapon": "Another weapon shows in this copy.",
    "other_weapon_unsure": "There may be another weapon in this copy.",
}
"""By reason code: what the check found in the copy. Kinds of weapons are said in the reason's own words."""
WEAPONS = ("knife", "gun", "other_weapon")
COPY_SCORE = (
    "No blade shows beside the covered areas. The check still takes it for a picture of a knife: a handle, a sheath or "
    "the scene can do that."
)
COPY_NONE = "The check found no blade in this copy."
COPY_UNKNOWN = "The check could not judge this copy."
COPY_LOOK = "Look at it yourself before you post it. Faces, number plates and papers are not looked for."
PLATFORMS: dict[str, str] = {
    "keep": "As it is, at most 2,048 pixels",
    "wide": "X, wide: 1,600 × 900",
    "square": "Square: 1,080 × 1,080",
    "portrait": "Instagram, upright: 1,080 × 1,350",
    "link": "Facebook or LinkedIn link: 1,200 × 630",
    "story": "Story or reel: 1,080 × 1,920",
}
PLACES = (
    ("upper left", "top middle", "upper right"),
    ("left", "middle", "right"),
    ("lower left", "bottom middle", "lower right"),
)

POST_HINT = "Fill in the brackets. Say what happened and what people can do; leave out how frightening the item looks."
ALT_HINT = "Fill in the brackets, and make sure that it is true of the picture you post."

OUTCOMES: dict[str, str] = {
    "not_posted": "Do not post it",
    "words_only": "Post words without a picture",
    "copy": "Post the copy that was made here",
    "as_is": "Post it as it is",
}
USES = ("copy", "as_is")
CORRECTIONS: dict[str, str] = {
    "knife": "There is a knife in it",
    "no_knife": "There is no knife in it",
    "other_kind": "The kind of knife is another",
    "drawn": "It is drawn, printed or a toy",
}
"""What a person may say of an answer; kept in the record only."""
SIGNED = "Signed with the force’s key (HMAC-SHA-256); verify it with: bladecheck record verify"
UNSIGNED = "Unsigned: the service was started without a key for records"

STATEMENT = (
    "This record was made by Bladecheck and handed over; the service kept no copy of it, nor of any picture. To verify "
    "it, use: bladecheck record verify. To verify an entry, check the same file again: where the fingerprints of "
    "picture, model and policy are the same, so are the scores and the decision. The service advises; a person decided."
)


def answer(result: Mapping[str, Any]) -> AnswerWords:
    """The wording of a result's decision."""
    words = ANSWERS[result["decision"]]
    if "video" in result:
        return replace(words, title=words.title.replace("picture", "video"))
    return words


def reasons(result: Mapping[str, Any]) -> list[str]:
    """Why, in plain sentences; for an unreadable file what to do about it, not the decoder's words."""
    return [REMEDIES.get(reason["code"], reason["text"]) for reason in result["reasons"]]


def steps(result: Mapping[str, Any], policy: Policy) -> list[str]:
    """What to do next, in order."""
    decision = result["decision"]
    usual, beside = (VIDEO_STEPS, VIDEO_BESIDE_POLICY) if "video" in result else (STEPS, BESIDE_POLICY)
    found = list((beside if policy.wording.get(decision) else usual)[decision])
    if policy.approver_required and decision != Decision.CLEAR:
        found.append(APPROVAL)
    return found


@dataclass(frozen=True, slots=True)
class VideoWords:
    """What may be sent of videos, in words; `bytes` as a number."""

    size: str
    minutes: str
    frames: int
    bytes: int


def videos(settings: Settings) -> VideoWords | None:
    """What may be sent of videos; None where they are not looked at."""
    if not settings.looks_at_videos:
        return None
    most, minutes = settings.video_max_bytes, settings.video_max_seconds / 60
    length = "1 minute" if minutes == 1 else f"{minutes:g} minutes"
    return VideoWords(f"{most // 2**20} MB", length, settings.video_frames, most)


def looked_at(video: Mapping[str, Any]) -> str:
    """How closely a video was looked at."""
    count = video["frames_looked_at"]
    frames = "1 frame was" if count == 1 else f"{count} frames were"
    return f"{clock(video['seconds'])} long; {frames} looked at, at most {video['longest_gap']:.1f} seconds apart"


def moment(video: Mapping[str, Any]) -> str:
    """What stands under the frame of a video that is shown."""
    return (
        f"This is the frame at {clock(video['frame_at'])}, which the answer rests on. The video is {looked_at(video)}. "
        "What shows only between them was not seen, and the sound was not heard: watch it from start to end."
    )


def advice(result: Mapping[str, Any], policy: Policy) -> str | None:
    """What the force's own policy says to a decision, or to the weapon behind it; None if it is silent."""
    codes = {reason["code"] for reason in result["reasons"]}
    decision = str(result["decision"])
    cases: list[str] = []
    if decision == Decision.HOLD:
        kind = [result["kind"]] if result.get("kind") else []
        cases = kind if "knife" in codes else [label for label in WEAPONS[1:] if label in codes]
    given = next((policy.wording[case] for case in (*cases, decision) if policy.wording.get(case)), None)
    return filled(given, result, policy) if given else None


def post(result: Mapping[str, Any], policy: Policy) -> str | None:
    """The policy's text for a post that stands without the picture, or None where it has none."""
    return _said(policy.post, result, policy)


def alt_text(result: Mapping[str, Any], policy: Policy) -> str | None:
    """The policy's text to be read out in place of the picture, or None where it has none."""
    return _said(policy.alt_text, result, policy)


def pointers(policy: Policy) -> tuple[Pointer, ...]:
    """What the policy points to; an address at the end of a sentence is where its link leads."""
    found = []
    for sentence in policy.pointers:
        text, _, last = sentence.rpartition(" ")
        linked = text and last.startswith("https://")
        found.append(Pointer(text, last) if linked else Pointer(sentence, ""))
    return tuple(found)


def _said(texts: Mapping[str, str], result: Mapping[str, Any], policy: Policy) -> str | None:
    found = next((texts[case] for case in _cases(result) if texts.get(case)), None)
    return None if found is None else filled(found, result, policy).strip()


def _cases(result: Mapping[str, Any]) -> list[str]:
    """What a text may be for, most fitting first. A doubtful picture gets no words that say what it shows."""
    codes = {reason["code"] for reason in result["reasons"]}
    decision = str(result["decision"])
    if decision != Decision.HOLD:
        return [decision]
    if "knife" in codes:
        return [*([result["kind"]] if result.get("kind") else []), decision]
    sure = [label for label in WEAPONS[1:] if label in codes]
    return [*sure, str(Decision.CHECK)]


def copy_facts(
    areas: int,
    whole: bool,
    cut: bool,
    again: Mapping[str, Any],
    left: Sequence[tuple[float, float, float, float]],
    *,
    still: bool = False,
) -> tuple[str, ...]:
    """What was done to a copy, and what the check found when it looked at that very copy.

    Args:
        left: where.
        still: it was made of an animation's first frame.
    """
    covered = COPY_WHOLE if whole else "1 area is covered." if areas == 1 else f"{areas} areas are covered."
    done = [covered if areas else COPY_UNTOUCHED, *([COPY_CUT] if cut else []), *([COPY_STILL] if still else [])]
    return " ".join([*_found_in_copy(again, left)]), " ".join([*done, COPY_CLEAN]), COPY_LOOK


def _found_in_copy(again: Mapping[str, Any], left: Sequence[tuple[float, float, float, float]]) -> list[str]:
    if again["decision"] == Decision.CANNOT_JUDGE:
        return [COPY_UNKNOWN, *reasons(again)]
    found = weapons(again)
    knife = next((code for code in found if code.startswith("knife")), None)
    where = "".join(f"{', at the ' if number == 0 else ' and '}{place(box)}" for number, box in enumerate(left[:2]))
    blade = COPY_NONE if knife is None else COPY_LEFT[knife].format(where=where) if left else COPY_SCORE
    if knife and not left and not again.get("evidence"):
        blade = COPY_LEFT[knife].format(where="")
    return [blade, *(COPY_LEFT.get(code, text) for code, text in found.items() if not code.startswith("knife"))]


def weapons(result: Mapping[str, Any], *, knife: bool = True) -> dict[str, str]:
    """Reasons, by code, that say a weapon shows or may show, and which kind; `knife`: knives among them."""
    found = {reason["code"]: reason["text"] for reason in result["reasons"]}
    wanted = WEAPONS if knife else WEAPONS[1:]
    return {
        code: text
        for code, text in found.items()
        if code.removesuffix("_unsure") in wanted or code.startswith("weapon_")
    }


def place(box: tuple[float, float, float, float]) -> str:
    """Where a box lies, in words: "upper left"."""
    column, row = (min(2, int((box[side] + box[side + 2]) / 2 * 3)) for side in (0, 1))
    return PLACES[row][column]


def filled(text: str, result: Mapping[str, Any], policy: Policy) -> str:
    """Put the kind of blade or weapon, or what else shows ("knife", "firearm"), in place of {kind}; and the others."""
    codes = {reason["code"].removesuffix("_unsure") for reason in result["reasons"]}
    weapon = WEAPON_WORDS.get(result.get("weapon_kind") or "", "weapon")
    without = "knife" if "knife" in codes else "firearm" if "gun" in codes else weapon
    kind = BLADE_WORDS.get(result.get("kind") or "", without if codes & set(WEAPONS) else "knife")
    if kind[0] in "aeiou":  # an axe, an irritant spray
        text = re.sub(r"\b([Aa]) \{kind\}", r"\1n {kind}", text)
    return text.format(kind=kind, organisation=policy.organisation, helplines=policy.helplines)


ORDER = (Decision.HOLD, Decision.CHECK, Decision.CANNOT_JUDGE, Decision.CLEAR)
"""Answers from the most pressing to the least."""


def summary(results: Sequence[Mapping[str, Any]]) -> str:
    """How many pictures got which answer, the most pressing first: "1 to hold, 2 clear"."""
    words = {Decision.HOLD: "to hold", Decision.CHECK: "to check", Decision.CLEAR: "clear"}
    counts = [
        (sum(result["decision"] == decision for result in results), words.get(decision, "not judged"))
        for decision in ORDER
    ]
    return ", ".join(f"{count} {word}" for count, word in counts if count) + "."


def policy_words(policy: Policy) -> str:
    """The policy in a few sentences."""
    said = [policy.summary] if policy.summary else []
    alone = {"hold": "are held", "check": "are for a person to check", "ignore": "are not looked for"}
    said.append(f"Firearms {alone[policy.gun]}.")
    said.append(f"Other weapons (axes, knuckledusters, batons) {alone[policy.other_weapon]}.")
    said += [
        f"{what} {'are held' if action == 'hold' else 'are for a person to check'}."
        for what, action in (("Kitchen knives in food scenes", policy.food), ("Drawn or toy knives", policy.drawing))
    ]
    if policy.approver_required:
        said.append("A picture that is not clear may be used only with the name of who approves it and why.")
    return " ".join(said)
