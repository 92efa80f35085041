"""Errors on the wire: RFC 9457 problem details, for our own errors, invalid requests and database faults."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.routing import Route

from atom.kit.errors import AtomError, InvalidError
from atom.web.logs import FIELDS
from atom.web.observing import fields_of, route_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastapi import FastAPI, Request

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 1
MAX_ERRORS = 50
MAX_TEXT = 500
"""How many fields a problem names, and how much of what was sent it repeats."""

logger = logging.getLogger(__name__)


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(examples=["body.postings.0.amount_minor"])
    message: str = Field(examples=["Input should be greater than 0"])


class Problem(BaseModel):
    """A problem as RFC 9457 describes it."""

    type: str = Field(default="about:blank", examples=["about:blank"])
    title: str = Field(examples=["Invalid value"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["the transaction does not balance"])
    instance: str = Field(examples=["/v1/ledger/transactions"])
    errors: list[FieldProblem] = []


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every error of the app with a problem."""
    app.add_exception_handler(AtomError, _answer_atom_error)
    app.add_exception_handler(RequestValidationError, _answer_invalid_request)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(DBAPIError, _answer_database_error)
    app.add_exception_handler(PoolTimeoutError, _answer_database_error)
    app.add_exception_handler(Exception, _answer_unexpected)


MEANINGS = {
    400: "The body cannot be read",
    401: "No API key, or one that is unknown, expired or revoked",
    403: "The key, its workspace or the agent may not do this",
    404: "No such thing in the workspace",
    409: "The request is fine, the present state refuses it",
    413: "The body is too large",
    415: "The body does not call itself JSON",
    422: "A field is invalid; nothing was written",
    500: "A fault of the service; nothing was written",
    503: "The database does not answer now; nothing was written",
}
WITH_KEY = (401, 403, 422, 500, 503)
"""How any request that carries a key may end."""
WITH_BODY = (400, 413, 415)
"""How else a request with a body may end."""


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI descriptions of problem responses with these statuses."""
    return {
        status: {
            "description": MEANINGS[status],
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


def problem(
    path: str,
    status: int,
    title: str,
    detail: str,
    *,
    errors: Sequence[FieldProblem] = (),
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """Return the response that tells of a problem with a request for `path`."""
    body = Problem(
        title=title,
        status=status,
        detail=_short(detail),
        instance=_short(path),
        errors=[
            FieldProblem(field=_short(error.field), message=_short(error.message))
            for error in errors[:MAX_ERRORS]
        ],
    )
    return JSONResponse(body.model_dump(), status, headers, media_type=MEDIA_TYPE)


async def _answer_atom_error(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, AtomError)
    errors = [FieldProblem(field=exc.field, message=exc.message)] if isinstance(exc, InvalidError) else []
    headers = {}
    if exc.status_code == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    elif exc.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return problem(request.url.path, exc.status_code, exc.title, exc.message, errors=errors, headers=headers)


async def _answer_invalid_request(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, RequestValidationError)
    n_errors = len(exc.errors())
    errors = [
        FieldProblem(field=".".join(map(str, error["loc"])), message=error["msg"])
        for error in exc.errors()[:MAX_ERRORS]
    ]
    detail = f"{n_errors} field{'s are' if n_errors > 1 else ' is'} invalid"
    if n_errors > MAX_ERRORS:
        detail += f"; the first {MAX_ERRORS} are listed"
    return problem(
        request.url.path, HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid request", detail, errors=errors
    )


def _short(text: str) -> str:
    """
    Return what of a text an answer repeats: its beginning, if it is long.

    A sender can name a field by half a surrogate pair, which UTF-8 cannot.
    """
    kept = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."
    return kept.encode(errors="backslashreplace").decode()


async def _answer_http_exception(request: Request, exc: Exception) -> JSONResponse:
    assert isinstance(exc, HTTPException)
    phrase = HTTPStatus(exc.status_code).phrase
    headers = dict(exc.headers or {})
    if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        methods = _methods_of(request)
        if "GET" in methods:
            methods.add("HEAD")
        headers["Allow"] = ", ".join(sorted(methods))
    return problem(request.url.path, exc.status_code, phrase, str(exc.detail), headers=headers)


def _methods_of(request: Request) -> set[str]:
    """Return the methods of all routes at the path of a request: Starlette names those of one route alone."""
    return {
        method
        for route in request.app.routes
        if isinstance(route, Route) and route.path_regex.match(request.scope["path"])
        for method in route.methods or ()
    }


async def _answer_database_error(request: Request, exc: Exception) -> JSONResponse:
    """Tell a database that does not answer now (locked, full, disconnected) from a fault of ours."""
    _log("a database error", request, exc)
    is_passing = isinstance(exc, OperationalError | PoolTimeoutError) or (
        isinstance(exc, DBAPIError) and exc.connection_invalidated
    )
    if not is_passing:
        return _internal_error(request)
    return problem(
        request.url.path,
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Unavailable",
        "the database does not answer; nothing was written, try again",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


async def _answer_unexpected(request: Request, exc: Exception) -> JSONResponse:
    _log("an unexpected error", request, exc)
    return _internal_error(request)


def _log(what: str, request: Request, exc: Exception) -> None:
    """Log an exception without its message, which may repeat what the request said."""
    fields = fields_of(request.scope)
    if isinstance(exc, OperationalError):  # what the database says of itself: locked, full, not there
        fields["reason"] = str(exc.orig).partition("\n")[0]
    logger.error("%s at %s", what, route_of(request.scope), exc_info=exc, extra={FIELDS: fields})


def _internal_error(request: Request) -> JSONResponse:
    return problem(
        request.url.path,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "Internal error",
        "the request was undone; the log says why",
    )
