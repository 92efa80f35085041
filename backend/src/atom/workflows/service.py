"""
Running workflows: an execution is created, begun, and advanced step by step until it ends.

The caller runs the steps that `advance` assigns, and reports each with `complete_step` or `fail_step`. A
change is made against the version that was read: of two at once, one gets a `StaleVersionError`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from atom.kit.clock import moved
from atom.kit.errors import ConflictError, NotFoundError
from atom.kit.ids import new_id
from atom.kit.pagination import Cursor, Page, PageRequest
from atom.kit.text import check_json, checked_text
from atom.workflows import repository
from atom.workflows.definition import parse_workflow, render_workflow
from atom.workflows.rows import Execution, StepRecord
from atom.workflows.scheduling import Plan, StepState, backoff, may_retry, outcome, plan
from atom.workflows.states import ExecutionStatus, StepStatus, is_final, require_transition

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy.orm import Session

    from atom.kit.clock import Clock
    from atom.workflows.graph import Workflow

ERROR_LENGTH: Final = 2_000
MILLISECOND: Final = timedelta(milliseconds=1)


def create_execution(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    workflow_id: str,
    workflow: Workflow,
    inputs: Mapping[str, Any] | None = None,
) -> Execution:
    """Write a pending execution of the workflow with its steps."""
    name = checked_text(workflow_id, field="workflow_id")
    given = dict(inputs or {})
    check_json(given, field="inputs")
    execution = Execution(
        id=new_id(),
        workflow_id=name,
        status=ExecutionStatus.PENDING,
        version=1,
        inputs=given,
        created_at=clock.now(),
        started_at=None,
        ended_at=None,
    )
    repository.add_execution(session, workspace_id, execution, render_workflow(workflow), workflow.order)
    return execution


def get_execution(session: Session, *, workspace_id: str, execution_id: str) -> Execution:
    """Return an execution of the workspace."""
    return repository.get_execution(session, workspace_id, execution_id)


def list_executions(
    session: Session,
    *,
    workspace_id: str,
    page: PageRequest | None = None,
    workflow_id: str | None = None,
    status: ExecutionStatus | None = None,
) -> Page[Execution]:
    """Return the workspace's executions, the newest first."""
    page = page or PageRequest()
    found = repository.list_executions(session, workspace_id, page, workflow_id=workflow_id, status=status)
    return Page.cut(found, limit=page.limit, place=lambda one: Cursor(at=one.created_at, id=one.id))


def get_steps(session: Session, *, workspace_id: str, execution_id: str) -> tuple[StepRecord, ...]:
    """Return the steps of an execution, in an order in which they could run one by one."""
    return tuple(repository.get_steps_of_workspace(session, workspace_id, execution_id))


def begin(session: Session, clock: Clock, *, workspace_id: str, execution_id: str) -> Execution:
    """Let a pending execution run."""
    execution = repository.get_execution(session, workspace_id, execution_id)
    _require_status(execution, ExecutionStatus.PENDING, "begin")
    return _move(session, clock, execution, ExecutionStatus.RUNNING, started_at=clock.now())


def pause(session: Session, clock: Clock, *, workspace_id: str, execution_id: str) -> Execution:
    """Start no further step of a running execution; the steps that run may still report."""
    execution = repository.get_execution(session, workspace_id, execution_id)
    return _move(session, clock, execution, ExecutionStatus.PAUSED)


def resume(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    execution_id: str,
    inputs: Mapping[str, Any] | None = None,
) -> Execution:
    """Let a paused execution run on, with further inputs."""
    execution = repository.get_execution(session, workspace_id, execution_id)
    _require_status(execution, ExecutionStatus.PAUSED, "be resumed")
    given = {**execution.inputs, **(inputs or {})}
    check_json(given, field="inputs")
    return _move(session, clock, execution, ExecutionStatus.RUNNING, inputs=given)


def cancel(session: Session, clock: Clock, *, workspace_id: str, execution_id: str) -> Execution:
    """End a running or paused execution; what its steps report from now on is refused."""
    execution = repository.get_execution(session, workspace_id, execution_id)
    return _move(session, clock, execution, ExecutionStatus.CANCELLED)


def advance(
    session: Session, clock: Clock, *, workspace_id: str, execution_id: str, at_most: int | None = None
) -> Plan:
    """
    Mark the steps that can start now as running, and return them; if there are none, end or pause.

    `at_most` is how many the caller can run.
    """
    run = _load_run(session, workspace_id, execution_id)
    execution, workflow, states = run.execution, run.workflow, run.states
    _require_status(execution, ExecutionStatus.RUNNING, "advance")
    now = clock.now()
    found = plan(workflow, states, inputs=execution.inputs, now=now)
    if at_most is not None:
        found = replace(found, start=found.start[:at_most])
    if found.start:
        _write(session, clock, execution, ExecutionStatus.RUNNING)
        started = [assignment.step_id for assignment in found.start]
        repository.update_steps(
            session, execution_id, started, status=StepStatus.RUNNING, started_at=now, not_before=None
        )
    else:
        status = outcome(workflow, states, missing=found.missing)
        if status is not ExecutionStatus.RUNNING:
            _move(session, clock, execution, status)
    return found


