"""Pages to read: help, privacy, accessibility statement, and the model card straight from the bundle's manifest."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse

from bladecheck.core.verdict import Policy
from bladecheck.web.http_errors import NotReady
from bladecheck.web.pages import model_card, model_glance, wording
from bladecheck.web.pages.check import MOST
from bladecheck.web.pages.site import respond
from bladecheck.web.workers import Workers

router = APIRouter()


@router.get("/help")
async def help_(request: Request) -> HTMLResponse:
    """How to read an answer; readable while the model is still loading."""
    policy: Policy = request.app.state.policy
    return respond(
        request,
        "help.html",
        answers=list(wording.ANSWERS.values()),
        limits=_limits(request),
        most=MOST,
        videos=wording.videos(request.app.state.settings),
        policy=policy,
        policy_words=wording.policy_words(policy),
    )


@router.get("/privacy")
async def privacy(request: Request) -> HTMLResponse:
    """What happens to a picture."""
    return respond(request, "privacy.html")


@router.get("/accessibility")
async def accessibility(request: Request) -> HTMLResponse:
    """The accessibility statement."""
    return respond(request, "accessibility.html")


@router.get("/model")
async def model(request: Request) -> HTMLResponse:
    """How often the model is wrong, on one screen."""
    workers: Workers = request.app.state.workers
    manifest = workers.classifier.bundle.manifest
    return respond(
        request,
        "model.html",
        model=f"{manifest.name} {manifest.version}",
        measured=model_glance.glance(manifest.metrics),
        kinds=model_glance.by_kind(manifest.metrics),
        limits=manifest.limits,
    )


@router.get("/model/card")
async def card(request: Request) -> HTMLResponse:
    """All that the bundle says of itself."""
    workers: Workers = request.app.state.workers
    return respond(request, "model_card.html", **model_card.values(workers.classifier.bundle, workers.policy))


def _limits(request: Request) -> tuple[str, ...]:
    workers: Workers = request.app.state.workers
    try:
        return wording.LIMITS + workers.classifier.bundle.manifest.limits
    except NotReady:
        return wording.LIMITS
