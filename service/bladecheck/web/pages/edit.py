"""A copy to one's own wish: `/copy`, by numbers without scripts, and in pieces for the editor on the answers' page."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import HTMLResponse

from bladecheck.errors import PictureError
from bladecheck.web import uploads
from bladecheck.web.disconnect import attend
from bladecheck.web.http_errors import BadInput
from bladecheck.web.pages import approval, cards, copies, wording
from bladecheck.web.pages.approval import MOST_FILE_NAME, Checked
from bladecheck.web.pages.copies import MOST_AREAS, NUMBERED, BadPlan, Copy, Plan
from bladecheck.web.pages.seals import BrokenSeal
from bladecheck.web.pages.site import PageProblem, respond
from bladecheck.web.workers import Workers

BY_NUMBERS = 4
"""Areas that the form without scripts has fields for at least; one more than are filled in, where that is more."""

router = APIRouter()


@router.get("/copy")
async def ask(request: Request) -> HTMLResponse:
    """The form: choose a picture, say in numbers what to cover and keep; the address may hold areas to begin with."""
    return _form(request, {name: value for name, value in request.query_params.items() if name.startswith("area-")})


@router.post("/copy")
async def answer(request: Request) -> HTMLResponse:
    """The copy, as a page or, with `?piece=1`, as the piece that the editor puts in its place."""
    piece = request.query_params.get("piece") == "1"
    name, data, given = await _read(request)
    try:
        plan = copies.plan_from(given)
    except BadPlan as problem:
        if piece:
            raise BadInput(f"{problem.text}.") from problem
        return _form(request, given, [PageProblem(problem.text, problem.field)])
    if not data:
        if piece:
            raise BadInput("There is no picture in this request.")
        return _form(request, given, [PageProblem("Select a picture", "picture")])
    try:
        checked, copy = await attend(request, _made(request, name, data, plan, given.get("sealed", "")))
    except PictureError as error:
        if piece:
            raise
        return _form(request, given, [PageProblem(wording.REMEDIES.get(error.code, error.detail), "picture")])
    if piece:
        return respond(request, "copy_made.html", piece=True, copy=copy, name=name)
    # What the check still found is filled in, so that one press more covers it.
    given |= copies.as_numbers((*copy.plan.areas, *copy.left)) if copy.left else {}
    return _form(request, given, made={"copy": copy, "name": name, "checked": checked})


async def _read(request: Request) -> tuple[str, bytes, dict[str, str]]:
    async with uploads.form(request, max_files=1) as form:
        part = form.get("file")
        given = {key: value for key, value in form.multi_items() if isinstance(value, str)}
        if not isinstance(part, UploadFile):
            return "", b"", given
        return (part.filename or "picture").strip()[:MOST_FILE_NAME], await part.read(), given


async def _made(request: Request, name: str, data: bytes, plan: Plan, token: str) -> tuple[Checked, Copy]:
    state = request.app.state
    workers: Workers = state.workers
    key = state.site.key
    checked = _answered(token, data, key)
    if checked is None:
        result = await workers.check(data, evidence=True)
        checked = Checked(name, datetime.now(UTC).isoformat(timespec="seconds"), result)
    copy = await copies.make(data, cards.stem(name), plan, checked.result, workers, state.settings.limits, key)
    return checked, copy


def _answered(token: str, data: bytes, key: bytes) -> Checked | None:
    """The sealed answer that came along, if it is about this very picture: then nobody need look again."""
    try:
        checked = approval.unseal(token, key) if token else None
    except BrokenSeal:
        return None
    if checked is None or checked.result["image"].get("sha256") != hashlib.sha256(data).hexdigest():
        return None
    return checked


def _form(
    request: Request,
    given: Mapping[str, str],
    errors: list[PageProblem] | None = None,
    made: dict[str, Any] | None = None,
) -> HTMLResponse:
    wrong = {error.field: error.text for error in errors or []}
    filled = [number for number in range(1, MOST_AREAS + 1) if any(given.get(f"area-{number}-{p}") for p in NUMBERED)]
    count = min(MOST_AREAS, max(BY_NUMBERS, 1 + max(filled, default=0)))
    groups = [{"id": f"area-{number}", "title": f"Area {number} to cover"} for number in range(1, count + 1)] + [
        {"id": "crop", "title": "Part of the picture to keep"}
    ]
    token = approval.seal(made["checked"], request.app.state.site.key) if made else ""
    return respond(
        request,
        "copy.html",
        status=400 if errors else 200,
        private=request.method == "POST",
        here="/copy",
        errors=errors or [],
        wrong=wrong,
        given=given,
        groups=groups,
        parts=NUMBERED,
        platforms=wording.PLATFORMS,
        chosen=given.get("platform", "keep"),
        made=made,
        sealed=token,
    )
