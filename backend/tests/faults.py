"""Faults to inject: what has to stay whole when the process stumbles in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import StrEnum
from http import HTTPStatus
from typing import Any
from unittest import mock

from fastapi import routing
from sqlalchemy import Engine
from starlette.responses import Response

from tests.listening import listening


class InjectedError(Exception):
    """The fault; nothing in the product knows it."""


class WriteCounter:
    """Counts the statements that write, and raises after the one it was told."""

    def __init__(self, fail_after: int | None) -> None:
        self.n_writes = 0
        self._fail_after = fail_after

    def __call__(self, _conn: Any, _cursor: Any, _text: str, _values: Any, context: Any, _many: bool) -> None:
        if not (context.isinsert or context.isupdate or context.isdelete):
            return
        self.n_writes += 1
        if self.n_writes == self._fail_after:
            raise InjectedError(f"after write {self.n_writes}")


@contextmanager
def failing_after(engine: Engine, n_writes: int | None) -> Iterator[WriteCounter]:
    """Raise `InjectedError` after that many writing statements of the block, never if None; count them."""
    counter = WriteCounter(n_writes)
    with listening(engine, "after_cursor_execute", counter):
        yield counter


class Stage(StrEnum):
    """How far an answer comes before it fails."""

    SERIALISING = "serialising"
    """What the handler returned cannot be turned into JSON."""
    BUILDING = "building"
    """The bytes are there, and the response around them cannot be made."""


@contextmanager
def unanswerable(stage: Stage) -> Iterator[None]:
    """Raise `InjectedError` instead of answering that a request succeeded."""
    serialise, build = routing.serialize_response, Response.__init__

    async def fail_to_serialise(**arguments: Any) -> Any:
        await serialise(**arguments)
        raise InjectedError(stage)

    def fail_to_build(response: Response, *arguments: Any, **named: Any) -> None:
        build(response, *arguments, **named)
        if response.status_code < HTTPStatus.BAD_REQUEST:
            raise InjectedError(stage)

    patch: dict[Stage, AbstractContextManager[object]] = {
        Stage.SERIALISING: mock.patch.object(routing, "serialize_response", fail_to_serialise),
        Stage.BUILDING: mock.patch.object(Response, "__init__", fail_to_build),
    }
    with patch[stage]:
        yield
