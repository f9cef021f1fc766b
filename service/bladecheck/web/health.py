"""Whether the service lives and is ready, and its measurements."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from bladecheck.web.http_errors import NotReady
from bladecheck.web.metrics import Metrics
from bladecheck.web.schemas import Health
from bladecheck.web.workers import Workers

router = APIRouter(tags=["operations"])


@router.get("/healthz", response_model=Health)
async def alive() -> dict[str, str]:
    """The process answers."""
    return {"status": "ok"}


@router.get("/readyz", response_model=Health)
async def ready(request: Request) -> dict[str, str]:
    """The model is loaded and its golden pictures gave the recorded scores; 503 before, and while shutting down."""
    workers: Workers = request.app.state.workers
    if workers.draining:
        raise NotReady("The server is shutting down.", retry_after=5)
    _ = workers.classifier  # raises NotReady where there is none; no assert, which `python -O` would leave out
    return {"status": "ok"}


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def metrics(request: Request) -> Response:
    """Prometheus' text format."""
    found: Metrics = request.app.state.metrics
    return Response(found.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
