"""The approval record: asks who decided what, then shows a record to print or save. Nothing is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bladecheck.core.verdict import Policy
from bladecheck.web import uploads
from bladecheck.web.http_errors import BadInput
from bladecheck.web.pages import approval, cards, wording
from bladecheck.web.pages.approval import MOST_NAME, MOST_REASON, Approval, Checked
from bladecheck.web.pages.cards import SummaryRow
from bladecheck.web.pages.check import MOST
from bladecheck.web.pages.previews import data_uri
from bladecheck.web.pages.seals import BrokenSeal
from bladecheck.web.pages.site import PageProblem, respond, text

router = APIRouter()
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


def _fields(policy: Policy) -> tuple[Field, ...]:
    optional = "" if policy.approver_required else " (optional)"
    hint = "You need this if you use a picture that is not clear" if policy.approver_required else ""
    return (
        Field("approver", f"Full name{optional}", hint, autocomplete="name"),
        Field("role", "Role or rank (optional)", autocomplete="organization-title"),
        Field(
            "reason",
            f"Why this is necessary and right{optional}",
            "Say what the public needs to know",
            rows=4,
            most=MOST_REASON,
        ),
    )


@router.get("/record")
@router.get("/record/finished")
async def again(request: Request) -> Response:
    """A record can't be opened again: nothing was kept."""
    return RedirectResponse(f"{request.scope.get('root_path', '')}/", 303)


@router.post("/record")
async def ask(request: Request) -> HTMLResponse:
    """Ask who decided what about the checked pictures."""
    sealed, given = await _read(request)
    return _opened(request, sealed, given, asked=False)


@router.post("/record/finished")
async def finish(request: Request) -> HTMLResponse:
    """The record, or the form again with what is missing."""
    sealed, given = await _read(request)
    return _opened(request, sealed, given, asked=True)


async def _read(request: Request) -> tuple[list[str], dict[str, str]]:
    async with uploads.form(request, max_files=1) as form:
        sealed = [value for value in form.getlist("sealed") if isinstance(value, str)]
        return sealed, {key: value.strip() for key, value in form.items() if isinstance(value, str) and key != "sealed"}


def _opened(request: Request, sealed: Sequence[str], given: Fields, *, asked: bool) -> HTMLResponse:
    policy: Policy = request.app.state.policy
    try:
        checked = [approval.unseal(token, request.app.state.site.key) for token in sealed[:MOST]]
    except BrokenSeal as error:
        return _refused(request, str(error))
    if not checked:
        return _refused(request, "There is no checked picture to make a record of.")
    errors = _errors(checked, given, policy) if asked else []
    if errors or not asked:
        return _form(request, sealed, checked, given, errors)
    outcomes = tuple(given[_outcome_field(number)] for number in range(1, len(checked) + 1))
    given_approval = Approval(outcomes, *(given.get(name, "") for name in ("approver", "role", "reason")))
    made = approval.make(checked, given_approval, policy, datetime.now(UTC).isoformat(timespec="seconds"))
    return _finished(request, made)


def _outcome_field(number: int) -> str:
    return f"outcome-{number}"


def _errors(checked: Sequence[Checked], given: Fields, policy: Policy) -> list[PageProblem]:
    errors, outcomes = [], []
    for number, item in enumerate(checked, 1):
        outcome = given.get(_outcome_field(number), "")
        outcomes.append(outcome)
        if outcome not in wording.OUTCOMES:
            errors.append(PageProblem(f"Select what you decided about {item.name}", _outcome_field(number)))
    if approval.approval_needed(checked, outcomes, policy):
        if not given.get("approver"):
            errors.append(PageProblem("Enter the full name of who approves this", "approver"))
        if not given.get("reason"):
            errors.append(PageProblem("Enter why this is necessary and right", "reason"))
    for field in _fields(policy):
        if len(given.get(field.name, "")) > field.most:
            label = field.label.split(" (")[0]
            errors.append(PageProblem(f"{label} must be {field.most:,} characters or less", field.name))
    return errors


