"""The supervised queue compared with a model: a list of entries that is sorted when a batch is taken."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from atom.agents import service as registry
from atom.agents.maturity import AgentStatus
from atom.db.session import unit_of_work
from atom.governance import supervised_queue as queue
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.governance.models import QueueStatus, SupervisedQueueEntry
from atom.governance.routing import TriggerSource
from atom.kit.clock import Clock, ManualClock
from atom.kit.errors import ConflictError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import NOW, Tenant
from tests.property_tests.conftest import DEFAULT_PROFILE

LIFETIME = timedelta(hours=24)
MAY_RUN = (AgentStatus.SUPERVISED, AgentStatus.AUTONOMOUS)
ENTRIES = select(SupervisedQueueEntry.__table__)


def two_offices(sessions: sessionmaker[Session]) -> tuple[Tenant, str, Tenant, str]:
    """The office whose queue is worked on, its second agent, and an office with the most urgent entry."""
    with unit_of_work(sessions) as session:
        office, stranger = factories.tenant(session), factories.tenant(session)
        second = factories.extra_agent(session, office.workspace_id)
        foreign = add(session, ManualClock(NOW), stranger, stranger.agent_id, 1000)
        return office, second, stranger, foreign.id


def add(session: Session, clock: Clock, office: Tenant, agent_id: str, priority: int) -> SupervisedQueueEntry:
    """Queue a run of an agent of the office."""
    return queue.enqueue(
        session,
        clock,
        workspace_id=office.workspace_id,
        agent_id=agent_id,
        user_id=office.user_id,
        source=TriggerSource.DATA_SYNC,
        context={},
        priority=priority,
    )


@dataclass
class Entry:
    agent_id: str
    priority: int
    created_at: datetime
    status: QueueStatus = QueueStatus.PENDING
    attempts: int = 0


class QueueMachine(RuleBasedStateMachine):
    """
    Invariant 44: entries are claimed by priority, then age; an entry that is a day old
    or has had three attempts is never claimed.

    Runs of one workspace are queued, claimed, ended and cancelled, while another workspace's entry stays
    pending. Those of an agent that is neither supervised nor autonomous wait until it is again.
    """

    database: ClassVar[Database]
    entries = Bundle("entries")

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        sessions, known = self.undo.enter_context(self.database.prepared(two_offices))
        self.office, second, self.stranger, self.foreign_id = known
        self.statuses = dict.fromkeys([self.office.agent_id, second], AgentStatus.AUTONOMOUS)
        self.session = self.undo.enter_context(sessions())
        self.clock = ManualClock(NOW)
        self.model: dict[str, Entry] = {}

    def teardown(self) -> None:
        self.undo.close()

    @rule(target=entries, which=st.sampled_from([0, 1]), priority=st.sampled_from([-1, 0, 0, 5]))
    def enqueue(self, which: int, priority: int) -> str:
        agent_id = list(self.statuses)[which]
        entry = add(self.session, self.clock, self.office, agent_id, priority)
        assert entry.expires_at == self.clock.now() + LIFETIME
        self.model[entry.id] = Entry(agent_id, priority, self.clock.now())
        return entry.id

    @rule(which=st.sampled_from([0, 1]), status=st.sampled_from([*MAY_RUN, *AgentStatus]))
    def change_agent(self, which: int, status: AgentStatus) -> None:
        agent_id = list(self.statuses)[which]
        agent = registry.hold_agent(self.session, workspace_id=self.office.workspace_id, agent_id=agent_id)
        watcher = DecisionCache(GovernanceCache(self.clock))
        registry.set_standing(self.session, watcher, agent, status=status, confidence=agent.confidence)
        self.statuses[agent_id] = status

    @rule(by=st.sampled_from([timedelta(seconds=1), timedelta(hours=12), LIFETIME - timedelta(seconds=1)]))
    def wait(self, by: timedelta) -> None:
        self.clock.advance(by)

    def is_live(self, entry: Entry) -> bool:
        return self.clock.now() - entry.created_at < LIFETIME

    def may_start(self, entry: Entry) -> bool:
        may_run = self.statuses[entry.agent_id] in MAY_RUN
        return entry.status is QueueStatus.PENDING and self.is_live(entry) and entry.attempts < 3 and may_run

    @rule(limit=st.sampled_from([1, 2, 10]))
    def claim(self, limit: int) -> None:
        claimed = queue.claim_batch(
            self.session, self.clock, workspace_id=self.office.workspace_id, limit=limit
        )
        ready = [
            (-entry.priority, entry.created_at, id_)
            for id_, entry in self.model.items()
            if self.may_start(entry)
        ]
        expected = [id_ for *_, id_ in sorted(ready)[:limit]]
        assert [entry.id for entry in claimed] == expected
        for id_ in expected:
            self.model[id_].status = QueueStatus.EXECUTING
            self.model[id_].attempts += 1

    @rule(id_=entries)
    def complete(self, id_: str) -> None:
        self.move(id_, queue.complete_entry, QueueStatus.EXECUTING, QueueStatus.COMPLETED)

    @rule(id_=entries)
    def fail(self, id_: str) -> None:
        is_last = self.model[id_].attempts == 3
        to = QueueStatus.FAILED if is_last else QueueStatus.PENDING
        self.move(id_, queue.fail_entry, QueueStatus.EXECUTING, to)

    @rule(id_=entries)
    def cancel(self, id_: str) -> None:
        self.move(id_, queue.cancel_entry, QueueStatus.PENDING, QueueStatus.CANCELLED)

    def move(self, id_: str, operation: Callable[..., object], from_: QueueStatus, to: QueueStatus) -> None:
        with pytest.raises(NotFoundError):
            operation(self.session, workspace_id=self.stranger.workspace_id, entry_id=id_)
        if self.model[id_].status is from_:
            operation(self.session, workspace_id=self.office.workspace_id, entry_id=id_)
            self.model[id_].status = to
        else:
            with pytest.raises(ConflictError):
                operation(self.session, workspace_id=self.office.workspace_id, entry_id=id_)

    @rule()
    def cancel_expired(self) -> None:
        expired = [
            entry
            for entry in self.model.values()
            if entry.status is QueueStatus.PENDING and not self.is_live(entry)
        ]
        n_cancelled = queue.cancel_expired_entries(
            self.session, self.clock, workspace_id=self.office.workspace_id
        )
        assert n_cancelled == len(expired)
        for entry in expired:
            entry.status = QueueStatus.CANCELLED

    @invariant()
    def rows_agree(self) -> None:
        self.session.flush()
        found = self.session.connection().execute(ENTRIES)
        rows = {row.id: (row.status, row.attempt_count) for row in found}
        assert rows.pop(self.foreign_id) == (QueueStatus.PENDING, 0)
        assert rows == {id_: (entry.status, entry.attempts) for id_, entry in self.model.items()}


@pytest.fixture(autouse=True, scope="module")
def _machine_database(database: Database) -> None:
    QueueMachine.database = database


@pytest.mark.invariant(44)
class TestQueue(QueueMachine.TestCase):  # type: ignore[valid-type,misc]  # a class that Hypothesis makes
    """Runs the machine."""

    settings = settings(DEFAULT_PROFILE, stateful_step_count=20)
