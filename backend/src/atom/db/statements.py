"""Statements on tables rather than on objects: set-based, and alike on SQLite and PostgreSQL."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import CursorResult, Delete, Executable, Table, Update
    from sqlalchemy.orm import Session

    from atom.db.base import Base


INSERTS: Final = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def table_of(model: type[Base]) -> Table:
    """Return the table of a model."""
    return cast("Table", model.__table__)


def upsert(build: Callable[[Callable[[Table], Any]], Any]) -> Callable[[Session], Executable]:
    """
    Turn the builder of an INSERT that says what to do `on_conflict` into a look-up by session.

    The builder is given the `insert` of a database. It is called once for each: building a statement takes
    longer than running it on an embedded database.
    """

    @cache
    def built(dialect: str) -> Executable:
        statement: Executable = build(INSERTS[dialect])
        return statement

    def statement(session: Session) -> Executable:
        return built(session.get_bind().dialect.name)

    return statement


def rows_changed(
    session: Session, statement: Update | Delete, parameters: Mapping[str, Any] | None = None
) -> int:
    """Run the statement and return how many rows it found to change."""
    return cast("CursorResult[Any]", session.execute(statement, parameters)).rowcount
