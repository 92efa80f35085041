"""What an execution keeps while it waits, and which of its steps may report."""

from __future__ import annotations

import pytest

from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError
from atom.workflows import repository, service
from atom.workflows.graph import Step, Workflow
from atom.workflows.states import StepStatus
from tests import factories
from tests.database import Database
from tests.keywords import OfExecution


def test_resuming_adds_to_the_inputs(database: Database, clock: ManualClock) -> None:
    """A later input goes before an earlier one of its name; the others stay."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        workflow = Workflow(steps=(Step(id="a", action="work"),), connections=())
        created = service.create_execution(
            session,
            clock,
            workspace_id=own,
            workflow_id="wf",
            workflow=workflow,
            inputs={"amount": 1, "to": "a"},
        )
        scope = OfExecution(workspace_id=own, execution_id=created.id)
        service.begin(session, clock, **scope)
        for given, expected in [
            ({"to": "b", "note": "x"}, {"amount": 1, "to": "b", "note": "x"}),
            (None, {"amount": 1, "to": "b", "note": "x"}),
        ]:
            service.pause(session, clock, **scope)
            assert service.resume(session, clock, **scope, inputs=given).inputs == expected
            assert service.get_execution(session, **scope).inputs == expected


@pytest.mark.parametrize("status", [status for status in StepStatus if status is not StepStatus.RUNNING])
def test_only_a_running_step_reports(database: Database, clock: ManualClock, status: StepStatus) -> None:
    """What a step reports that has not started, or has ended, is refused, and nothing is written."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        workflow = Workflow(steps=(Step(id="a", action="work"), Step(id="b", action="work")))
        created = service.create_execution(
            session, clock, workspace_id=own, workflow_id="wf", workflow=workflow
        )
        scope = OfExecution(workspace_id=own, execution_id=created.id)
        service.begin(session, clock, **scope)
        service.advance(session, clock, **scope)
        repository.update_steps(session, created.id, ["a"], status=status)
        before = service.get_execution(session, **scope), service.get_steps(session, **scope)
        with pytest.raises(ConflictError, match=f"'a' is {status}"):
            service.complete_step(session, clock, **scope, step_id="a", output={})
        with pytest.raises(ConflictError, match=f"'a' is {status}"):
            service.fail_step(session, clock, **scope, step_id="a", error="broken")
        assert before == (service.get_execution(session, **scope), service.get_steps(session, **scope))


def test_a_step_of_a_cancelled_execution_waits_for_nothing(database: Database, clock: ManualClock) -> None:
    """One that was to be tried again later is left over, and keeps no time for it."""
    with database.session() as session:
        (own,) = factories.workspace_ids(session, 1)
        workflow = Workflow(steps=(Step(id="a", action="work"),))
        created = service.create_execution(
            session, clock, workspace_id=own, workflow_id="wf", workflow=workflow
        )
        scope = OfExecution(workspace_id=own, execution_id=created.id)
        service.begin(session, clock, **scope)
        service.advance(session, clock, **scope)
        service.fail_step(session, clock, **scope, step_id="a", error="broken")
        assert [step.not_before is None for step in service.get_steps(session, **scope)] == [False]
        service.cancel(session, clock, **scope)
        (step,) = service.get_steps(session, **scope)
        assert (step.status, step.not_before) == (StepStatus.SKIPPED, None)
