"""Every query on workflow executions, each statement built once; each names the workspace, none commits."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, bindparam, insert, select, tuple_, update

from atom.db.statements import rows_changed, table_of
from atom.db.types import UtcDateTime
from atom.kit.errors import NotFoundError, StaleVersionError
from atom.workflows.models import WorkflowExecution, WorkflowStepExecution
from atom.workflows.states import StepStatus

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Row
    from sqlalchemy.orm import Session

    from atom.kit.pagination import PageRequest

Executions = table_of(WorkflowExecution)
Steps = table_of(WorkflowStepExecution)

ADD_EXECUTION: Final = insert(Executions)
ADD_STEPS: Final = insert(Steps)
GET_EXECUTION: Final = select(Executions).where(
    Executions.c.id == bindparam("execution"), Executions.c.workspace_id == bindparam("workspace")
)
GET_STEPS: Final = (
    select(Steps).where(Steps.c.execution_id == bindparam("execution")).order_by(Steps.c.sequence_order)
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
    .values(status=StepStatus.SKIPPED, not_before=None)
)


def add_execution(session: Session, values: Mapping[str, Any], step_ids: Iterable[str]) -> None:
    """Write an execution and its steps, in the order in which they are listed."""
    session.execute(ADD_EXECUTION, dict(values))
    session.execute(
        ADD_STEPS,
        [
            {
                "execution_id": values["id"],
                "step_id": step_id,
                "sequence_order": place,
                "status": StepStatus.PENDING,
                "retry_count": 0,
                "output": {},
            }
            for place, step_id in enumerate(step_ids)
        ],
    )


def get_execution(session: Session, workspace_id: str, execution_id: str) -> Row[Any]:
    """Return an execution of the workspace."""
    parameters = {"execution": execution_id, "workspace": workspace_id}
    found = session.execute(GET_EXECUTION, parameters).one_or_none()
    if found is None:
        raise NotFoundError("workflow execution", execution_id)
    return found


def list_executions(
    session: Session, workspace_id: str, page: PageRequest, *, workflow_id: str | None
) -> list[Row[Any]]:
    """Return executions of the workspace, the newest first: one more than a page holds, if there is one."""
    sought: dict[str, Any] = {"workspace": workspace_id, "most": page.limit + 1, "workflow": workflow_id}
    if page.after is not None:
        sought |= {"after_at": page.after.at, "after_id": page.after.id}
    statement = _list_executions(workflow_id is not None, page.after is not None)
    return list(session.execute(statement, sought))


@functools.cache
def _list_executions(of_workflow: bool, is_after: bool) -> Select[Any]:
    query = (
        select(Executions)
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


def get_steps(session: Session, execution_id: str) -> list[Row[Any]]:
    """Return the steps of an execution in their order."""
    return list(session.execute(GET_STEPS, {"execution": execution_id}))


def get_steps_of_workspace(session: Session, workspace_id: str, execution_id: str) -> list[Row[Any]]:
    """Return the steps of an execution of the workspace in their order; every execution has one."""
    parameters = {"execution": execution_id, "workspace": workspace_id}
    found = list(session.execute(GET_STEPS_OF_WORKSPACE, parameters))
    if not found:
        raise NotFoundError("workflow execution", execution_id)
    return found


def update_execution(session: Session, execution: Row[Any], **values: Any) -> None:
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
