"""Errors as RFC 9457 problem details, and their declaration in the OpenAPI description."""

from __future__ import annotations

import errno
import logging
import re
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException

from lenswatch.errors import LenswatchError

logger = logging.getLogger("lenswatch.api")

MEDIA_TYPE = "application/problem+json"

_TITLES = {
    400: ("bad-request", "The request could not be understood"),
    401: ("unauthorized", "An API key is needed"),
    403: ("forbidden", "The API key does not allow this"),
    404: ("not-found", "There is no such thing here"),
    405: ("method-not-allowed", "The method is not supported here"),
    408: ("too-slow", "The body did not arrive in time"),
    409: ("conflict", "The state of the resource does not allow this"),
    410: ("gone", "The resource existed and was deleted"),
    411: ("length-required", "The length of the body must be stated"),
    412: ("precondition-failed", "A precondition in the headers does not hold"),
    413: ("too-large", "Larger than the limit"),
    415: ("unsupported-media-type", "The type of the body is not supported"),
    422: ("invalid", "The request is well-formed but not valid"),
    429: ("too-many-requests", "Too many requests"),
    500: ("internal", "The service failed"),
    503: ("unavailable", "The service cannot answer now"),
    507: ("insufficient-storage", "The disk is full"),
}
_EVERYWHERE = (401, 403, 422, 429, 500, 503)
JSON_BODY = (400, 408, 413)
"""What an endpoint that reads a JSON body can answer besides."""


class InvalidField(BaseModel):
    """One part of the request that is wrong."""

    location: str = Field(examples=["query.limit"])
    message: str = Field(examples=["Input should be less than or equal to 1000"])


class Problem(BaseModel):
    """What went wrong and what to do about it (RFC 9457)."""

    type: str = Field(
        description="Stable name of the kind of problem.", examples=["urn:lenswatch:not-found"]
    )
    title: str = Field(description="What the kind of problem means.")
    status: int = Field(description="HTTP status code.", examples=[404])
    detail: str = Field(description="What happened here, and the remedy. Never quotes evidence.")
    errors: list[InvalidField] = Field(
        default_factory=list, description="For type `invalid`: every part that is wrong."
    )


class ApiProblem(Exception):
    """Raise it anywhere below an endpoint: it becomes the response."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
        location: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.kind = kind or _TITLES[status][0]
        self.headers = dict(headers or {})
        self.errors = [InvalidField(location=location, message=detail)] if location else []


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """``responses=`` of an endpoint: the given problems and those that every endpoint has."""
    return {
        status: {"model": Problem, "description": _TITLES[status][1]}
        for status in sorted({*statuses, *_EVERYWHERE})
    }


def public_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Like :func:`errors` for an endpoint that needs no key."""
    return {
        status: {"model": Problem, "description": _TITLES[status][1]}
        for status in sorted({*statuses, 500, 503})
    }


def problem_response(
    status: int,
    detail: str,
    *,
    kind: str | None = None,
    fields: list[InvalidField] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The response itself; status codes without a title of their own read as 500 or 400."""
    slug, title = _TITLES.get(status, _TITLES[500 if status >= 500 else 400])
    body = Problem(
        type=f"urn:lenswatch:{kind or slug}",
        title=title,
        status=status,
        detail=detail,
        errors=fields or [],
    )
    return JSONResponse(
        body.model_dump(), status_code=status, media_type=MEDIA_TYPE, headers=dict(headers or {})
    )


def is_disk_full(error: BaseException) -> bool:
    """Whether an error, of the system or of a database, means that the disk is full."""
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    if isinstance(error, DBAPIError):
        text = str(error.orig).lower()
        return "disk is full" in text or "no space left" in text or "disk full" in text
    return False


def install_handlers(app: FastAPI) -> None:
    """Turn every error of the application into a problem."""

    def on_problem(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiProblem)
        return problem_response(
            error.status, error.detail, kind=error.kind, fields=error.errors, headers=error.headers
        )

    def on_invalid(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        # only place and message: the input itself may hold what nobody should read in a log
        fields = [
            InvalidField(
                # the name of a branch of a union is pydantic's own and says nothing to a caller
                location=".".join(str(part) for part in item["loc"] if part != "constrained-str")[
                    :200
                ],
                message=str(item["msg"])[:200],
            )
            for item in error.errors()[:20]
        ]
        return problem_response(422, "See `errors` for the parts that are wrong.", fields=fields)

    def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        headers = dict(error.headers or {})
        if error.status_code == 405:
            headers["Allow"] = ", ".join(_allowed_methods(app, request))
        details = {
            404: "Nothing answers at this address. The description is at /api/v1/openapi.json.",
            405: "The Allow header names the methods that work here.",
        }
        return problem_response(
            error.status_code,
            details.get(error.status_code, str(error.detail)),
            headers=headers,
        )

    def on_os_error(_: Request, error: Exception) -> JSONResponse:
        if is_disk_full(error):
            return problem_response(
                507, "The disk is full: nothing was kept. Free some space and send it again."
            )
        logger.error("unexpected error", exc_info=error)
        return problem_response(500, "An unexpected error; the log of the service has its place.")

    def on_unusable(_: Request, error: Exception) -> JSONResponse:
        # written for people, and never quotes evidence
        return problem_response(422, str(error), kind="unusable")

    def on_anything(_: Request, error: Exception) -> JSONResponse:
        return problem_response(500, "An unexpected error; the log of the service has its place.")

    def on_database_error(request: Request, error: Exception) -> JSONResponse:
        if is_disk_full(error):
            return on_os_error(request, OSError(errno.ENOSPC, "database"))
        lost = isinstance(error, DBAPIError) and error.connection_invalidated
        if lost or isinstance(error, OperationalError | InterfaceError | PoolTimeout):
            logger.warning("database unavailable: %s", type(error).__name__)
            return problem_response(
                503,
                "The database cannot be reached now. Try again in a few seconds.",
                headers={"Retry-After": "5"},
            )
        logger.error("database error", exc_info=error)
        return problem_response(500, "An unexpected error; the log of the service has its place.")

    app.add_exception_handler(ApiProblem, on_problem)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(OSError, on_os_error)
    app.add_exception_handler(LenswatchError, on_unusable)
    app.add_exception_handler(DBAPIError, on_database_error)
    app.add_exception_handler(PoolTimeout, on_database_error)
    app.add_exception_handler(Exception, on_anything)


def _allowed_methods(app: FastAPI, request: Request) -> list[str]:
    """All methods of the address; Starlette names only those of the first route that matches."""
    found: set[str] = set()
    for path, operations in app.openapi()["paths"].items():
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
        if path.endswith("/reports/{name}"):
            pattern = pattern.removesuffix("[^/]+") + ".+"
        if re.fullmatch(pattern, request.url.path):
            found |= {method.upper() for method in operations}
    return sorted(found)
