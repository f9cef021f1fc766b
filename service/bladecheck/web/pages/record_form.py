"""Asks who decided what about checked pictures, then shows the record to print, save or hand over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bladecheck.core.verdict import Policy
from bladecheck.web import prefixes, uploads
from bladecheck.web.pages import approval, seals, wording
from bladecheck.web.pages.approval import MOST_NAME, Checked, Choice
from bladecheck.web.pages.check import MOST
from bladecheck.web.pages.record_fields import DECIDER, POST, Fields, approver, approver_errors, filled
from bladecheck.web.pages.record_page import finished, is_piece, refused
from bladecheck.web.pages.seals import BrokenSeal
from bladecheck.web.pages.site import PageProblem, respond

FIELDS_AT_MOST = 20 * 7 + 20
THUMBNAIL = "data:image/jpeg;base64,"

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Sent:
    """What a form brought: answers with their tokens, copies and thumbnails, when it was opened, what was typed."""

    checked: tuple[Checked, ...]
    tokens: tuple[str, ...]
    copies: tuple[dict[str, Any] | None, ...]
    copy_tokens: tuple[str, ...]
    thumbnails: tuple[str, ...]
    moment: str
    given: Fields


@router.get("/record")
@router.get("/record/finished")
@router.get("/record/approved")
async def again(request: Request) -> Response:
    """A record can't be opened again: nothing was kept."""
    return RedirectResponse(f"{prefixes.base(request.scope)}/", 303)


@router.post("/record")
async def ask(request: Request) -> HTMLResponse:
    """Ask who decided what about the checked pictures."""
    return await _answered(request, asked=False)


@router.post("/record/finished")
async def finish(request: Request) -> HTMLResponse:
    """The record, or the form again with what is missing."""
    return await _answered(request, asked=True)


async def _answered(request: Request, *, asked: bool) -> HTMLResponse:
    try:
        sent = await _read(request)
    except BrokenSeal as error:
        return refused(request, str(error))
    if not sent.checked:
        return refused(request, "There is no checked picture to make a record of.")
    policy: Policy = request.app.state.policy
    errors = _errors(sent, policy) if asked else []
    if errors or not asked:
        return _form(request, sent, errors)
    choices = [
        Choice(*(sent.given.get(f"{name}-{number}", "") for name in ("outcome", "correction", "approver")))
        for number in range(1, len(sent.checked) + 1)
    ]
    key = request.app.state.site.record_key
    return finished(request, approval.make(sent.checked, sent.copies, choices, sent.given, policy, sent.moment, key))


async def _read(request: Request) -> Sent:
    key = request.app.state.site.key
    async with uploads.form(request, max_files=1, max_fields=FIELDS_AT_MOST) as form:
        listed = {
            name: [value for value in form.getlist(name) if isinstance(value, str)][:MOST]
            for name in ("sealed", "copy", "thumbnail")
        }
        given = {name: value.strip() for name, value in form.items() if isinstance(value, str) and name not in listed}
    checked = [approval.unseal(token, key) for token in listed["sealed"]]
    made = [(token, seals.unseal("copy", token, key)) for token in listed["copy"] if token]
    of = {copy["of"]: (token, copy) for token, copy in made}
    found = [of.get(item.result["image"].get("sha256"), ("", None)) for item in checked]
    moment = given.pop("moment", "")
    begun = seals.unseal("moment", moment, key)["at"] if moment else datetime.now(UTC).isoformat(timespec="seconds")
    thumbnails = [value if value.startswith(THUMBNAIL) else "" for value in listed["thumbnail"]]
    thumbnails += [""] * (len(checked) - len(thumbnails))
    return Sent(
        tuple(checked),
        tuple(listed["sealed"]),
        tuple(copy for _, copy in found),
        tuple(token for token, _ in found),
        tuple(thumbnails),
        begun,
        given,
    )


def _errors(sent: Sent, policy: Policy) -> list[PageProblem]:
    given, errors, outcomes = sent.given, [], []
    for number, (item, copy) in enumerate(zip(sent.checked, sent.copies, strict=True), 1):
        outcome = given.get(f"outcome-{number}", "")
        outcomes.append(outcome)
        if outcome not in approval.allowed(item.result, copy is not None, policy):
            errors.append(PageProblem(f"Select what you decided about {item.name}", f"outcome-{number}"))
        if given.get(f"correction-{number}", "") not in ("", *wording.CORRECTIONS):
            errors.append(PageProblem("Select an answer from the list", f"correction-{number}"))
    needed = approval.approval_needed([item.result for item in sent.checked], outcomes, policy)
    if given.get("hand_over"):
        errors += [] if given.get("decider") else [PageProblem("Enter the full name of who decided", "decider")]
    else:
        errors += approver_errors(given, policy, needed)
    alone = [f"approver-{number}" for number in range(1, len(sent.checked) + 1)]
    lengths = [(field.name, field.label.split(" (")[0], field.most) for field in (*DECIDER, *approver(policy), *POST)]
    for name, label, most in (*lengths, *((name, "Approver", MOST_NAME) for name in alone)):
        if len(given.get(name, "")) > most:
            errors.append(PageProblem(f"{label} must be {most:,} characters or less", name))
    return errors


def _form(request: Request, sent: Sent, errors: Sequence[PageProblem]) -> HTMLResponse:
    policy: Policy = request.app.state.policy
    given, wrong = sent.given, {error.field: error.text for error in errors}
    items = [
        {
            "sealed": token,
            "copy_token": copy_token,
            "thumbnail": thumbnail,
            "field": f"outcome-{number}",
            "number": number,
            "name": item.name,
            "answer": wording.answer(item.result),
            "outcomes": approval.allowed(item.result, copy is not None, policy),
            "chosen": given.get(f"outcome-{number}"),
            "correction": given.get(f"correction-{number}", ""),
            "approver": given.get(f"approver-{number}", ""),
            "error": wrong.get(f"outcome-{number}"),
        }
        for number, (token, item, copy, copy_token, thumbnail) in enumerate(
            zip(sent.tokens, sent.checked, sent.copies, sent.copy_tokens, sent.thumbnails, strict=False), 1
        )
    ]
    groups = [
        {"title": "Who decided", "fields": filled(DECIDER, given, wrong)},
        {"title": "Who approves", "fields": filled(approver(policy), given, wrong)},
        {"title": "The post", "fields": filled(POST, given, wrong)},
    ]
    return respond(
        request,
        "record_form_body.html" if is_piece(request) else "record_form.html",
        status=400 if errors else 200,
        private=True,
        piece=is_piece(request),
        errors=errors,
        items=items,
        groups=groups,
        corrections=wording.CORRECTIONS,
        alone=policy.approver_required,
        moment=seals.seal("moment", {"at": sent.moment}, request.app.state.site.key),
    )
