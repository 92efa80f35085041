"""Limits of chat, to the number."""

from __future__ import annotations

from datetime import timedelta

import pytest

from atom.chat import service
from atom.chat.models import MessageRole
from atom.kit.clock import ManualClock
from atom.kit.errors import InvalidError
from tests import factories
from tests.database import Database
from tests.keywords import OfUser, OfWorkspace


def test_history_shows_the_last_hundred(database: Database, clock: ManualClock) -> None:
    """Without a limit history gives 100 messages, the last ones, oldest first."""
    with database.session() as session:
        tenant = factories.tenant(session)
        scope = OfWorkspace(workspace_id=tenant.workspace_id)
        talk = service.create_session(session, clock, user_id=tenant.user_id, **scope)
        for place in range(101):
            service.append_message(
                session, clock, chat_id=talk.id, role=MessageRole.USER, content=str(place), **scope
            )
        shown = service.history(session, chat_id=talk.id, **scope)
        assert [message.content for message in shown] == [str(place) for place in range(1, 101)]
        for limit in (0, 101):
            with pytest.raises(InvalidError) as refused:
                service.history(session, chat_id=talk.id, limit=limit, **scope)
            assert refused.value.field == "limit"


def test_twenty_sessions_are_listed(database: Database, clock: ManualClock) -> None:
    """Without a page a user sees their 20 newest conversations, and that there are more."""
    with database.session() as session:
        tenant = factories.tenant(session)
        scope = OfUser(workspace_id=tenant.workspace_id, user_id=tenant.user_id)
        ids = []
        for _ in range(21):
            clock.advance(timedelta(seconds=1))
            ids.append(service.create_session(session, clock, **scope).id)
        page = service.list_sessions(session, **scope)
        assert [talk.id for talk in page.items] == ids[:0:-1]
        assert page.next is not None
        first = page.items[-1]
        service.delete_session(session, workspace_id=tenant.workspace_id, chat_id=ids[0])
        page = service.list_sessions(session, **scope)
        assert (page.items[-1].id, page.next) == (first.id, None)


@pytest.mark.parametrize(("field", "limit"), [("title", 200), ("content", 100_000)])
def test_text_may_be_as_long_as_its_limit(
    database: Database, clock: ManualClock, field: str, limit: int
) -> None:
    """A title has up to 200 characters, a message up to 100 000."""
    with database.session() as session:
        tenant = factories.tenant(session)
        scope = OfWorkspace(workspace_id=tenant.workspace_id)
        talk = service.create_session(session, clock, user_id=tenant.user_id, title="t" * 200, **scope)

        def write(text: str) -> object:
            if field == "title":
                return service.rename_session(session, clock, chat_id=talk.id, title=text, **scope)
            role = MessageRole.USER
            return service.append_message(session, clock, chat_id=talk.id, role=role, content=text, **scope)

        assert getattr(write("x" * limit), field) == "x" * limit
        with pytest.raises(InvalidError) as refused:
            write("x" * (limit + 1))
        assert refused.value.field == field


def test_a_title_can_be_taken_away(database: Database, clock: ManualClock) -> None:
    """None means no title, an empty one is refused."""
    with database.session() as session:
        tenant = factories.tenant(session)
        scope = OfWorkspace(workspace_id=tenant.workspace_id)
        talk = service.create_session(session, clock, user_id=tenant.user_id, title="Plans", **scope)
        assert talk.details == {}
        assert service.rename_session(session, clock, chat_id=talk.id, title=None, **scope).title is None


def test_a_session_that_is_read_again_counts_its_new_messages(database: Database, clock: ManualClock) -> None:
    """What was read before a message is as it was then; what is read after it has the count and the time."""
    with database.session() as session:
        tenant = factories.tenant(session)
        scope = OfWorkspace(workspace_id=tenant.workspace_id)
        talk = service.create_session(session, clock, user_id=tenant.user_id, **scope)
        now = clock.advance(timedelta(hours=1))
        service.append_message(session, clock, chat_id=talk.id, role=MessageRole.USER, content="x", **scope)
        again = service.get_session(session, chat_id=talk.id, **scope)
        assert (talk.message_count, again.message_count, again.updated_at) == (0, 1, now)


def test_unfit_metadata_is_refused(database: Database, clock: ManualClock) -> None:
    """Metadata is JSON that either database can store."""
    with database.session() as session:
        tenant = factories.tenant(session)
        with pytest.raises(InvalidError) as refused:
            service.create_session(
                session, clock, workspace_id=tenant.workspace_id, user_id=tenant.user_id, metadata={"a": "\0"}
            )
        assert refused.value.field == "metadata"
