"""Requests and responses of chat."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field

from atom.chat.models import MessageRole
from atom.web.schemas import NOT_BLANK, Answer, Id, JsonObject, Name, PageQuery, PlaceQuery, Request


class ChatRequest(Request):
    """A conversation to open."""

    user_id: Id
    title: Name | None = Field(None, examples=["The invoice of March"])
    metadata: JsonObject = Field(default_factory=dict, examples=[{"channel": "web"}])


class TitleRequest(Request):
    """Another title, null for none."""

    title: Name | None


class ChatQuery(PageQuery):
    """Whose conversations to list, and which part of them."""

    user_id: Id


class ChatResponse(Answer):
    """A conversation, without what was said in it."""

    id: str
    user_id: str
    title: str | None
    metadata: dict[str, Any] = Field(validation_alias="details")
    message_count: int
    created_at: datetime
    updated_at: datetime


class MessageRequest(Request):
    """A message to append."""

    role: MessageRole
    content: str = Field(
        min_length=1, max_length=100_000, pattern=NOT_BLANK, examples=["Is the invoice of March paid?"]
    )


class MessageQuery(PlaceQuery):
    """Which messages to return: the last ones, or, with a cursor, the ones before those of a page."""

    limit: int = Field(100, ge=1, le=100, description="the most messages to return")


class MessageResponse(Answer):
    """A message; `position` counts the conversation's messages from 0."""

    id: str
    session_id: str
    position: int
    role: MessageRole
    content: str
    created_at: datetime
