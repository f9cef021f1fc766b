"""The approval record: asks who decided what, then shows a record to print or save, hand over or approve."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bladecheck.core import record
from bladecheck.core.verdict import Policy
from bladecheck.errors import PictureError, RecordError
from bladecheck.web import prefixes, uploads
from bladecheck.web.disconnect import attend
from bladecheck.web.http_errors import BadInput
from bladecheck.web.pages import approval, cards, previews, seals, wording
from bladecheck.web.pages.approval import MOST_NAME, MOST_REASON, Checked, Choice
from bladecheck.web.pages.cards import SummaryRow
from bladecheck.web.pages.check import MOST
from bladecheck.web.pages.previews import data_uri
from bladecheck.web.pages.seals import BrokenSeal
from bladecheck.web.pages.site import PageProblem, respond, text
from bladecheck.web.workers import Workers

FIELDS_AT_MOST = 20 * 7 + 20
SHOWN_AT_MOST = 2 * MOST
"""Files that an approver looks at beside a record: each picture and its copy."""
THUMBNAIL = "data:image/jpeg;base64,"

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


def _approver(policy: Policy) -> tuple[Field, ...]:
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
        return _refused(request, str(error))
    if not sent.checked:
        return _refused(request, "There is no checked picture to make a record of.")
    policy: Policy = request.app.state.policy
    errors = _errors(sent, policy) if asked else []
    if errors or not asked:
        return _form(request, sent, errors)
    choices = [
        Choice(*(sent.given.get(f"{name}-{number}", "") for name in ("outcome", "correction", "approver")))
        for number in range(1, len(sent.checked) + 1)
    ]
    key = request.app.state.site.record_key
    return _finished(request, approval.make(sent.checked, sent.copies, choices, sent.given, policy, sent.moment, key))


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
        errors += _approver_errors(given, policy, needed)
    alone = [f"approver-{number}" for number in range(1, len(sent.checked) + 1)]
    lengths = [(field.name, field.label.split(" (")[0], field.most) for field in (*DECIDER, *_approver(policy), *POST)]
    for name, label, most in (*lengths, *((name, "Approver", MOST_NAME) for name in alone)):
        if len(given.get(name, "")) > most:
            errors.append(PageProblem(f"{label} must be {most:,} characters or less", name))
    return errors


def _approver_errors(given: Fields, policy: Policy, needed: bool) -> list[PageProblem]:
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
        {"title": "Who decided", "fields": _filled(DECIDER, given, wrong)},
        {"title": "Who approves", "fields": _filled(_approver(policy), given, wrong)},
        {"title": "The post", "fields": _filled(POST, given, wrong)},
    ]
    return respond(
        request,
        "record_form_body.html" if _piece(request) else "record_form.html",
        status=400 if errors else 200,
        private=True,
        piece=_piece(request),
        errors=errors,
        items=items,
        groups=groups,
        corrections=wording.CORRECTIONS,
        alone=policy.approver_required,
        moment=seals.seal("moment", {"at": sent.moment}, request.app.state.site.key),
    )


def _filled(fields: Sequence[Field], given: Fields, wrong: Mapping[str | None, str]) -> list[dict[str, Any]]:
    return [{"field": field, "value": given.get(field.name, ""), "error": wrong.get(field.name)} for field in fields]


@router.get("/record/open")
async def choose(request: Request) -> HTMLResponse:
    """Choose a record that was handed over."""
    return respond(request, "record_open.html", here="/record/open")


@router.post("/record/open")
async def opened(request: Request) -> HTMLResponse:
    """The record that was handed over, the pictures chosen with it, and who approves it."""
    async with uploads.form(request, max_files=1 + SHOWN_AT_MOST, max_fields=FIELDS_AT_MOST) as form:
        part = form.get("file")
        data = await part.read() if isinstance(part, UploadFile) else b""
        files = [
            (one.filename or "", await one.read()) for one in form.getlist("picture") if isinstance(one, UploadFile)
        ]
        token, tokens = "".join(_texts(form, "handed")), _texts(form, "seen")
    key = request.app.state.site.key
    try:
        handed = seals.unseal("handed", token, key) if token else _handed_over(request, data)
        seen, unknown = _seen(tokens, key), []
    except BrokenSeal as error:
        return _refused(request, str(error))
    except (RecordError, KeyError, TypeError) as error:
        said = error.detail if isinstance(error, RecordError) else "This record is incomplete."
        return respond(request, "record_open.html", status=400, here="/record/open", errors=[PageProblem(said, "file")])
    known = _fingerprints(handed)
    for name, content in files:
        digest = hashlib.sha256(content).hexdigest()
        if digest in known:
            seen[digest] = await _small(request, content)
        elif content:
            unknown.append(name)
    return _approval(request, handed, {}, [], seen, unknown)


def _handed_over(request: Request, data: bytes) -> dict[str, Any]:
    """The record in these bytes.

    Raises:
        RecordError, KeyError, TypeError: if it is none, was altered, or does not wait for approval.
    """
    handed = record.read(data)
    found = record.verify(handed, key=request.app.state.site.record_key)
    if not found.good:
        raise RecordError("This record was altered since it was made: do not approve it. Ask for it again.")
    if handed["state"] != approval.WAITING:
        raise RecordError(f"This record is not waiting for approval: it says {handed['state']!r}.")
    return handed


def _fingerprints(handed: Mapping[str, Any]) -> set[str]:
    """Of every picture and copy that a record is about."""
    return {
        one
        for item in handed["pictures"]
        for one in (item["result"]["image"].get("sha256"), (item["copy"] or {}).get("sha256"))
        if one
    }


async def _small(request: Request, data: bytes) -> str:
    """A small picture to look at, as a data: URI; empty for a file of the record that can't be shown (a video, say)."""
    limits = request.app.state.settings.limits
    workers: Workers = request.app.state.workers
    try:
        return (await attend(request, workers.run(previews.preview, data, None, limits))).picture
    except PictureError:
        return ""


