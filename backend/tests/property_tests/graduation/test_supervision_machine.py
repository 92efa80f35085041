"""Supervised sessions of two agents under any sequence of reports, compared with a model of the sessions."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule
from sqlalchemy import select

from atom.agents.maturity import AgentStatus
from atom.agents.models import Agent
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.graduation import service, supervision_sessions
from atom.graduation.models import SupervisionSession, SupervisionStatus
from atom.graduation.supervision import SupervisedSession, assess_supervision
from atom.graduation.supervision_sessions import Intervention
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfWorkspace
from tests.property_tests.conftest import scaled
from tests.property_tests.graduation import strategies as grad

AGENTS = select(Agent.__table__.c.id, Agent.__table__.c.status, Agent.__table__.c.confidence)
SUPERVISIONS = select(SupervisionSession.__table__)
WEEK = 5
"""The trend compares this many sessions with as many before them."""


@dataclass
class Standing:
    """Where an agent should stand, with its confidence in thousandths."""

    status: AgentStatus
    thousandths: int

    def gain(self, thousandths: int) -> None:
        self.thousandths = min(1000, self.thousandths + thousandths)
        if self.status is AgentStatus.SUPERVISED and self.thousandths >= 900:
            self.status = AgentStatus.AUTONOMOUS


@dataclass
class Watched:
    """A supervised session as it should be."""

    agent_id: str
    started_at: datetime
    status: SupervisionStatus = SupervisionStatus.RUNNING
    noted: list[dict[str, str]] = field(default_factory=list)
    ended_at: datetime | None = None
    rating: int | None = None

    @property
    def seconds(self) -> float | None:
        return None if self.ended_at is None else (self.ended_at - self.started_at).total_seconds()

    @property
    def gain(self) -> int | None:
        """The confidence that its rating gives, in thousandths."""
        return None if self.rating is None else max(0, 25 * (self.rating - 1) - min(50, 10 * len(self.noted)))


class SupervisionMachine(RuleBasedStateMachine):
    """
    Invariants 47, 50: a supervised session keeps each of its interventions, its rating raises the agent's
    confidence once, and after its end every report is refused.

    Sessions of two agents run at the same time. An agent is assessed by its own completed sessions, the last
    to end first; the trend compares the newest five with the five before them.
    """

    database: ClassVar[Database]
    watched = Bundle("watched")

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        self.session, people = self.undo.enter_context(factories.with_people(self.database))
        self.own, self.colleague, self.stranger = people.tenant, people.colleague, people.stranger
        self.scope = OfWorkspace(workspace_id=self.own.workspace_id)
        self.clock = ManualClock(NOW)
        self.decisions = DecisionCache(GovernanceCache(self.clock))
        self.standings: dict[str, Standing] = {}
        self.model: dict[str, Watched] = {}

    def teardown(self) -> None:
        self.undo.close()

    @initialize(
        statuses=st.tuples(*[st.sampled_from([*AgentStatus, *[AgentStatus.SUPERVISED] * 3])] * 2),
        percents=st.tuples(*[st.sampled_from([0, 60, 79, 80, 81, 85, 89, 90, 95, 100])] * 2),
    )
    def begin(self, statuses: tuple[AgentStatus, ...], percents: tuple[int, ...]) -> None:
        agent_ids = (self.own.agent_id, self.colleague)
        for agent_id, status, percent in zip(agent_ids, statuses, percents, strict=True):
            grad.set_standing(self.session, agent_id, status, confidence=percent / 100)
            self.standings[agent_id] = Standing(status, 10 * percent)

    @rule(target=watched, is_mine=st.sampled_from((True, True, False)))
    def start_another(self, is_mine: bool) -> str:
        return self.start(is_mine=is_mine)

    def start(self, *, is_mine: bool) -> str:
        agent_id = self.own.agent_id if is_mine else self.colleague
        started = supervision_sessions.start_supervision(
            self.session, self.clock, agent_id=agent_id, supervisor_id=self.own.user_id, **self.scope
        )
        self.model[started.id] = Watched(agent_id, self.clock.now())
        return started.id

    @rule(target=watched, rating=grad.ratings, is_corrected=st.booleans())
    def work_a_week(self, rating: int, is_corrected: bool) -> object:
        ids = [self.start(is_mine=True) for _ in range(WEEK)]
        if is_corrected:
            self.intervene(ids[0], Intervention.CORRECT)
        for id_ in reversed(ids):
            self.rate(id_, rating)
        return multiple(*ids)

    @rule(id_=watched, kind=st.sampled_from([*Intervention, *[Intervention.CORRECT] * 2]))
    def intervene(self, id_: str, kind: Intervention) -> None:
        intervene = partial(supervision_sessions.intervene, intervention=kind, note=f"a {kind}")
        if self.report(id_, intervene):
            watched = self.model[id_]
            watched.noted.append({"type": str(kind), "note": f"a {kind}", "at": self.clock.now().isoformat()})
            if kind is Intervention.TERMINATE:
                self.end(id_, SupervisionStatus.INTERRUPTED)

    @rule(id_=watched, rating=grad.ratings)
    def rate(self, id_: str, rating: int) -> None:
        complete = partial(supervision_sessions.complete_supervision, watcher=self.decisions, rating=rating)
        if self.report(id_, complete):
            watched = self.model[id_]
            watched.rating = rating
            self.end(id_, SupervisionStatus.COMPLETED)
            assert watched.gain is not None
            self.standings[watched.agent_id].gain(watched.gain)

    @rule(id_=watched)
    def fail(self, id_: str) -> None:
        if self.report(id_, supervision_sessions.fail_supervision):
            self.end(id_, SupervisionStatus.FAILED)

    def report(self, id_: str, operation: Callable[..., object]) -> bool:
        """Report on a session a second later, and return whether it was still running."""
        self.clock.advance(timedelta(seconds=1))
        with pytest.raises(NotFoundError):
            operation(self.session, self.clock, workspace_id=self.stranger.workspace_id, supervision_id=id_)
        status = self.model[id_].status
        if status is SupervisionStatus.RUNNING:
            operation(self.session, self.clock, supervision_id=id_, **self.scope)
            return True
        with pytest.raises(ConflictError, match=status.value):
            operation(self.session, self.clock, supervision_id=id_, **self.scope)
        return False

    def end(self, id_: str, status: SupervisionStatus) -> None:
        watched = self.model[id_]
        watched.status, watched.ended_at = status, self.clock.now()
        assert not self.report(id_, supervision_sessions.fail_supervision)

    @rule(by=st.sampled_from([timedelta(seconds=90), timedelta(hours=1), timedelta(hours=3)]))
    def wait(self, by: timedelta) -> None:
        self.clock.advance(by)

    @rule(target_status=grad.targets)
    def assess(self, target_status: AgentStatus) -> None:
        completed = [
            (one.ended_at, one)
            for one in self.model.values()
            if one.status is SupervisionStatus.COMPLETED and one.agent_id == self.own.agent_id
        ]
        expected = [
            SupervisedSession(
                rating=one.rating or 0, n_interventions=len(one.noted), duration_seconds=one.seconds or 0.0
            )
            for _, one in sorted(completed, key=lambda pair: pair[0] or NOW, reverse=True)
        ]
        found = service.assess_agent_with_supervision(self.session, **self.own.agent, target=target_status)
        assert found.supervision == assess_supervision(expected, target_status)
        assert found.score == pytest.approx(0.7 * found.readiness.score + 0.3 * found.supervision.score)

    @rule(by_agent=st.booleans(), status=st.none() | st.sampled_from(SupervisionStatus))
    def list_supervisions(self, by_agent: bool, status: SupervisionStatus | None) -> None:
        agent_id = self.own.agent_id if by_agent else None
        found = supervision_sessions.list_supervisions(
            self.session, agent_id=agent_id, status=status, **self.scope
        )
        assert {one.id for one in found.items} == {
            id_
            for id_, one in self.model.items()
            if agent_id in (None, one.agent_id) and status in (None, one.status)
        }

    @invariant()
    def rows_agree(self) -> None:
        self.session.flush()
        connection = self.session.connection()
        rows = {row.id: row for row in connection.execute(SUPERVISIONS)}
        assert rows.keys() == self.model.keys()
        for id_, one in self.model.items():
            row = rows[id_]
            assert (row.status, row.completed_at, row.duration_seconds) == (
                one.status,
                one.ended_at,
                one.seconds,
            )
            assert (row.interventions, row.intervention_count) == (one.noted, len(one.noted))
            boost = None if one.gain is None else one.gain / 1000
            assert (row.supervisor_rating, row.confidence_boost) == (one.rating, boost)
            assert (row.agent_id, row.workspace_id) == (one.agent_id, self.own.workspace_id)
            assert (row.supervisor_id, row.started_at) == (self.own.user_id, one.started_at)
        agents = {row.id: (row.status, row.confidence) for row in connection.execute(AGENTS)}
        for agent_id, standing in self.standings.items():
            assert agents[agent_id] == (standing.status, standing.thousandths / 1000)


@pytest.fixture(autouse=True, scope="module")
def _machine_database(database: Database) -> None:
    SupervisionMachine.database = database


@pytest.mark.invariant(47, 50)
class TestSupervision(SupervisionMachine.TestCase):  # type: ignore[valid-type,misc]  # made by Hypothesis
    """Runs the machine."""

    settings = settings(scaled(0.35), stateful_step_count=8)
