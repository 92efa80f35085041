"""The limits of the queue."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from atom.governance import supervised_queue as queue
from atom.governance.models import SupervisedQueueEntry
from atom.governance.routing import TriggerSource
from atom.kit.clock import ManualClock
from atom.kit.errors import AtomError, InvalidError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import NOW


def test_an_entry_waits_a_day_for_three_attempts(database: Database) -> None:
    """What `enqueue` writes, field by field."""
    with database.session() as session:
        office = factories.tenant(session)
        entry = queue.enqueue(
            session,
            ManualClock(NOW),
            **office.agent,
            user_id=office.user_id,
            source=TriggerSource.WORKFLOW_ENGINE,
            context={"row": 1},
        )
        session.expire_all()
        assert (entry.status, entry.priority, entry.attempt_count, entry.max_attempts) == ("pending", 0, 0, 3)
        assert (entry.created_at, entry.expires_at) == (NOW, NOW + timedelta(hours=24))
        assert (entry.trigger_source, entry.trigger_context) == ("workflow_engine", {"row": 1})
        assert (entry.agent_id, entry.user_id) == (office.agent_id, office.user_id)


def test_the_third_failure_is_the_last(database: Database) -> None:
    """After the first two the entry waits again, after the third it has failed for good."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office = factories.tenant(session)
        factories.queue_entry(session, agent_id=office.agent_id, user_id=office.user_id)
        for attempt, status in [(1, "pending"), (2, "pending"), (3, "failed")]:
            (entry,) = queue.claim_batch(session, clock, workspace_id=office.workspace_id)
            assert (entry.status, entry.attempt_count) == ("executing", attempt)
            queue.fail_entry(session, workspace_id=office.workspace_id, entry_id=entry.id)
            session.expire_all()
            assert entry.status == status
        assert queue.claim_batch(session, clock, workspace_id=office.workspace_id) == []


def test_a_batch_has_ten_entries_at_most(database: Database) -> None:
    """Also where more wait, and where more are asked for."""
    clock = ManualClock(NOW)
    with database.session() as session:
        office = factories.tenant(session)
        for _ in range(11):
            factories.queue_entry(session, agent_id=office.agent_id, user_id=office.user_id)
        for limit in (0, 11):
            with pytest.raises(InvalidError) as caught:
                queue.claim_batch(session, clock, workspace_id=office.workspace_id, limit=limit)
            assert caught.value.field == "limit"
        assert len(queue.claim_batch(session, clock, workspace_id=office.workspace_id)) == 10
        assert len(queue.claim_batch(session, clock, workspace_id=office.workspace_id)) == 1


def test_an_entry_needs_its_own_agent_user_and_a_sane_priority(database: Database) -> None:
    """Anything else is refused, and nothing is written."""
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        good: dict[str, Any] = {**office.agent, "user_id": office.user_id, "priority": 0, "context": {}}
        mistakes: list[tuple[dict[str, Any], type[AtomError]]] = [
            ({"agent_id": stranger.agent_id}, NotFoundError),
            ({"user_id": stranger.user_id}, NotFoundError),
            ({"priority": 1001}, InvalidError),
            ({"priority": -1001}, InvalidError),
            ({"context": {"x": float("nan")}}, InvalidError),
        ]
        for wrong, error in mistakes:
            with pytest.raises(error):
                queue.enqueue(session, ManualClock(NOW), **{**good, **wrong}, source=TriggerSource.DATA_SYNC)
        assert session.query(SupervisedQueueEntry).count() == 0


def test_entries_are_listed_by_workspace(database: Database) -> None:
    """The list has the newest entry first, and none of another workspace."""
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        mine = [
            factories.queue_entry(
                session,
                agent_id=office.agent_id,
                user_id=office.user_id,
                created_at=NOW + timedelta(minutes=minute),
            ).id
            for minute in (1, 2)
        ]
        factories.queue_entry(session, agent_id=stranger.agent_id, user_id=stranger.user_id)
        page = queue.list_entries(session, workspace_id=office.workspace_id)
        assert [entry.id for entry in page.items] == mine[::-1]
        of_stranger = queue.list_entries(
            session, workspace_id=office.workspace_id, agent_id=stranger.agent_id
        )
        assert of_stranger.items == ()


def test_expired_entries_of_another_workspace_stay(database: Database) -> None:
    """Each workspace cleans its own queue, of entries that still wait."""
    with database.session() as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        for place in (office, stranger):
            factories.queue_entry(session, agent_id=place.agent_id, user_id=place.user_id)
        running = factories.queue_entry(
            session, agent_id=office.agent_id, user_id=office.user_id, status="executing", attempt_count=1
        )
        clock = ManualClock(NOW + timedelta(hours=24) - timedelta(microseconds=1))
        assert queue.cancel_expired_entries(session, clock, workspace_id=office.workspace_id) == 0
        clock.advance(timedelta(microseconds=1))
        assert queue.cancel_expired_entries(session, clock, workspace_id=office.workspace_id) == 1
        assert queue.cancel_expired_entries(session, clock, workspace_id=office.workspace_id) == 0
        session.expire_all()
        assert running.status == "executing"


def test_a_batch_sees_what_was_committed_meanwhile(database: Database) -> None:
    """The attempts of a held entry are counted from its row, not from what the session remembers."""
    with database.session() as session:
        office = factories.tenant(session)
        entry = factories.queue_entry(session, agent_id=office.agent_id, user_id=office.user_id)
        session.connection().execute(update(SupervisedQueueEntry).values(attempt_count=2))
        queue.claim_batch(session, ManualClock(NOW), workspace_id=office.workspace_id)
        assert entry.attempt_count == 3


def test_entries_of_one_moment_start_by_their_id(database: Database) -> None:
    """The order does not depend on how the rows lie in the table."""
    with database.session() as session:
        office = factories.tenant(session)
        for id_ in ("c", "a", "b"):
            factories.queue_entry(session, id=id_, agent_id=office.agent_id, user_id=office.user_id)
        batch = queue.claim_batch(session, ManualClock(NOW), workspace_id=office.workspace_id)
        assert [entry.id for entry in batch] == ["a", "b", "c"]