def _texts(form: FormData, name: str) -> list[str]:
    return [value for value in form.getlist(name) if isinstance(value, str)]


def _seen(tokens: Sequence[str], key: bytes) -> dict[str, str]:
    """What was shown on the form that was sent: small pictures by the fingerprint that they were matched by.

    Sealed, so that no page of ours shows another picture as the record's.

    Raises:
        BrokenSeal: if one was changed.
    """
    shown = [seals.unseal("seen", token, key) for token in tokens]
    return {one["sha256"]: one["small"] for one in shown}


@router.post("/record/approved")
async def approved(request: Request) -> HTMLResponse:
    """The record with who approved it, or the form again."""
    site = request.app.state.site
    async with uploads.form(request, max_files=1, max_fields=FIELDS_AT_MOST) as form:
        given = {name: value.strip() for name, value in form.items() if isinstance(value, str)}
        tokens = _texts(form, "seen")
    try:
        handed = seals.unseal("handed", given.pop("handed", ""), site.key)
        seen = _seen(tokens, site.key)
        moment = seals.unseal("moment", given.pop("moment", ""), site.key)["at"]
    except BrokenSeal as error:
        return _refused(request, str(error))
    errors = _approver_errors(
        {**given, "reason": given.get("reason") or handed["reason"]}, request.app.state.policy, True
    )
    if errors:
        return _approval(request, handed, given, errors, seen)
    return _finished(request, approval.approve(handed, given, moment, site.record_key))


