"""The pytest side of `floor.py`: empties a property's body, or builds a schema for each example."""

from __future__ import annotations

import functools
import json
import os
from contextlib import contextmanager
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from sqlalchemy.orm import Session, sessionmaker

WAY = os.environ["FLOOR_WAY"]
cpu_s: dict[str, float] = {}


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Put an empty body in place of the property's own."""
    if WAY == "floor":
        for item in items:
            handle = item.obj.hypothesis
            handle.inner_test = functools.wraps(handle.inner_test)(lambda *_args, **_kwargs: None)


def pytest_configure() -> None:
    """Open a database that creates all tables for each example."""
    if WAY != "fresh":
        return
    import tests.conftest  # type: ignore[import-not-found]  # found from backend/ alone
    from tests.database import SqliteDatabase, read_rows  # type: ignore[import-not-found]

    from atom.db.session import create_engine, session_factory
    from atom.tables import METADATA

    class FreshSchema(SqliteDatabase):  # type: ignore[misc]
        """The suite's own database, but for where an example's begins."""

        @contextmanager
        def sessions(self) -> Iterator[sessionmaker[Session]]:
            self.engine = create_engine("sqlite://")
            METADATA.create_all(self.engine)
            yield session_factory(self.engine)
            self.engine.dispose()

        @contextmanager
        def session(self) -> Iterator[Session]:
            with self.sessions() as sessions, sessions() as session:
                yield session

        @contextmanager
        def prepared(
            self, setup: Callable[[sessionmaker[Session]], Any]
        ) -> Iterator[tuple[sessionmaker[Session], Any]]:
            with self.sessions() as sessions:
                yield sessions, setup(sessions)

        def snapshot(self, *tables: str) -> dict[str, list[str]]:
            return read_rows(self.engine, tables)  # type: ignore[no-any-return]

    database = FreshSchema()
    tests.conftest.shared_database = lambda: database


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Time the call alone: the set-up of the session's database is not part of it."""
    began = process_time()
    try:
        return (yield)
    finally:
        cpu_s[item.nodeid] = process_time() - began


def pytest_sessionfinish() -> None:
    """Hand the figures over."""
    Path(os.environ["FLOOR_OUT"]).write_text(json.dumps(cpu_s))
