"""
A worker takes no more steps than it has room for, keeps them while it works, and survives the loss of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Executor, Future
from datetime import datetime, timedelta
from threading import Event
from typing import Any
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session, sessionmaker

from atom.db.session import unit_of_work
from atom.kit.clock import ManualClock
from atom.workflows import service, worker
from atom.workflows.graph import Step, Workflow
from atom.workflows.rows import StepRecord
from atom.workflows.states import ExecutionStatus, StepStatus
from atom.workflows.worker import Worker
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.property_tests.conftest import scaled

LEASE = timedelta(seconds=60)
ROOM = 2


class Steps(Executor):
    """The steps that a worker has begun, by their ids: each ends when the test says so."""

    def __init__(self) -> None:
        self.begun: dict[str, Future[Any]] = {}
        self.n_open = 0

    def submit(self, fn: Any, /, *args: Any, **_: Any) -> Future[Any]:
        future: Future[Any] = Future()
        self.begun[args[0].step_id] = future
        self.n_open += 1
        return future


@settings(scaled(0.3))
@given(
    story=st.lists(
        st.sampled_from(("claim", "rival", "wait", "work", "sleep", "finish", "fail")), min_size=1, max_size=9
    )
)
@example(story=["claim", "work", "work", "work", "rival", "finish"])
@example(story=["claim", "sleep", "rival", "work", "finish", "claim", "fail"])
@example(story=["claim", "fail", "wait", "claim", "claim", "finish"])
def test_a_worker_keeps_what_it_works_on_and_reports_it_once(database: Database, story: list[str]) -> None:
    """
    A worker that attends to its steps within half a lease keeps them;
    its report on a step that it has lost changes nothing.
    """
    clock = ManualClock(NOW)
    workflow = Workflow(steps=tuple(Step(id=name, action="work") for name in "abc"))
    with database.sessions() as sessions:
        with unit_of_work(sessions) as session:
            (own,) = factories.workspace_ids(session, 1)
            run = service.create_execution(
                session, clock, workspace_id=own, workflow_id="w", workflow=workflow
            )
            scope = {"workspace_id": own, "execution_id": run.id}
            service.begin(session, clock, **scope)
        mine, theirs = Steps(), Steps()
        mine_worker, rival = (
            Worker(
                sessions=sessions,
                clock=clock,
                handler=lambda _: {},
                executor=executor,
                name=name,
                n_steps=ROOM,
                lease=LEASE,
            )
            for name, executor in (("w", mine), ("rival", theirs))
        )
        ends: dict[str, datetime] = {}
        for deed in story:
            now = clock.now()
            if deed in ("claim", "rival"):
                claimant, executor = (mine_worker, mine) if deed == "claim" else (rival, theirs)
                before = dict(mine.begun)
                if executor.n_open < ROOM:  # a claim takes away the steps whose lease has ended
                    ends = {name: at for name, at in ends.items() if at > now}
                claimant.claim()
                new = {name for name in mine.begun if mine.begun[name] is not before.get(name)}
                assert not new & ends.keys()
                ends |= dict.fromkeys(new, now + LEASE)
            elif deed in ("finish", "fail") and mine.begun:
                name, future = next(iter(mine.begun.items()))
                del mine.begun[name]
                mine.n_open -= 1
                if deed == "finish":
                    future.set_result({"by": "w"})
                else:
                    future.set_exception(ValueError("broken"))
                earlier = step_of(sessions, scope, name)
                mine_worker.attend()
                found = step_of(sessions, scope, name)
                if ends.pop(name, None) is None:
                    assert found == earlier
                elif deed == "finish":
                    assert (found.status, found.output) == (StepStatus.COMPLETED, {"by": "w"})
                else:
                    assert found.retry_count == earlier.retry_count + 1 or found.status is StepStatus.FAILED
                ends = attended(ends, now)
            elif deed in ("wait", "work", "sleep"):
                now = clock.advance(LEASE if deed == "sleep" else LEASE * 0.45)
                if deed == "work":
                    mine_worker.attend()
                    ends = attended(ends, now)
            assert mine.n_open <= ROOM
            with unit_of_work(sessions) as session:
                if service.get_execution(session, **scope).status is not ExecutionStatus.RUNNING:
                    return


class Stopping(Event):
    """An event that is set after a worker has asked `n_looks` times whether it is."""

    def __init__(self, n_looks: int) -> None:
        super().__init__()
        self.n_looks = n_looks

    def is_set(self) -> bool:
        self.n_looks -= 1
        return self.n_looks < 0

    def wait(self, timeout: float | None = None) -> bool:
        raise AssertionError("there is work")


@settings(scaled(0.3))
@given(n_room=st.integers(1, 3), n_looks=st.integers(1, 3), broken=st.sets(st.sampled_from("abcde")))
@example(n_room=3, n_looks=1, broken=set())
def test_a_worker_that_is_told_to_stop_reports_all_it_has_begun(
    database: Database, n_room: int, n_looks: int, broken: set[str]
) -> None:
    """A worker that is told to stop begins nothing more, and ends when each step it has begun is reported."""
    clock = ManualClock(NOW)
    workflow = Workflow(steps=tuple(Step(id=name, action="work") for name in "abcde"))
    steps = Steps()

    def wait_for_one(running: Iterable[Future[Any]], **_: Any) -> None:
        """Let the step that began first end."""
        first = next(iter(running))
        (name,) = (name for name, future in steps.begun.items() if future is first)
        if name in broken:
            first.set_exception(ValueError("broken"))
        else:
            first.set_result({})

    with database.sessions() as sessions:
        with unit_of_work(sessions) as session:
            (own,) = factories.workspace_ids(session, 1)
            scope = {
                "workspace_id": own,
                "execution_id": service.create_execution(
                    session, clock, workspace_id=own, workflow_id="w", workflow=workflow
                ).id,
            }
            service.begin(session, clock, **scope)
        working = Worker(
            sessions=sessions,
            clock=clock,
            handler=lambda _: {},
            executor=steps,
            name="w",
            n_steps=n_room,
            lease=LEASE,
        )
        with mock.patch.object(worker, "wait", wait_for_one):
            working.run(Stopping(n_looks))
        assert len(steps.begun) == n_room + n_looks - 1
        for name in "abcde":
            found = step_of(sessions, scope, name)
            if name not in steps.begun:
                assert (found.status, found.retry_count) == (StepStatus.PENDING, 0)
            else:
                assert found.status is (StepStatus.PENDING if name in broken else StepStatus.COMPLETED)
                assert found.retry_count == (1 if name in broken else 0)


def attended(ends: dict[str, datetime], now: datetime) -> dict[str, datetime]:
    """Return when leases end once their worker has renewed those that are half over."""
    return {name: now + LEASE if at - now < LEASE / 2 else at for name, at in ends.items()}


def step_of(sessions: sessionmaker[Session], scope: dict[str, str], name: str) -> StepRecord:
    with unit_of_work(sessions) as session:
        (found,) = (step for step in service.get_steps(session, **scope) if step.step_id == name)
    return found
