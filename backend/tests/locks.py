"""Which rows a use case locks or counts for other writers: seen in its statements on any database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Select, TableClause, Update, event, make_url
from sqlalchemy.orm import Session

FROM = re.compile(r"\bFROM (\w+)")
COUNTED = re.compile(r"[ ,(](\w+)=\(?\w+\.\1 [+-]")
POSTGRESQL = make_url("postgresql+psycopg://").get_dialect()()
LOCK = re.compile(r"\bFOR (?:NO KEY )?UPDATE(?: OF (\w+))?")


@contextmanager
def held_tables(session: Session) -> Iterator[set[str]]:
    """Collect the tables whose rows a SELECT of the block holds, as PostgreSQL is asked to."""
    found: set[str] = set()

    def note(_conn: Any, statement: Any, *_: Any) -> None:
        if isinstance(statement, Select):
            text = str(statement.compile(dialect=POSTGRESQL))
            if lock := LOCK.search(text):
                found.add(lock[1] or FROM.findall(text)[0])

    connection = session.connection()
    event.listen(connection, "before_execute", note)
    try:
        yield found
    finally:
        event.remove(connection, "before_execute", note)


@contextmanager
def counted_columns(session: Session) -> Iterator[set[str]]:
    """
    Collect the columns that an UPDATE of the block computes from their own value in the row.

    The database counts such a column under the lock of its row. A value that Python computed from an earlier
    SELECT would undo what somebody else wrote in between.
    """
    found: set[str] = set()

    def note(_conn: Any, statement: Any, *_: Any) -> None:
        if isinstance(statement, Update) and isinstance(statement.table, TableClause):
            for match in COUNTED.finditer(str(statement.compile(dialect=POSTGRESQL))):
                found.add(f"{statement.table.name}.{match[1]}")

    connection = session.connection()
    event.listen(connection, "before_execute", note)
    try:
        yield found
    finally:
        event.remove(connection, "before_execute", note)
