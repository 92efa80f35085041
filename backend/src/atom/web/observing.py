"""What is seen of each request: the id that its answer carries, a line in the log, its route's figures."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any

from atom.kit.ids import new_id
from atom.web.logs import FIELDS

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from atom.web.metrics import RequestMetrics

HEADER = b"x-request-id"
GIVEN_ID = re.compile(rb"[\w.-]{1,64}", re.ASCII)
NO_ROUTE = "(none)"
"""The route of a request for a path that no route has."""
KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

logger = logging.getLogger("atom.requests")


class Observing:
    """The outermost ASGI middleware: it sees every answer, also that to a fault nobody foresaw."""

    def __init__(self, app: ASGIApp, *, metrics: RequestMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and note what came of it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s = time.perf_counter()
        request_id = _request_id(scope)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], (HEADER, request_id.encode())]}
            await send(message)

        self._metrics.n_running += 1
        try:
            await self._app(scope, receive, send_with_id)
        except Exception:
            if not status:
                raise
            # It was logged and answered; the framework raises it again for servers that log for themselves.
        finally:
            self._metrics.n_running -= 1
            self._note(scope, status, time.perf_counter() - began_s)

    def _note(self, scope: Scope, status: int, elapsed_s: float) -> None:
        method = scope["method"] if scope["method"] in KNOWN_METHODS else "OTHER"
        route = route_of(scope)
        self._metrics.note(method, route, status, elapsed_s)
        if logger.isEnabledFor(logging.INFO):
            fields = fields_of(scope) | {"status": status, "duration_ms": round(1_000 * elapsed_s, 3)}
            logger.info("%s %s", method, route, extra={FIELDS: fields})


def route_of(scope: Scope) -> str:
    """Return the path of a request's route as the document has it, without the value of any parameter."""
    return getattr(scope.get("route"), "path", NO_ROUTE)


def fields_of(scope: Scope) -> dict[str, Any]:
    """Return what a log says of a request beside its route: its id, who sent it, and with which key."""
    state = scope.get("state", {})
    door = state.get("door")
    client = scope.get("client")
    return {
        "request_id": state.get("request_id"),
        "key_id": getattr(getattr(door, "caller", None), "key_id", None),
        "client": client[0] if client else None,
    }


def _request_id(scope: Scope) -> str:
    """Return the id that the sender gave the request, if it is a plain one, or a new one."""
    for name, value in scope["headers"]:
        if name == HEADER and GIVEN_ID.fullmatch(value):
            return str(value.decode())
    return new_id()
