"""What the runner makes of handlers, conflicts and clocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from atom.identity.models import Workspace
from atom.kit.clock import ManualClock
from atom.kit.errors import NotFoundError, StaleVersionError
from atom.workflows import service
from atom.workflows.graph import Step, Workflow
from atom.workflows.rows import Execution, StepRecord
from atom.workflows.runner import MAX_CONFLICTS, Runner, StepHandler
from atom.workflows.scheduling import Assignment, Plan
from atom.workflows.states import ExecutionStatus, StepStatus
from tests import factories
from tests.database import Database
from tests.keywords import OfExecution

ONE = Workflow(steps=(Step(id="a", action="work"),))


class AtOnce(Executor):
    """Runs what is submitted before it returns."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except (ValueError, KeyError) as exc:
            future.set_exception(exc)
        return future


def make_runner(sessions: sessionmaker[Session], clock: ManualClock, handler: StepHandler) -> Runner:
    """Return a runner that runs a step where it starts it, and waits by setting the clock."""
    return Runner(sessions=sessions, clock=clock, handler=handler, executor=AtOnce(), sleep_until=clock.set)


def run(
    sessions: sessionmaker[Session],
    clock: ManualClock,
    handler: StepHandler,
    workflow: Workflow = ONE,
    *,
    is_begun: bool = False,
) -> tuple[Execution, tuple[StepRecord, ...]]:
    """Run a workflow in a workspace of its own."""
    with sessions.begin() as session:
        (own,) = factories.workspace_ids(session, 1)
        created = service.create_execution(
            session, clock, workspace_id=own, workflow_id="wf", workflow=workflow
        )
        if is_begun:
            service.begin(session, clock, workspace_id=own, execution_id=created.id)
    ended = make_runner(sessions, clock, handler).run(workspace_id=own, execution_id=created.id)
    with sessions() as session:
        return ended, service.get_steps(session, workspace_id=own, execution_id=created.id)


def test_output_that_cannot_be_stored_is_a_failure(database: Database, clock: ManualClock) -> None:
    """The step is tried again as after any other failure, and keeps the reason."""
    with database.sessions() as sessions:
        ended, (step,) = run(sessions, clock, lambda _assignment: {"x": float("nan")})
    assert ended.status is ExecutionStatus.FAILED
    assert (step.status, step.retry_count) == (StepStatus.FAILED, 3)
    assert (step.error or "").startswith("InvalidError: output is not JSON")


def test_error_message_is_cut_to_what_fits(database: Database, clock: ManualClock) -> None:
    """A message of any length and content is kept as far as it can be."""

    def fail(_assignment: Assignment) -> Mapping[str, Any]:
        raise ValueError("\0\ud800" + "x" * 3_000)

    with database.sessions() as sessions:
        _, (step,) = run(sessions, clock, fail)
    assert step.error == "ValueError: ??" + "x" * (2_000 - len("ValueError: ??"))


def test_begun_execution_goes_on(database: Database, clock: ManualClock) -> None:
    """A runner takes over where somebody else began."""
    with database.sessions() as sessions:
        ended, (step,) = run(sessions, clock, lambda _assignment: {"n": 1}, is_begun=True)
    assert (ended.status, step.output) == (ExecutionStatus.COMPLETED, {"n": 1})


def test_paused_execution_is_left_alone(database: Database, clock: ManualClock) -> None:
    """When somebody pauses the execution while a step runs, its report is kept and nothing more starts."""
    both = Workflow(steps=(*ONE.steps, *(Step(id=f"b{n}", action="work") for n in range(6))))
    with database.sessions() as sessions:
        asked = []

        def work(assignment: Assignment) -> Mapping[str, Any]:
            asked.append(assignment.step_id)
            if assignment.step_id == "a":
                with sessions.begin() as session:
                    (found,) = service.list_executions(session, workspace_id=owner(session)).items
                    service.pause(session, clock, workspace_id=owner(session), execution_id=found.id)
            return {"n": 1}

        ended, steps = run(sessions, clock, work, both)
    assert ended.status is ExecutionStatus.PAUSED
    assert len(asked) == 5
    assert [step.status for step in steps].count(StepStatus.COMPLETED) == 5


