"""Every query of chat."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, case, delete, insert, select, tuple_, update
from sqlalchemy.orm.util import identity_key

from atom.chat.models import ChatMessage, ChatSession, MessageRole
from atom.db.statements import rows_changed, table_of
from atom.db.types import UtcDateTime

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from atom.kit.pagination import Cursor

CHATS = table_of(ChatSession)
MESSAGES = table_of(ChatMessage)


NOW = bindparam("now", type_=UtcDateTime())
LATER = case((CHATS.c.updated_at > NOW, CHATS.c.updated_at), else_=NOW)
"""A conversation's last time; the one it has when the clock steps back."""
TAKE_POSITION: Final = (
    update(CHATS)
    .where(CHATS.c.id == bindparam("chat"), CHATS.c.workspace_id == bindparam("workspace"))
    .values(message_count=CHATS.c.message_count + 1, updated_at=LATER)
    .returning(CHATS.c.message_count, CHATS.c.updated_at)
)
ADD_MESSAGE: Final = insert(MESSAGES)
RENAME: Final = (
    update(ChatSession)
    .where(ChatSession.id == bindparam("chat"), ChatSession.workspace_id == bindparam("workspace"))
    .values(title=bindparam("new_title"), updated_at=LATER)
    .returning(ChatSession)
    .execution_options(populate_existing=True, synchronize_session=False)
)
REMOVE: Final = delete(CHATS).where(
    CHATS.c.id == bindparam("chat"), CHATS.c.workspace_id == bindparam("workspace")
)
NEWEST_CHATS: Final = (
    select(ChatSession)
    .where(ChatSession.workspace_id == bindparam("workspace"), ChatSession.user_id == bindparam("user"))
    .order_by(ChatSession.updated_at.desc(), ChatSession.id.desc())
    .limit(bindparam("most"))
    .execution_options(populate_existing=True)
)
NEWEST_CHATS_AFTER: Final = NEWEST_CHATS.where(
    tuple_(ChatSession.updated_at, ChatSession.id)
    < tuple_(bindparam("after_at", type_=UtcDateTime()), bindparam("after_id", type_=CHATS.c.id.type))
)
GET_CHAT: Final = (
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
NEWEST_MESSAGES: Final = (
    select(*(MESSAGES.c[name] for name in MESSAGE_FIELDS))
    .where(MESSAGES.c.session_id == bindparam("chat"), MESSAGES.c.workspace_id == bindparam("workspace"))
    .order_by(MESSAGES.c.position.desc())
    .limit(bindparam("limit"))
)
NEWEST_MESSAGES_BEFORE: Final = NEWEST_MESSAGES.where(MESSAGES.c.position < bindparam("before"))


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
    row = session.execute(
        TAKE_POSITION, {"chat": chat_id, "workspace": workspace_id, "now": at}
    ).one_or_none()
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
    sought = {"chat": chat_id, "workspace": workspace_id, "new_title": title, "now": at}
    return session.scalar(RENAME, sought)


def remove(session: Session, chat_id: str, *, workspace_id: str) -> bool:
    """Delete a session, and with it, by the schema, its messages; False if there was none."""
    return rows_changed(session, REMOVE, {"chat": chat_id, "workspace": workspace_id}) == 1


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
    sought: dict[str, Any] = {"workspace": workspace_id, "user": user_id, "most": limit}
    if after is None:
        return session.scalars(NEWEST_CHATS, sought).all()
    return session.scalars(NEWEST_CHATS_AFTER, {**sought, "after_at": after.at, "after_id": after.id}).all()


def _values(message: Message) -> dict[str, Any]:
    return {name: getattr(message, name) for name in MESSAGE_FIELDS}
