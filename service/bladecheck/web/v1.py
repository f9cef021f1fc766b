"""The JSON API under /v1."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import JSONResponse

from bladecheck.core.redact import MEDIA_TYPES
from bladecheck.web import uploads
from bladecheck.web.disconnect import attend
from bladecheck.web.http_errors import MEDIA_TYPE, BadInput
from bladecheck.web.schemas import Answer, ModelCard, Problem
from bladecheck.web.workers import Workers

BINARY = {"type": "string", "format": "binary"}


def body(form_field: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI's description of a body that is a form with `file`, or one picture."""
    form = {
        "type": "object",
        "properties": {"file": form_field},
        "required": ["file"],
        "additionalProperties": False,
    }
    content = {"multipart/form-data": {"schema": form}, "image/*": {"schema": BINARY}}
    return {"requestBody": {"required": True, "content": content}}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI entries for the problem answers of a route."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {status: {"model": Problem, "content": {MEDIA_TYPE: {"schema": schema}}} for status in (401, 429, *statuses)}


router = APIRouter(prefix="/v1", tags=["pictures"])


@router.post(
    "/classify",
    response_model=Answer,
    responses=problems(400, 408, 413, 415, 422, 503),
    openapi_extra=body({"type": "array", "items": BINARY, "minItems": 1}),
)
async def classify(
    request: Request,
    evidence: Annotated[Literal["map", "none"], Query(description="Add the evidence map to each result.")] = "none",
) -> Response:
    """Judge 1 to N pictures: `file` parts of a form, or one picture as the body.

    A video counts as one picture; the frame that decided has its time in `video`.
    One result per picture, in order. A picture that can't be read is a result with status "failed", not an error.
    """
    workers: Workers = request.app.state.workers
    workers.admit()
    pictures = await uploads.pictures(request, request.app.state.settings.max_files)
    found = await attend(request, workers.check_all(pictures, evidence=evidence == "map"))
    return JSONResponse(
        {"model": workers.classifier.bundle.identity, "policy": workers.policy.identity, "results": found}
    )


@router.post(
    "/redact",
    response_class=Response,
    responses={200: {"content": {key: {} for key in MEDIA_TYPES.values()}}, **problems(400, 408, 413, 415, 422, 503)},
    openapi_extra=body(BINARY),
)
async def redact(request: Request) -> Response:
    """One picture back with the blade blurred and without metadata, upright and at full size.

    JPEG, PNG and WebP stay what they were; others become JPEG, an animation a still of its first frame. Headers say
    what was done: X-Decision (on the picture as sent), X-Redacted (none, part or whole), X-Knife-After (score left).
    """
    workers: Workers = request.app.state.workers
    workers.admit()
    pictures = await uploads.pictures(request, request.app.state.settings.max_files)
    if len(pictures) != 1:
        raise BadInput(f"There are {len(pictures)} pictures; redact takes one at a time.")
    copy = await attend(request, workers.redact(pictures[0]))
    headers = {
        "X-Decision": str(copy.decision),
        "X-Redacted": copy.extent,
        "X-Knife-After": f"{copy.knife_after:.4f}",
    }
    return Response(copy.data, media_type=copy.media_type, headers=headers)


@router.get("/model", response_model=ModelCard, responses=problems(503))
async def model(request: Request) -> Response:
    """The model's card and identity; its ETag changes with the model or the policy."""
    workers: Workers = request.app.state.workers
    bundle, policy = workers.classifier.bundle, workers.policy
    etag = f'"{bundle.sha256[:32]}-{policy.sha256[:16]}"'
    if etag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers={"ETag": etag})
    card = {
        **bundle.identity,
        "summary": bundle.manifest.summary,
        "limits": list(bundle.manifest.limits),
        "policy": policy.identity,
        "videos": request.app.state.settings.looks_at_videos,
        "card": bundle.manifest.model_dump(mode="json", by_alias=True),
    }
    return JSONResponse(card, headers={"ETag": etag})
