"""`atom worker` as a process: killed in the middle of a step, its step is done by the next one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from atom.db.session import unit_of_work
from atom.kit.clock import SystemClock
from atom.workflows import service
from atom.workflows.graph import Step, Workflow
from atom.workflows.scheduling import Assignment
from atom.workflows.states import ExecutionStatus
from tests import factories
from tests.database import Clone, Database
from tests.keywords import OfExecution

pytestmark = pytest.mark.integration

ATOM = Path(sys.executable).with_name("atom")
BACKEND = Path(__file__).parents[2]
PATIENCE_S = 60
SLOW = "SLOW_STEP"


def handle(assignment: Assignment) -> Mapping[str, Any]:
    """Do the work of a step: at once, or never if this process is to be killed."""
    if os.environ.get(SLOW):
        time.sleep(10 * PATIENCE_S)
    return {"did": assignment.action}


def start_worker(clone: Clone, **variables: str) -> subprocess.Popen[str]:
    url = clone.url.render_as_string(hide_password=False)
    return subprocess.Popen(
        [ATOM, "worker", "--handler", f"{__name__}:handle", "--lease", "1"],
        cwd=BACKEND,
        env={**os.environ, "ATOM_DATABASE_URL": url, "PYTHONPATH": str(BACKEND), **variables},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(reached: Any) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline, "the workers did not get there in time"
        time.sleep(0.1)


def test_a_killed_workers_step_is_done_by_the_next(database: Database) -> None:
    """The lease ends, the step is tried again, the execution is completed; SIGTERM ends a worker with 0."""
    clock = SystemClock()
    with database.clone() as clone:
        with unit_of_work(clone.sessions) as session:
            (own,) = factories.workspace_ids(session, 1)
            workflow = Workflow(steps=(Step(id="a", action="work"),))
            run = service.create_execution(
                session, clock, workspace_id=own, workflow_id="w", workflow=workflow
            )
            scope = OfExecution(workspace_id=own, execution_id=run.id)
            service.begin(session, clock, **scope)

        def steps() -> Any:
            with unit_of_work(clone.readers) as session:
                return service.get_steps(session, **scope)

        def is_completed() -> bool:
            with unit_of_work(clone.readers) as session:
                return service.get_execution(session, **scope).status is ExecutionStatus.COMPLETED

        doomed = start_worker(clone, **{SLOW: "1"})
        try:
            wait_until(lambda: steps()[0].status == "running")
        finally:
            doomed.kill()
            doomed.communicate()
        alive = start_worker(clone)
        try:
            wait_until(is_completed)
            alive.send_signal(signal.SIGTERM)
            alive.communicate(timeout=PATIENCE_S)
        finally:
            alive.kill()
        assert alive.returncode == 0
        (step,) = steps()
        assert (step.retry_count >= 1, step.output) == (True, {"did": "work"})
