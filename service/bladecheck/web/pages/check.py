"""Choose pictures, and see the answers: `/`, `/check` for whole forms, `/check/picture` for the page's own script."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter, Request
from starlette.datastructures import UploadFile
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bladecheck import __version__
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

FORM_BYTES = 64 * 2**10
"""Room that a form needs around one picture."""

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
    made = _most_pressing_first(_doubles_said(await _cards(request, files)))
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


def in_size(count: int) -> str:
    """Bytes as people say them: "32 MB", "1.5 MB", "97 kB"; rounded down, so that a limit is never overstated."""
    if count < 2**20:
        return f"{max(1, count // 2**10):,} kB"
    return f"{count * 10 // 2**20 / 10:g} MB"


def _most_pressing_first(made: Sequence[Card]) -> list[Card]:
    return sorted(made, key=lambda card: wording.ORDER.index(card.checked.result["decision"]))


def _doubles_said(made: Sequence[Card]) -> list[Card]:
    """The cards, those of a file that was sent before saying so."""
    first: dict[str, Card] = {}
    found = []
    for card in made:
        before = first.setdefault(card.checked.result["image"]["sha256"], card)
        found.append(card if before is card else replace(card, same_as=wording.SAME.format(name=before.name)))
    return found


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
        most_bytes=min(settings.picture_max_bytes, max(1, settings.max_body_bytes - FORM_BYTES)),
        most_pixels=settings.picture_max_pixels,
        most_together=settings.max_body_bytes,
        in_size=in_size,
        videos=wording.videos(settings),
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
        "printed": wording.PRINTED.format(policy=policy.name, version=__version__),
        "record_why": f"A record says what was checked, what was answered and who decided. {why}".strip(),
    }
