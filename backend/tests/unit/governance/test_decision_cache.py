"""What one transaction remembers never misleads another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from sqlalchemy.orm import Session, sessionmaker

from atom.agents import service as registry
from atom.agents.maturity import AgentStatus
from atom.agents.models import Agent
from atom.db.session import read_only_session_factory
from atom.governance import service
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.kit.clock import ManualClock
from tests import factories
from tests.database import Database
from tests.factories import NOW, Tenant
from tests.keywords import OfAgent


@contextmanager
def remembering(
    database: Database,
) -> Iterator[tuple[sessionmaker[Session], DecisionCache, Tenant, sessionmaker[Session]]]:
    """Writers, the cache they share with readers, an office with an autonomous agent, and the readers."""
    decisions = DecisionCache(GovernanceCache(ManualClock(NOW), ttl=timedelta(days=1)))
    with database.clone() as clone:
        readers = read_only_session_factory(clone.engine)
        decisions.attach(clone.sessions)
        decisions.attach(readers)
        with clone.sessions.begin() as session:
            office = factories.tenant(session, status=AgentStatus.AUTONOMOUS, confidence=0.95)
        yield clone.sessions, decisions, office, readers


def may_delete(session: Session, decisions: DecisionCache, office: Tenant) -> bool:
    return service.can_perform(session, decisions, **office.agent, action="delete").is_allowed


def test_an_answer_outlives_its_transaction(database: Database) -> None:
    """The next transaction is answered from memory, without a query."""
    with remembering(database) as (sessions, decisions, office, _):
        with sessions.begin() as session:
            assert may_delete(session, decisions, office)
        with sessions() as session:
            assert may_delete(session, decisions, office)
            assert not session.in_transaction()
        assert decisions.cache.stats().hits == 1


def test_a_reader_of_before_does_not_bring_the_old_answer_back(database: Database) -> None:
    """Who began before a change was committed may still see the old row, and remembers nothing."""
    with remembering(database) as (sessions, decisions, office, readers):
        with readers() as reader:
            reader.get_one(Agent, office.agent_id)
            with sessions.begin() as writer:
                registry.pause(writer, decisions, **office.agent)
            may_delete(reader, decisions, office)
            assert decisions.cache.stats().size == 0
        with sessions.begin() as session:
            assert not may_delete(session, decisions, office)


def test_a_change_is_seen_by_its_own_transaction_alone_until_it_is_committed(database: Database) -> None:
    """The writer is answered by its row, everybody else by the committed one."""
    with remembering(database) as (sessions, decisions, office, readers):
        with sessions() as writer:
            registry.pause(writer, decisions, **office.agent)
            with writer.begin_nested():  # the end of a savepoint is not that of the transaction
                assert not may_delete(writer, decisions, office)
            with readers() as reader:
                assert may_delete(reader, decisions, office)
            assert decisions.cache.stats().size == 1
            writer.commit()
        assert decisions.cache.stats().size == 0
        with readers() as reader:
            assert not may_delete(reader, decisions, office)


def test_a_change_that_is_rolled_back_leaves_no_answer(database: Database) -> None:
    """A savepoint inside the transaction does not end it."""
    with remembering(database) as (sessions, decisions, office, _):
        with sessions() as writer:
            registry.pause(writer, decisions, **office.agent)
            with writer.begin_nested():
                assert not may_delete(writer, decisions, office)
            assert not may_delete(writer, decisions, office)
            writer.rollback()
        with sessions.begin() as session:
            assert may_delete(session, decisions, office)


def test_a_session_that_is_not_attached_still_reports_its_changes(database: Database) -> None:
    """It is answered from memory, remembers nothing itself, and its commit drops what is outdated."""
    with remembering(database) as (sessions, decisions, office, _):
        with sessions.begin() as session:
            may_delete(session, decisions, office)
        with Session(sessions.kw["bind"]) as stray:
            service.can_perform(stray, decisions, **office.agent, action="list")
            assert decisions.cache.stats().size == 1
            registry.pause(stray, decisions, **office.agent)
            stray.commit()
        assert decisions.cache.stats().size == 0
        with sessions.begin() as session:
            assert not may_delete(session, decisions, office)


def test_an_answer_belongs_to_its_workspace(database: Database) -> None:
    """Another workspace asking for the same agent is told that there is none, and remembers nothing."""
    with remembering(database) as (sessions, decisions, office, _):
        with sessions.begin() as session:
            stranger = factories.tenant(session)
            assert may_delete(session, decisions, office)
        with sessions.begin() as session:
            question = OfAgent(workspace_id=stranger.workspace_id, agent_id=office.agent_id)
            answer = service.can_perform(session, decisions, **question, action="delete")
            assert answer.agent_status is None
            assert may_delete(session, decisions, office)
