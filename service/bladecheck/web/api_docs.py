"""/docs: Swagger UI from our own files, without inline scripts, so that it works offline and under the CSP."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

FOLDER = Path(__file__).parent / "static" / "swagger-ui-5.35.0"
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Bladecheck API</title>
<link rel="stylesheet" href="docs/files/swagger-ui.css">
<script src="docs/files/swagger-ui-bundle.js" defer></script>
<script src="docs/files/start.js" defer></script>
</head>
<body>
<div id="swagger-ui"></div>
<noscript>This page needs JavaScript; the same document is at <a href="openapi.json">openapi.json</a>.</noscript>
</body>
</html>
"""

router = APIRouter()


@router.get("/docs", include_in_schema=False)
async def docs() -> HTMLResponse:
    """The API's documentation to read and try."""
    return HTMLResponse(PAGE)


def mount(app: FastAPI) -> None:
    """Serve Swagger UI's files."""
    app.mount("/docs/files", StaticFiles(directory=FOLDER), name="docs-files")
