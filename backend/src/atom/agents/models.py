"""Tables of the agent registry: agents, what they ran, what people said about it."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from atom.agents.maturity import AgentStatus
from atom.db.base import Base, ForeignId, PrimaryId
from atom.db.types import JsonObject, str_enum


class ExecutionStatus(StrEnum):
    """Where a run of an agent stands."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


class ExecutionTrigger(StrEnum):
    """What started a run."""

    MANUAL = "manual"
    SCHEDULE = "schedule"
    WEBSOCKET = "websocket"
    EVENT = "event"


class FeedbackType(StrEnum):
    """How a person reacted."""

    CORRECTION = "correction"
    RATING = "rating"
    APPROVAL = "approval"
    COMMENT = "comment"
    THUMBS_UP = "thumbs_up"
    THUMBS_DOWN = "thumbs_down"


class FeedbackStatus(StrEnum):
    """What became of a piece of feedback."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class Agent(Base):
    """A registered agent of a workspace; its class is its identity."""

    __tablename__ = "agent_registry"
    __table_args__ = (
        UniqueConstraint("workspace_id", "module_path", "class_name"),
        Index(None, "workspace_id", "id"),
        CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str]
    category: Mapped[str]
    module_path: Mapped[str]
    class_name: Mapped[str]
    status: Mapped[AgentStatus] = mapped_column(
        str_enum(AgentStatus, name="status"), default=AgentStatus.STUDENT
    )
    confidence: Mapped[float | None] = mapped_column(default=0.5)
    version: Mapped[str] = mapped_column(default="1.0.0")
    configuration: Mapped[dict[str, Any]] = mapped_column(JsonObject, default=dict)


class AgentExecution(Base):
    """One run of an agent."""

    __tablename__ = "agent_executions"
    __table_args__ = (
        CheckConstraint("duration_seconds >= 0", name="duration_seconds"),
        Index(None, "agent_id", "started_at", "id"),
    )

    id: Mapped[PrimaryId]
    agent_id: Mapped[ForeignId] = mapped_column(ForeignKey("agent_registry.id", ondelete="CASCADE"))
    session_id: Mapped[ForeignId | None] = mapped_column(
        ForeignKey("chat_sessions.id", ondelete="SET NULL"), index=True
    )
    status: Mapped[ExecutionStatus] = mapped_column(
        str_enum(ExecutionStatus, name="status"), default=ExecutionStatus.PENDING
    )
    input_summary: Mapped[str | None]
    output_summary: Mapped[str | None]
    result_summary: Mapped[str | None]
    error_message: Mapped[str | None]
    triggered_by: Mapped[ExecutionTrigger] = mapped_column(
        str_enum(ExecutionTrigger, name="triggered_by"), default=ExecutionTrigger.MANUAL
    )
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    duration_seconds: Mapped[float | None]
    details: Mapped[dict[str, Any]] = mapped_column("metadata", JsonObject, default=dict)


class AgentFeedback(Base):
    """What a person said about an agent's output."""

    __tablename__ = "agent_feedback"
    __table_args__ = (CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),)

    id: Mapped[PrimaryId]
    agent_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("agent_registry.id", ondelete="CASCADE"), index=True
    )
    execution_id: Mapped[ForeignId | None] = mapped_column(
        ForeignKey("agent_executions.id", ondelete="SET NULL"), index=True
    )
    episode_id: Mapped[ForeignId | None] = mapped_column(
        ForeignKey("episodes.id", ondelete="SET NULL"), index=True
    )
    user_id: Mapped[ForeignId] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    original_output: Mapped[str | None]
    user_correction: Mapped[str | None]
    feedback_type: Mapped[FeedbackType] = mapped_column(str_enum(FeedbackType, name="feedback_type"))
    thumbs_up_down: Mapped[bool | None]
    rating: Mapped[int | None]
    status: Mapped[FeedbackStatus] = mapped_column(
        str_enum(FeedbackStatus, name="status"), default=FeedbackStatus.PENDING
    )
    reasoning: Mapped[str | None]
    created_at: Mapped[datetime]
    adjudicated_at: Mapped[datetime | None]
