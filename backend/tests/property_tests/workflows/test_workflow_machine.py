"""An execution under any sequence of commands and reports, compared with a small model of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError
from atom.workflows import service
from atom.workflows.graph import Workflow
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfExecution
from tests.property_tests.conftest import scaled
from tests.property_tests.workflows import strategies
from tests.property_tests.workflows.strategies import add_workspace

FINAL = {"completed", "failed", "partial", "cancelled"}


@dataclass(kw_only=True)
class StepModel:
    """A step as it should be."""

    status: str = "pending"
    n_retries: int = 0
    due: datetime | None = None
    output: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    started_at: datetime | None = None
    duration_ms: int | None = None

    def report(self, status: str, at: datetime) -> None:
        """Note that the step ended at that time; its duration is 0 if the clock was set back meanwhile."""
        assert self.started_at is not None
        self.status = status
        self.duration_ms = max(0, int(1000 * (at - self.started_at).total_seconds()))


class WorkflowExecutionMachine(RuleBasedStateMachine):
    """
    In any order, each command and report does what the model expects, or is refused and changes nothing.
    """

    database: ClassVar[Database]

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        sessions, self.own = self.open.enter_context(self.database.prepared(add_workspace))
        self.session = self.open.enter_context(sessions())
        self.clock = ManualClock(NOW)

    @initialize(
        workflow=strategies.workflows(max_steps=8, has_conditions=True, has_inputs=True),
        inputs=st.sampled_from(({}, {}, {"token": 1})),
    )
    def create(self, workflow: Workflow, inputs: dict[str, Any]) -> None:
        self.workflow = workflow
        created = service.create_execution(
            self.session,
            self.clock,
            workspace_id=self.own,
            workflow_id="wf",
            workflow=workflow,
            inputs=inputs,
        )
        self.scope = OfExecution(workspace_id=self.own, execution_id=created.id)
        self.status = "pending"
        self.version = 1
        self.inputs = dict(inputs)
        self.steps = {step_id: StepModel() for step_id in workflow.order}
        self.started_at: datetime | None = None
        self.ended_at: datetime | None = None

    @rule()
    def begin(self) -> None:
        is_fit = self.status == "pending"
        self.command(is_fit, service.begin)
        if is_fit:
            self.started_at = self.clock.now()
            self.go("running")

    @rule()
    def pause(self) -> None:
        is_fit = self.status == "running"
        self.command(is_fit, service.pause)
        if is_fit:
            self.go("paused")

    @rule(inputs=st.sampled_from(({}, {"token": 2}, {f"step-{number}.value": 3 for number in range(8)})))
    def resume(self, inputs: dict[str, Any]) -> None:
        is_fit = self.status == "paused"
        self.command(is_fit, service.resume, inputs=inputs)
        if is_fit:
            self.inputs |= inputs
            self.go("running")

    @rule(is_meant=st.sampled_from((False, False, False, True)))
    def cancel(self, is_meant: bool) -> None:
        if not is_meant and self.status in ("running", "paused"):
            return  # else most executions would end here
        is_fit = self.status in ("running", "paused")
        self.command(is_fit, service.cancel)
        if is_fit:
            self.go("cancelled")

    @rule()
    def advance(self) -> None:
        is_fit = self.status == "running"
        found = self.command(is_fit, service.advance)
        if not is_fit:
            return
        runnable, missing, wait_until = self.expected_plan()
        n_running = sum(step.status == "running" for step in self.steps.values())
        start = runnable[: 5 - n_running]
        assert {item.step_id: dict(item.inputs) for item in found.start} == dict(start)
        assert [(item.step_id, item.name) for item in found.missing] == missing
        assert found.wait_until == wait_until
        for step_id, _ in start:
            self.steps[step_id].status = "running"
            self.steps[step_id].started_at = self.clock.now()
            self.steps[step_id].due = None
        if start:
            self.go("running")
        elif self.settled() != "running":
            self.go(self.settled())

    @rule(place=st.integers(0, 7), output=strategies.outputs)
    def complete(self, place: int, output: dict[str, Any]) -> None:
        step_id = self.some_step(place)
        step = self.steps[step_id]
        is_fit = step.status == "running"
        self.command(is_fit, service.complete_step, step_id=step_id, output=output)
        if is_fit:
            step.report("completed", self.clock.now())
            step.output, step.error = output, None
            self.after_report()

    @rule(place=st.integers(0, 7), n_times=st.sampled_from((1, 1, 4)))
    def fail(self, place: int, n_times: int) -> None:
        step_id = self.some_step(place)
        step = self.steps[step_id]
        for _ in range(n_times):
            is_fit = step.status == "running"
            self.command(is_fit, service.fail_step, step_id=step_id, error="broken")
            if not is_fit:
                return
            step.error = "broken"
            step.report("failed" if step.n_retries == 3 else "pending", self.clock.now())
            if step.status == "pending":
                step.due = self.clock.now() + timedelta(seconds=(1, 2, 4)[step.n_retries])
                step.n_retries += 1
            self.after_report()
            if n_times > 1 and self.status == "running" and step.status == "pending":
                assert step.due is not None
                self.clock.set(step.due)
                self.advance()

    @rule(seconds=st.sampled_from((0.999999, 1, 2, 4, -0.000001, -1)))
    def wait(self, seconds: float) -> None:
        self.clock.advance(timedelta(seconds=seconds))

    @invariant()
    def execution_is_that_of_the_model(self) -> None:
        found = service.get_execution(self.session, **self.scope)
        assert (found.status, found.version, found.inputs) == (self.status, self.version, self.inputs)
        assert (found.started_at, found.ended_at) == (self.started_at, self.ended_at)
        stored = {step.step_id: step for step in service.get_steps(self.session, **self.scope)}
        for step_id, step in self.steps.items():
            record = stored[step_id]
            assert (record.status, record.retry_count, record.output, record.error) == (
                step.status,
                step.n_retries,
                step.output,
                step.error,
            )
            assert (record.not_before, record.started_at, record.duration_ms) == (
                step.due,
                step.started_at,
                step.duration_ms,
            )
        assert sum(step.status == "running" for step in stored.values()) <= 5

    def command(self, is_fit: bool, action: Callable[..., Any], **values: Any) -> Any:
        """Run a command that has to succeed if it is fit, and has to be refused otherwise."""
        if is_fit:
            return action(self.session, self.clock, **self.scope, **values)
        with pytest.raises(ConflictError):
            action(self.session, self.clock, **self.scope, **values)
        return None

    def go(self, status: str) -> None:
        """Give the execution its next version and a status; if that is final, skip the open steps."""
        self.version += 1
        self.status = status
        if status in FINAL:
            self.ended_at = self.clock.now()
            for step in self.steps.values():
                if step.status in ("pending", "running"):
                    step.status, step.due = "skipped", None

    def after_report(self) -> None:
        self.go(self.settled() if self.status == "running" else self.status)

    def some_step(self, place: int) -> str:
        """A running step if there is one, else any."""
        running = [step_id for step_id, step in self.steps.items() if step.status == "running"]
        choice = running or list(self.steps)
        return choice[place % len(choice)]

    def ready(self) -> list[str]:
        return [
            step.id
            for step_id in self.workflow.order
            for step in self.workflow.steps
            if step.id == step_id
            and self.steps[step_id].status == "pending"
            and all(
                self.steps[wire.source].status == "completed"
                and (wire.condition is None or self.steps[wire.source].output.get("ok") is True)
                for wire in self.workflow.connections
                if wire.target == step_id
            )
        ]

    def expected_plan(
        self,
    ) -> tuple[list[tuple[str, dict[str, Any]]], list[tuple[str, str]], datetime | None]:
        """Which steps could run, with what; which inputs are missing; when a step may be tried again."""
        if any(step.status == "failed" for step in self.steps.values()):
            return [], [], None
        runnable, missing, waits = [], [], []
        for step_id in self.ready():
            due = self.steps[step_id].due
            if due is not None and due > self.clock.now():
                waits.append(due)
                continue
            given: dict[str, Any] = {}
            lacking = []
            for name, reference in self.workflow.step(step_id).inputs.items():
                if reference.step is None:
                    places = [(self.inputs, "token")]
                else:
                    places = [
                        (self.steps[reference.step].output, "value"),
                        (self.inputs, f"{reference.step}.value"),
                    ]
                values = [place[key] for place, key in places if key in place]
                if values:
                    given[name] = values[0]
                else:
                    lacking.append((step_id, name))
            missing += lacking
            if not lacking:
                runnable.append((step_id, given))
        return runnable, missing, min(waits, default=None)

    def settled(self) -> str:
        """The status that a running execution should have now."""
        statuses = {step.status for step in self.steps.values()}
        runnable, missing, wait_until = self.expected_plan()
        if "running" in statuses:
            return "running"
        if "failed" in statuses:
            return "failed"
        if runnable or wait_until is not None:
            return "running"
        if missing:
            return "paused"
        return "completed" if statuses == {"completed"} else "partial"

    def teardown(self) -> None:
        self.open.close()


@pytest.fixture(scope="module", autouse=True)
def _on_the_database(database: Database) -> Iterator[None]:
    WorkflowExecutionMachine.database = database
    yield
    del WorkflowExecutionMachine.database


TestWorkflowExecution = WorkflowExecutionMachine.TestCase
TestWorkflowExecution.settings = scaled(0.25)
