"""Tables of chat: sessions and their messages."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from atom.db.base import Base, ForeignId, PrimaryId
from atom.db.types import JsonObject, str_enum


class MessageRole(StrEnum):
    """Who speaks."""

    USER = "user"
    ASSISTANT = "assistant"
    SYSTEM = "system"


class ChatSession(Base):
    """A conversation of one user."""

    __tablename__ = "chat_sessions"
    __table_args__ = (
        UniqueConstraint("id", "workspace_id"),
        CheckConstraint("message_count >= 0", name="message_count"),
        CheckConstraint("updated_at >= created_at", name="updated_at"),
        Index(None, "workspace_id", "user_id", "updated_at", "id"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    user_id: Mapped[ForeignId] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    title: Mapped[str | None]
    details: Mapped[dict[str, Any]] = mapped_column("metadata", JsonObject, default=dict)
    message_count: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class ChatMessage(Base):
    """A message; `position` counts the session's messages from 0 and is their order."""

    __tablename__ = "chat_messages"
    __table_args__ = (
        ForeignKeyConstraint(
            ["session_id", "workspace_id"],
            ["chat_sessions.id", "chat_sessions.workspace_id"],
            ondelete="CASCADE",
        ),
        UniqueConstraint("session_id", "position"),
        CheckConstraint("position >= 0", name="position"),
    )

    id: Mapped[PrimaryId]
    session_id: Mapped[ForeignId]
    workspace_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    position: Mapped[int]
    role: Mapped[MessageRole] = mapped_column(str_enum(MessageRole, name="role"))
    content: Mapped[str]
    created_at: Mapped[datetime]
