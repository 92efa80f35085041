"""Listens to what an engine does, for a while."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event


@contextmanager
def listening(engine: Engine, name: str, listener: Callable[..., Any]) -> Iterator[None]:
    """
    Call a function at an event of an engine in the block.

    SQLAlchemy notes that an engine has had a listener, and looks for some at each of its statements ever
    after. The database of the process is shared by all tests, so the note is taken back.
    """
    is_first = not engine._has_events
    event.listen(engine, name, listener)
    try:
        yield
    finally:
        event.remove(engine, name, listener)
        if is_first:
            del engine._has_events
