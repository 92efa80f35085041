"""Sends a request that Schemathesis made up to the app, in the thread of the test."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import requests
from schemathesis import Case, Response
from starlette.types import ASGIApp

from tests.direct import BASE_URL, DirectApp, http_scope


class CaseTransport:
    """Calls an app that need not be started; what it raises is raised here."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = DirectApp(app)

    def close(self) -> None:
        """Close the event loop."""
        self._app.close()

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
        headers = [("host", urlsplit(str(request.url)).netloc), *request.headers.items(), *also]
        scope = http_scope(
            method=str(request.method),
            url=str(request.url),
            headers=[(name.lower().encode("latin-1"), _bytes(value)) for name, value in headers],
        )
        start, body = self._app.answer(scope, _body(request))
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


def _body(request: requests.PreparedRequest) -> bytes:
    body = request.body or b""
    if isinstance(body, str):
        return body.encode()
    assert isinstance(body, bytes)  # a test sends no file
    return body


def _bytes(value: str | bytes) -> bytes:
    return value.encode("latin-1") if isinstance(value, str) else value
