"""The invariants of chat: nothing said is lost, miscounted, out of order or shown to the wrong person."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session, sessionmaker

from atom.chat import service
from atom.chat.models import ChatSession, MessageRole
from atom.db.session import unit_of_work
from atom.kit.clock import ManualClock
from atom.kit.errors import InvalidError, NotFoundError
from atom.kit.ids import new_id
from atom.tables import METADATA
from tests import factories
from tests.database import Database
from tests.factories import NOW, Tenant
from tests.keywords import OfChat, OfWorkspace

TEXTS = st.text("ab é漢😀\n'\"\\%", min_size=1, max_size=20).filter(str.strip)


CHATS, MESSAGES = METADATA.tables["chat_sessions"], METADATA.tables["chat_messages"]
ADD_CHATS, ADD_MESSAGES = insert(CHATS), insert(MESSAGES)


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """The user of a workspace, and another workspace."""

    tenant: Tenant
    stranger: Tenant


def add_people(sessions: sessionmaker[Session]) -> People:
    """Commit the people that every example starts with."""
    with unit_of_work(sessions) as session:
        tenant = factories.tenant(session)
        return People(tenant=tenant, stranger=factories.tenant(session))


@contextmanager
def world(database: Database) -> Iterator[tuple[Session, People]]:
    """Give a session in which these people exist, and roll it back afterwards."""
    with database.prepared(add_people) as (sessions, people), sessions() as session:
        yield session, people


def open_talks(session: Session, workspace_id: str, owners: Sequence[str]) -> list[str]:
    """Write a conversation for each owner, and return the ids."""
    ids = [new_id() for _ in owners]
    shared = {"workspace_id": workspace_id, "created_at": NOW, "updated_at": NOW}
    rows = [{"id": id_, "user_id": owner, **shared} for id_, owner in zip(ids, owners, strict=True)]
    session.connection().execute(ADD_CHATS, rows)
    return ids


@pytest.mark.invariant(51)
@given(n=st.integers(0, 12), limit=st.integers(1, 5), before=st.none() | st.integers(0, 12))
def test_history_is_a_window_on_the_last_messages(
    database: Database, n: int, limit: int, before: int | None
) -> None:
    """
    Invariant 51: the history is the last `limit` messages in order;
    with `before`, the last ones before that position.
    """
    with world(database) as (session, people):
        scope = OfWorkspace(workspace_id=people.tenant.workspace_id)
        (talk,) = open_talks(session, people.tenant.workspace_id, [people.tenant.user_id])
        place = {**scope, "session_id": talk, "role": MessageRole.USER, "created_at": NOW}
        rows = [{**place, "position": position, "content": str(position)} for position in range(n)]
        if rows:
            session.connection().execute(ADD_MESSAGES, rows)
        shown = service.history(session, chat_id=talk, limit=limit, before=before, **scope)
        expected = [place for place in range(n) if before is None or place < before][-limit:]
        assert [(message.position, message.content) for message in shown] == [(p, str(p)) for p in expected]


TALKS = select(CHATS.c.id, CHATS.c.title, CHATS.c.message_count, CHATS.c.updated_at, CHATS.c.metadata)
SAYINGS = select(MESSAGES.c.session_id, MESSAGES.c.content).order_by(MESSAGES.c.position)


def _snapshots(session: Session) -> dict[str, list[tuple[Any, ...]]]:
    """Every conversation by its id: its row, then its messages."""
    connection = session.connection()
    found = {row.id: [tuple(row)] for row in connection.execute(TALKS)}
    for row in connection.execute(SAYINGS):
        found.setdefault(row.session_id, []).append(tuple(row))
    return found


@pytest.mark.invariant(52)
@given(deed=st.sampled_from(("get", "append", "history", "rename", "delete", "create")))
def test_another_workspace_does_not_exist(database: Database, deed: str) -> None:
    """Invariant 52: a session or user of another workspace is not found, and nothing changes."""
    clock = ManualClock(NOW)
    with world(database) as (session, people):
        tenant, stranger = people.tenant, people.stranger
        talk = service.create_session(
            session, clock, workspace_id=tenant.workspace_id, user_id=tenant.user_id
        )
        before = _snapshots(session)
        scope = OfChat(workspace_id=stranger.workspace_id, chat_id=talk.id)
        deeds: dict[str, Callable[[], object]] = {
            "get": lambda: service.get_session(session, **scope),
            "append": lambda: service.append_message(
                session, clock, role=MessageRole.USER, content="x", **scope
            ),
            "history": lambda: service.history(session, **scope),
            "rename": lambda: service.rename_session(session, clock, title="x", **scope),
            "delete": lambda: service.delete_session(session, **scope),
            "create": lambda: service.create_session(
                session, clock, workspace_id=stranger.workspace_id, user_id=tenant.user_id
            ),
        }
        with pytest.raises(NotFoundError):
            deeds[deed]()
        assert _snapshots(session) == before
        assert session.scalar(select(func.count()).select_from(ChatSession)) == 1


UNFIT = st.sampled_from(("", " \n", "a\0b", "\ud800"))


@pytest.mark.invariant(51)
@given(text=UNFIT | st.builds("{}{}".format, TEXTS, st.sampled_from(("\0", "\udfff"))))
@example(text="x" * (service.MAX_CONTENT_LENGTH + 1))
def test_unfit_text_is_refused_and_nothing_is_written(database: Database, text: str) -> None:
    """
    Invariant 51: text that is blank, too long or cannot be stored is refused with an error
    that names the field, and nothing is written.
    """
    clock = ManualClock(NOW)
    with world(database) as (session, people):
        tenant = people.tenant
        scope = OfWorkspace(workspace_id=tenant.workspace_id)
        talk = service.create_session(session, clock, user_id=tenant.user_id, **scope)
        before = _snapshots(session)
        with pytest.raises(InvalidError) as refused:
            service.append_message(
                session, clock, chat_id=talk.id, role=MessageRole.USER, content=text, **scope
            )
        assert refused.value.field == "content"
        with pytest.raises(InvalidError) as refused:
            service.rename_session(session, clock, chat_id=talk.id, title=text, **scope)
        assert refused.value.field == "title"
        with pytest.raises(InvalidError):
            service.create_session(session, clock, user_id=tenant.user_id, title=text, **scope)
        assert _snapshots(session) == before


# PostgreSQL may return a large float as the integer that its digits say; above 2**53 the two can differ.
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(-1e9, 1e9)
    | st.text("ab漢\\\"' ", max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("kv", max_size=2), inner, max_size=2),
    max_leaves=5,
)


@pytest.mark.invariant(20)
@given(
    metadata=st.dictionaries(st.text("kv漢", max_size=2), JSON, max_size=3),
    title=st.none() | TEXTS,
    said=TEXTS,
)
def test_session_reads_back_as_written(
    database: Database, metadata: dict[str, Any], title: str | None, said: str
) -> None:
    """Invariant 20: another database session reads a chat and its message exactly as they were written."""
    with world(database) as (session, people):
        tenant = people.tenant
        scope = OfWorkspace(workspace_id=tenant.workspace_id)
        clock = ManualClock(NOW + timedelta(microseconds=123_456))
        talk = service.create_session(
            session, clock, user_id=tenant.user_id, title=title, metadata=metadata, **scope
        )
        message = service.append_message(
            session, clock, chat_id=talk.id, role=MessageRole.SYSTEM, content=said, **scope
        )
        with Session(session.connection()) as reader:
            read = service.get_session(reader, chat_id=talk.id, **scope)
            assert (read.user_id, read.title, read.details) == (tenant.user_id, title, metadata)
            assert (read.message_count, read.created_at, read.updated_at) == (1, clock.now(), clock.now())
            assert service.history(reader, chat_id=talk.id, **scope) == [message]
        assert (message.session_id, message.content, message.role) == (talk.id, said, MessageRole.SYSTEM)
