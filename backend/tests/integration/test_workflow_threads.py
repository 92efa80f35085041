"""Steps that really run at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any

import pytest

from atom.db.session import unit_of_work
from atom.kit.clock import ManualClock
from atom.workflows import service
from atom.workflows.graph import Step, Workflow
from atom.workflows.runner import Runner
from atom.workflows.scheduling import Assignment
from atom.workflows.states import ExecutionStatus
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfExecution

pytestmark = pytest.mark.integration

N_SIDE_BY_SIDE = 5


def test_five_steps_run_side_by_side_and_no_more(database: Database) -> None:
    """Steps that wait for nothing run five at a time: five meet, and a sixth is never among them."""
    clock = ManualClock(NOW)
    meeting = Barrier(N_SIDE_BY_SIDE, timeout=60)
    lock = Lock()
    present: set[str] = set()
    most: list[int] = []

    def work(assignment: Assignment) -> Mapping[str, Any]:
        with lock:
            present.add(assignment.step_id)
            most.append(len(present))
        meeting.wait()
        with lock:
            present.remove(assignment.step_id)
        return {}

    workflow = Workflow(steps=tuple(Step(id=f"step-{n}", action="meet") for n in range(2 * N_SIDE_BY_SIDE)))
    with database.clone() as clone, ThreadPoolExecutor(2 * N_SIDE_BY_SIDE) as pool:
        with unit_of_work(clone.sessions) as session:
            (own,) = factories.workspace_ids(session, 1)
            created = service.create_execution(
                session, clock, workspace_id=own, workflow_id="wf", workflow=workflow
            )
        runner = Runner(
            sessions=clone.sessions, clock=clock, handler=work, executor=pool, sleep_until=clock.set
        )
        ended = runner.run(workspace_id=own, execution_id=created.id)
    assert ended.status is ExecutionStatus.COMPLETED
    assert max(most) == N_SIDE_BY_SIDE


def test_result_that_comes_after_the_cancellation_is_dropped(database: Database) -> None:
    """An execution cancelled while its step runs stays cancelled, whatever the step returns."""
    clock = ManualClock(NOW)
    workflow = Workflow(steps=(Step(id="a", action="work"), Step(id="b", action="work")))
    with database.clone() as clone, ThreadPoolExecutor(2) as pool:
        with unit_of_work(clone.sessions) as session:
            (own,) = factories.workspace_ids(session, 1)
            created = service.create_execution(
                session, clock, workspace_id=own, workflow_id="wf", workflow=workflow
            )
        scope = OfExecution(workspace_id=own, execution_id=created.id)
        both = Barrier(2, timeout=60)

        def work(assignment: Assignment) -> Mapping[str, Any]:
            both.wait()
            if assignment.step_id == "a":
                with unit_of_work(clone.sessions) as session:
                    service.cancel(session, clock, **scope)
            both.wait()
            return {"late": True}

        runner = Runner(
            sessions=clone.sessions, clock=clock, handler=work, executor=pool, sleep_until=clock.set
        )
        assert runner.run(**scope).status is ExecutionStatus.CANCELLED
        with unit_of_work(clone.sessions) as session:
            steps = service.get_steps(session, **scope)
    assert [(step.status, step.output) for step in steps] == [("skipped", {}), ("skipped", {})]
