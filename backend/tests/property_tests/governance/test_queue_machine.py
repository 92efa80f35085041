"""The supervised queue against a model: a list of entries, sorted when a batch is taken."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from atom.governance import supervised_queue as queue
from atom.governance.models import QueueStatus, SupervisedQueueEntry
from atom.governance.routing import TriggerSource
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.property_tests.conftest import DEFAULT_PROFILE

LIFETIME = timedelta(hours=24)


@dataclass
class Entry:
    priority: int
    created_at: datetime
    status: QueueStatus = QueueStatus.PENDING
    attempts: int = 0


class QueueMachine(RuleBasedStateMachine):
    """
    Invariant 44: priority first, then age; expired or exhausted entries never run.

    Runs of one workspace are queued, started, ended and called off, while another workspace's wait.
    """

    database: ClassVar[Database]
    entries = Bundle("entries")

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        self.session = self.undo.enter_context(self.database.session())
        self.clock = ManualClock(NOW)
        self.model: dict[str, Entry] = {}

    def teardown(self) -> None:
        self.undo.close()

    @initialize()
    def open_offices(self) -> None:
        self.office, self.stranger = factories.tenant(self.session), factories.tenant(self.session)
        self.foreign = self.add(self.stranger, 1000)

    def add(self, office: factories.Tenant, priority: int) -> SupervisedQueueEntry:
        return queue.enqueue(
            self.session,
            self.clock,
            **office.agent,
            user_id=office.user_id,
            source=TriggerSource.DATA_SYNC,
            context={},
            priority=priority,
        )

    @rule(target=entries, priority=st.sampled_from([-1, 0, 0, 5]))
    def enqueue(self, priority: int) -> str:
        entry = self.add(self.office, priority)
        assert entry.expires_at == self.clock.now() + LIFETIME
        self.model[entry.id] = Entry(priority, self.clock.now())
        return entry.id

    @rule(by=st.sampled_from([timedelta(seconds=1), timedelta(hours=12), LIFETIME - timedelta(seconds=1)]))
    def wait(self, by: timedelta) -> None:
        self.clock.advance(by)

    def is_live(self, entry: Entry) -> bool:
        return self.clock.now() - entry.created_at < LIFETIME

    @rule(limit=st.sampled_from([1, 2, 10]))
    def claim(self, limit: int) -> None:
        claimed = queue.claim_batch(
            self.session, self.clock, workspace_id=self.office.workspace_id, limit=limit
        )
        ready = [
            (-entry.priority, entry.created_at, id_)
            for id_, entry in self.model.items()
            if entry.status is QueueStatus.PENDING and self.is_live(entry) and entry.attempts < 3
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

    def move(self, id_: str, operation: object, from_: QueueStatus, to: QueueStatus) -> None:
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
        self.session.expire_all()
        rows = {
            row.id: (row.status, row.attempt_count)
            for row in self.session.scalars(select(SupervisedQueueEntry))
        }
        assert rows.pop(self.foreign.id) == (QueueStatus.PENDING, 0)
        assert rows == {id_: (entry.status, entry.attempts) for id_, entry in self.model.items()}


@pytest.fixture(autouse=True, scope="module")
def _machine_database(database: Database) -> None:
    QueueMachine.database = database


@pytest.mark.invariant(44)
class TestQueue(QueueMachine.TestCase):
    """Runs the machine."""

    settings = settings(DEFAULT_PROFILE, stateful_step_count=20)
