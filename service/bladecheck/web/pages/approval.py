"""What a person decided about checked pictures, what the policy allows, and the record of it. Nothing is kept.

Between the answer and the record the results travel through the browser, sealed (see `seals`) so that nobody can edit
them on the way. A finished record is a file of its own: see `bladecheck.core.record`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bladecheck import __version__
from bladecheck.core import record
from bladecheck.core.taxonomy import Decision
from bladecheck.core.verdict import Policy
from bladecheck.web.pages import seals
from bladecheck.web.pages.wording import CORRECTIONS, OUTCOMES, STATEMENT, USES

MOST_NAME, MOST_REASON, MOST_FILE_NAME = 200, 2000, 200
REAL_REASON = (3, 15)
"""Words and characters that a reason has at least, where one is needed."""
WAITING, DECIDED, APPROVED = "waiting for approval", "decided", "approved"


@dataclass(frozen=True, slots=True)
class Checked:
    """One answer: the file's name as the browser gave it, when it was checked (UTC, ISO 8601), and the result."""

    name: str
    checked_at: str
    result: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """What was decided about one picture: a code of `wording.OUTCOMES`; was the answer wrong; who approves it."""

    outcome: str
    correction: str = ""
    approver: str = ""


def seal(checked: Checked, key: bytes) -> str:
    """The answer as text for a hidden field, with its keyed hash."""
    kept = {name: value for name, value in checked.result.items() if name != "evidence"}
    return seals.seal("answer", {**asdict(checked), "result": kept}, key)


def unseal(token: str, key: bytes) -> Checked:
    """The answer that was sealed.

    Raises:
        BrokenSeal: if the text was changed, or sealed under another key.
    """
    return Checked(**seals.unseal("answer", token, key))


def allowed(result: Mapping[str, Any], has_copy: bool, policy: Policy) -> dict[str, str]:
    """The outcomes that can be chosen for a picture, with their words.

    What could not be read can't be posted as it is; a held picture only where the policy lets someone approve it.
    """
    out = [] if has_copy else ["copy"]
    unread = result["status"] == "failed"
    if unread or (result["decision"] == Decision.HOLD and not policy.approver_required):
        out.append("as_is")
    return {code: text for code, text in OUTCOMES.items() if code not in out}


def approval_needed(results: Sequence[Mapping[str, Any]], outcomes: Sequence[str], policy: Policy) -> bool:
    """The policy asks for a name and a reason: a picture that is not clear is to be used."""
    return policy.approver_required and any(
        result["decision"] != Decision.CLEAR and outcome in USES
        for result, outcome in zip(results, outcomes, strict=True)
    )


def is_real(reason: str) -> bool:
    """A reason that says something."""
    words, characters = REAL_REASON
    return len(reason.split()) >= words and len(reason) >= characters


def may_approve(approver: str, role: str, policy: Policy) -> bool:
    """The policy lets this person approve: its list, if it has one, names the person or the role."""
    listed = {entry.casefold() for entry in policy.approvers}
    return not listed or bool(listed & {approver.casefold(), role.casefold()})


def make(
    checked: Sequence[Checked],
    copies: Sequence[Mapping[str, Any] | None],
    choices: Sequence[Choice],
    given: Mapping[str, str],
    policy: Policy,
    made_at: str,
    key: bytes | None,
) -> dict[str, Any]:
    """The record: plain data with a fingerprint over everything else in it, signed if the force keeps a key.

    Args:
        checked, copies, choices: by picture, in order; a copy is what was sealed with it, or None.
        given: what was typed: who decided, who approves, why, and about the post.
        made_at: when the record was begun (UTC, ISO 8601); part of the form, so that a reload makes the same record.
    """
    waiting = bool(given.get("hand_over"))
    names = ("approver", "approver_role")
    made = {
        "schema": record.SCHEMA,
        "state": WAITING if waiting else APPROVED if given.get("approver") else DECIDED,
        "made_at": made_at,
        "service": {"name": "bladecheck", "version": __version__},
        "policy": {**policy.identity, "approver_required": policy.approver_required},
        "decided_by": {"name": given.get("decider", ""), "role": given.get("decider_role", "")},
        "approved_by": dict(
            zip(("name", "role"), ("" if waiting else given.get(one, "") for one in names), strict=True)
        ),
        "reason": given.get("reason", ""),
        "post": {name: given.get(name, "") for name in ("case_number", "platform", "post_date", "post_link")},
        "handed_over": None,
        "pictures": [
            {
                **asdict(item),
                "outcome": {"code": choice.outcome, "text": OUTCOMES[choice.outcome]},
                "copy": copy if choice.outcome == "copy" else None,
                "approved_by": "" if waiting else choice.approver,
                "correction": {"code": choice.correction, "text": CORRECTIONS[choice.correction]}
                if choice.correction
                else None,
            }
            for item, copy, choice in zip(checked, copies, choices, strict=True)
        ],
        "statement": STATEMENT,
    }
    return record.finished(made, key)


def approve(handed: Mapping[str, Any], given: Mapping[str, str], moment: str, key: bytes | None) -> dict[str, Any]:
    """A record that was handed over, approved by somebody: a new record that names the one it came from."""
    made = {
        **{name: value for name, value in handed.items() if name not in record.OWN},
        "state": APPROVED,
        "approved_by": {"name": given.get("approver", ""), "role": given.get("approver_role", "")},
        "reason": given.get("reason", "") or handed["reason"],
        "handed_over": {"fingerprint": handed["fingerprint"], "approved_at": moment},
    }
    return record.finished(made, key)
