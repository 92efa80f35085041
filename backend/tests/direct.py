"""
Calls the app in the thread of the test.

Starlette's client changes threads six times a request, which takes longer than most requests do: 2.3 ms of
CPU against 0.6 ms. `tests/api` sends every operation once through the threads of the app, and every request
whose answer could depend on them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import unquote, urlsplit

import httpx
from starlette.types import ASGIApp, Message, Scope

from atom.kit.threads import Threads

BASE_URL = "http://testserver"


class DirectApp:
    """An app that need not be started, because it was given its engine."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._loops: dict[int, asyncio.AbstractEventLoop] = {}
        """By process: two forks of one would take each other's wake-ups from a loop that they share."""

    @property
    def _loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of this process."""
        pid = os.getpid()
        if pid not in self._loops:
            self._loops[pid] = asyncio.new_event_loop()
        return self._loops[pid]

    def close(self) -> None:
        """Close the event loop of this process."""
        self._loop.close()

    def answer(self, scope: Scope, body: bytes, *, raises: bool = True) -> tuple[Message, bytes]:
        """Send a request; return how the answer starts, and its body. What the app raises is raised here."""
        messages: list[Message] = []
        pending = [{"type": "http.request", "body": body}]

        async def receive() -> Message:
            return pending.pop() if pending else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            messages.append(message)

        with _handlers_in_the_loop():
            try:
                self._loop.run_until_complete(self._app(scope, receive, send))
            except Exception:
                if raises or not messages:
                    raise
        start, *chunks = messages
        return start, b"".join(chunk.get("body", b"") for chunk in chunks)


def http_scope(*, method: str, url: str, headers: list[tuple[bytes, bytes]]) -> Scope:
    """Return the head of a request as a server would tell it to the app; names of headers are lower case."""
    parts = urlsplit(url)
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": parts.scheme,
        "path": unquote(parts.path),
        "raw_path": parts.path.encode(),
        "root_path": "",
        "query_string": parts.query.encode(),
        "headers": headers,
        "client": ("127.0.0.1", 50_000),
        "server": (parts.hostname, 80),
        "state": {},
    }


class DirectTransport(httpx.BaseTransport):
    """Lets a client of httpx send its requests to the app."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = DirectApp(app)

    def close(self) -> None:
        self._app.close()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        headers = [(name.lower(), value) for name, value in request.headers.raw]
        scope = http_scope(method=request.method, url=str(request.url), headers=headers)
        start, body = self._app.answer(scope, request.read(), raises=False)
        return httpx.Response(start["status"], headers=start["headers"], content=body, request=request)


def direct_client(app: ASGIApp) -> httpx.Client:
    """Return a client to be used as Starlette's: what the app raises after it answered is not raised."""
    return httpx.Client(transport=DirectTransport(app), base_url=BASE_URL, follow_redirects=True)


@contextmanager
def _handlers_in_the_loop() -> Iterator[None]:
    """Let a handler that would get a thread of its own run where it is called."""

    async def run(_: Threads, call: Callable[[], Any]) -> Any:
        return call()

    with mock.patch.object(Threads, "run", run):
        yield
