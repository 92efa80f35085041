"""Runs of an agent under any sequence of reports, compared with a model of what was reported."""

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
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule
from sqlalchemy import select

from atom.agents import executions
from atom.agents.models import AgentExecution
from atom.agents.runs import NewExecution, Outcome, Result
from atom.chat.service import has_session
from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, NotFoundError
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.property_tests.conftest import scaled

waits = st.sampled_from((-60, 0, 1, 90))
"""Seconds between two reports: the clock may be set back."""
RUNS = select(AgentExecution.__table__)
SUMMARIES = {"output_summary": "84.20", "result_summary": "it is paid", "error_message": "the bank was slow"}


@dataclass
class Run:
    """A run as it should be."""

    started_at: datetime
    steps: list[str] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)
    is_marked: bool = False
    outcome: Outcome | None = None
    ended_at: datetime | None = None


class RunMachine(RuleBasedStateMachine):
    """
    Invariant 47: a run keeps its steps and corrections in order, is marked once a person has intervened,
    and refuses every report after its end.

    Several runs are reported on in turn, and sometimes the clock is set back.
    Another workspace finds none of them.
    """

    database: ClassVar[Database]
    runs = Bundle("runs")

    def __init__(self) -> None:
        super().__init__()
        self.undo = ExitStack()
        self.session, people = self.undo.enter_context(factories.with_people(self.database))
        self.own, self.stranger = people.tenant, people.stranger
        self.clock = ManualClock(NOW)
        self.n_reports = 0
        self.model: dict[str, Run] = {}

    def teardown(self) -> None:
        self.undo.close()

    @initialize(target=runs)
    def start_first(self) -> str:
        return self.start()

    @rule(target=runs)
    def start_another(self) -> str:
        return self.start()

    def start(self) -> str:
        new = NewExecution(metadata={"model": "small"}, input_summary="Is it paid?")
        run = executions.start(self.session, self.clock, has_session, **self.own.agent, new=new)
        self.model[run.id] = Run(self.clock.now())
        return run.id

    @rule(id_=runs, seconds=waits)
    def add_step(self, id_: str, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        self.n_reports += 1
        summary = f"step {self.n_reports}"
        if self.report(id_, partial(executions.add_step, summary=summary)):
            self.model[id_].steps.append(summary)

    @rule(id_=runs, seconds=waits)
    def intervene(self, id_: str, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        if self.report(id_, executions.intervene):
            self.model[id_].is_marked = True

    @rule(id_=runs, seconds=waits)
    def correct(self, id_: str, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        self.n_reports += 1
        correction = f"correction {self.n_reports}"
        correct = partial(executions.intervene, user_id=self.own.user_id, correction=correction)
        if self.report(id_, correct):
            self.model[id_].corrections.append(correction)
            self.model[id_].is_marked = True

    @rule(id_=runs, outcome=st.sampled_from(Outcome), seconds=waits)
    def finish(self, id_: str, outcome: Outcome, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        if self.report(id_, partial(executions.finish, result=Result(outcome=outcome, **SUMMARIES))):
            run = self.model[id_]
            run.outcome, run.ended_at = outcome, max(self.clock.now(), run.started_at)
            assert not self.report(id_, executions.intervene)

    def report(self, id_: str, operation: Callable[..., object]) -> bool:
        """Report on a run, and return whether the run was still open and took the report."""
        with pytest.raises(NotFoundError):
            operation(self.session, self.clock, workspace_id=self.stranger.workspace_id, execution_id=id_)
        with pytest.raises(ConflictError) if self.model[id_].outcome else ExitStack():
            operation(self.session, self.clock, workspace_id=self.own.workspace_id, execution_id=id_)
        return self.model[id_].outcome is None

    @invariant()
    def runs_agree(self) -> None:
        self.session.flush()
        rows = {row.id: row for row in self.session.connection().execute(RUNS)}
        assert rows.keys() == self.model.keys()
        for id_, run in self.model.items():
            found = rows[id_]
            details = found.metadata
            assert details["model"] == "small"
            assert [step["summary"] for step in details.get("steps", [])] == run.steps
            corrections = details.get("human_corrections", [])
            assert [(entry["correction"], entry["user_id"]) for entry in corrections] == [
                (correction, self.own.user_id) for correction in run.corrections
            ]
            assert details.get("human_intervention", False) is run.is_marked
            for name, text in SUMMARIES.items():
                assert getattr(found, name) == (None if run.outcome is None else text)
            assert found.status == (run.outcome.value if run.outcome else "running")
            assert (found.started_at, found.completed_at) == (run.started_at, run.ended_at)
            duration = None if run.ended_at is None else (run.ended_at - run.started_at).total_seconds()
            assert found.duration_seconds == duration


@pytest.fixture(autouse=True, scope="module")
def _machine_database(database: Database) -> None:
    RunMachine.database = database


@pytest.mark.invariant(47)
class TestRuns(RunMachine.TestCase):  # type: ignore[valid-type,misc]  # a class that Hypothesis makes
    """Runs the machine."""

    settings = settings(scaled(0.5), stateful_step_count=8)
