"""
Sends a made-up request to the app in the thread of the test.

Schemathesis's own transport changes threads six times a request, which takes twice as long as most requests
do (3.0 ms of CPU against 1.0 ms). The tests of `tests/api` run the app in threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock
from urllib.parse import unquote, urlsplit

import requests
from schemathesis import Case, Response
from starlette.types import ASGIApp, Message

from atom.kit.threads import Threads

BASE_URL = "http://testserver"


class DirectTransport:
    """Calls an app whose lifespan somebody else has started; what it raises is raised here."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._loop = asyncio.new_event_loop()

    def close(self) -> None:
        """Close the event loop."""
        self._loop.close()

    def send(self, case: Case[Any], headers: Mapping[str, str]) -> Response:
        """Send a request with some more headers, and return the answer."""
        kwargs = case.as_transport_kwargs(base_url=BASE_URL, headers=dict(headers))
        return self.answer(requests.Request(**kwargs).prepare())

    def request(self, method: str, path: str, body: Any, secret: str) -> Response:
        """Send a request that a test has written, with a key, and return the answer."""
        headers = {"Authorization": f"Bearer {secret}"}
        prepared = requests.Request(method, f"{BASE_URL}{path}", json=body, headers=headers).prepare()
        return self.answer(prepared)

    def with_body(self, case: Case[Any], text: str, headers: Mapping[str, str]) -> requests.PreparedRequest:
        """Return a request whose body is this text, which calls itself JSON."""
        kwargs = case.as_transport_kwargs(base_url=BASE_URL, headers=dict(headers))
        kwargs.pop("json", None)
        prepared = requests.Request(**{**kwargs, "data": text.encode()}).prepare()
        prepared.headers["Content-Type"] = "application/json"
        return prepared

    def answer(self, request: requests.PreparedRequest, *, also: Sequence[tuple[str, str]] = ()) -> Response:
        """Send a request as it is, with some more headers even of names that it has; return the answer."""
        began = time.perf_counter()
        with _handlers_in_the_loop():
            start, body = self._loop.run_until_complete(self._answer(request, also))
        answer_headers: dict[str, list[str]] = {}
        for name, value in start["headers"]:
            answer_headers.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
        return Response(
            status_code=start["status"],
            headers=answer_headers,
            content=body,
            request=request,
            elapsed=time.perf_counter() - began,
            verify=False,
            http_version="1.1",
        )

    async def _answer(
        self, request: requests.PreparedRequest, also: Sequence[tuple[str, str]]
    ) -> tuple[Message, bytes]:
        messages: list[Message] = []
        pending = [{"type": "http.request", "body": _body(request)}]

        async def receive() -> Message:
            return pending.pop() if pending else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            messages.append(message)

        await self.app(_scope(request, also), receive, send)
        start, *chunks = messages
        return start, b"".join(chunk.get("body", b"") for chunk in chunks)


def _scope(request: requests.PreparedRequest, also: Sequence[tuple[str, str]]) -> dict[str, Any]:
    url = urlsplit(str(request.url))
    headers = [("host", url.netloc), *request.headers.items(), *also]
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme,
        "path": unquote(url.path),
        "raw_path": url.path.encode(),
        "root_path": "",
        "query_string": url.query.encode(),
        "headers": [(name.lower().encode("latin-1"), _bytes(value)) for name, value in headers],
        "client": ("127.0.0.1", 50_000),
        "server": (url.hostname, 80),
        "state": {},
    }


def _body(request: requests.PreparedRequest) -> bytes:
    body = request.body or b""
    if isinstance(body, str):
        return body.encode()
    assert isinstance(body, bytes)  # a test sends no file
    return body


def _bytes(value: str | bytes) -> bytes:
    return value.encode("latin-1") if isinstance(value, str) else value


@contextmanager
def _handlers_in_the_loop() -> Iterator[None]:
    """Let a handler that would get a thread of its own run where it is called."""

    async def run(_: Threads, call: Callable[[], Any]) -> Any:
        return call()

    with mock.patch.object(Threads, "run", run):
        yield
