"""The web application. `app.state` holds `workers`, `settings`, `policy` and `metrics` for every route."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from bladecheck import __version__
from bladecheck.core.verdict import Policy
from bladecheck.web import api_docs, health, http_errors, pages, v1, v2
from bladecheck.web.body_limits import Bodies
from bladecheck.web.head_requests import HeadAsGet
from bladecheck.web.keys import Guard
from bladecheck.web.metrics import Metrics
from bladecheck.web.origins import OwnPagesOnly
from bladecheck.web.proxies import Forwarded
from bladecheck.web.request_log import Observe
from bladecheck.web.settings import Settings
from bladecheck.web.workers import ClassifierSource, Workers


def create_app(source: ClassifierSource, settings: Settings, policy: Policy | None = None) -> FastAPI:
    """The service around a model.

    Args:
        source: a classifier, or what loads one; it is loaded and verified in the background once the server runs.
        settings: see `bladecheck.web.settings`.
        policy: the force's rules; None takes the plain defaults.
    """
    app = FastAPI(title="Bladecheck", version=__version__, docs_url=None, redoc_url=None, lifespan=_lifespan)
    app.state.settings, app.state.policy, app.state.metrics = settings, policy or Policy(), Metrics()
    app.state.workers = Workers(source, settings, app.state.policy, app.state.metrics)
    http_errors.install(app)
    app.add_middleware(HeadAsGet)
    # The last one added sees a request first: say who asks and under which path, make errors pages, observe, bound its
    # body, refuse other sites' pages, ask for the key.
    app.add_middleware(Guard, settings=settings)
    app.add_middleware(OwnPagesOnly, settings=settings)
    app.add_middleware(Bodies, settings=settings, metrics=app.state.metrics)
    app.add_middleware(Observe, workers=app.state.workers, metrics=app.state.metrics)
    app.include_router(health.router)
    app.include_router(v1.router)
    app.include_router(v2.router)
    app.include_router(api_docs.router)
    api_docs.mount(app)
    app.include_router(pages.router)
    pages.mount_static(app)
    app.add_middleware(Forwarded, settings=settings)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncGenerator[None]:
    workers: Workers = app.state.workers
    loading = asyncio.create_task(workers.start())
    if app.state.settings.processes > 1:
        # The others answer meanwhile: connections are accepted only by who can serve them.
        await loading
        if workers.failure:
            raise workers.failure
    yield
    await loading
    workers.close()
