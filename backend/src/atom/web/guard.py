"""
Limits of connections: their number, and the time to send a head and a body and to read an answer.

uvicorn waits without limit for all three and accepts any number of connections. The application is called
only when the head of a request is complete, so the protocol has to enforce the limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from atom.web.problems import RETRY_AFTER_S, problem

if TYPE_CHECKING:
    import asyncio

    from starlette.responses import Response
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

PATH_OF_NONE = ""
"""The `instance` of a problem when the path of the request is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """How many connections there may be, and how many seconds each may take."""

    max_connections: int
    head_timeout_s: float
    body_timeout_s: float
    read_timeout_s: float
    """For how long a client may leave an answer unread."""


class Awaited(Enum):
    """What the client still has to send."""

    HEAD = auto()
    BODY = auto()


class GuardedProtocol(H11Protocol):
    """uvicorn's protocol, whose connections end when a client takes too long, or when there are too many."""

    def __init__(self, *arguments: Any, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limits = limits
        self._awaited: Awaited | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._read_deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept the connection, unless there are too many."""
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # so that any unread byte is noticed
        if len(self.connections) > self._limits.max_connections:
            self._end(_refusal(HTTPStatus.SERVICE_UNAVAILABLE, "there are too many connections; try again"))
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what the client sent, and start the next deadline."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Note that an answer was given, and start the next deadline."""
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the deadlines."""
        self._cancel()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Start the deadline for reading the answer."""
        super().pause_writing()
        self._read_deadline = self.loop.call_later(self._limits.read_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Note that the client has read the answer."""
        if self._read_deadline is not None:
            self._read_deadline.cancel()
            self._read_deadline = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer a request that is not HTTP with a problem, like every other error."""
        self._end(_refusal(HTTPStatus.BAD_REQUEST, msg))

    def _watch(self) -> None:
        """Start the deadline for what the client has to send next; further data does not extend it."""
        awaited = None if self.transport.is_closing() else self._owed()
        if awaited is self._awaited:
            return
        self._cancel()
        self._awaited = awaited
        if awaited is not None:
            is_head = awaited is Awaited.HEAD
            timeout_s = self._limits.head_timeout_s if is_head else self._limits.body_timeout_s
            self._deadline = self.loop.call_later(timeout_s, self._give_up)

    def _owed(self) -> Awaited | None:
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            return Awaited.BODY
        # Between two requests uvicorn's own time-out counts, until the first byte of the next one is there.
        is_head_begun = self._is_new or bool(self.conn.trailing_data[0])
        return Awaited.HEAD if state is h11.IDLE and is_head_begun else None

    @property
    def _is_new(self) -> bool:
        """Whether no request has come on this connection yet."""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        if self._awaited is Awaited.HEAD and not self.conn.trailing_data[0]:
            self.transport.close()  # nothing was asked
        elif self._awaited is Awaited.BODY and self.cycle.response_complete:
            self.transport.close()  # it was answered without its body
        elif self._awaited is Awaited.BODY and self.cycle.response_started:
            self.transport.abort()
        else:
            detail = f"the {'head' if self._awaited is Awaited.HEAD else 'body'} of the request took too long"
            self._end(_refusal(HTTPStatus.REQUEST_TIMEOUT, detail))

    def _end(self, refusal: bytes) -> None:
        self.transport.write(refusal)
        self.transport.close()


def _refusal(status: HTTPStatus, detail: str) -> bytes:
    """Return the bytes of a problem that ends its connection, before any application is called."""
    headers = {"Connection": "close"}
    if status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    response: Response = problem(PATH_OF_NONE, status, status.phrase, detail, headers=headers)
    head = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode())]
    head += [b"%s: %s" % (name.title(), value) for name, value in response.raw_headers]
    return b"\r\n".join([*head, b"", cast("bytes", response.body)])
