"""What an execution keeps while it waits."""

from __future__ import annotations

from atom.kit.clock import ManualClock
from atom.workflows import service
from atom.workflows.graph import Step, Workflow
from tests import factories
from tests.database import Database


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
        scope = {"workspace_id": own, "execution_id": created.id}
        service.begin(session, clock, **scope)
        for given, expected in [
            ({"to": "b", "note": "x"}, {"amount": 1, "to": "b", "note": "x"}),
            (None, {"amount": 1, "to": "b", "note": "x"}),
        ]:
            service.pause(session, clock, **scope)
            assert service.resume(session, clock, **scope, inputs=given).inputs == expected
            assert service.get_execution(session, **scope).inputs == expected
