"""The approver's side: open a record that was handed over, look at its pictures, approve it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import HTMLResponse

from bladecheck.core import record
from bladecheck.errors import PictureError, RecordError
from bladecheck.web import uploads
from bladecheck.web.disconnect import attend
from bladecheck.web.pages import approval, cards, previews, seals
from bladecheck.web.pages.check import MOST
from bladecheck.web.pages.record_fields import Fields, approver, approver_errors, filled
from bladecheck.web.pages.record_page import finished, refused, shown
from bladecheck.web.pages.seals import BrokenSeal
from bladecheck.web.pages.site import PageProblem, respond
from bladecheck.web.workers import Workers

SHOWN_AT_MOST = 2 * MOST
"""Files that an approver looks at beside a record: each picture and its copy."""
FIELDS_AT_MOST = SHOWN_AT_MOST + 20

router = APIRouter()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A record that waits for approval, and what came with it.

    `seen` holds small pictures to look at by the fingerprint that they were matched by (empty where a file can't be
    shown in a page); `files` the names of what was chosen just now, `unknown` those of them that are not the record's;
    `came_back`: from the approver's own form, not from the page where the record is chosen.
    """

    handed: dict[str, Any]
    seen: Mapping[str, str]
    given: Fields
    files: tuple[str, ...]
    unknown: tuple[str, ...]
    came_back: bool


@router.get("/record/open")
async def choose(request: Request) -> HTMLResponse:
    """Choose a record that was handed over."""
    return respond(request, "record_open.html", here="/record/open")


@router.post("/record/open")
async def opened(request: Request) -> HTMLResponse:
    """The record that was handed over, with the files chosen to look at; what was typed already stays."""
    try:
        waiting = await _read(request)
    except BrokenSeal as error:
        return refused(request, str(error))
    except RecordError as error:
        problem = PageProblem(error.detail, "file")
        return respond(request, "record_open.html", status=400, here="/record/open", errors=[problem])
    nothing = waiting.came_back and not waiting.files
    return _form(request, waiting, [PageProblem("Choose the files that came with the record", "picture")] * nothing)


@router.post("/record/approved")
async def approved(request: Request) -> HTMLResponse:
    """The record with who approved it, or the form again: nobody approves what they chose to see and have not seen."""
    site = request.app.state.site
    try:
        waiting = await _read(request)
        moment = seals.unseal("moment", waiting.given.get("moment", ""), site.key)["at"]
    except (BrokenSeal, RecordError) as error:
        return refused(request, str(error))
    reason = waiting.given.get("reason") or waiting.handed["reason"]
    errors = [PageProblem("Look at the files that you chose, then approve")] if waiting.files else []
    errors += approver_errors({**waiting.given, "reason": reason}, request.app.state.policy, True)
    if errors:
        return _form(request, waiting, errors)
    return finished(request, approval.approve(waiting.handed, waiting.given, moment, site.record_key))


async def _read(request: Request) -> Waiting:
    """What a form of the approver's page brought.

    Raises:
        BrokenSeal: if something in it was changed on the way.
        RecordError: if the record is none, is incomplete, was altered, or does not wait for approval.
    """
    async with uploads.form(request, max_files=1 + SHOWN_AT_MOST, max_fields=FIELDS_AT_MOST) as form:
        part = form.get("file")
        data = await part.read() if isinstance(part, UploadFile) else b""
        chosen = [
            (one.filename or "", await one.read()) for one in form.getlist("picture") if isinstance(one, UploadFile)
        ]
        tokens = [value for value in form.getlist("seen") if isinstance(value, str)]
        given = {name: value.strip() for name, value in form.items() if isinstance(value, str) and name != "seen"}
    key = request.app.state.site.key
    token = given.pop("handed", "")
    handed = seals.unseal("handed", token, key) if token else _handed_over(request, data)
    seen, unknown, known = _seen(tokens, key), [], _fingerprints(handed)
    files = [(name, content) for name, content in chosen if content]
    for name, content in files:
        digest = hashlib.sha256(content).hexdigest()
        if digest in known:
            seen[digest] = await _small(request, content, known[digest])
        else:
            unknown.append(name)
    return Waiting(handed, seen, given, tuple(name for name, _ in files), tuple(unknown), bool(token))


def _handed_over(request: Request, data: bytes) -> dict[str, Any]:
    """The record in these bytes.

    Raises:
        RecordError: if it is none, is incomplete, was altered, or does not wait for approval.
    """
    handed = record.read(data)
    found = record.verify(handed, key=request.app.state.site.record_key)
    if not found.good:
        raise RecordError("This record was altered since it was made: do not approve it. Ask for it again.")
    try:
        shown(handed)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        # Anyone can work out the fingerprint of a record that lacks something.
        raise RecordError("This record is incomplete. Ask for it again.") from error
    if handed["state"] != approval.WAITING:
        raise RecordError(f"This record is not waiting for approval: it says {handed['state']!r}.")
    return handed


def _fingerprints(handed: Mapping[str, Any]) -> dict[str, float | None]:
    """Of every picture and copy that a record is about; with the time of the frame that decided, for a video."""
    found: dict[str, float | None] = {}
    for item in handed["pictures"]:
        found[item["result"]["image"].get("sha256") or ""] = item["result"].get("video", {}).get("frame_at")
        found[(item["copy"] or {}).get("sha256") or ""] = None
    found.pop("", None)
    return found


async def _small(request: Request, data: bytes, frame_at: float | None) -> str:
    """A small picture to look at, as a data: URI; empty for a file of the record that can't be shown here."""
    limits = request.app.state.settings.limits
    workers: Workers = request.app.state.workers
    try:
        if frame_at is not None:
            data = await attend(request, workers.run(cards.frame, data, frame_at, limits))
        return (await attend(request, workers.run(previews.preview, data, None, limits))).picture
    except PictureError:
        return ""


def _seen(tokens: Sequence[str], key: bytes) -> dict[str, str]:
    """What was shown on the form that was sent: small pictures by the fingerprint that they were matched by.

    Sealed, so that no page of ours shows another picture as the record's.

    Raises:
        BrokenSeal: if one was changed.
    """
    shown = [seals.unseal("seen", token, key) for token in tokens]
    return {one["sha256"]: one["small"] for one in shown}


def _form(request: Request, waiting: Waiting, errors: Sequence[PageProblem]) -> HTMLResponse:
    site = request.app.state.site
    wrong = {error.field: error.text for error in errors}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return respond(
        request,
        "record_approve.html",
        status=400 if errors else 200,
        private=True,
        errors=errors,
        wrong=wrong,
        fields=filled(approver(request.app.state.policy), waiting.given, wrong),
        handed=seals.seal("handed", waiting.handed, site.key),
        moment=seals.seal("moment", {"at": now}, site.key),
        seen=[seals.seal("seen", {"sha256": one, "small": small}, site.key) for one, small in waiting.seen.items()],
        unknown=waiting.unknown,
        missing=len(_fingerprints(waiting.handed).keys() - waiting.seen.keys()),
        **shown(waiting.handed, waiting.seen),
    )
