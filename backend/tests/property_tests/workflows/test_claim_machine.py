"""Workers that claim steps, die, come back too late and report, compared with a small model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError
from atom.workflows import claims, service
from atom.workflows.graph import Connection, Step, Workflow
from atom.workflows.states import ExecutionStatus, StepStatus
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfExecution, OfWorkspace
from tests.property_tests.conftest import scaled

WORKFLOW = Workflow(
    steps=(Step(id="a", action="work"), Step(id="b", action="work"), Step(id="c", action="work")),
    connections=(Connection(source="a", target="c"),),
)
LEASES_S = st.sampled_from((1, 5, 60))
PLACES = st.integers(0, 9)


@dataclass
class Held:
    """A claim as the worker knows it."""

    execution_id: str
    step_id: str
    until: datetime
    is_over: bool = False

    @property
    def place(self) -> tuple[str, str]:
        return self.execution_id, self.step_id


class Workers(RuleBasedStateMachine):
    """A step has at most one valid claim at a time; a lost or reported claim cannot be used again."""

    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        self.session = self.open.enter_context(self.database.session())
        self.clock = ManualClock(NOW)
        self.held: dict[str, Held] = {}

    @initialize()
    def begin(self) -> None:
        own, self.other = factories.workspace_ids(self.session, 2)
        self.scope = OfWorkspace(workspace_id=own)
        runs = [
            service.create_execution(
                self.session, self.clock, workflow_id="w", workflow=WORKFLOW, **self.scope
            ).id
            for _ in range(2)
        ]
        self.runs = {id_: OfExecution(execution_id=id_, workspace_id=own) for id_ in runs}
        for run in self.runs.values():
            service.begin(self.session, self.clock, **run)

    @rule(limit=st.integers(1, 3), lease_s=LEASES_S, is_of_all=st.booleans())
    def claim(self, limit: int, lease_s: int, is_of_all: bool) -> None:
        now = self.clock.now()
        workspace_id = None if is_of_all else self.scope["workspace_id"]
        lease = timedelta(seconds=lease_s)
        for held in self.held.values():
            held.is_over = held.is_over or held.until <= now
        busy = {held.place for held in self.held.values() if not held.is_over}
        found = claims.claim_steps(
            self.session, self.clock, worker="w", limit=limit, lease=lease, workspace_id=workspace_id
        )
        assert len(found) <= limit
        assert busy.isdisjoint((claim.execution_id, claim.step_id) for claim in found)
        for claim in found:
            new = Held(claim.execution_id, claim.step_id, claim.lease_until)
            earlier = sum(held.place == new.place for held in self.held.values())
            assert claim.attempt == earlier + 1 <= 4
            assert (claim.lease_until, claim.workspace_id) == (now + lease, self.scope["workspace_id"])
            self.held[claim.id] = new
        strangers = claims.claim_steps(
            self.session, self.clock, worker="x", limit=3, lease=lease, workspace_id=self.other
        )
        assert strangers == []

    @rule(place=PLACES, deed=st.sampled_from(("complete", "fail", "renew")), is_stranger=st.booleans())
    def report(self, place: int, deed: str, is_stranger: bool) -> None:
        if not self.held:
            return
        claim_id = sorted(self.held)[place % len(self.held)]
        held = self.held[claim_id]
        where = OfWorkspace(workspace_id=self.other) if is_stranger else self.scope
        run = self.runs[held.execution_id]
        is_ended = service.get_execution(self.session, **run).status is not ExecutionStatus.RUNNING
        try:
            if deed == "complete":
                claims.complete(self.session, self.clock, claim_id=claim_id, output={}, **where)
            elif deed == "fail":
                claims.fail(self.session, self.clock, claim_id=claim_id, error="broken", **where)
            else:
                lease = timedelta(seconds=5)
                held.until = claims.renew(self.session, self.clock, claim_id=claim_id, lease=lease, **where)
                assert held.until == self.clock.now() + lease
        except ConflictError:
            assert held.is_over or is_stranger or is_ended
        else:
            assert not held.is_over
            assert not is_stranger
            held.is_over = deed != "renew"

    @rule(seconds=st.sampled_from((1, 4, 5, 59, 60)))
    def wait(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @invariant()
    def running_steps_are_those_that_are_held(self) -> None:
        for execution_id, run in getattr(self, "runs", {}).items():
            steps = {step.step_id: step for step in service.get_steps(self.session, **run)}
            held = [each for each in self.held.values() if each.execution_id == execution_id]
            running = sorted(id_ for id_, step in steps.items() if step.status is StepStatus.RUNNING)
            if service.get_execution(self.session, **run).status is ExecutionStatus.RUNNING:
                assert running == sorted(each.step_id for each in held if not each.is_over)
            if "c" in running:
                assert steps["a"].status is StepStatus.COMPLETED
            for step_id, step in steps.items():
                assert step.retry_count <= sum(each.step_id == step_id for each in held)

    def teardown(self) -> None:
        self.open.close()


@pytest.fixture(autouse=True)
def give_database(database: Database) -> Iterator[None]:
    """A state machine cannot take fixtures, so it finds the database in its class."""
    Workers.database = database
    yield
    del Workers.database


TestWorkers = Workers.TestCase
TestWorkers.settings = scaled(0.5)
