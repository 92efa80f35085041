"""Tables of governance: what waits for a person, what was blocked, what was proposed instead."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from atom.agents.maturity import AgentStatus
from atom.db.base import Base, ForeignId, PrimaryId
from atom.db.types import JsonObject, str_enum
from atom.governance.routing import Route, TriggerSource


class ApprovalStatus(StrEnum):
    """Where a question to a person stands; all but the first are final."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


class ProposalType(StrEnum):
    """What a proposal asks a person to decide on."""

    TRAINING = "training"
    ACTION = "action"
    ANALYSIS = "analysis"


class ProposalStatus(StrEnum):
    """Where a proposal stands."""

    PROPOSED = "proposed"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXECUTED = "executed"
    CANCELLED = "cancelled"


class QueueStatus(StrEnum):
    """Where an entry of the supervised queue stands."""

    PENDING = "pending"
    EXECUTING = "executing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class HitlAction(Base):
    """An action that a person has to approve before an agent takes it."""

    __tablename__ = "hitl_actions"
    __table_args__ = (
        CheckConstraint("(status = 'PENDING') = (reviewed_at IS NULL)", name="reviewed_at"),
        Index(None, "agent_id", "created_at"),
    )

    id: Mapped[PrimaryId]
    agent_id: Mapped[ForeignId] = mapped_column(ForeignKey("agent_registry.id", ondelete="CASCADE"))
    action_type: Mapped[str]
    params: Mapped[dict[str, Any]] = mapped_column(JsonObject, default=dict)
    status: Mapped[ApprovalStatus] = mapped_column(
        str_enum(ApprovalStatus, name="status"), default=ApprovalStatus.PENDING
    )
    created_at: Mapped[datetime]
    reviewed_at: Mapped[datetime | None]
    reviewed_by: Mapped[ForeignId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))


class AgentProposal(Base):
    """What an agent may not do yet, put to a person; `proposed_by` is empty where the router proposed it."""

    __tablename__ = "agent_proposals"
    __table_args__ = (Index(None, "agent_id", "created_at"),)

    id: Mapped[PrimaryId]
    agent_id: Mapped[ForeignId] = mapped_column(ForeignKey("agent_registry.id", ondelete="CASCADE"))
    type: Mapped[ProposalType] = mapped_column(str_enum(ProposalType, name="type"))
    status: Mapped[ProposalStatus] = mapped_column(
        str_enum(ProposalStatus, name="status"), default=ProposalStatus.PROPOSED
    )
    proposed_by: Mapped[ForeignId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    approved_by: Mapped[ForeignId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[datetime]
    changed_at: Mapped[datetime | None]


class BlockedTrigger(Base):
    """A trigger whose agent did not run, and the agent as it was at that moment."""

    __tablename__ = "blocked_triggers"
    __table_args__ = (
        CheckConstraint("confidence_at_block BETWEEN 0 AND 1", name="confidence_at_block"),
        Index(None, "agent_id", "created_at"),
    )

    id: Mapped[PrimaryId]
    agent_id: Mapped[ForeignId] = mapped_column(ForeignKey("agent_registry.id", ondelete="CASCADE"))
    maturity_at_block: Mapped[AgentStatus] = mapped_column(str_enum(AgentStatus, name="maturity_at_block"))
    confidence_at_block: Mapped[float]
    trigger_source: Mapped[TriggerSource] = mapped_column(str_enum(TriggerSource, name="trigger_source"))
    trigger_context: Mapped[dict[str, Any]] = mapped_column(JsonObject, default=dict)
    routing_decision: Mapped[Route] = mapped_column(str_enum(Route, name="routing_decision"))
    reason: Mapped[str]
    proposal_id: Mapped[ForeignId | None] = mapped_column(
        ForeignKey("agent_proposals.id", ondelete="SET NULL"), index=True
    )
    is_resolved: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]


class SupervisedQueueEntry(Base):
    """A run that waits for the supervisor."""

    __tablename__ = "supervised_queue"
    __table_args__ = (
        CheckConstraint("max_attempts > 0", name="max_attempts"),
        CheckConstraint("attempt_count BETWEEN 0 AND max_attempts", name="attempt_count"),
        CheckConstraint("expires_at > created_at", name="expires_at"),
        Index(None, "status", "priority", "created_at"),
    )

    id: Mapped[PrimaryId]
    agent_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("agent_registry.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[ForeignId] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    trigger_source: Mapped[TriggerSource] = mapped_column(str_enum(TriggerSource, name="trigger_source"))
    trigger_context: Mapped[dict[str, Any]] = mapped_column(JsonObject, default=dict)
    status: Mapped[QueueStatus] = mapped_column(
        str_enum(QueueStatus, name="status"), default=QueueStatus.PENDING
    )
    priority: Mapped[int] = mapped_column(default=0)
    attempt_count: Mapped[int] = mapped_column(default=0)
    max_attempts: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
