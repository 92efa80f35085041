"""Statements that run on SQLite's driver directly do what SQLAlchemy makes of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

import pytest
from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Date,
    Float,
    Insert,
    Integer,
    MetaData,
    Select,
    String,
    Table,
    bindparam,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError

from atom.db.direct import change, fetch, insert_all
from atom.db.types import UtcDateTime, json_type, str_enum
from tests.database import Database


class Colour(StrEnum):
    RED = "red"
    DARK_BLUE = "dark blue"


THINGS = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String, unique=True),
    Column("colour", str_enum(Colour, name="colour")),
    Column("made_at", UtcDateTime()),
    Column("day", Date),
    Column("is_new", Boolean),
    Column("weight", Float),
    Column("details", json_type()),
    Column("n_seen", Integer, server_default="7"),
)
WITH_DEFAULT = Table("things", MetaData(), Column("id", Integer), Column("name", String, default="a thing"))
ADD = insert(THINGS)
ONE = select(THINGS).where(THINGS.c.id == bindparam("id"))
FIRST = select(THINGS.c.name).order_by(THINGS.c.id).limit(bindparam("most"))
RED: Select[Any] = select(THINGS.c.id).where(THINGS.c.colour == Colour.RED, THINGS.c.id > bindparam("least"))
ANY_OF = select(THINGS.c.id).where(THINGS.c.id.in_([1, 2, 3])).order_by(THINGS.c.id)
RENAME = (
    update(THINGS)
    .where(THINGS.c.id == bindparam("thing"))
    .values(name=bindparam("new"))
    .returning(THINGS.c.name)
)
REMOVE = delete(THINGS).where(THINGS.c.colour == bindparam("unwanted", type_=THINGS.c.colour.type))
FULL = {
    "id": 1,
    "name": "ä 'quoted' name",
    "colour": Colour.DARK_BLUE,
    "made_at": datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC),
    "day": date(2026, 3, 1),
    "is_new": True,
    "weight": 0.1,
    "details": {"a": [1, None, "x"]},
    "n_seen": 3,
}
EMPTY = {**dict.fromkeys(FULL), "id": 2}


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A connection to a database with the table, in a transaction that nobody commits."""
    with database.session() as session:
        connection = session.connection()
        THINGS.metadata.create_all(connection)
        yield connection
        session.rollback()


def change_all(connection: Connection, statement: Insert, values: dict[str, Any]) -> None:
    insert_all(connection, statement, [values])


@pytest.mark.parametrize("write", [change, change_all])
@pytest.mark.parametrize("values", [FULL, EMPTY], ids=["full", "empty"])
def test_what_is_written_directly_is_read_by_sqlalchemy(
    connection: Connection, write: Callable[..., object], values: dict[str, Any]
) -> None:
    """Every type of column arrives as SQLAlchemy would have written it."""
    write(connection, ADD, values)
    found = connection.execute(ONE, {"id": values["id"]}).one()
    assert found._asdict() == values


@pytest.mark.parametrize("values", [FULL, EMPTY], ids=["full", "empty"])
def test_what_sqlalchemy_wrote_is_read_directly(connection: Connection, values: dict[str, Any]) -> None:
    """Every type of column is read as SQLAlchemy would have read it, to the type of the value."""
    connection.execute(ADD, values)
    (row,) = fetch(connection, ONE, {"id": values["id"]})
    assert [(type(value), value) for value in row] == [(type(value), value) for value in values.values()]


def test_columns_that_are_not_named_have_their_defaults(connection: Connection) -> None:
    """Those of the database, and those of the table, which SQLAlchemy computes."""
    change(connection, ADD, {"id": 1, "name": "one"})
    change(connection, insert(WITH_DEFAULT), {"id": 2})
    assert [row[1] for row in fetch(connection, select(THINGS).order_by(THINGS.c.id), {})] == [
        "one",
        "a thing",
    ]
    assert {row[-1] for row in fetch(connection, select(THINGS), {})} == {7}


def test_values_of_the_statement_itself_are_kept(connection: Connection) -> None:
    """A constant, a limit, a list; and values that a statement has no use for are left out."""
    rows = [{"id": i, "name": str(i), "colour": Colour(colour)} for i, colour in enumerate(["red"] * 5)]
    insert_all(connection, ADD, rows)
    assert list(map(tuple, fetch(connection, RED, {"least": 2, "unused": None}))) == [(3,), (4,)]
    assert list(map(tuple, fetch(connection, FIRST, {"most": 2}))) == [("0",), ("1",)]
    assert list(map(tuple, fetch(connection, ANY_OF, {}))) == [(1,), (2,), (3,)]


def test_a_change_says_how_many_rows_it_found(connection: Connection) -> None:
    """An update that returns rows gives them."""
    insert_all(connection, ADD, [{"id": i, "name": str(i), "colour": Colour.RED} for i in range(3)])
    assert list(map(tuple, fetch(connection, RENAME, {"thing": 1, "new": "other"}))) == [("other",)]
    assert fetch(connection, RENAME, {"thing": 9, "new": "other"}) == []
    assert change(connection, REMOVE, {"unwanted": Colour.DARK_BLUE}) == 0
    assert change(connection, REMOVE, {"unwanted": Colour.RED}) == 3


def test_an_error_of_the_driver_is_raised_as_sqlalchemys(connection: Connection) -> None:
    """With the driver's own inside, and its text without parameters; PostgreSQL's own message has them."""
    change(connection, ADD, {"id": 1, "name": "a secret"})
    with pytest.raises(IntegrityError) as refused, connection.begin_nested():
        change(connection, ADD, {"id": 2, "name": "a secret"})
    assert isinstance(refused.value, DBAPIError)
    assert refused.value.orig is not None
    assert "INSERT INTO things" in str(refused.value)
    assert connection.dialect.name != "sqlite" or "a secret" not in str(refused.value)
    assert len(fetch(connection, select(THINGS), {})) == 1


def test_a_value_that_is_missing_is_an_error(connection: Connection) -> None:
    """A parameter is never NULL because nobody gave it."""
    with pytest.raises(StatementError, match="most"):
        fetch(connection, FIRST, {})


def test_who_watches_statements_is_told_of_each(connection: Connection) -> None:
    """Tests that count statements, or let one fail, see all of them."""
    told: list[str] = []
    event.listen(connection, "before_cursor_execute", lambda _c, _cursor, text, *_: told.append(text))
    change(connection, ADD, {"id": 1})
    fetch(connection, ONE, {"id": 1})
    assert [text.split()[0] for text in told] == ["INSERT", "SELECT"]


def test_a_statement_belongs_to_a_transaction(database: Database) -> None:
    """Also the first one of a connection, which begins it; so it can be undone."""
    with database.clone() as clone:
        with clone.engine.connect() as connection:
            THINGS.metadata.create_all(connection)
            connection.commit()
            change(connection, ADD, {"id": 1})
            connection.rollback()
            assert fetch(connection, select(THINGS), {}) == []
            change(connection, ADD, {"id": 1})
            connection.commit()
        with clone.engine.connect() as connection:
            assert len(fetch(connection, select(THINGS), {})) == 1
