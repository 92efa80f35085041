"""
Statements that are built once, run on the driver of a SQLite database directly.

SQLAlchemy takes 20 to 40 microseconds around a statement that SQLite runs in 3: it finds out at each call
what stays the same, such as the order of the parameters. Here that is found out once for each statement.
On PostgreSQL, where a statement takes hundreds of microseconds, SQLAlchemy runs it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

from atom.db.sqlite import EmbeddedDialect, run
from atom.db.types import load_json

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import BindParameter, Connection, CursorResult, Delete, Insert, Select, Update
    from sqlalchemy.sql.compiler import SQLCompiler

    Statement = Select[Any] | Insert | Update | Delete
    Conversion = Callable[[Any], Any] | None
    Values = Mapping[str, Any]

DIALECT = EmbeddedDialect(dbapi=sqlite3, json_deserializer=load_json)
MOST_STATEMENTS = 1_000
"""How many texts are kept: more than there are statements that are built once."""


def fetch(connection: Connection, statement: Statement, values: Values) -> Sequence[Sequence[Any]]:
    """Return the rows of a statement, each as a plain sequence of the values of its columns."""
    direct = _direct_of(connection, statement, values)
    if direct is None:
        return cast("Sequence[Sequence[Any]]", connection.execute(statement, values).all())
    found, _ = run(connection, direct.text, direct.parameters(values))
    return direct.rows(found)


def change(connection: Connection, statement: Statement, values: Values) -> int:
    """Run a statement that writes; return how many rows it wrote."""
    direct = _direct_of(connection, statement, values)
    if direct is None:
        return cast("CursorResult[Any]", connection.execute(statement, values)).rowcount
    _, n_written = run(connection, direct.text, direct.parameters(values))
    return n_written


def insert_all(connection: Connection, statement: Insert, rows: Sequence[Values]) -> None:
    """Write at least one row; all of them have the same columns."""
    direct = _direct_of(connection, statement, rows[0])
    if direct is None:
        connection.execute(statement, rows)
    else:
        for row in rows:
            run(connection, direct.text, direct.parameters(row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bind:
    """A parameter: the name of its value, or its value if the statement has it; and how SQLite is told it."""

    name: str | None
    value: Any
    convert: Conversion


class Direct:
    """The text of a statement for SQLite, and how values become parameters, and columns values."""

    def __init__(self, compiled: SQLCompiler, names: tuple[str, ...], columns: Sequence[Any]) -> None:
        self.text = str(compiled)
        self._binds = [_bind(compiled.binds[name], name, names) for name in compiled.positiontup or ()]
        conversions = [
            column.type.dialect_impl(DIALECT).result_processor(DIALECT, None) for column in columns
        ]
        self._conversions = [(i, convert) for i, convert in enumerate(conversions) if convert is not None]

    def parameters(self, values: Values) -> list[Any]:
        """Return the parameters in the order of the text."""
        parameters = []
        for bind in self._binds:
            value = bind.value if bind.name is None else values[bind.name]
            parameters.append(value if bind.convert is None else bind.convert(value))
        return parameters

    def rows(self, found: list[tuple[Any, ...]]) -> Sequence[Sequence[Any]]:
        """Return what SQLite found as the values that the columns stand for."""
        if not self._conversions:
            return found
        rows = [list(row) for row in found]
        for row in rows:
            for i, convert in self._conversions:
                row[i] = convert(row[i])
        return rows


def _bind(bind: BindParameter[Any], name: str, names: tuple[str, ...]) -> Bind:
    return Bind(
        name=name if name in names else None,
        value=None if name in names else bind.effective_value,
        convert=bind.type.dialect_impl(DIALECT).bind_processor(DIALECT),
    )


def _direct_of(connection: Connection, statement: Statement, values: Values) -> Direct | None:
    """Return how to run a statement on SQLite; None where SQLAlchemy has to."""
    if connection.dialect.name != DIALECT.name or _is_watched(connection):
        return None
    return _direct(statement, tuple(values))


def _is_watched(connection: Connection) -> bool:
    """
    Whether anybody wants to be told of the connection's statements, which only SQLAlchemy does.

    Asking for the listeners of each event would take longer than the statement.
    """
    return connection._has_events or connection.engine._has_events


@lru_cache(MOST_STATEMENTS)
def _direct(statement: Statement, names: tuple[str, ...]) -> Direct | None:
    compiled = statement.compile(dialect=DIALECT, column_keys=list(names))
    if compiled.insert_prefetch or compiled.update_prefetch or compiled.post_compile_params:
        return None  # it has values that are computed, or lists of parameters that are written, at each call
    if any(bind.required and name not in names for name, bind in compiled.binds.items()):
        return None  # SQLAlchemy says which value is missing
    return Direct(compiled, names, list(statement.exported_columns))
