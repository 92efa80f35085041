"""What workflows read and write: executions and their steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from atom.workflows.states import ExecutionStatus, StepStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """An execution as it was when it was read."""

    id: str
    workflow_id: str
    status: ExecutionStatus
    version: int
    inputs: Mapping[str, Any]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """A step of an execution as it was when it was read."""

    step_id: str
    sequence_order: int
    status: StepStatus
    retry_count: int
    not_before: datetime | None
    started_at: datetime | None
    duration_ms: int | None
    output: Mapping[str, Any]
    error: str | None
