"""`bladecheck serve`: the service and its page."""

from __future__ import annotations

from typing import Annotated

import typer

from bladecheck.bundle import find


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. Default: 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port. Default: 8000.")] = None,
    bundle: Annotated[str | None, typer.Option(help="Model: a bundle's name or folder. Default: base.")] = None,
) -> int:
    """Start the service: the page at /, the API under /v1, its documentation at /docs."""
    import uvicorn

    from bladecheck.app import create_app
    from bladecheck.classifier import Classifier
    from bladecheck.settings import Settings

    given = {"host": host, "port": port, "bundle": bundle}
    settings = Settings(**{key: value for key, value in given.items() if value is not None})  # type: ignore[arg-type]
    found = find(settings.bundle)
    uvicorn.run(create_app(lambda: Classifier(found), settings), host=settings.host, port=settings.port)
    return 0
