"""Where an execution and its steps stand, and which way each may go from there."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from atom.kit.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Mapping


class ExecutionStatus(StrEnum):
    """Where the execution of a workflow stands."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    PARTIAL = "partial"
    CANCELLED = "cancelled"


class StepStatus(StrEnum):
    """Where one step of an execution stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


class IllegalTransitionError(ConflictError):
    """The execution cannot go from where it is to where it was sent."""

    title = "Not possible in this state"

    def __init__(self, *, source: ExecutionStatus, target: ExecutionStatus) -> None:
        allowed = ", ".join(sorted(TRANSITIONS[source])) or "nothing: it has ended"
        super().__init__(f"a {source} execution cannot become {target}; it can become {allowed}")
        self.source = source
        self.target = target


TRANSITIONS: Final[Mapping[ExecutionStatus, frozenset[ExecutionStatus]]] = {
    ExecutionStatus.PENDING: frozenset({ExecutionStatus.RUNNING}),
    ExecutionStatus.RUNNING: frozenset(
        {
            ExecutionStatus.COMPLETED,
            ExecutionStatus.FAILED,
            ExecutionStatus.PAUSED,
            ExecutionStatus.PARTIAL,
            ExecutionStatus.CANCELLED,
        }
    ),
    ExecutionStatus.PAUSED: frozenset({ExecutionStatus.RUNNING, ExecutionStatus.CANCELLED}),
    ExecutionStatus.COMPLETED: frozenset(),
    ExecutionStatus.FAILED: frozenset(),
    ExecutionStatus.PARTIAL: frozenset(),
    ExecutionStatus.CANCELLED: frozenset(),
}


def is_final(status: ExecutionStatus) -> bool:
    """Whether an execution never leaves this status."""
    return not TRANSITIONS[status]


def require_transition(source: ExecutionStatus, target: ExecutionStatus) -> None:
    """Raise unless an execution may go from one status to the other."""
    if target not in TRANSITIONS[source]:
        raise IllegalTransitionError(source=source, target=target)
