"""Tables of graduation: trainings, supervised sessions, and the record of every promotion."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from atom.agents.maturity import AgentStatus
from atom.db.base import Base, ForeignId, PrimaryId
from atom.db.types import JsonList, str_enum


class TrainingStatus(StrEnum):
    """Where a training stands."""

    SCHEDULED = "scheduled"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


class SupervisionStatus(StrEnum):
    """Where a supervised session stands; a pause leaves it running."""

    RUNNING = "running"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


class TrainingSession(Base):
    """A training, made from an approved proposal."""

    __tablename__ = "training_sessions"
    __table_args__ = (
        CheckConstraint("performance_score BETWEEN 0 AND 1", name="performance_score"),
        CheckConstraint("confidence_boost BETWEEN 0 AND 1", name="confidence_boost"),
        CheckConstraint("(status = 'completed') = (performance_score IS NOT NULL)", name="completed"),
        Index(None, "agent_id", "created_at"),
    )

    id: Mapped[PrimaryId]
    proposal_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("agent_proposals.id", ondelete="CASCADE"), unique=True
    )
    agent_id: Mapped[ForeignId] = mapped_column(ForeignKey("agent_registry.id", ondelete="CASCADE"))
    supervisor_id: Mapped[ForeignId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    status: Mapped[TrainingStatus] = mapped_column(
        str_enum(TrainingStatus, name="status"), default=TrainingStatus.SCHEDULED
    )
    performance_score: Mapped[float | None]
    confidence_boost: Mapped[float | None]
    promoted_to_intern: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SupervisionSession(Base):
    """A run under a person's eyes, and every time they stepped in."""

    __tablename__ = "supervision_sessions"
    __table_args__ = (
        CheckConstraint("intervention_count >= 0", name="intervention_count"),
        CheckConstraint("supervisor_rating BETWEEN 1 AND 5", name="supervisor_rating"),
        CheckConstraint("confidence_boost BETWEEN 0 AND 1", name="confidence_boost"),
        CheckConstraint("duration_seconds >= 0", name="duration_seconds"),
        CheckConstraint("(status = 'running') = (completed_at IS NULL)", name="completed_at"),
        CheckConstraint("(status = 'completed') = (supervisor_rating IS NOT NULL)", name="rated"),
        CheckConstraint("(status = 'running') = (duration_seconds IS NULL)", name="measured"),
        Index(None, "agent_id", "completed_at"),
    )

    id: Mapped[PrimaryId]
    agent_id: Mapped[ForeignId] = mapped_column(ForeignKey("agent_registry.id", ondelete="CASCADE"))
    workspace_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    supervisor_id: Mapped[ForeignId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    status: Mapped[SupervisionStatus] = mapped_column(
        str_enum(SupervisionStatus, name="status"), default=SupervisionStatus.RUNNING
    )
    started_at: Mapped[datetime]
    completed_at: Mapped[datetime | None]
    duration_seconds: Mapped[float | None]
    intervention_count: Mapped[int] = mapped_column(default=0)
    interventions: Mapped[list[dict[str, Any]]] = mapped_column(JsonList, default=list)
    supervisor_rating: Mapped[int | None]
    confidence_boost: Mapped[float | None]


class Promotion(Base):
    """One rung climbed: what the agent showed for it, and who let it."""

    __tablename__ = "promotions"
    __table_args__ = (Index(None, "agent_id", "promoted_at"),)

    id: Mapped[PrimaryId]
    agent_id: Mapped[ForeignId] = mapped_column(ForeignKey("agent_registry.id", ondelete="CASCADE"))
    promoted_by: Mapped[ForeignId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    from_status: Mapped[AgentStatus] = mapped_column(str_enum(AgentStatus, name="from_status"))
    to_status: Mapped[AgentStatus] = mapped_column(str_enum(AgentStatus, name="to_status"))
    score: Mapped[float]
    n_episodes: Mapped[int]
    intervention_rate: Mapped[float]
    constitutional_score: Mapped[float]
    confidence_before: Mapped[float]
    confidence_after: Mapped[float]
    promoted_at: Mapped[datetime]
