"""Use cases of chat: conversations of a workspace's users, and what is said in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from atom.chat import repository
from atom.chat.models import MessageRole
from atom.chat.repository import Chat, Message
from atom.identity.users import require_user
from atom.kit.errors import InvalidError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import Cursor, KeyPage, Page, PageRequest
from atom.kit.text import check_json, check_text

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock

HISTORY_LIMIT = 100
LIST_LIMIT = 20
MAX_TITLE_LENGTH = 200
MAX_CONTENT_LENGTH = 100_000


def create_session(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    user_id: str,
    title: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> Chat:
    """Open a conversation for a user of the workspace."""
    _check_title(title)
    check_json(metadata or {}, field="metadata")
    require_user(session, workspace_id=workspace_id, user_id=user_id)
    now = clock.now()
    chat = Chat(
        id=new_id(),
        workspace_id=workspace_id,
        user_id=user_id,
        title=title,
        details=dict(metadata or {}),
        message_count=0,
        created_at=now,
        updated_at=now,
    )
    repository.add_chat(session, chat)
    return chat


def get_session(session: Session, *, workspace_id: str, chat_id: str) -> Chat:
    """Return a conversation."""
    chat = repository.get_chat(session, chat_id, workspace_id=workspace_id)
    if chat is None:
        raise NotFoundError("chat session", chat_id)
    return chat


def has_session(session: Session, *, workspace_id: str, chat_id: str) -> bool:
    """Whether the workspace has the conversation."""
    return repository.get_chat(session, chat_id, workspace_id=workspace_id) is not None


def append_message(
    session: Session, clock: Clock, *, workspace_id: str, chat_id: str, role: MessageRole, content: str
) -> Message:
    """
    Append a message to a conversation.

    A message is never older than the one before: when the clock steps back, it gets the last time of before.
    """
    check_text(content, field="content", max_length=MAX_CONTENT_LENGTH)
    place = repository.take_position(session, chat_id, workspace_id=workspace_id, at=clock.now())
    if place is None:
        raise NotFoundError("chat session", chat_id)
    position, at = place
    message = Message(
        id=new_id(),
        session_id=chat_id,
        position=position,
        role=MessageRole(role),
        content=content,
        created_at=at,
    )
    repository.add_message(session, message, workspace_id=workspace_id)
    return message


def history(
    session: Session,
    *,
    workspace_id: str,
    chat_id: str,
    limit: int = HISTORY_LIMIT,
    before: int | None = None,
) -> list[Message]:
    """Return a conversation's last messages, oldest first; `before` is the position to page back from."""
    newest = _newest(session, workspace_id, chat_id, limit=limit, before=before, n_wanted=limit)
    return list(reversed(newest))


def list_messages(
    session: Session,
    *,
    workspace_id: str,
    chat_id: str,
    limit: int = HISTORY_LIMIT,
    before: int | None = None,
) -> KeyPage[Message]:
    """
    Return the same as a page, whose key is the position to page back from.

    It has fewer messages when they are long.
    """
    newest = _newest(session, workspace_id, chat_id, limit=limit, before=before, n_wanted=limit + 1)
    page = KeyPage.cut(
        newest,
        limit=limit,
        key=lambda message: str(message.position),
        length=lambda message: len(message.content),
    )
    return KeyPage(items=page.items[::-1], next=page.next)


def _newest(
    session: Session, workspace_id: str, chat_id: str, *, limit: int, before: int | None, n_wanted: int
) -> list[Message]:
    if not 1 <= limit <= HISTORY_LIMIT:
        raise InvalidError(f"limit is {limit}, expected 1 to {HISTORY_LIMIT}", field="limit")
    newest = repository.newest_messages(
        session, chat_id, workspace_id=workspace_id, limit=n_wanted, before=before
    )
    if not newest:  # nothing was said, or there is no such conversation
        get_session(session, workspace_id=workspace_id, chat_id=chat_id)
    return newest


def list_sessions(
    session: Session, *, workspace_id: str, user_id: str, page: PageRequest | None = None
) -> Page[Chat]:
    """Return a user's conversations, the newest updated first."""
    request = page or PageRequest(limit=LIST_LIMIT)
    chats = repository.newest_chats(
        session, workspace_id=workspace_id, user_id=user_id, limit=request.limit + 1, after=request.after
    )
    return Page.cut(chats, limit=request.limit, place=lambda chat: Cursor(at=chat.updated_at, id=chat.id))


def rename_session(
    session: Session, clock: Clock, *, workspace_id: str, chat_id: str, title: str | None
) -> Chat:
    """Give a conversation another title, None for no title."""
    _check_title(title)
    chat = repository.rename(session, chat_id, workspace_id=workspace_id, title=title, at=clock.now())
    if chat is None:
        raise NotFoundError("chat session", chat_id)
    return chat


def delete_session(session: Session, *, workspace_id: str, chat_id: str) -> None:
    """Delete a conversation and its messages; the episodes made from it stay."""
    if not repository.remove(session, chat_id, workspace_id=workspace_id):
        raise NotFoundError("chat session", chat_id)


def _check_title(title: str | None) -> None:
    if title is not None:
        check_text(title, field="title", max_length=MAX_TITLE_LENGTH)
