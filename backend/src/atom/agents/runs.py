"""What is said of a run: when it starts, when it ends, and when runs are looked for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from atom.agents.models import ExecutionStatus, ExecutionTrigger

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_SUMMARY = 10_000


class Outcome(StrEnum):
    """How a run ended."""

    COMPLETED = "completed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewExecution:
    """What is known of a run when it starts."""

    chat_id: str | None = None
    triggered_by: ExecutionTrigger = ExecutionTrigger.MANUAL
    input_summary: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What is known of a run when it ends."""

    outcome: Outcome
    output_summary: str | None = None
    result_summary: str | None = None
    error_message: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFilter:
    """Which runs to list; the default lists all of the workspace."""

    agent_id: str | None = None
    chat_id: str | None = None
    status: ExecutionStatus | None = None
