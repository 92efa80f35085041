"""Chats of two users under any sequence of messages, renames and deletions, compared with a model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from atom.chat import service
from atom.chat.models import MessageRole
from atom.chat.repository import Chat
from atom.db.session import unit_of_work
from atom.kit.clock import ManualClock
from atom.kit.errors import NotFoundError
from atom.kit.pagination import Page, PageRequest
from atom.tables import METADATA
from tests import factories
from tests.database import Database
from tests.factories import NOW, Tenant
from tests.keywords import OfChat, OfWorkspace
from tests.pages import follow
from tests.property_tests.conftest import scaled

CHATS, MESSAGES = METADATA.tables["chat_sessions"], METADATA.tables["chat_messages"]
SAYINGS = select(MESSAGES).order_by(MESSAGES.c.session_id, MESSAGES.c.position)
waits = st.sampled_from((0, 1, 60, -1, -3600))
"""Seconds between two changes: the clock may be set back."""
CONTENTS = ("a", "b", "é漢😀", "'\"\\%", "two\nlines", "  x ", "ab" * 10)


def two_offices(sessions: sessionmaker[Session]) -> tuple[Tenant, str, Tenant]:
    """The office of the user and a colleague, and another office."""
    with unit_of_work(sessions) as session:
        office = factories.tenant(session)
        colleague = factories.user(session, workspace_id=office.workspace_id)
        return office, colleague.id, factories.tenant(session)


@dataclass
class Talk:
    """A conversation as it should be."""

    owner: str
    updated_at: datetime
    title: str | None = None
    said: list[tuple[MessageRole, str, datetime]] = field(default_factory=list)

    def touch(self, at: datetime) -> datetime:
        """Note a change at that time; if the clock was set back, the later time stays."""
        self.updated_at = max(self.updated_at, at)
        return self.updated_at


@contextmanager
def found(talk: Talk | None) -> Iterator[Talk]:
    """Give the conversation to a block; if there is none, require a `NotFoundError` from the block."""
    if talk is not None:
        yield talk
    else:
        with pytest.raises(NotFoundError):
            yield Talk("nobody", NOW)


class ChatMachine(RuleBasedStateMachine):
    """
    Invariants 51, 52: a chat keeps and counts each of its messages in order,
    and no change to it affects another chat.

    A list shows only the user's own chats, the last updated first,
    and never those of another workspace. Sometimes the clock is set back.
    """

    database: ClassVar[Database]
    talks = Bundle("talks")

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        sessions, people = self.undo.enter_context(self.database.prepared(two_offices))
        self.session = self.undo.enter_context(sessions())
        self.office, self.colleague_id, self.stranger = people
        self.scope = OfWorkspace(workspace_id=self.office.workspace_id)
        self.clock = ManualClock(NOW)
        self.model: dict[str, Talk] = {}
        self.foreign = self.create(self.stranger.workspace_id, self.stranger.user_id)

    def teardown(self) -> None:
        self.undo.close()

    def create(self, workspace_id: str, user_id: str) -> str:
        chat = service.create_session(self.session, self.clock, workspace_id=workspace_id, user_id=user_id)
        self.model[chat.id] = Talk(user_id, self.clock.now())
        return chat.id

    @initialize(target=talks)
    def open_first(self) -> str:
        return self.create(self.office.workspace_id, self.office.user_id)

    @rule(target=talks, is_mine=st.sampled_from((True, True, False)))
    def open(self, is_mine: bool) -> str:
        return self.create(self.office.workspace_id, self.office.user_id if is_mine else self.colleague_id)

    @rule(id_=talks, role=st.sampled_from(MessageRole), content=st.sampled_from(CONTENTS), seconds=waits)
    def append(self, id_: str, role: MessageRole, content: str, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        with found(self.model.get(id_)) as talk:
            message = service.append_message(
                self.session, self.clock, role=role, content=content, **self.chat(id_)
            )
            at = talk.touch(self.clock.now())
            assert (message.position, message.created_at) == (len(talk.said), at)
            talk.said.append((role, content, at))

    @rule(id_=talks, title=st.sampled_from((None, "plans", "é漢😀")), seconds=waits)
    def rename(self, id_: str, title: str | None, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        with found(self.model.get(id_)) as talk:
            renamed = service.rename_session(self.session, self.clock, title=title, **self.chat(id_))
            talk.title = title
            assert (renamed.title, renamed.updated_at) == (title, talk.touch(self.clock.now()))

    @rule(id_=talks)
    def delete(self, id_: str) -> None:
        with found(self.model.get(id_)):
            service.delete_session(self.session, **self.chat(id_))
            del self.model[id_]

    @rule(id_=talks)
    def read(self, id_: str) -> None:
        with found(self.model.get(id_)) as talk:
            history = service.history(self.session, **self.chat(id_))
            assert [(one.role, one.content, one.created_at) for one in history] == talk.said

    def chat(self, id_: str) -> OfChat:
        return OfChat(chat_id=id_, **self.scope)

    @rule(limit=st.integers(1, 5), is_mine=st.booleans())
    def list_talks(self, limit: int, is_mine: bool) -> None:
        owner = self.office.user_id if is_mine else self.colleague_id
        own = [id_ for id_, talk in self.model.items() if talk.owner == owner]
        own.sort(key=lambda id_: (self.model[id_].updated_at, id_), reverse=True)

        def read(page: PageRequest) -> Page[Chat]:
            return service.list_sessions(self.session, user_id=owner, page=page, **self.scope)

        pages = follow(read, limit=limit, most=len(own))
        assert [chat.id for chat in pages] == own
        foreign = service.list_sessions(self.session, user_id=self.stranger.user_id, **self.scope)
        assert foreign.items == ()

    @invariant()
    def rows_agree(self) -> None:
        connection = self.session.connection()
        rows = {row.id: row for row in connection.execute(select(CHATS))}
        assert rows.keys() == self.model.keys()
        for id_, talk in self.model.items():
            row = rows[id_]
            assert (row.title, row.message_count, row.updated_at, row.metadata) == (
                talk.title,
                len(talk.said),
                talk.updated_at,
                {},
            )
        said: dict[str, list[tuple[MessageRole, str, datetime]]] = {}
        for row in connection.execute(SAYINGS):
            said.setdefault(row.session_id, []).append((row.role, row.content, row.created_at))
        assert said == {id_: talk.said for id_, talk in self.model.items() if talk.said}


@pytest.fixture(autouse=True, scope="module")
def _machine_database(database: Database) -> None:
    ChatMachine.database = database


@pytest.mark.invariant(51, 52)
class TestChats(ChatMachine.TestCase):  # type: ignore[valid-type,misc]  # a class that Hypothesis makes
    """Runs the machine."""

    settings = settings(scaled(0.25), stateful_step_count=20)
