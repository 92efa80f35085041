"""A route runs FastAPI's coroutine to its end in one thread; one that would wait is a fault of ours."""

from __future__ import annotations

import asyncio

import pytest
from starlette.responses import Response

from atom.identity.access import run_now


async def answer(*, waits: bool) -> Response:
    if waits:
        await asyncio.sleep(0)
    return Response("done")


def test_a_coroutine_that_does_not_wait_is_run_to_its_end() -> None:
    """The response is there without an event loop."""
    assert run_now(answer(waits=False)).body == b"done"


def test_a_coroutine_that_waits_is_an_error() -> None:
    """It would wait for ever: nobody wakes it in this thread."""
    with pytest.raises(RuntimeError, match="has to be async and never wait"):
        run_now(answer(waits=True))
