"""Choose pictures, and see the answers: `/`, `/check` for whole forms, `/check/picture` for the page's own script."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bladecheck.web import uploads
from bladecheck.web.disconnect import attend
from bladecheck.web.http_errors import BadInput
from bladecheck.web.pages import cards, wording
from bladecheck.web.pages.approval import MOST_FILE_NAME, Checked
from bladecheck.web.pages.cards import Card
from bladecheck.web.pages.site import PageProblem, respond
from bladecheck.web.settings import Settings
from bladecheck.web.workers import Workers

MOST = 20
"""Pictures that one press officer checks at once; programs may send more."""

router = APIRouter()


@router.get("/")
async def start(request: Request) -> HTMLResponse:
    """The first page: choose pictures."""
    return _start(request)


@router.get("/check")
async def again() -> Response:
    """Answers can't be opened again: nothing was kept. Whoever reloads starts afresh."""
    return RedirectResponse("./", 303)


@router.post("/check")
async def check(request: Request) -> HTMLResponse:
    """The answers to up to twenty pictures, as one page."""
    files = await _files(request)
    if problem := _problem(files):
        return _start(request, problem)
    made = await _cards(request, files)
    results = [card.checked.result for card in made]
    return respond(request, "results.html", private=True, here="/check", cards=made, **_around(request, results))


@router.post("/check/picture")
async def picture(request: Request) -> HTMLResponse:
    """The answer to one picture, as a piece of the page; the query's `position` numbers it."""
    files = await _files(request)
    if len(files) != 1:
        raise BadInput(f"There are {len(files)} pictures; this takes one at a time.")
    position = request.query_params.get("position", "1")
    first = int(position) if position.isdecimal() and len(position) < 4 else 1
    [card] = await _cards(request, files, first)
    return respond(request, "card.html", piece=True, card=card)


def _start(request: Request, problem: PageProblem | None = None) -> HTMLResponse:
    settings: Settings = request.app.state.settings
    return respond(
        request,
        "start.html",
        status=400 if problem else 200,
        errors=[problem] if problem else [],
        here="/",
        most=MOST,
        platforms=wording.PLATFORMS,
        most_bytes=settings.picture_max_bytes,
        videos=wording.videos(settings),
        most_size=f"{settings.picture_max_bytes // 2**20} MB",
        **_around(request, []),
    )


async def _files(request: Request) -> list[tuple[str, bytes]]:
    """Name and bytes of each chosen file. An empty choice arrives as one nameless file of zero bytes."""
    settings: Settings = request.app.state.settings
    async with uploads.form(request, settings.max_files) as form:
        chosen = [part for part in form.getlist("file") if isinstance(part, UploadFile)]
        read = [((part.filename or "").strip()[:MOST_FILE_NAME], await part.read()) for part in chosen]
    return [(name or f"Picture {number}", data) for number, (name, data) in enumerate(read, 1) if name or data]


def _problem(files: Sequence[tuple[str, bytes]]) -> PageProblem | None:
    if not files:
        return PageProblem("Select at least one picture", "pictures")
    if len(files) > MOST:
        return PageProblem(f"You can only check up to {MOST} pictures at the same time", "pictures")
    return None


async def _cards(request: Request, files: Sequence[tuple[str, bytes]], first: int = 1) -> list[Card]:
    state = request.app.state
    workers: Workers = state.workers
    results = await attend(request, workers.check_all([data for _, data in files], evidence=True))
    moment = datetime.now(UTC).isoformat(timespec="seconds")
    return await asyncio.gather(
        *(
            cards.make(
                data,
                Checked(name, moment, result),
                f"picture-{number}",
                workers,
                state.settings.limits,
                state.site.key,
            )
            for number, ((name, data), result) in enumerate(zip(files, results, strict=True), first)
        )
    )


def _around(request: Request, results: list[dict[str, Any]]) -> dict[str, Any]:
    """What the answers' page says around the cards."""
    many = f"{len(results)} pictures" if len(results) != 1 else "1 picture"
    policy = request.app.state.policy
    why = "Your policy asks for one where a picture that is not clear is used." if policy.approver_required else ""
    return {
        "heading": f"{many} checked",
        "summary": wording.summary(results) if results else "",
        "record_why": f"A record says what was checked, what was answered and who decided. {why}".strip(),
    }
