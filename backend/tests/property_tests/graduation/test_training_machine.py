"""Training proposals and trainings under any sequence of steps, compared with a table of allowed steps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from atom.governance import proposals
from atom.governance.cache import GovernanceCache
from atom.governance.decision_cache import DecisionCache
from atom.governance.models import AgentProposal, ProposalType
from atom.graduation import training_sessions
from atom.graduation.models import TrainingSession, TrainingStatus
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfProposal, OfTraining, OfWorkspace
from tests.property_tests.conftest import scaled

Place = tuple[str, str | None]
"""The status of a proposal and of its training, None without a training."""

STEPS: dict[Place, dict[str, Place]] = {
    ("proposed", None): {
        "approve": ("approved", None),
        "reject": ("rejected", None),
        "cancel": ("cancelled", None),
        "schedule": ("approved", "scheduled"),
    },
    ("approved", None): {
        "execute": ("executed", None),
        "cancel": ("cancelled", None),
        "schedule": ("approved", "scheduled"),
    },
    ("approved", "scheduled"): {
        "start": ("approved", "in_progress"),
        "call off": ("cancelled", "cancelled"),
    },
    ("approved", "in_progress"): {
        "complete": ("executed", "completed"),
        "call off": ("cancelled", "cancelled"),
        "fail": ("cancelled", "failed"),
    },
}
"""Where each step leads from a place; a step that is not listed there is refused."""

PROPOSALS = select(AgentProposal.__table__.c.id, AgentProposal.__table__.c.status)
TRAININGS = select(TrainingSession.__table__)


@dataclass
class Case:
    """A proposal as it should be: the agent that it is for, its place, and the id of its training."""

    agent_id: str
    place: Place = ("proposed", None)
    training_id: str = "none"


class TrainingMachine(RuleBasedStateMachine):
    """
    Invariant 50: a training and its proposal change only by steps that are allowed,
    and end together; a refused step changes neither.

    Two agents have proposals at the same time. A list holds the trainings that match every given filter.
    """

    database: ClassVar[Database]
    cases = Bundle("cases")

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        self.session, self.people = self.undo.enter_context(factories.with_people(self.database))
        self.tenant = self.people.tenant
        self.scope = OfWorkspace(workspace_id=self.tenant.workspace_id)
        self.clock = ManualClock(NOW)
        self.decisions = DecisionCache(GovernanceCache(self.clock))
        self.model: dict[str, Case] = {}

    def teardown(self) -> None:
        self.undo.close()

    @initialize(target=cases)
    def begin(self) -> str:
        return self.propose(is_mine=True)

    @rule(target=cases, is_mine=st.booleans())
    def propose_another(self, is_mine: bool) -> str:
        return self.propose(is_mine=is_mine)

    def propose(self, *, is_mine: bool) -> str:
        agent_id = self.tenant.agent_id if is_mine else self.people.colleague
        proposal = proposals.propose(
            self.session, self.clock, agent_id=agent_id, type=ProposalType.TRAINING, **self.scope
        )
        self.model[proposal.id] = Case(agent_id)
        return proposal.id

    @rule(id_=cases, is_approved=st.booleans())
    def decide(self, id_: str, is_approved: bool) -> None:
        decide = partial(proposals.decide_proposal, user_id=self.tenant.user_id, is_approved=is_approved)
        self.take("approve" if is_approved else "reject", id_, partial(decide, **self.proposal(id_)))

    @rule(id_=cases)
    def cancel(self, id_: str) -> None:
        cancel = partial(proposals.cancel_proposal, has_training=training_sessions.has_training)
        self.take("cancel", id_, partial(cancel, **self.proposal(id_)))

    @rule(id_=cases)
    def execute(self, id_: str) -> None:
        execute = partial(proposals.execute_proposal, has_training=training_sessions.has_training)
        self.take("execute", id_, partial(execute, **self.proposal(id_)))

    @rule(id_=cases)
    def schedule(self, id_: str) -> None:
        schedule = partial(training_sessions.approve_training, supervisor_id=self.tenant.user_id)
        self.take("schedule", id_, partial(schedule, **self.proposal(id_)))

    @rule(id_=cases)
    def start(self, id_: str) -> None:
        start = partial(training_sessions.start_training, **self.training(id_))
        self.take("start", id_, lambda session, _clock: start(session))

    @rule(id_=cases)
    def complete(self, id_: str) -> None:
        complete = partial(training_sessions.complete_training, performance_score=0.5, **self.training(id_))
        self.take("complete", id_, partial(complete, watcher=self.decisions))

    @rule(id_=cases)
    def call_off(self, id_: str) -> None:
        self.take("call off", id_, partial(training_sessions.cancel_training, **self.training(id_)))

    @rule(id_=cases)
    def fail(self, id_: str) -> None:
        self.take("fail", id_, partial(training_sessions.fail_training, **self.training(id_)))

    @rule(id_=cases, number=st.integers(0, 3))
    def go_on(self, id_: str, number: int) -> None:
        """Take a step that is allowed, because most steps are refused."""
        allowed = [*STEPS.get(self.model[id_].place, {})]
        if allowed:
            self.steps()[allowed[number % len(allowed)]](id_)

    def steps(self) -> dict[str, Callable[[str], None]]:
        return {
            "approve": partial(self.decide, is_approved=True),
            "reject": partial(self.decide, is_approved=False),
            "cancel": self.cancel,
            "schedule": self.schedule,
            "execute": self.execute,
            "start": self.start,
            "complete": self.complete,
            "call off": self.call_off,
            "fail": self.fail,
        }

    @rule(id_=cases)
    def train(self, id_: str) -> None:
        for step in ("schedule", "start", "complete"):
            if step in STEPS.get(self.model[id_].place, {}):
                self.steps()[step](id_)

    def proposal(self, id_: str) -> OfProposal:
        return OfProposal(proposal_id=id_, **self.scope)

    def training(self, id_: str) -> OfTraining:
        return OfTraining(training_id=self.model[id_].training_id, **self.scope)

    def take(self, step: str, id_: str, operation: Callable[..., object]) -> None:
        case = self.model[id_]
        following = STEPS.get(case.place, {}).get(step)
        if following is None:
            with pytest.raises((ConflictError, NotFoundError)):
                operation(self.session, self.clock)
            return
        done = operation(self.session, self.clock)
        case.place = following
        if step == "schedule":
            assert isinstance(done, TrainingSession)
            case.training_id = done.id

    @rule(by_agent=st.booleans(), status=st.none() | st.sampled_from(TrainingStatus))
    def list_trainings(self, by_agent: bool, status: TrainingStatus | None) -> None:
        agent_id = self.tenant.agent_id if by_agent else None
        found = training_sessions.list_trainings(self.session, agent_id=agent_id, status=status, **self.scope)
        assert {training.id for training in found.items} == {
            case.training_id
            for case in self.model.values()
            if case.place[1] is not None
            and agent_id in (None, case.agent_id)
            and status in (None, case.place[1])
        }

    @invariant()
    def rows_agree(self) -> None:
        self.session.flush()
        connection = self.session.connection()
        trainings = {row.proposal_id: row for row in connection.execute(TRAININGS)}
        statuses = {id_: row.status for id_, row in trainings.items()}
        places = {row.id: (row.status, statuses.get(row.id)) for row in connection.execute(PROPOSALS)}
        assert places == {id_: case.place for id_, case in self.model.items()}
        assert {(row.id, row.agent_id) for row in trainings.values()} == {
            (case.training_id, case.agent_id) for case in self.model.values() if case.place[1] is not None
        }


@pytest.fixture(autouse=True, scope="module")
def _machine_database(database: Database) -> None:
    TrainingMachine.database = database


@pytest.mark.invariant(50)
class TestTrainings(TrainingMachine.TestCase):  # type: ignore[valid-type,misc]  # a class that Hypothesis makes
    """Runs the machine."""

    settings = settings(scaled(0.25), stateful_step_count=20)
