"""Every query of chat."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import ColumnElement, bindparam, case, delete, insert, select, tuple_, update
from sqlalchemy.orm.util import identity_key

from atom.chat.models import ChatMessage, ChatSession, MessageRole
from atom.db.types import UtcDateTime
from atom.identity.models import User

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Table
    from sqlalchemy.orm import Session

    from atom.kit.pagination import Cursor

CHATS = cast("Table", ChatSession.__table__)
USERS = cast("Table", User.__table__)
MESSAGES = cast("Table", ChatMessage.__table__)


def _later(column: ColumnElement[datetime], at: ColumnElement[datetime]) -> ColumnElement[datetime]:
    return case((column > at, column), else_=at)


FIND_USER = select(USERS.c.id).where(
    USERS.c.id == bindparam("user"), USERS.c.workspace_id == bindparam("workspace")
)
TAKE_POSITION = (
    update(CHATS)
    .where(CHATS.c.id == bindparam("chat"), CHATS.c.workspace_id == bindparam("workspace"))
    .values(
        message_count=CHATS.c.message_count + 1,
        updated_at=_later(CHATS.c.updated_at, bindparam("at", type_=UtcDateTime())),
    )
    .returning(CHATS.c.message_count, CHATS.c.updated_at)
)
ADD_MESSAGE = insert(MESSAGES)
GET_CHAT = (
    select(ChatSession)
    .where(ChatSession.id == bindparam("chat"), ChatSession.workspace_id == bindparam("workspace"))
    .execution_options(populate_existing=True)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something said in a conversation; `position` counts from 0."""

    id: str
    session_id: str
    position: int
    role: MessageRole
    content: str
    created_at: datetime


MESSAGE_FIELDS = tuple(field.name for field in fields(Message))
NEWEST_MESSAGES = (
    select(*(MESSAGES.c[name] for name in MESSAGE_FIELDS))
    .where(MESSAGES.c.session_id == bindparam("chat"), MESSAGES.c.workspace_id == bindparam("workspace"))
    .order_by(MESSAGES.c.position.desc())
    .limit(bindparam("limit"))
)
NEWEST_MESSAGES_BEFORE = NEWEST_MESSAGES.where(MESSAGES.c.position < bindparam("before"))


def is_user_of(session: Session, user_id: str, *, workspace_id: str) -> bool:
    """Whether the user belongs to the workspace."""
    return session.scalar(FIND_USER, {"user": user_id, "workspace": workspace_id}) is not None


def get_chat(session: Session, chat_id: str, *, workspace_id: str) -> ChatSession | None:
    """Return the session as it stands in the database."""
    return session.scalar(GET_CHAT, {"chat": chat_id, "workspace": workspace_id})


def take_position(
    session: Session, chat_id: str, *, workspace_id: str, at: datetime
) -> tuple[int, datetime] | None:
    """
    Count one more message, and return its position and time; None without such a session.

    One statement, which locks the session's row until the transaction ends: two writers get two positions.
    """
    row = session.execute(TAKE_POSITION, {"chat": chat_id, "workspace": workspace_id, "at": at}).one_or_none()
    if row is None:
        return None
    loaded = session.identity_map.get(identity_key(ChatSession, chat_id))
    if loaded is not None:
        session.expire(loaded, ["message_count", "updated_at"])
    return row.message_count - 1, row.updated_at


def add_message(session: Session, message: Message, *, workspace_id: str) -> None:
    """Write a message."""
    session.execute(ADD_MESSAGE, {"workspace_id": workspace_id, **_values(message)})


def rename(
    session: Session, chat_id: str, *, workspace_id: str, title: str | None, at: datetime
) -> ChatSession | None:
    """Give a session another title, and return it."""
    renamed = (
        update(ChatSession)
        .where(ChatSession.id == chat_id, ChatSession.workspace_id == workspace_id)
        .values(title=title, updated_at=_later(CHATS.c.updated_at, bindparam(None, at, type_=UtcDateTime())))
        .returning(ChatSession)
    )
    return session.scalar(renamed, execution_options={"populate_existing": True})


def remove(session: Session, chat_id: str, *, workspace_id: str) -> bool:
    """Delete a session, and with it, by the schema, its messages; False if there was none."""
    removed = (
        delete(ChatSession)
        .where(ChatSession.id == chat_id, ChatSession.workspace_id == workspace_id)
        .returning(ChatSession.id)
    )
    return session.scalar(removed) is not None


def newest_messages(
    session: Session, chat_id: str, *, workspace_id: str, limit: int, before: int | None
) -> list[Message]:
    """Return the last messages, those before a position if one is given, newest first."""
    newest = NEWEST_MESSAGES if before is None else NEWEST_MESSAGES_BEFORE
    parameters = {"chat": chat_id, "workspace": workspace_id, "limit": limit, "before": before}
    return [Message(**row) for row in session.execute(newest, parameters).mappings()]


def newest_chats(
    session: Session, *, workspace_id: str, user_id: str, limit: int, after: Cursor | None
) -> Sequence[ChatSession]:
    """Return a user's sessions, the newest updated first."""
    newest = (
        select(ChatSession)
        .where(ChatSession.workspace_id == workspace_id, ChatSession.user_id == user_id)
        .order_by(ChatSession.updated_at.desc(), ChatSession.id.desc())
        .limit(limit)
    )
    if after is not None:
        newest = newest.where(tuple_(ChatSession.updated_at, ChatSession.id) < tuple_(after.at, after.id))
    return session.scalars(newest.execution_options(populate_existing=True)).all()


def _values(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in MESSAGE_FIELDS}
