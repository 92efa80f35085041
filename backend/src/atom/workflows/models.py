"""Tables of workflows: definitions by version, executions, and their steps."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from atom.db.base import Base, ForeignId, PrimaryId
from atom.db.types import JsonObject, str_enum
from atom.kit.text import MAX_NAME
from atom.workflows.scheduling import MAX_RETRIES
from atom.workflows.states import ExecutionStatus, StepStatus


class WorkflowExecution(Base):
    """One run of a workflow, with the definition as it was then; `version` grows by one with every change."""

    __tablename__ = "workflow_executions"
    __table_args__ = (
        CheckConstraint("version >= 1", name="version"),
        Index(None, "workspace_id", "created_at", "id"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    workflow_id: Mapped[str] = mapped_column(String(MAX_NAME))
    definition: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    inputs: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    status: Mapped[ExecutionStatus] = mapped_column(str_enum(ExecutionStatus, name="status"))
    version: Mapped[int]
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class WorkflowStepExecution(Base):
    """One step of an execution."""

    __tablename__ = "workflow_step_executions"
    __table_args__ = (
        UniqueConstraint("execution_id", "step_id"),
        UniqueConstraint("execution_id", "sequence_order"),
        CheckConstraint(f"retry_count BETWEEN 0 AND {MAX_RETRIES}", name="retry_count"),
        CheckConstraint("duration_ms >= 0", name="duration_ms"),
        CheckConstraint(
            "(claim_id IS NULL) = (lease_until IS NULL) AND (claim_id IS NULL) = (worker IS NULL)",
            name="claim",
        ),
    )

    id: Mapped[PrimaryId]
    execution_id: Mapped[ForeignId] = mapped_column(ForeignKey("workflow_executions.id", ondelete="CASCADE"))
    step_id: Mapped[str] = mapped_column(String(MAX_NAME))
    sequence_order: Mapped[int]
    status: Mapped[StepStatus] = mapped_column(str_enum(StepStatus, name="status"))
    retry_count: Mapped[int]
    not_before: Mapped[datetime | None]
    started_at: Mapped[datetime | None]
    duration_ms: Mapped[int | None] = mapped_column(BigInteger)
    output: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    error: Mapped[str | None]
    claim_id: Mapped[ForeignId | None] = mapped_column(unique=True)
    worker: Mapped[str | None] = mapped_column(String(MAX_NAME))
    lease_until: Mapped[datetime | None] = mapped_column(index=True)


class WorkflowDefinition(Base):
    """One version of a workflow: its steps and connections as a document."""

    __tablename__ = "workflow_definitions"
    __table_args__ = (
        UniqueConstraint("workspace_id", "workflow_id", "version"),
        CheckConstraint("version >= 1", name="version"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    workflow_id: Mapped[str] = mapped_column(String(MAX_NAME))
    version: Mapped[int]
    definition: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    created_at: Mapped[datetime]
