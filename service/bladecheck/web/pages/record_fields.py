"""What a record asks for in words: who decided, who approves and why, where it is posted; and what is missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bladecheck.core.verdict import Policy
from bladecheck.web.pages import approval
from bladecheck.web.pages.approval import MOST_NAME, MOST_REASON
from bladecheck.web.pages.site import PageProblem

Fields = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Field:
    """A text input of the form."""

    name: str
    label: str
    hint: str = ""
    rows: int = 0
    autocomplete: str = ""
    most: int = MOST_NAME


DECIDER = (
    Field("decider", "Full name of who decided (optional)", autocomplete="name"),
    Field("decider_role", "Their role or rank (optional)", autocomplete="organization-title"),
)
POST = (
    Field("case_number", "Case or reference number (optional)"),
    Field("platform", "Where it is posted (optional)", "For example: X, Facebook, the website"),
    Field("post_date", "Date of the post (optional)", "For example: 27 March 2026"),
    Field("post_link", "Link to the post (optional)"),
)


def approver(policy: Policy) -> tuple[Field, ...]:
    optional = "" if policy.approver_required else " (optional)"
    hint = "You need this if you use a picture that is not clear" if policy.approver_required else ""
    listed = f"May approve under your policy: {', '.join(policy.approvers)}" if policy.approvers else ""
    return (
        Field("approver", f"Full name of who approves{optional}", hint),
        Field("approver_role", "Their role or rank" + ("" if policy.approvers else " (optional)"), listed),
        Field(
            "reason",
            f"Why this is necessary and right{optional}",
            "Say what the public needs to know",
            4,
            "",
            MOST_REASON,
        ),
    )


def approver_errors(given: Fields, policy: Policy, needed: bool) -> list[PageProblem]:
    errors = []
    if needed and not given.get("approver"):
        errors.append(PageProblem("Enter the full name of who approves this", "approver"))
    if given.get("approver") and not approval.may_approve(given["approver"], given.get("approver_role", ""), policy):
        who = ", ".join(policy.approvers)
        errors.append(PageProblem(f"Your policy lets these approve: {who}. Enter that name or role", "approver_role"))
    if needed and not approval.is_real(given.get("reason", "")):
        missing = "Enter why this is necessary and right"
        errors.append(PageProblem(f"{missing}, in a sentence" if given.get("reason") else missing, "reason"))
    return errors


def filled(fields: Sequence[Field], given: Fields, wrong: Mapping[str | None, str]) -> list[dict[str, Any]]:
    return [{"field": field, "value": given.get(field.name, ""), "error": wrong.get(field.name)} for field in fields]
