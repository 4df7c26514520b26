"""Every refusal of the API as the same JSON: the row of the error table, with the status that it names."""

from __future__ import annotations

import math
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import (
    ClientException,
    HTTPException,
    MethodNotAllowedException,
    NotFoundException,
    ValidationException,
)

from hubbub.api.context import context_of
from hubbub.errors import ERRORS, ErrorCode, HubbubError
from hubbub.telemetry.logging import get_logger

log = get_logger("hubbub.api")

CLIENT_GONE = "client disconnected prematurely"


class ErrorBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a request was refused. `code` and `name` are from the error table; `temporary` says whether a retry may help.

    `field` names what to change, in dotted form; `retry_after` is in seconds.
    """

    code: int
    name: str
    message: str
    temporary: bool
    field: str | None = None
    retry_after: float | None = None


def body_of(error: HubbubError) -> ErrorBody:
    info = error.info
    return ErrorBody(
        int(error.code), info.name, error.message, info.temporary, error.field, error.retry_after
    )


def refusal_document(code: ErrorCode, description: str = "") -> dict[str, Any]:
    """A refusal as an OpenAPI Response Object."""
    info = ERRORS[code]
    example = {"code": int(code), "name": info.name, "message": info.text, "temporary": info.temporary}
    return {
        "description": description or f"{info.text[0].upper()}{info.text[1:]}",
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}, "example": example}
        },
    }


def headers_of(error: HubbubError) -> dict[str, str]:
    """`WWW-Authenticate` and `Retry-After` (RFC 9110, sections 11.6.1 and 10.2.3), where they belong."""
    headers = {}
    if error.info.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="hubbub"'
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    return headers


def refusal(error: Exception, body_bytes: int) -> HubbubError:
    """What `error`, of Litestar's or our own, is in our table; INTERNAL for what nobody foresaw."""
    match error:
        case HubbubError():
            return error
        case NotFoundException():
            return HubbubError(ErrorCode.NOT_FOUND, "there is nothing at this path")
        case MethodNotAllowedException():
            allowed = (error.headers or {}).get("allow", "")
            return HubbubError(ErrorCode.METHOD_NOT_ALLOWED, f"method not allowed here; use {allowed}")
        case ValidationException():
            return _invalid(error)
        case HTTPException() if error.status_code == 413:
            return HubbubError(
                ErrorCode.MESSAGE_TOO_LARGE, f"body: more than limits.body_bytes = {body_bytes}", field="body"
            )
        case ClientException():
            return HubbubError(ErrorCode.BAD_REQUEST, error.detail)
        case _:
            return HubbubError(ErrorCode.INTERNAL)


def _invalid(error: ValidationException) -> HubbubError:
    """A parameter of the path or the query that does not fit."""
    faults: list[Any] = error.extra if isinstance(error.extra, list) else []
    for fault in faults:
        if isinstance(fault, dict) and (field := fault.get("key")):
            if (
                field == "data"
            ):  # what Litestar calls the body; our own decoder has refused all but a missing one
                return HubbubError(ErrorCode.VALIDATION_FAILED, "body: it is missing", field="body")
            return HubbubError(ErrorCode.VALIDATION_FAILED, f"{field}: {fault['message']}", field=str(field))
    return HubbubError(ErrorCode.VALIDATION_FAILED, error.detail)


def handle(request: Request[Any, Any, Any], error: Exception) -> Response[ErrorBody]:
    """Litestar's exception handler for everything."""
    hub = context_of(request).hub
    known = refusal(error, hub.config.limits.body_bytes)
    if known.code is ErrorCode.INTERNAL and getattr(error, "detail", "") != CLIENT_GONE:
        request_id = request.scope["state"]["request_id"]
        log.error(
            "request failed",
            request_id=request_id,
            method=request.method,
            path=request.url.path,
            exc_info=error,
        )
        known = HubbubError(ErrorCode.INTERNAL, f"internal error (request {request_id})")
    hub.metrics.errors[int(known.code)] += 1
    headers = headers_of(known)
    if isinstance(error, MethodNotAllowedException):
        headers["Allow"] = (error.headers or {}).get("allow", "")
    return Response(
        body_of(known), status_code=known.info.status, headers=headers, media_type="application/json"
    )
