"""Which rows a use case holds against other writers: seen in its statements, whatever the database locks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Select, event
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

FROM = re.compile(r"\bFROM (\w+)")
LOCK = re.compile(r"\bFOR (?:NO KEY )?UPDATE(?: OF (\w+))?")


@contextmanager
def held_tables(session: Session) -> Iterator[set[str]]:
    """Collect the tables whose rows a SELECT of the block holds, as PostgreSQL is asked to."""
    found: set[str] = set()

    def note(_conn: Any, statement: Any, *_: Any) -> None:
        if isinstance(statement, Select):
            text = str(statement.compile(dialect=postgresql.dialect()))
            if lock := LOCK.search(text):
                found.add(lock[1] or FROM.findall(text)[0])

    connection = session.connection()
    event.listen(connection, "before_execute", note)
    try:
        yield found
    finally:
        event.remove(connection, "before_execute", note)
