"""Routes of chat: conversations and what is said in them."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query, status

from atom.chat import service
from atom.chat.schemas import (
    ChatQuery,
    ChatRequest,
    ChatResponse,
    MessageQuery,
    MessageRequest,
    MessageResponse,
    TitleRequest,
)
from atom.identity.access import DomainRouter, ShortReading, Unit, Writing
from atom.kit.errors import NotFoundError
from atom.web.problems import WITH_BODY, problem_responses
from atom.web.schemas import Id, PageAnswer

router = DomainRouter(prefix="/v1/chats", tag="chat")


@router.post("", status_code=status.HTTP_201_CREATED, responses=problem_responses(*WITH_BODY, 404))
def create_chat(request: ChatRequest, unit: Writing) -> ChatResponse:
    """Open a conversation for a user of the workspace; a person's key opens that person's."""
    unit.viewer_id(request.user_id)
    chat = service.create_session(
        unit.session, unit.clock, workspace_id=unit.workspace_id, **request.model_dump()
    )
    return ChatResponse.model_validate(chat)


@router.get("")
def list_chats(query: Annotated[ChatQuery, Query()], unit: ShortReading) -> PageAnswer[ChatResponse]:
    """List a user's conversations, the one that changed last first."""
    unit.viewer_id(query.user_id)
    page = service.list_sessions(
        unit.session, workspace_id=unit.workspace_id, user_id=query.user_id, page=query.page
    )
    return PageAnswer.of(page, ChatResponse.model_validate)


@router.get("/{chat_id}", responses=problem_responses(404))
def read_chat(chat_id: Id, unit: ShortReading) -> ChatResponse:
    """Return a conversation."""
    _require_own(unit, chat_id)
    chat = service.get_session(unit.session, workspace_id=unit.workspace_id, chat_id=chat_id)
    return ChatResponse.model_validate(chat)


@router.patch("/{chat_id}", responses=problem_responses(*WITH_BODY, 404))
def rename_chat(chat_id: Id, request: TitleRequest, unit: Writing) -> ChatResponse:
    """Give a conversation another title."""
    _require_own(unit, chat_id)
    chat = service.rename_session(
        unit.session, unit.clock, workspace_id=unit.workspace_id, chat_id=chat_id, title=request.title
    )
    return ChatResponse.model_validate(chat)


@router.delete("/{chat_id}", status_code=status.HTTP_204_NO_CONTENT, responses=problem_responses(404))
def delete_chat(chat_id: Id, unit: Writing) -> None:
    """Delete a conversation and its messages; the episodes made from it stay."""
    _require_own(unit, chat_id)
    service.delete_session(unit.session, workspace_id=unit.workspace_id, chat_id=chat_id)


@router.post(
    "/{chat_id}/messages",
    status_code=status.HTTP_201_CREATED,
    responses=problem_responses(*WITH_BODY, 404),
)
def append_message(chat_id: Id, request: MessageRequest, unit: Writing) -> MessageResponse:
    """Append a message to a conversation."""
    _require_own(unit, chat_id)
    message = service.append_message(
        unit.session,
        unit.clock,
        workspace_id=unit.workspace_id,
        chat_id=chat_id,
        role=request.role,
        content=request.content,
    )
    return MessageResponse.model_validate(message)


@router.get("/{chat_id}/messages", responses=problem_responses(404))
def list_messages(
    chat_id: Id, query: Annotated[MessageQuery, Query()], unit: ShortReading
) -> PageAnswer[MessageResponse]:
    """Return a conversation's last messages, oldest first; the next page holds the ones before them."""
    _require_own(unit, chat_id)
    page = service.list_messages(
        unit.session,
        workspace_id=unit.workspace_id,
        chat_id=chat_id,
        limit=query.limit,
        before=query.cursor,
    )
    return PageAnswer.of(page, MessageResponse.model_validate)


def _require_own(unit: Unit, chat_id: str) -> None:
    """Raise NotFoundError if the key belongs to a person and the conversation to another one."""
    user_id = unit.viewer_id()
    if user_id is not None:
        chat = service.get_session(unit.session, workspace_id=unit.workspace_id, chat_id=chat_id)
        if chat.user_id != user_id:
            raise NotFoundError("chat session", chat_id)
