"""A worker runs what it claims, keeps it while it works, and takes over what a dead one left."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, Future
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from atom.db.session import unit_of_work
from atom.kit.clock import ManualClock
from atom.kit.errors import InvalidError
from atom.workflows import claims, service
from atom.workflows.graph import Step, Workflow
from atom.workflows.scheduling import Assignment
from atom.workflows.states import ExecutionStatus, StepStatus
from atom.workflows.worker import Worker, load_handler
from tests import factories
from tests.database import Database
from tests.keywords import OfExecution

LEASE = timedelta(seconds=60)


class ByHand(Executor):
    """Runs nothing until it is told to, as if each step took its time."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Any, tuple[Any, ...]]] = []

    def submit(self, fn: Any, /, *args: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, fn, args))
        return future

    def finish(self) -> None:
        for future, fn, args in self.waiting:
            try:
                future.set_result(fn(*args))
            except ValueError as exc:
                future.set_exception(exc)
        self.waiting.clear()


def start(sessions: sessionmaker[Session], clock: ManualClock, n_steps: int = 2) -> OfExecution:
    workflow = Workflow(steps=tuple(Step(id=f"s{number}", action="work") for number in range(n_steps)))
    with unit_of_work(sessions) as session:
        (own,) = factories.workspace_ids(session, 1)
        run = service.create_execution(session, clock, workspace_id=own, workflow_id="w", workflow=workflow)
        scope = OfExecution(workspace_id=own, execution_id=run.id)
        service.begin(session, clock, **scope)
    return scope


def make_worker(sessions: sessionmaker[Session], clock: ManualClock, handler: Any, name: str = "w") -> Worker:
    return Worker(
        sessions=sessions,
        clock=clock,
        handler=handler,
        executor=ByHand(),
        name=name,
        n_steps=2,
        lease=LEASE,
    )


def status_of(sessions: sessionmaker[Session], scope: OfExecution) -> ExecutionStatus:
    with unit_of_work(sessions) as session:
        return service.get_execution(session, **scope).status


def finish(worker: Worker) -> int:
    assert isinstance(worker.executor, ByHand)
    worker.executor.finish()
    return worker.attend()


def echo(assignment: Assignment) -> Mapping[str, Any]:
    return {"did": assignment.action}


def test_a_worker_runs_a_workflow_to_its_end(database: Database, clock: ManualClock) -> None:
    """It claims no more steps than it has room for, and reports what each returned."""
    with database.sessions() as sessions:
        scope = start(sessions, clock, n_steps=3)
        worker = make_worker(sessions, clock, echo)
        assert (worker.claim(), worker.claim()) == (2, 0)
        assert finish(worker) == 2
        assert (worker.claim(), finish(worker), worker.claim()) == (1, 1, 0)
        assert status_of(sessions, scope) is ExecutionStatus.COMPLETED
        with unit_of_work(sessions) as session:
            assert [step.output for step in service.get_steps(session, **scope)] == [{"did": "work"}] * 3


def test_the_steps_of_a_dead_worker_are_taken_over(database: Database, clock: ManualClock) -> None:
    """After the lease another worker has them; what the first one reports then changes nothing."""
    with database.sessions() as sessions:
        scope = start(sessions, clock)
        dead, alive = make_worker(sessions, clock, echo, "dead"), make_worker(sessions, clock, echo, "alive")
        assert (dead.claim(), alive.claim()) == (2, 0)
        clock.advance(LEASE)
        assert alive.claim() == 0  # the lost steps wait a second for their second attempt
        clock.advance(timedelta(seconds=1))
        assert alive.claim() == 2
        with unit_of_work(sessions) as session:
            steps = service.get_steps(session, **scope)
            assert [step.retry_count for step in steps] == [1, 1]
            assert all("'dead' did not report" in (step.error or "") for step in steps)
        assert finish(dead) == 2
        assert status_of(sessions, scope) is ExecutionStatus.RUNNING
        assert finish(alive) == 2
        assert status_of(sessions, scope) is ExecutionStatus.COMPLETED


def test_a_slow_worker_keeps_what_it_works_on(database: Database, clock: ManualClock) -> None:
    """It renews a lease that is half over, so that nobody else gets the step."""
    with database.sessions() as sessions:
        scope = start(sessions, clock)
        slow, other = make_worker(sessions, clock, echo, "slow"), make_worker(sessions, clock, echo, "other")
        assert slow.claim() == 2
        for _ in range(5):
            clock.advance(LEASE * 0.75)
            assert slow.attend() == 0
            clock.advance(LEASE * 0.5)
            assert other.claim() == 0
        assert finish(slow) == 2
        with unit_of_work(sessions) as session:
            assert [step.retry_count for step in service.get_steps(session, **scope)] == [0, 0]
        assert status_of(sessions, scope) is ExecutionStatus.COMPLETED


@pytest.mark.parametrize("result", [{"n": float("nan")}, None])
def test_what_fails_or_cannot_be_stored_is_tried_again(
    database: Database, clock: ManualClock, result: Any
) -> None:
    """A handler that raises, or returns what is not JSON, has failed its step."""

    def handler(_: Assignment) -> Any:
        if result is None:
            raise ValueError("out of order")
        return result

    with database.sessions() as sessions:
        scope = start(sessions, clock, n_steps=1)
        worker = make_worker(sessions, clock, handler)
        assert (worker.claim(), finish(worker)) == (1, 1)
        with unit_of_work(sessions) as session:
            (step,) = service.get_steps(session, **scope)
            assert (step.status, step.retry_count) == (StepStatus.PENDING, 1)
            assert ("out of order" if result is None else "output") in (step.error or "")


def test_a_cancelled_step_is_not_reported(database: Database, clock: ManualClock) -> None:
    """A report or a renewal that comes too late is dropped, and the worker goes on."""
    with database.sessions() as sessions:
        scope = start(sessions, clock)
        worker = make_worker(sessions, clock, echo)
        worker.claim()
        with unit_of_work(sessions) as session:
            service.cancel(session, clock, **scope)
        clock.advance(LEASE * 0.75)
        assert (worker.attend(), finish(worker)) == (0, 2)
        assert status_of(sessions, scope) is ExecutionStatus.CANCELLED


@pytest.mark.parametrize(
    "place", ["", "json", "json:", ":loads", "no_such_module:x", "json:nothing", "json:__name__"]
)
def test_a_handler_that_is_not_there_is_named(place: str) -> None:
    """Whatever is not a function at `package.module:function` is refused in one line."""
    with pytest.raises(InvalidError) as caught:
        load_handler(place)
    assert repr(place) in caught.value.message


def test_a_handler_is_found_by_its_place() -> None:
    """The function itself is returned."""
    assert load_handler(f"{__name__}:echo") is echo


@pytest.mark.parametrize(("limit", "seconds"), [(0, 60), (21, 60), (1, 0.5), (1, 3_601)])
def test_a_claim_has_bounds(database: Database, clock: ManualClock, limit: int, seconds: float) -> None:
    """Neither nothing nor everything, neither for no time nor for ever."""
    with database.session() as session, pytest.raises(InvalidError):
        claims.claim_steps(session, clock, worker="w", limit=limit, lease=timedelta(seconds=seconds))