def _form(
    request: Request, sealed: Sequence[str], checked: Sequence[Checked], given: Fields, errors: Sequence[PageProblem]
) -> HTMLResponse:
    policy: Policy = request.app.state.policy
    wrong = {error.field: error.text for error in errors}
    items = []
    for number, (token, item) in enumerate(zip(sealed, checked, strict=False), 1):
        field, answer = _outcome_field(number), wording.answer(item.result)
        items.append(
            {
                "sealed": token,
                "field": field,
                "name": item.name,
                "answer": answer,
                "chosen": given.get(field),
                "error": wrong.get(field),
            }
        )
    fields = [
        {"field": field, "value": given.get(field.name, ""), "error": wrong.get(field.name)}
        for field in _fields(policy)
    ]
    return respond(
        request,
        "record_form_body.html" if _piece(request) else "record_form.html",
        status=400 if errors else 200,
        private=True,
        piece=_piece(request),
        errors=errors,
        items=items,
        fields=fields,
        outcomes=wording.OUTCOMES,
    )


def _refused(request: Request, why: str) -> HTMLResponse:
    if _piece(request):
        raise BadInput(f"{why} Check the pictures again.")
    paragraphs = [why, "Check the pictures again."]
    heading = "This record cannot be made"
    return respond(
        request, "error.html", status=400, private=True, code="broken_seal", heading=heading, paragraphs=paragraphs
    )


def _finished(request: Request, made: dict[str, Any]) -> HTMLResponse:
    values = {"record": made, "reference": made["fingerprint"][:12], "rows": _rows(made), "entries": _entries(made)}
    page = text(request.scope, "record_file.html", values)
    downloads = {
        "json": data_uri(json.dumps(made, indent=1, ensure_ascii=False).encode(), "application/json"),
        "html": data_uri(page.encode(), "text/html"),
        "name": f"picture-check-{made['made_at'][:10]}-{values['reference']}",
    }
    template = "record_made.html" if _piece(request) else "record.html"
    return respond(request, template, private=True, piece=_piece(request), download=downloads, **values)


def _piece(request: Request) -> bool:
    """The page's own script asks, and puts the answer into the page that is open."""
    return request.query_params.get("piece") == "1"


def _rows(made: Mapping[str, Any]) -> list[SummaryRow]:
    approved, policy = made["approval"], made["policy"]
    shared = cards.identity(made["pictures"][0]["result"]) if _same(made) else []
    return [
        SummaryRow("Made at", cards.readable(made["made_at"])),
        SummaryRow("Approved by", approved["approver"] or "No name given"),
        *([SummaryRow("Role", approved["role"])] if approved["role"] else []),
        SummaryRow("Why", approved["reason"] or "No reason given"),
        SummaryRow("Approval by the policy", "required" if policy["approver_required"] else "not required"),
        *shared,
        SummaryRow("Service", f"{made['service']['name']} {made['service']['version']}"),
        SummaryRow("Fingerprint of this record (SHA-256)", made["fingerprint"], mono=True),
    ]


def _same(made: Mapping[str, Any]) -> bool:
    """Every picture was checked by one model under one policy, so both can be said once."""
    first = made["pictures"][0]["result"]
    return all(
        item["result"]["model"] == first["model"] and item["result"]["policy"] == first["policy"]
        for item in made["pictures"]
    )


def _entries(made: Mapping[str, Any]) -> list[dict[str, Any]]:
    entries = []
    for item in made["pictures"]:
        checked = Checked(item["name"], item["checked_at"], item["result"])
        rows = [
            SummaryRow("Decided by the person", item["outcome"]["text"]),
            SummaryRow("Reasons of the check", " ".join(wording.reasons(item["result"]))),
            *cards.facts(checked),
            *([] if _same(made) else cards.identity(item["result"])),
        ]
        entries.append({"name": item["name"], "answer": wording.answer(item["result"]), "rows": rows})
    return entries