def complete_step(
    session: Session,
    clock: Clock,
    *,
    workspace_id: str,
    execution_id: str,
    step_id: str,
    output: Mapping[str, Any],
) -> Execution:
    """Record what a running step returned; the last one to report ends the execution."""
    result = dict(output)
    check_json(result, field="output")
    run = _load_run(session, workspace_id, execution_id)
    step = run.running_step(step_id)
    done = StepState(status=StepStatus.COMPLETED, retry_count=step.retry_count, output=result)
    return _report(session, clock, run, step, done, error=None)


def fail_step(
    session: Session, clock: Clock, *, workspace_id: str, execution_id: str, step_id: str, error: str
) -> Execution:
    """Record that a running step failed: it is tried again after a while, three times at most."""
    message = checked_text(error, field="error", max_length=ERROR_LENGTH)
    run = _load_run(session, workspace_id, execution_id)
    step = run.running_step(step_id)
    if may_retry(step.retry_count):
        retry = step.retry_count + 1
        after = StepState(
            status=StepStatus.PENDING, retry_count=retry, not_before=moved(clock.now(), backoff(retry))
        )
    else:
        after = StepState(status=StepStatus.FAILED, retry_count=step.retry_count)
    return _report(session, clock, run, step, after, error=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """An execution with its steps."""

    execution: Execution
    definition: Mapping[str, Any]
    steps: Mapping[str, StepRecord]

    @property
    def workflow(self) -> Workflow:
        """The workflow as it was when the execution was created."""
        return parse_workflow(self.definition)

    @property
    def states(self) -> dict[str, StepState]:
        """The state of each step, as scheduling needs it."""
        return {
            step_id: StepState(
                status=row.status, retry_count=row.retry_count, output=row.output, not_before=row.not_before
            )
            for step_id, row in self.steps.items()
        }

    def running_step(self, step_id: str) -> StepRecord:
        """Return a step that may report."""
        step = self.steps.get(step_id)
        if step is None:
            raise NotFoundError("workflow step", step_id)
        if step.status is not StepStatus.RUNNING:
            raise ConflictError(f"step {step_id!r} is {step.status}, and only a running step can be reported")
        return step


def _load_run(session: Session, workspace_id: str, execution_id: str) -> _Run:
    execution, definition = repository.get_run(session, workspace_id, execution_id)
    steps = {step.step_id: step for step in repository.get_steps(session, execution.id)}
    return _Run(execution=execution, definition=definition, steps=steps)


def _require_status(execution: Execution, status: ExecutionStatus, action: str) -> None:
    if execution.status is not status:
        raise ConflictError(f"the execution is {execution.status}, only a {status} one can {action}")


def _report(
    session: Session, clock: Clock, run: _Run, step: StepRecord, after: StepState, *, error: str | None
) -> Execution:
    """Write what a running step came to, and what that means for its execution."""
    now = clock.now()
    written = _write(
        session, clock, run.execution, _status_after(run, {**run.states, step.step_id: after}, now)
    )
    repository.update_steps(
        session,
        run.execution.id,
        [step.step_id],
        status=after.status,
        retry_count=after.retry_count,
        not_before=after.not_before,
        output=after.output,
        claim_id=None,
        worker=None,
        lease_until=None,
        duration_ms=max(
            0, (now - (step.started_at or now)) // MILLISECOND
        ),  # clocks are set back now and then
        error=error,
    )
    if is_final(written.status):
        repository.skip_unfinished_steps(session, run.execution.id)
    return written


def _status_after(run: _Run, states: Mapping[str, StepState], now: datetime) -> ExecutionStatus:
    if run.execution.status is not ExecutionStatus.RUNNING:
        return ExecutionStatus(run.execution.status)  # paused while the step ran: it ends once it is resumed
    workflow = run.workflow
    missing = plan(workflow, states, inputs=run.execution.inputs, now=now).missing
    return outcome(workflow, states, missing=missing)


def _move(
    session: Session, clock: Clock, execution: Execution, target: ExecutionStatus, **values: Any
) -> Execution:
    """Bring an execution to another status, with its steps if that is the end."""
    require_transition(execution.status, target)
    written = _write(session, clock, execution, target, **values)
    if is_final(target):
        repository.skip_unfinished_steps(session, execution.id)
    return written


def _write(
    session: Session, clock: Clock, execution: Execution, status: ExecutionStatus, **values: Any
) -> Execution:
    """Write one more version of an execution as it was read, and return it."""
    changes = {"status": status, "ended_at": clock.now() if is_final(status) else None, **values}
    repository.update_execution(session, execution, **changes)
    return replace(execution, version=execution.version + 1, **changes)
