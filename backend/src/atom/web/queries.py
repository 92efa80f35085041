"""What a query and its headers may look like before a route reads them: each parameter once."""

from __future__ import annotations

from collections import Counter

from fastapi import Request
from fastapi.exceptions import RequestValidationError

SINGLE_HEADERS = {b"content-type": "Content-Type", b"idempotency-key": "Idempotency-Key"}
"""Headers that routes read, by their names in a request; two of `Authorization` are refused with the key."""


def refuse_repeats(request: Request) -> None:
    """
    Raise RequestValidationError for parameters and headers that are given several times.

    Each of ours is a single value, and FastAPI would read one of them without a word.
    """
    headers = [SINGLE_HEADERS[name] for name, _ in request.scope["headers"] if name in SINGLE_HEADERS]
    given = [("header", name) for name in headers]
    if request.scope["query_string"]:
        given += [("query", name) for name, _ in request.query_params.multi_items()]
    if len(given) == len(set(given)):
        return
    raise RequestValidationError(
        [
            {"loc": place, "msg": f"Input should be a single value, not {n}"}
            for place, n in Counter(given).items()
            if n > 1
        ]
    )
