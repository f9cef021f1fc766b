"""The web application. `app.state` holds `workers`, `settings`, `policy` and `metrics` for every route."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from bladecheck import __version__, api, apidocs, health, oip, pages, problems
from bladecheck.bodies import Bodies
from bladecheck.guard import Guard
from bladecheck.metrics import Metrics
from bladecheck.observe import Observe
from bladecheck.settings import Settings
from bladecheck.verdict import Policy
from bladecheck.workers import Source, Workers


def create_app(source: Source, settings: Settings, policy: Policy | None = None) -> FastAPI:
    """The service around a model.

    Args:
        source: a classifier, or what loads one; it is loaded and verified in the background once the server runs.
        settings: see `bladecheck.settings`.
        policy: the force's rules; None takes the plain defaults.
    """
    app = FastAPI(title="Bladecheck", version=__version__, docs_url=None, redoc_url=None, lifespan=_lifespan)
    app.state.settings, app.state.policy, app.state.metrics = settings, policy or Policy(), Metrics()
    app.state.workers = Workers(source, settings, app.state.policy, app.state.metrics)
    problems.install(app)
    # The last one added sees a request first: observe, then bound its body, then ask for the key.
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(Bodies, settings=settings, metrics=app.state.metrics)
    app.add_middleware(Observe, workers=app.state.workers, metrics=app.state.metrics)
    app.include_router(health.router)
    app.include_router(api.router)
    app.include_router(oip.router)
    app.include_router(apidocs.router)
    apidocs.mount(app)
    app.include_router(pages.router)
    pages.mount_static(app)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    workers: Workers = app.state.workers
    loading = asyncio.create_task(workers.start())
    yield
    await loading
    workers.close()
