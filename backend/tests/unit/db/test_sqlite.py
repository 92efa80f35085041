"""The connections of an embedded database, and what the suite refuses to do with them."""

from __future__ import annotations

import gc
import sqlite3
import warnings
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Date, Engine, bindparam, select

from atom.db.session import connected
from atom.db.sqlite import EmbeddedConnection
from atom.db.types import UtcDateTime

DAY = date(2024, 2, 29)
MOMENT = datetime(2024, 2, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize("value", [DAY, MOMENT], ids=["date", "datetime"])
def test_a_moment_without_a_type_is_refused_on_every_python(value: date) -> None:
    """The suite does without the adapters of sqlite3, which are deprecated since Python 3.12."""
    with connected("sqlite://") as engine, engine.connect() as connection:
        with pytest.raises(TypeError, match="give the parameter a type"):
            connection.scalar(select(bindparam("at")), {"at": value})
        with pytest.raises(TypeError, match="give the parameter a type"):
            connection.exec_driver_sql("SELECT ?", (value,))


def test_a_moment_with_a_type_comes_back() -> None:
    """SQLAlchemy's types and ours turn it into text and back."""
    both = select(bindparam("day", type_=Date()), bindparam("at", type_=UtcDateTime()))
    with connected("sqlite://") as engine, engine.connect() as connection:
        assert connection.execute(both, {"day": DAY, "at": MOMENT}).one() == (DAY, MOMENT)


def test_a_connection_left_open_is_reported_on_every_python() -> None:
    """Python warns about it from 3.13 on; the suite does so on older ones too."""
    with pytest.warns(ResourceWarning, match="unclosed database in .*EmbeddedConnection"):
        _connect_and_forget()


def test_a_connection_that_was_closed_is_not_reported() -> None:
    """A connection needs nothing more than to be closed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        connection = sqlite3.connect(":memory:", factory=EmbeddedConnection)
        connection.close()
        del connection
        gc.collect()
    assert caught == []


@pytest.mark.parametrize("is_failing", [False, True], ids=["ends", "fails"])
@pytest.mark.parametrize("name", ["", "atom.sqlite3"], ids=["memory", "file"])
def test_connections_are_closed_when_the_block_ends(tmp_path: Path, name: str, is_failing: bool) -> None:
    """A block that raises closes its connections too."""
    opened: list[Any] = []

    def block(engine: Engine) -> None:
        with engine.connect() as connection:
            opened.append(connection.connection.dbapi_connection)
        if is_failing:
            raise ZeroDivisionError

    def run() -> None:
        with connected(f"sqlite:///{tmp_path / name}" if name else "sqlite://") as engine:
            block(engine)

    if is_failing:
        with pytest.raises(ZeroDivisionError):
            run()
    else:
        run()
    (driver,) = opened
    assert type(driver) is EmbeddedConnection
    assert _is_closed(driver)


def _connect_and_forget() -> None:
    sqlite3.connect(":memory:", factory=EmbeddedConnection)
    gc.collect()


def _is_closed(connection: object) -> bool:
    assert isinstance(connection, EmbeddedConnection)
    try:
        connection.execute("SELECT 1")
    except sqlite3.ProgrammingError:
        return True
    return False
