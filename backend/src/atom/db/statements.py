"""Statements on tables rather than on objects: set-based, and alike on SQLite and PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import CursorResult, Delete, Table, Update
    from sqlalchemy.orm import Session

    from atom.db.base import Base


def table_of(model: type[Base]) -> Table:
    """Return the table of a model."""
    return cast("Table", model.__table__)


def upsert(session: Session, table: Table) -> Any:
    """Return an INSERT that can say what to do `on_conflict`, in the words of the session's database."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table)


def rows_changed(
    session: Session, statement: Update | Delete, parameters: Mapping[str, Any] | None = None
) -> int:
    """Run the statement and return how many rows it found to change."""
    return cast("CursorResult[Any]", session.execute(statement, parameters)).rowcount
