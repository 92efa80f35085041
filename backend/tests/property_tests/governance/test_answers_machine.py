"""Governance's answers while the agent changes, with commits and rollbacks, compared with the agent's row."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy.orm import Session

from atom.agents import service as registry
from atom.agents.maturity import AgentStatus, Impact
from atom.governance import policy, service
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.property_tests.conftest import DEFAULT_PROFILE, scaled
from tests.property_tests.governance import strategies as gov

QUESTION = {"workspace_id": "w", "agent_id": "a", "action": "delete"}
ANSWER = policy.decide(AgentStatus.AUTONOMOUS, 0.0, "delete")
SESSIONS = 3
numbers = st.integers(0, SESSIONS - 1)


class AnswersMachine(RuleBasedStateMachine):
    """
    Invariant 39: after any changes, commits and rollbacks, the cached answer is that of the agent's row.

    One session asks after every step and compares the answer with
    that of `enforce`, which bypasses the cache.
    """

    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        sessions = self.undo.enter_context(self.database.sessions())
        self.session = self.undo.enter_context(sessions())
        self.clock = ManualClock(NOW)
        self.decisions = DecisionCache(GovernanceCache(self.clock))
        self.decisions.attach(self.session)

    def teardown(self) -> None:
        self.undo.close()

    @initialize(percent=gov.hundredths)
    def begin(self, percent: int) -> None:
        office = factories.tenant(self.session, status=gov.band_of(percent), confidence=percent / 100)
        self.agent = office.agent
        self.session.commit()

    @rule(is_success=st.booleans())
    def record_outcome(self, is_success: bool) -> None:
        registry.record_outcome(
            self.session, self.decisions, **self.agent, is_success=is_success, impact=Impact.HIGH
        )

    @rule()
    def pause(self) -> None:
        with suppress(ConflictError):
            registry.pause(self.session, self.decisions, **self.agent)

    @rule()
    def resume(self) -> None:
        with suppress(ConflictError):
            registry.resume(self.session, self.decisions, **self.agent)

    @rule()
    def commit(self) -> None:
        self.session.commit()

    @rule()
    def rollback(self) -> None:
        self.session.rollback()

    @rule(seconds=st.sampled_from((1, 59, 61)))
    def wait(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @invariant()
    def answers_are_those_of_the_row(self) -> None:
        for action in ("delete", "create"):
            answer = service.can_perform(self.session, self.decisions, **self.agent, action=action)
            assert answer == service.enforce(self.session, **self.agent, action=action).decision


class FakeTransactions:
    """A session without a database whose snapshot is the number of the last change it sees."""

    def __init__(self, decisions: DecisionCache) -> None:
        self.session = Session()
        decisions.attach(self.session)
        self.is_open = self.has_changed = False
        self.sees = 0

    def begin(self, committed: int) -> None:
        if not self.is_open:
            self.is_open, self.sees = True, committed
            self.session.begin()
            self.session.dispatch.after_begin(self.session, self.session.get_transaction(), None)

    def end(self) -> None:
        self.is_open = self.has_changed = False
        self.session.rollback()


class SnapshotsMachine(RuleBasedStateMachine):
    """
    Invariant 39: a session gets a cached answer only if it has no uncommitted change,
    and then the answer is that of the latest commit.

    Three sessions ask about the same agent; at most one of them has an uncommitted change.
    """

    def __init__(self) -> None:
        super().__init__()
        self.decisions = DecisionCache(GovernanceCache(ManualClock(NOW)))
        self.sessions = [FakeTransactions(self.decisions) for _ in range(SESSIONS)]
        self.committed = 0

    def opened(self, number: int) -> FakeTransactions:
        session = self.sessions[number]
        session.begin(self.committed)
        return session

    @rule(number=numbers)
    def ask(self, number: int) -> None:
        asking = self.opened(number)
        found = self.decisions.find(asking.session, **QUESTION)
        if found is None:
            answer = replace(ANSWER, confidence=float(asking.sees))
            self.decisions.keep(asking.session, **QUESTION, decision=answer)
        else:
            assert not asking.has_changed
            assert found.confidence == self.committed

    @precondition(lambda self: not any(session.has_changed for session in self.sessions))
    @rule(number=numbers)
    def change(self, number: int) -> None:
        self.write(self.opened(number))

    @precondition(lambda self: any(session.has_changed for session in self.sessions))
    @rule()
    def change_again(self) -> None:
        self.write(next(session for session in self.sessions if session.has_changed))

    def write(self, changing: FakeTransactions) -> None:
        changing.has_changed = True
        changing.sees = max(self.committed, changing.sees) + 1
        self.decisions.agent_changed(changing.session, QUESTION["agent_id"])

    @rule(number=numbers)
    def commit(self, number: int) -> None:
        committing = self.opened(number)
        if committing.has_changed:
            self.committed = committing.sees
        committing.end()

    @rule(number=numbers)
    def rollback(self, number: int) -> None:
        self.opened(number).end()


@pytest.fixture(autouse=True, scope="module")
def _machine_database(database: Database) -> None:
    AnswersMachine.database = database


@pytest.mark.invariant(39)
class TestAnswers(AnswersMachine.TestCase):  # type: ignore[valid-type,misc]  # a class that Hypothesis makes
    """Runs the machine with one session on a database."""

    settings = settings(scaled(0.25), stateful_step_count=10)


@pytest.mark.invariant(39)
class TestSnapshots(SnapshotsMachine.TestCase):  # type: ignore[valid-type,misc]  # made by Hypothesis
    """Runs the machine with several sessions and no database."""

    settings = settings(DEFAULT_PROFILE, stateful_step_count=15)
