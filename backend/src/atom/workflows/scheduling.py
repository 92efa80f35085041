"""Which steps of an execution to start now, when to try a failed one again, and how the execution ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from atom.workflows.states import ExecutionStatus, StepStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atom.workflows.graph import Reference, Workflow

MAX_CONCURRENT_STEPS: Final = 5
MAX_RETRIES: Final = 3
FIRST_BACKOFF: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepState:
    """Where a step stands: its output once it is completed, and not before when it may be tried again."""

    status: StepStatus = StepStatus.PENDING
    retry_count: int = 0
    output: Mapping[str, Any] = field(default_factory=dict)
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A step to be run now, with its inputs."""

    step_id: str
    action: str
    inputs: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingInput:
    """A step could run but for an input that nobody has given."""

    step_id: str
    name: str
    reference: Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What comes next: steps to start, inputs to ask for, or a time to wait for."""

    start: tuple[Assignment, ...] = ()
    missing: tuple[MissingInput, ...] = ()
    wait_until: datetime | None = None


def backoff(retry: int) -> timedelta:
    """Return how long to wait before a retry, counted from 1: 1, 2, then 4 seconds."""
    return FIRST_BACKOFF * (1 << (retry - 1))


def may_retry(retry_count: int) -> bool:
    """Whether a step that was retried so often may be tried once more."""
    return retry_count < MAX_RETRIES


def plan(
    workflow: Workflow,
    states: Mapping[str, StepState],
    *,
    inputs: Mapping[str, Any],
    now: datetime,
    max_concurrent: int = MAX_CONCURRENT_STEPS,
) -> Plan:
    """Return what to do next; steps start in the workflow's order while there is room and none has failed."""
    if any(state.status is StepStatus.FAILED for state in states.values()):
        return Plan()
    room = max_concurrent - sum(state.status is StepStatus.RUNNING for state in states.values())
    start: list[Assignment] = []
    missing: list[MissingInput] = []
    waits: list[datetime] = []
    for step_id in ready_steps(workflow, states):
        due = states[step_id].not_before
        if due is not None and due > now:
            waits.append(due)
            continue
        found = _resolve(workflow, step_id, states, inputs)
        if isinstance(found, Assignment):
            start.append(found)
        else:
            missing.extend(found)
    return Plan(
        start=tuple(start[: max(room, 0)]), missing=tuple(missing), wait_until=min(waits, default=None)
    )


def ready_steps(workflow: Workflow, states: Mapping[str, StepState]) -> tuple[str, ...]:
    """Return the steps not yet begun whose predecessors are completed and whose conditions hold, in order."""
    return tuple(
        step_id
        for step_id in workflow.order
        if states[step_id].status is StepStatus.PENDING and _is_open(workflow, step_id, states)
    )


def outcome(
    workflow: Workflow, states: Mapping[str, StepState], *, missing: Sequence[MissingInput]
) -> ExecutionStatus:
    """Return where a running execution stands now: running while a step runs or can still run."""
    statuses = {state.status for state in states.values()}
    if StepStatus.RUNNING in statuses:
        return ExecutionStatus.RUNNING
    if StepStatus.FAILED in statuses:
        return ExecutionStatus.FAILED
    ready = ready_steps(workflow, states)
    if len(ready) > len({need.step_id for need in missing}):
        return ExecutionStatus.RUNNING
    if missing:
        return ExecutionStatus.PAUSED
    return ExecutionStatus.COMPLETED if statuses == {StepStatus.COMPLETED} else ExecutionStatus.PARTIAL


def _is_open(workflow: Workflow, step_id: str, states: Mapping[str, StepState]) -> bool:
    return all(
        states[connection.source].status is StepStatus.COMPLETED
        and (connection.condition is None or connection.condition.holds(states[connection.source].output))
        for connection in workflow.incoming[step_id]
    )


def _resolve(
    workflow: Workflow, step_id: str, states: Mapping[str, StepState], inputs: Mapping[str, Any]
) -> Assignment | list[MissingInput]:
    step = workflow.step(step_id)
    resolved: dict[str, Any] = {}
    missing: list[MissingInput] = []
    for name, reference in step.inputs.items():
        output = {} if reference.step is None else states[reference.step].output
        if reference.key in output:
            resolved[name] = output[reference.key]
        elif reference.name in inputs:
            resolved[name] = inputs[reference.name]
        else:
            missing.append(MissingInput(step_id=step_id, name=name, reference=reference))
    return missing or Assignment(step_id=step_id, action=step.action, inputs=resolved)
