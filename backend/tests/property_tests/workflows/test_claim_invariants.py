"""A claim finds each step that can run, although others cannot or are being changed by somebody else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st

from atom.kit.clock import ManualClock
from atom.kit.errors import ConflictError, StaleVersionError
from atom.workflows import claims, service
from atom.workflows.graph import Connection, Step, Workflow
from atom.workflows.states import StepStatus
from tests import factories
from tests.database import Database
from tests.factories import NOW
from tests.keywords import OfWorkspace
from tests.property_tests.conftest import scaled

N_EXECUTIONS = 3
WORKFLOW = Workflow(steps=(Step(id="a", action="work"),))
LEASE = timedelta(seconds=5)


@settings(scaled(0.5))
@given(changed=st.sets(st.integers(0, N_EXECUTIONS - 1)), reported=st.sets(st.integers(0, N_EXECUTIONS - 1)))
@example(changed={0}, reported={0})
def test_what_somebody_else_changes_keeps_nobody_from_the_rest(
    database: Database, changed: set[int], reported: set[int]
) -> None:
    """
    A claim passes over an execution that has just been changed, and over a lost step that has just been
    reported; it takes the other steps, and fails the other lost ones.
    """
    clock = ManualClock(NOW)
    with database.session() as session:
        (workspace_id,) = factories.workspace_ids(session, 1)
        where = OfWorkspace(workspace_id=workspace_id)
        ids = []
        for _ in range(N_EXECUTIONS):
            run = service.create_execution(session, clock, workflow_id="w", workflow=WORKFLOW, **where)
            service.begin(session, clock, execution_id=run.id, **where)
            ids.append(run.id)
            clock.advance(timedelta(seconds=1))

        def claim() -> set[int]:
            found = claims.claim_steps(
                session, clock, worker="w", limit=N_EXECUTIONS, lease=LEASE, workspace_id=workspace_id
            )
            return {ids.index(each.execution_id) for each in found}

        with passing_over("advance", {ids[i] for i in changed}, StaleVersionError("changed")):
            assert claim() == {0, 1, 2} - changed
        assert claim() == changed
        clock.advance(LEASE)
        with passing_over("fail_step", {ids[i] for i in reported}, ConflictError("reported")):
            assert claim() == set()
        for i, id_ in enumerate(ids):
            (step,) = service.get_steps(session, execution_id=id_, **where)
            expected = (StepStatus.RUNNING, 0) if i in reported else (StepStatus.PENDING, 1)
            assert (step.status, step.retry_count) == expected


CHAIN = Workflow(
    steps=(Step(id="a", action="work"), Step(id="b", action="work")),
    connections=(Connection(source="a", target="b"),),
)


@settings(scaled(0.5))
@given(n_looked_at=st.integers(1, 3), n_busy=st.integers(0, 4), n_idle=st.integers(1, 3))
@example(n_looked_at=1, n_busy=1, n_idle=2)
def test_a_step_that_can_run_is_found_behind_any_number_that_cannot(
    database: Database, n_looked_at: int, n_busy: int, n_idle: int
) -> None:
    """
    However few executions a claim looks at, those whose next step waits for one that runs hide no step that
    can run; of those the oldest execution's comes first.
    """
    clock = ManualClock(NOW)
    with database.session() as session, mock.patch.object(claims, "CANDIDATES", n_looked_at):
        (workspace_id,) = factories.workspace_ids(session, 1)
        where = OfWorkspace(workspace_id=workspace_id)

        def begin(n: int) -> list[str]:
            ids = []
            for _ in range(n):
                run = service.create_execution(session, clock, workflow_id="w", workflow=CHAIN, **where)
                ids.append(service.begin(session, clock, execution_id=run.id, **where).id)
                clock.advance(timedelta(microseconds=1))
            return ids

        def claim() -> list[str]:
            found = claims.claim_steps(
                session, clock, worker="w", limit=1, lease=LEASE, workspace_id=workspace_id
            )
            return [each.execution_id for each in found]

        busy = begin(n_busy)
        assert [claim() for _ in busy] == [[id_] for id_ in busy]
        idle = begin(n_idle)
        assert [claim() for _ in idle] == [[id_] for id_ in idle]
        assert claim() == []


def passing_over(name: str, execution_ids: set[str], error: Exception) -> Any:
    """Let a use case of executions raise an error for some of them, as if they had just been changed."""
    real = getattr(service, name)

    def use_case(*arguments: Any, execution_id: str, **options: Any) -> Any:
        if execution_id in execution_ids:
            raise error
        return real(*arguments, execution_id=execution_id, **options)

    return mock.patch.object(service, name, use_case)
