"""Every query on workflows, their executions and steps; none commits."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, bindparam, case, exists, insert, or_, select, tuple_, update
from sqlalchemy.orm import aliased

from atom.db.rows import RowsOf
from atom.db.statements import rows_changed, table_of
from atom.db.types import UtcDateTime
from atom.kit.errors import NotFoundError, StaleVersionError
from atom.workflows.models import WorkflowDefinition, WorkflowExecution, WorkflowStepExecution
from atom.workflows.rows import Execution, StepRecord
from atom.workflows.states import ExecutionStatus, StepStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy.orm import Session

    from atom.kit.pagination import PageRequest

Executions = table_of(WorkflowExecution)
Steps = table_of(WorkflowStepExecution)

ADD_EXECUTION: Final = insert(Executions)
ADD_STEPS: Final = insert(Steps)
EXECUTION: Final = RowsOf(Execution, Executions)
STEP: Final = RowsOf(StepRecord, Steps)
GET_EXECUTION: Final = select(*EXECUTION.columns, Executions.c.definition).where(
    Executions.c.id == bindparam("execution"), Executions.c.workspace_id == bindparam("workspace")
)
GET_STEPS: Final = (
    select(*STEP.columns)
    .where(Steps.c.execution_id == bindparam("execution"))
    .order_by(Steps.c.sequence_order)
)
GET_STEPS_OF_WORKSPACE: Final = GET_STEPS.join(Executions, Executions.c.id == Steps.c.execution_id).where(
    Executions.c.workspace_id == bindparam("workspace")
)
UPDATE_EXECUTION: Final = (
    update(Executions)
    .where(Executions.c.id == bindparam("execution"), Executions.c.version == bindparam("read_version"))
    .values(version=Executions.c.version + 1)
)
UPDATE_STEPS: Final = update(Steps).where(
    Steps.c.execution_id == bindparam("execution"), Steps.c.step_id.in_(bindparam("steps", expanding=True))
)
SKIP_UNFINISHED_STEPS: Final = (
    update(Steps)
    .where(
        Steps.c.execution_id == bindparam("execution"),
        Steps.c.status.in_([StepStatus.PENDING, StepStatus.RUNNING]),
    )
    .values(status=StepStatus.SKIPPED, not_before=None, claim_id=None, worker=None, lease_until=None)
)


def add_execution(
    session: Session,
    workspace_id: str,
    execution: Execution,
    definition: Mapping[str, Any],
    step_ids: Iterable[str],
) -> None:
    """Write an execution and its steps, in the order in which they are listed."""
    values = EXECUTION.values(execution)
    session.execute(ADD_EXECUTION, {**values, "workspace_id": workspace_id, "definition": definition})
    session.execute(
        ADD_STEPS,
        [
            {
                "execution_id": execution.id,
                "step_id": step_id,
                "sequence_order": place,
                "status": StepStatus.PENDING,
                "retry_count": 0,
                "output": {},
            }
            for place, step_id in enumerate(step_ids)
        ],
    )


def get_execution(session: Session, workspace_id: str, execution_id: str) -> Execution:
    """Return an execution of the workspace."""
    return get_run(session, workspace_id, execution_id)[0]


def get_run(session: Session, workspace_id: str, execution_id: str) -> tuple[Execution, Mapping[str, Any]]:
    """Return an execution of the workspace and the definition of its workflow."""
    parameters = {"execution": execution_id, "workspace": workspace_id}
    row = session.execute(GET_EXECUTION, parameters).one_or_none()
    if row is None:
        raise NotFoundError("workflow execution", execution_id)
    return EXECUTION.read(row), row.definition


def list_executions(
    session: Session,
    workspace_id: str,
    page: PageRequest,
    *,
    workflow_id: str | None,
    status: ExecutionStatus | None = None,
) -> list[Execution]:
    """Return executions of the workspace, the newest first: one more than a page holds, if there is one."""
    sought: dict[str, Any] = {"workspace": workspace_id, "most": page.limit + 1, "workflow": workflow_id}
    if page.after is not None:
        sought |= {"after_at": page.after.at, "after_id": page.after.id}
    statement = _list_executions(workflow_id is not None, page.after is not None)
    if status is not None:
        statement = statement.where(Executions.c.status == status)
    return EXECUTION.all(session.execute(statement, sought))


@functools.cache
def _list_executions(of_workflow: bool, is_after: bool) -> Select[Any]:
    query = (
        select(*EXECUTION.columns)
        .where(Executions.c.workspace_id == bindparam("workspace"))
        .order_by(Executions.c.created_at.desc(), Executions.c.id.desc())
        .limit(bindparam("most"))
    )
    if of_workflow:
        query = query.where(Executions.c.workflow_id == bindparam("workflow"))
    if is_after:
        place = tuple_(Executions.c.created_at, Executions.c.id)
        at = bindparam("after_at", type_=UtcDateTime())
        query = query.where(place < tuple_(at, bindparam("after_id", type_=Executions.c.id.type)))
    return query


def get_steps(session: Session, execution_id: str) -> list[StepRecord]:
    """Return the steps of an execution in their order."""
    return STEP.all(session.execute(GET_STEPS, {"execution": execution_id}))


def get_steps_of_workspace(session: Session, workspace_id: str, execution_id: str) -> list[StepRecord]:
    """Return the steps of an execution of the workspace in their order; every execution has one."""
    parameters = {"execution": execution_id, "workspace": workspace_id}
    found = STEP.all(session.execute(GET_STEPS_OF_WORKSPACE, parameters))
    if not found:
        raise NotFoundError("workflow execution", execution_id)
    return found


def update_execution(session: Session, execution: Execution, **values: Any) -> None:
    """Change an execution as it was read; raise if somebody has changed it since."""
    parameters = {"execution": execution.id, "read_version": execution.version, **values}
    if rows_changed(session, UPDATE_EXECUTION, parameters) != 1:
        msg = f"the execution is no longer at version {execution.version}; read it again"
        raise StaleVersionError(msg)


def update_steps(session: Session, execution_id: str, step_ids: Iterable[str], **values: Any) -> None:
    """Set the same values on some steps of an execution."""
    session.execute(UPDATE_STEPS, {"execution": execution_id, "steps": list(step_ids), **values})


def skip_unfinished_steps(session: Session, execution_id: str) -> None:
    """Mark every step that has not come to an end as skipped."""
    session.execute(SKIP_UNFINISHED_STEPS, {"execution": execution_id})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedStep:
    """A running step that a worker holds."""

    workspace_id: str
    execution_id: str
    step_id: str
    claim_id: str
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimableExecution:
    """A running execution with a step that may be due."""

    id: str
    workspace_id: str
    workflow_id: str


CLAIMED: Final = RowsOf(ClaimedStep, Steps, workspace_id=Executions.c.workspace_id)
CLAIMABLE: Final = RowsOf(ClaimableExecution, Executions)
RENEW_CLAIM: Final = update(Steps).where(Steps.c.claim_id == bindparam("claim"))
RETRIES: Final = select(Steps.c.retry_count).where(
    Steps.c.execution_id == bindparam("execution"), Steps.c.step_id == bindparam("step")
)


@functools.cache
def _claimed(in_workspace: bool) -> Select[Any]:
    query = (
        select(*CLAIMED.columns)
        .join_from(Steps, Executions, Executions.c.id == Steps.c.execution_id)
        .where(Steps.c.status == StepStatus.RUNNING, Steps.c.claim_id.is_not(None))
    )
    return query.where(Executions.c.workspace_id == bindparam("workspace")) if in_workspace else query


def get_claimed(session: Session, claim_id: str, *, workspace_id: str | None) -> ClaimedStep | None:
    """Return the running step that is held under a claim."""
    query = _claimed(workspace_id is not None).where(Steps.c.claim_id == bindparam("claim"))
    return CLAIMED.one(session.execute(query, {"claim": claim_id, "workspace": workspace_id}).all())


def find_lost(session: Session, *, now: datetime, workspace_id: str | None, limit: int) -> list[ClaimedStep]:
    """Return running steps whose lease has ended, the first to end first."""
    query = _claimed(workspace_id is not None).where(Steps.c.lease_until <= bindparam("now"))
    query = query.order_by(Steps.c.lease_until, Steps.c.id).limit(limit)
    return CLAIMED.all(session.execute(query, {"now": now, "workspace": workspace_id}))


def find_claimable(
    session: Session, *, now: datetime, workspace_id: str | None, limit: int
) -> list[ClaimableExecution]:
    """
    Return running executions in which a step may be started now, the oldest first.

    Those in which a step runs come last: their other steps may all have to wait for it.
    """
    is_busy = exists().where(Steps.c.execution_id == Executions.c.id, Steps.c.status == StepStatus.RUNNING)
    is_due = exists().where(
        Steps.c.execution_id == Executions.c.id,
        Steps.c.status == StepStatus.PENDING,
        or_(Steps.c.not_before.is_(None), Steps.c.not_before <= bindparam("now")),
    )
    query = (
        select(*CLAIMABLE.columns)
        .where(Executions.c.status == ExecutionStatus.RUNNING, is_due)
        .order_by(case((is_busy, 1), else_=0), Executions.c.created_at, Executions.c.id)
        .limit(limit)
    )
    if workspace_id is not None:
        query = query.where(Executions.c.workspace_id == workspace_id)
    return CLAIMABLE.all(session.execute(query, {"now": now}))


def renew_claim(session: Session, claim_id: str, *, until: datetime) -> None:
    """Let a claim end later."""
    session.execute(RENEW_CLAIM, {"claim": claim_id, "lease_until": until})


def retries_of(session: Session, execution_id: str, step_id: str) -> int:
    """Return how often a step was retried."""
    return int(session.scalars(RETRIES, {"execution": execution_id, "step": step_id}).one())


def newest_definition(session: Session, workspace_id: str, workflow_id: str) -> WorkflowDefinition | None:
    """Return the newest version of a workflow."""
    query = (
        select(WorkflowDefinition)
        .where(WorkflowDefinition.workspace_id == workspace_id, WorkflowDefinition.workflow_id == workflow_id)
        .order_by(WorkflowDefinition.version.desc())
        .limit(1)
    )
    return session.scalar(query)


def get_definition(
    session: Session, workspace_id: str, workflow_id: str, version: int
) -> WorkflowDefinition | None:
    """Return a version of a workflow."""
    return session.scalar(
        select(WorkflowDefinition).where(
            WorkflowDefinition.workspace_id == workspace_id,
            WorkflowDefinition.workflow_id == workflow_id,
            WorkflowDefinition.version == version,
        )
    )


def newest_definitions(
    session: Session, workspace_id: str, *, limit: int, after: str | None
) -> Sequence[WorkflowDefinition]:
    """Return the newest version of each workflow of a workspace by name."""
    newer = aliased(WorkflowDefinition)
    has_newer = exists().where(
        newer.workspace_id == WorkflowDefinition.workspace_id,
        newer.workflow_id == WorkflowDefinition.workflow_id,
        newer.version > WorkflowDefinition.version,
    )
    query = (
        select(WorkflowDefinition)
        .where(WorkflowDefinition.workspace_id == workspace_id, ~has_newer)
        .order_by(WorkflowDefinition.workflow_id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(WorkflowDefinition.workflow_id > after)
    return session.scalars(query).all()
