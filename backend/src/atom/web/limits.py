"""How large a request may be: refused by its header, or while it is read when the header is silent."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from atom.web.problems import problem

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
