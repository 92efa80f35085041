"""Faults to inject: what has to stay whole when the process stumbles in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event


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
    event.listen(engine, "after_cursor_execute", counter)
    try:
        yield counter
    finally:
        event.remove(engine, "after_cursor_execute", counter)
