"""How large a request may be, and how many there may be at once."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from atom.web.problems import RETRY_AFTER_S, problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

CLOSE = {"Connection": "close"}
"""What is still to come of the body is not read; so the connection cannot carry another request."""


class BodyTooLargeError(HTTPException):
    """More bytes came than are allowed; FastAPI turns any other exception of a body into a 400."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"a request body may have at most {max_bytes} bytes", CLOSE
        )


class BodyLimit:
    """ASGI middleware that answers 413 to a body of more than `max_bytes`, also to a chunked one."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting its bytes."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = _content_length(scope)
        if declared is not None and declared > self._max_bytes:
            error = BodyTooLargeError(self._max_bytes)
            phrase = HTTPStatus(error.status_code).phrase
            response = problem(scope["path"], error.status_code, phrase, error.detail, headers=CLOSE)
            await response(scope, receive, send)
            return
        n_bytes = 0

        async def counted_receive() -> Message:
            nonlocal n_bytes
            message = await receive()
            n_bytes += len(message.get("body", b""))
            if n_bytes > self._max_bytes:
                raise BodyTooLargeError(self._max_bytes)
            return message

        await self._app(scope, counted_receive, send)


def _content_length(scope: Scope) -> int | None:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None


class RequestLimit:
    """ASGI middleware that answers 503 to a request when as many are being worked on as may be."""

    def __init__(self, app: ASGIApp, *, max_requests: int, exempt: frozenset[str]) -> None:
        self._app = app
        self._max_requests = max_requests
        self._exempt = exempt
        self.n_requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; those for an exempt path are neither counted nor refused."""
        if scope["type"] != "http" or scope["path"] in self._exempt:
            await self._app(scope, receive, send)
            return
        if self.n_requests >= self._max_requests:
            status = HTTPStatus.SERVICE_UNAVAILABLE
            detail = f"{self._max_requests} requests are being worked on; try again"
            headers = {"Retry-After": str(RETRY_AFTER_S)}
            await problem(scope["path"], status, status.phrase, detail, headers=headers)(scope, receive, send)
            return
        self.n_requests += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self.n_requests -= 1
