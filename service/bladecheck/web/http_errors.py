"""Errors of a request, and the one shape they are shown in: RFC 9457 problem details (Open Inference routes differ)."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import Scope

from bladecheck.errors import BladecheckError, PictureError
from bladecheck.web import prefixes

MEDIA_TYPE = "application/problem+json"
OIP_PREFIX = "/v2"
CODE = "bladecheck.code"
"""Key of the request's scope under which the code of its problem is left for counting."""


REFUSAL = "bladecheck.refusal"
"""Key of the request's scope under which the connection leaves the error that answers it, whatever it asks for."""
CUT_OFF = "bladecheck.cut_off"
"""Key of the request's scope: its connection was too slow and had to make room for another."""


class RequestError(BladecheckError):
    """A request that can't be answered; `status` is its HTTP status, `headers` go with the answer."""

    code = "bad_request"
    status = 400

    def __init__(self, detail: str, *, retry_after: int | None = None, errors: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(detail)
        self.errors = list(errors)
        self.headers: dict[str, str] = {} if retry_after is None else {"Retry-After": str(retry_after)}


class BadMultipart(RequestError):
    """A multipart body that can't be parsed."""

    code, status = "bad_multipart", 400


class KeyRequired(RequestError):
    """No API key, or an unknown one."""

    code, status = "key_required", 401

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        # Bearer is taken too, but named here it would keep Chromium from asking for the password.
        self.headers["WWW-Authenticate"] = 'Basic realm="Bladecheck: the key is the password", charset="UTF-8"'


class CrossSite(RequestError):
    """Another site's web page made the request."""

    code, status = "cross_site", 403


class BodyTooSlow(RequestError):
    """The body came too slowly or stopped coming."""

    code, status = "body_too_slow", 408


class BodyTooLarge(RequestError):
    """More bytes than allowed; the rest is not read."""

    code, status = "body_too_large", 413


class TooManyPictures(RequestError):
    """More parts than allowed."""

    code, status = "too_many_pictures", 413


class UnsupportedMedia(RequestError):
    """A body that is neither multipart nor a picture."""

    code, status = "unsupported_media_type", 415


class ForeignHost(RequestError):
    """The request names a host that is not ours."""

    code, status = "foreign_host", 421


class BadInput(RequestError):
    """Well-formed, but not what the endpoint takes."""

    code, status = "bad_input", 422


class BadTensor(RequestError):
    """An Open Inference request whose tensors are not what the model takes."""

    code, status = "bad_tensor", 400


class UnknownModel(RequestError):
    """An Open Inference request for a model or version that is not served."""

    code, status = "unknown_model", 404


class HeadersTooLarge(RequestError):
    """More bytes of headers than allowed."""

    code, status = "headers_too_large", 431


class RateLimited(RequestError):
    """More requests than allowed for this key or address."""

    code, status = "rate_limited", 429


class ClientGone(RequestError):
    """The client closed the connection; nobody sees this answer, only the counts do."""

    code, status = "client_gone", 499


class Internal(RequestError):
    """A fault of ours."""

    code, status = "internal", 500

    def __init__(self) -> None:
        super().__init__("The service failed on this request. The log has its X-Request-ID.")


class NotReady(RequestError):
    """The model is still loading, or could not be loaded."""

    code, status = "not_ready", 503


class Overloaded(RequestError):
    """The queue is full: try again soon."""

    code, status = "overloaded", 503


TITLES = {
    "bad_input": "Not what this endpoint takes",
    "bad_multipart": "The multipart body can't be read",
    "body_too_large": "The request is too large",
    "body_too_slow": "The body came too slowly",
    "cross_site": "Asked for by another site",
    "foreign_host": "Not a name of this service",
    "headers_too_large": "The headers are too large",
    "internal": "Something went wrong here",
    "key_required": "An API key is required",
    "not_found": "No such page",
    "not_ready": "The model is not ready",
    "overloaded": "Too busy",
    "rate_limited": "Too many requests",
    "too_many_pictures": "Too many pictures",
    "unsupported_media_type": "Not a kind of body that is accepted",
}


def problem(
    status: int, code: str, detail: str, instance: str, errors: Sequence[dict[str, Any]] = ()
) -> dict[str, Any]:
    """The body of a problem answer."""
    body = {
        "type": f"urn:bladecheck:problem:{code}",
        "title": TITLES.get(code) or _phrase(status),
        "status": status,
        "detail": detail,
        "instance": instance,
        "code": code,
    }
    return {**body, "errors": list(errors)} if errors else body


def answer(scope: Scope, error: RequestError | PictureError) -> Response:
    """An error as a response, in the shape of the route: OIP's own under /v2, problem details elsewhere."""
    scope[CODE] = error.code
    path = prefixes.route(scope)
    status, headers = 422, {}
    if isinstance(error, RequestError):
        status, headers = error.status, error.headers
    if path == OIP_PREFIX or path.startswith(f"{OIP_PREFIX}/"):
        return JSONResponse({"error": f"{error.detail} [{error.code}]"}, status, headers)
    details = error.errors if isinstance(error, RequestError) else ()
    return JSONResponse(
        problem(status, error.code, error.detail, str(scope.get("path", "")), details), status, headers, MEDIA_TYPE
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Refused"


def _from_http(error: HTTPException) -> RequestError:
    made = RequestError(str(error.detail))
    made.status = error.status_code
    made.code = _phrase(error.status_code).lower().replace(" ", "_").replace("-", "_")
    made.headers = dict(error.headers or {})
    return made


def _from_validation(error: RequestValidationError) -> RequestError:
    entries = [{"where": ".".join(map(str, item["loc"])), "detail": item["msg"]} for item in error.errors()]
    return BadInput("; ".join(f"{e['where']}: {e['detail']}" for e in entries), errors=entries)


def install(app: FastAPI) -> None:
    """Make every error that an endpoint raises an answer in the documented shape."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, (RequestError, PictureError))
        return answer(request.scope, error)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return answer(request.scope, _from_http(error))

    async def validation(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(request.scope, _from_validation(error))

    async def gone(request: Request, error: Exception) -> Response:
        if request.scope.get(CUT_OFF):
            return answer(request.scope, BodyTooSlow("It was the slowest when another client needed its place."))
        return answer(request.scope, ClientGone("The client closed the connection before its request was whole."))

    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(RequestError, ours)
    app.add_exception_handler(PictureError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, validation)
