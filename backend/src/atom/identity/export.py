"""What a workspace holds about one of its people, from every table that names a user."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import LargeBinary, or_, select

from atom.db.base import Base
from atom.identity.users import get_user

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Table
    from sqlalchemy.orm import Session

    from atom.identity.models import User

MAX_ROWS = 10_000
"""How many rows of a table an export holds."""
SECRET = frozenset({"key_hash"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """A user, and the rows of each table that name them; `cut` are the tables that have more."""

    user: User
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    cut: tuple[str, ...]


def export_user(session: Session, *, workspace_id: str, user_id: str) -> Export:
    """Return the user and every row that names them, and what was said in their conversations."""
    user = get_user(session, workspace_id=workspace_id, user_id=user_id)
    tables: dict[str, list[dict[str, Any]]] = {}
    cut = []
    for table in Base.metadata.sorted_tables:
        condition = _about(table, user_id)
        if condition is None:
            continue
        shown = [column for column in table.c if not _is_hidden(column)]
        rows = session.execute(select(*shown).where(condition).limit(MAX_ROWS + 1)).mappings().all()
        if rows:
            tables[table.name] = [
                {name: _plain(value) for name, value in row.items()} for row in rows[:MAX_ROWS]
            ]
        if len(rows) > MAX_ROWS:
            cut.append(table.name)
    return Export(user=user, tables=tables, cut=tuple(cut))


def _about(table: Table, user_id: str) -> ColumnElement[bool] | None:
    """Return which rows of a table are about a user: they name the user, or a conversation of theirs."""
    conditions: list[ColumnElement[bool]] = []
    for key in table.foreign_keys:
        if key.column.table.name == "users" and key.column.name == "id":
            conditions.append(key.parent == user_id)
        elif key.column.table.name == "chat_sessions" and table.name == "chat_messages":
            chats = key.column.table
            conditions.append(key.parent.in_(select(chats.c.id).where(chats.c.user_id == user_id)))
    return or_(*conditions) if conditions else None


def _is_hidden(column: Any) -> bool:
    return column.name in SECRET or isinstance(getattr(column.type, "impl", column.type), LargeBinary)


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it."""
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
