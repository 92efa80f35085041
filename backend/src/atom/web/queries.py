"""What a query may look like before a route reads it: each parameter once."""

from __future__ import annotations

from collections import Counter

from fastapi import Request
from fastapi.exceptions import RequestValidationError


def refuse_repeats(request: Request) -> None:
    """
    Raise RequestValidationError for parameters that are given several times.

    Each of ours is a single value, and FastAPI would read the last one without a word.
    """
    if not request.scope["query_string"]:
        return
    n_given = Counter(name for name, _ in request.query_params.multi_items())
    repeated = [
        {"loc": ("query", name), "msg": f"Input should be a single value, not {n}"}
        for name, n in n_given.items()
        if n > 1
    ]
    if repeated:
        raise RequestValidationError(repeated)