def owner(session: Session) -> str:
    """The only workspace there is."""
    return session.scalars(select(Workspace.id)).one()


def test_duration_is_that_of_the_last_try(database: Database, clock: ManualClock) -> None:
    """A step's duration is in milliseconds, from its last start to its report."""
    tries = []

    def work(_assignment: Assignment) -> Mapping[str, Any]:
        tries.append(clock.now())
        clock.advance(timedelta(milliseconds=1_500 if len(tries) == 1 else 250.9))
        if len(tries) == 1:
            raise ValueError("again")
        return {}

    with database.sessions() as sessions:
        _, (step,) = run(sessions, clock, work)
    assert (step.duration_ms, step.retry_count) == (250, 1)
    assert tries[1] - tries[0] == timedelta(milliseconds=2_500)
    assert step.started_at == tries[1]


def test_steps_of_a_dead_runner_wait_to_be_failed(database: Database, clock: ManualClock) -> None:
    """Another runner leaves them, and the execution running; once they are failed, it tries them again."""
    both = Workflow(steps=(*ONE.steps, Step(id="b", action="work")))
    asked = []

    def work(assignment: Assignment) -> Mapping[str, Any]:
        asked.append(assignment.step_id)
        if len(asked) == 1:
            raise SystemExit  # no report is written
        return {}

    with database.sessions() as sessions:
        with pytest.raises(SystemExit):
            run(sessions, clock, work, both)
        with sessions() as session:
            (found,) = service.list_executions(session, workspace_id=owner(session)).items
            scope = OfExecution(workspace_id=owner(session), execution_id=found.id)
        runner = make_runner(sessions, clock, work)
        assert runner.run(**scope).status is ExecutionStatus.RUNNING
        assert asked == ["a"]
        with sessions.begin() as session:
            for step in service.get_steps(session, **scope):
                assert step.status is StepStatus.RUNNING
                service.fail_step(session, clock, **scope, step_id=step.step_id, error="its runner died")
        assert runner.run(**scope).status is ExecutionStatus.COMPLETED
        assert asked == ["a", "a", "b"]


def test_conflicts_are_tried_again_a_bounded_number_of_times(database: Database, clock: ManualClock) -> None:
    """Somebody else's changes delay a runner; without end they stop it."""
    with database.sessions() as sessions:
        runner = make_runner(sessions, clock, lambda _assignment: {})
        for n_conflicts, is_enough in ((MAX_CONFLICTS, False), (MAX_CONFLICTS + 1, True)):
            attempts: list[int] = []

            def conflict(_session: Session, attempts: list[int] = attempts, n: int = n_conflicts) -> str:
                attempts.append(1)
                if len(attempts) <= n:
                    raise StaleVersionError("changed")
                return "done"

            if is_enough:
                with pytest.raises(StaleVersionError):
                    runner._write(conflict)
            else:
                assert runner._write(conflict) == "done"
            assert len(attempts) == MAX_CONFLICTS + 1


def test_execution_of_nobody_is_not_found(database: Database, clock: ManualClock) -> None:
    """An execution that does not exist is an error, and no step runs."""
    with database.sessions() as sessions:
        runner = make_runner(sessions, clock, lambda _assignment: {})
        with pytest.raises(NotFoundError):
            runner.run(workspace_id="w", execution_id="x")


def test_patience_ends_when_a_step_can_be_tried_again(database: Database, clock: ManualClock) -> None:
    """A runner waits for running steps as long as no other one is due, and never a negative time."""
    with database.sessions() as sessions:
        runner = make_runner(sessions, clock, lambda _assignment: {})

        def patience(due: datetime | None) -> float | None:
            return runner._patience(Plan(wait_until=due))

        assert patience(None) is None
        assert patience(clock.now() + timedelta(seconds=2)) == 2
        assert patience(clock.now() - timedelta(seconds=2)) == 0
