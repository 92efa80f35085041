"""What a request has to be before a route reads it: JSON by its own word, and text that can be stored."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from atom.kit.text import text_fault

if TYPE_CHECKING:
    from collections.abc import Iterator

Place = tuple[int | str, ...]

JSON = "application/json"
JSON_TYPE = re.compile(r"application/(json|[^/]+\+json)")
UNSTORABLE_ESCAPE = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""How JSON spells NUL, and halves of surrogate pairs; a backslash before it makes it harmless."""


class JsonRequest(Request):
    """A request that refuses a name twice in one JSON object; Python's parser would keep the last value."""

    _read: Any = None

    async def json(self) -> Any:
        """Return the value of the body."""
        if self._read is None:
            self._read = json.loads(await self.body(), object_pairs_hook=_object)
        return self._read


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise HTTPException(
                    HTTPStatus.BAD_REQUEST, f"an object of the body has the name {name!r} twice"
                )
            seen.add(name)
    return found


def check_body(request: Request, body: bytes) -> None:
    """Refuse a body that does not call itself JSON, is not UTF-8, or has text that no database stores."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not JSON_TYPE.fullmatch(content_type):
        raise HTTPException(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"the body is {content_type or 'of no type'!r}, expected {JSON!r} in the header Content-Type",
        )
    try:
        body.decode()
    except UnicodeDecodeError as exc:
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"the body is not UTF-8 at byte {exc.start}") from exc
    if b"\0" in body:  # Python would take it for UTF-16
        raise HTTPException(HTTPStatus.BAD_REQUEST, f"the body has a NUL at byte {body.index(0)}")
    if UNSTORABLE_ESCAPE.search(body):
        _refuse(_faults_of(body))


def check_address(request: Request) -> None:
    """Refuse a path, a query or a header with a NUL; servers decode them to text that is whole otherwise."""
    scope = request.scope
    if (
        "\0" not in scope["path"]
        and b"%00" not in scope["query_string"]
        and not any(b"\0" in value for _, value in scope["headers"])
    ):
        return
    given = [
        *((("path", name), value) for name, value in request.path_params.items()),
        *((("query", name), name + value) for name, value in request.query_params.multi_items()),
        *((("header", name), value) for name, value in request.headers.items()),
    ]
    _refuse((place, fault) for place, text in given if (fault := text_fault(text)))


def _refuse(faults: Iterator[tuple[Place, str]]) -> None:
    errors = [{"loc": place, "msg": f"Input {fault}"} for place, fault in faults]
    if errors:
        raise RequestValidationError(errors)


def _faults_of(body: bytes) -> Iterator[tuple[Place, str]]:
    """Go through the texts of a body that cannot be stored; through none if the body cannot be read."""
    try:
        waiting: list[tuple[Place, Any]] = [(("body",), json.loads(body))]
    except (ValueError, RecursionError):
        return
    while waiting:
        place, value = waiting.pop()
        if isinstance(value, str) and (fault := text_fault(value)):
            yield place, fault
        elif isinstance(value, list):
            waiting.extend(((*place, i), each) for i, each in enumerate(value))
        elif isinstance(value, dict):
            for name, each in value.items():
                if fault := text_fault(name):
                    yield (*place, name), f"has a name that {fault}"
                waiting.append(((*place, name), each))
