"""Every query of chat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, case, delete, insert, select, tuple_, update

from atom.chat.models import ChatMessage, ChatSession, MessageRole
from atom.db.direct import change, fetch
from atom.db.rows import RowsOf
from atom.db.statements import rows_changed, table_of
from atom.db.types import UtcDateTime

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from atom.kit.pagination import Cursor

CHATS = table_of(ChatSession)
MESSAGES = table_of(ChatMessage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A conversation of one user, without what was said in it."""

    id: str
    workspace_id: str
    user_id: str
    title: str | None
    details: dict[str, Any]
    message_count: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something said in a conversation; `position` counts from 0."""

    id: str
    session_id: str
    position: int
    role: MessageRole
    content: str
    created_at: datetime


CHAT: Final = RowsOf(Chat, CHATS, details="metadata")
MESSAGE: Final = RowsOf(Message, MESSAGES)

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
ADD_CHAT: Final = insert(CHATS)
RENAME: Final = (
    update(CHATS)
    .where(CHATS.c.id == bindparam("chat"), CHATS.c.workspace_id == bindparam("workspace"))
    .values(title=bindparam("new_title"), updated_at=LATER)
    .returning(*CHAT.columns)
)
REMOVE: Final = delete(CHATS).where(
    CHATS.c.id == bindparam("chat"), CHATS.c.workspace_id == bindparam("workspace")
)
NEWEST_CHATS: Final = (
    select(*CHAT.columns)
    .where(CHATS.c.workspace_id == bindparam("workspace"), CHATS.c.user_id == bindparam("user"))
    .order_by(CHATS.c.updated_at.desc(), CHATS.c.id.desc())
    .limit(bindparam("most"))
)
NEWEST_CHATS_AFTER: Final = NEWEST_CHATS.where(
    tuple_(CHATS.c.updated_at, CHATS.c.id)
    < tuple_(bindparam("after_at", type_=UtcDateTime()), bindparam("after_id", type_=CHATS.c.id.type))
)
GET_CHAT: Final = select(*CHAT.columns).where(
    CHATS.c.id == bindparam("chat"), CHATS.c.workspace_id == bindparam("workspace")
)
NEWEST_MESSAGES: Final = (
    select(*MESSAGE.columns)
    .where(MESSAGES.c.session_id == bindparam("chat"), MESSAGES.c.workspace_id == bindparam("workspace"))
    .order_by(MESSAGES.c.position.desc())
    .limit(bindparam("limit"))
)
NEWEST_MESSAGES_BEFORE: Final = NEWEST_MESSAGES.where(MESSAGES.c.position < bindparam("before"))


def add_chat(session: Session, chat: Chat) -> None:
    """Write a session without messages."""
    change(session.connection(), ADD_CHAT, CHAT.values(chat))


def get_chat(session: Session, chat_id: str, *, workspace_id: str) -> Chat | None:
    """Return a session."""
    return CHAT.one(fetch(session.connection(), GET_CHAT, {"chat": chat_id, "workspace": workspace_id}))


def take_position(
    session: Session, chat_id: str, *, workspace_id: str, at: datetime
) -> tuple[int, datetime] | None:
    """
    Count one more message, and return its position and time; None without such a session.

    One statement, which locks the session's row until the transaction ends: two writers get two positions.
    """
    sought = {"chat": chat_id, "workspace": workspace_id, "now": at}
    taken = fetch(session.connection(), TAKE_POSITION, sought)
    if not taken:
        return None
    ((count, at),) = taken
    return count - 1, at


def add_message(session: Session, message: Message, *, workspace_id: str) -> None:
    """Write a message."""
    change(session.connection(), ADD_MESSAGE, {"workspace_id": workspace_id, **MESSAGE.values(message)})


def rename(
    session: Session, chat_id: str, *, workspace_id: str, title: str | None, at: datetime
) -> Chat | None:
    """Give a session another title, and return it."""
    sought = {"chat": chat_id, "workspace": workspace_id, "new_title": title, "now": at}
    return CHAT.one(fetch(session.connection(), RENAME, sought))


def remove(session: Session, chat_id: str, *, workspace_id: str) -> bool:
    """Delete a session, and with it, by the schema, its messages; False if there was none."""
    return rows_changed(session, REMOVE, {"chat": chat_id, "workspace": workspace_id}) == 1


def newest_messages(
    session: Session, chat_id: str, *, workspace_id: str, limit: int, before: int | None
) -> list[Message]:
    """Return the last messages, those before a position if one is given, newest first."""
    newest = NEWEST_MESSAGES if before is None else NEWEST_MESSAGES_BEFORE
    sought = {"chat": chat_id, "workspace": workspace_id, "limit": limit, "before": before}
    return MESSAGE.all(fetch(session.connection(), newest, sought))


def newest_chats(
    session: Session, *, workspace_id: str, user_id: str, limit: int, after: Cursor | None
) -> list[Chat]:
    """Return a user's sessions, the newest updated first."""
    sought: dict[str, Any] = {"workspace": workspace_id, "user": user_id, "most": limit}
    newest = NEWEST_CHATS
    if after is not None:
        newest, sought = NEWEST_CHATS_AFTER, {**sought, "after_at": after.at, "after_id": after.id}
    return CHAT.all(fetch(session.connection(), newest, sought))