def _approval(
    request: Request,
    handed: dict[str, Any],
    given: Fields,
    errors: Sequence[PageProblem],
    seen: Mapping[str, str],
    unknown: Sequence[str] = (),
) -> HTMLResponse:
    site = request.app.state.site
    wrong = {error.field: error.text for error in errors}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return respond(
        request,
        "record_approve.html",
        status=400 if errors else 200,
        private=True,
        errors=errors,
        fields=_filled(_approver(request.app.state.policy), given, wrong),
        handed=seals.seal("handed", handed, site.key),
        moment=seals.seal("moment", {"at": now}, site.key),
        seen=[seals.seal("seen", {"sha256": one, "small": small}, site.key) for one, small in seen.items()],
        unknown=unknown,
        missing=len(_fingerprints(handed) - set(seen)),
        **_shown(handed, seen),
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
    values = _shown(made)
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


def _shown(made: Mapping[str, Any], seen: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {
        "record": made,
        "reference": made["fingerprint"][:12],
        "rows": _rows(made),
        "entries": _entries(made, seen or {}),
        "waiting": made["state"] == approval.WAITING,
    }


def _rows(made: Mapping[str, Any]) -> list[SummaryRow]:
    policy, post, handed = made["policy"], made["post"], made["handed_over"]
    said = [
        ("State", made["state"]),
        ("Begun at", cards.readable(made["made_at"])),
        ("Decided by", _person(made["decided_by"])),
        ("Approved by", _person(made["approved_by"])),
        ("Why", made["reason"] or "No reason given"),
        ("Approval by the policy", "required" if policy["approver_required"] else "not required"),
        ("Case number", post["case_number"]),
        ("Posted on", post["platform"]),
        ("Date of the post", post["post_date"]),
        ("Link to the post", post["post_link"]),
        ("Approved at", cards.readable(handed["approved_at"]) if handed else ""),
    ]
    shared = cards.identity(made["pictures"][0]["result"]) if _same(made) else []
    return [
        *(SummaryRow(key, value) for key, value in said if value),
        *shared,
        SummaryRow("Service", f"{made['service']['name']} {made['service']['version']}"),
        *([SummaryRow("Handed over as (SHA-256)", handed["fingerprint"], mono=True)] if handed else []),
        SummaryRow("Fingerprint of this record (SHA-256)", made["fingerprint"], mono=True),
        SummaryRow("Signature", wording.SIGNED if made["signature"] else wording.UNSIGNED),
    ]


def _person(one: Mapping[str, str]) -> str:
    return ", ".join(part for part in (one["name"], one["role"]) if part) or "No name given"


def _same(made: Mapping[str, Any]) -> bool:
    """Every picture was checked by one model under one policy, so both can be said once."""
    first = made["pictures"][0]["result"]
    return all(
        item["result"]["model"] == first["model"] and item["result"]["policy"] == first["policy"]
        for item in made["pictures"]
    )


def _entries(made: Mapping[str, Any], seen: Mapping[str, str]) -> list[dict[str, Any]]:
    """What the record says of each picture, and the files that were chosen to look at beside it."""
    entries = []
    for item in made["pictures"]:
        checked, copy = Checked(item["name"], item["checked_at"], item["result"]), item["copy"]
        rows = [
            SummaryRow("Decided by the person", item["outcome"]["text"]),
            *([SummaryRow("This answer was wrong", item["correction"]["text"])] if item["correction"] else []),
            *([SummaryRow("Approved by", item["approved_by"])] if item["approved_by"] else []),
            *(_copy_rows(copy) if copy else []),
            SummaryRow("Reasons of the check", " ".join(wording.reasons(item["result"]))),
            *cards.facts(checked),
            *([] if _same(made) else cards.identity(item["result"])),
        ]
        shown = [
            (label, small)
            for label, digest in (
                ("The picture", checked.result["image"].get("sha256", "")),
                ("The copy", (copy or {}).get("sha256", "")),
            )
            if (small := seen.get(digest))
        ]
        entries.append({"name": item["name"], "answer": wording.answer(item["result"]), "rows": rows, "shown": shown})
    return entries


def _copy_rows(copy: Mapping[str, Any]) -> list[SummaryRow]:
    what = f"{copy['width']} × {copy['height']} pixels, {len(copy['areas'])} covered{', cut' if copy['crop'] else ''}"
    return [
        SummaryRow("Copy", what),
        SummaryRow("Check of the copy", wording.ANSWERS[copy["check"]["decision"]].word),
        SummaryRow("Fingerprint of the copy (SHA-256)", copy["sha256"], mono=True),
    ]
