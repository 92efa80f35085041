"""Tables of episodes: conversations and runs that an agent remembers, their segments, and the access log."""

from __future__ import annotations

from array import array
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from atom.agents.maturity import AgentStatus
from atom.db.base import Base, ForeignId, PrimaryId
from atom.db.types import JsonList, str_enum
from atom.episodes.embedding import Vector
from atom.episodes.segmentation import SegmentType, SourceType

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect


class EpisodeStatus(StrEnum):
    """The status of an episode."""

    ACTIVE = "active"
    COMPLETED = "completed"
    ARCHIVED = "archived"
    CONSOLIDATED = "consolidated"


class AccessType(StrEnum):
    """How an episode was reached."""

    TEMPORAL = "temporal"
    SEMANTIC = "semantic"
    SEQUENTIAL = "sequential"
    CONTEXTUAL = "contextual"


class TimeRange(StrEnum):
    """How far back a recall by time goes."""

    DAY = "1d"
    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"

    @property
    def span(self) -> timedelta:
        """The time from its start until now."""
        return timedelta(days=int(self.value.removesuffix("d")))


class PackedVector(TypeDecorator[Vector]):
    """A vector as packed doubles: comes back exactly as it went in."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Vector | None, dialect: Dialect) -> bytes | None:  # noqa: ARG002
        """Pack the numbers."""
        return None if value is None else array("d", value).tobytes()

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Vector | None:  # noqa: ARG002
        """Unpack the numbers."""
        return None if value is None else tuple(array("d", value))


class Episode(Base):
    """
    A part of an agent's past: a conversation and the runs in it.

    Consolidation sets `consolidated_into` and leaves the status: what an agent has completed stays completed.
    """

    __tablename__ = "episodes"
    __table_args__ = (
        CheckConstraint("ended_at >= started_at", name="ended_at"),
        CheckConstraint("duration_seconds >= 0", name="duration_seconds"),
        CheckConstraint("importance BETWEEN 0 AND 1", name="importance"),
        CheckConstraint("decay_score BETWEEN 0 AND 1", name="decay_score"),
        CheckConstraint("constitutional_score BETWEEN 0 AND 1", name="constitutional_score"),
        CheckConstraint("aggregate_feedback_score BETWEEN -1 AND 1", name="aggregate_feedback_score"),
        CheckConstraint("supervisor_rating BETWEEN 1 AND 5", name="supervisor_rating"),
        CheckConstraint("canvas_action_count >= 0", name="canvas_action_count"),
        CheckConstraint("human_intervention_count >= 0", name="human_intervention_count"),
        CheckConstraint("access_count >= 0", name="access_count"),
        CheckConstraint("consolidated_into <> id", name="consolidated_into"),
        CheckConstraint("(embedding IS NULL) = (embedding_model IS NULL)", name="embedding"),
        CheckConstraint("(status = 'archived') = (archived_at IS NOT NULL)", name="archived_at"),
        Index(None, "workspace_id", "agent_id", "started_at", "id"),
    )

    id: Mapped[PrimaryId]
    title: Mapped[str]
    description: Mapped[str | None]
    summary: Mapped[str | None]
    agent_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("agent_registry.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[ForeignId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    session_id: Mapped[ForeignId | None] = mapped_column(
        ForeignKey("chat_sessions.id", ondelete="SET NULL"), index=True
    )
    execution_ids: Mapped[list[str]] = mapped_column(JsonList, default=list)
    canvas_ids: Mapped[list[str]] = mapped_column(JsonList, default=list)
    feedback_ids: Mapped[list[str]] = mapped_column(JsonList, default=list)
    canvas_action_count: Mapped[int] = mapped_column(default=0)
    aggregate_feedback_score: Mapped[float | None]
    supervisor_rating: Mapped[int | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    duration_seconds: Mapped[int | None]
    status: Mapped[EpisodeStatus] = mapped_column(
        str_enum(EpisodeStatus, name="status"), default=EpisodeStatus.ACTIVE
    )
    topics: Mapped[list[str]] = mapped_column(JsonList, default=list)
    entities: Mapped[list[str]] = mapped_column(JsonList, default=list)
    importance: Mapped[float] = mapped_column(default=0.5)
    maturity_at_time: Mapped[AgentStatus] = mapped_column(str_enum(AgentStatus, name="maturity_at_time"))
    human_intervention_count: Mapped[int] = mapped_column(default=0)
    human_edits: Mapped[list[Any]] = mapped_column(JsonList, default=list)
    constitutional_score: Mapped[float | None]
    decay_score: Mapped[float] = mapped_column(default=1.0)
    access_count: Mapped[int] = mapped_column(default=0)
    consolidated_into: Mapped[ForeignId | None] = mapped_column(
        ForeignKey("episodes.id", ondelete="SET NULL"), index=True
    )
    archived_at: Mapped[datetime | None]
    embedding: Mapped[Vector | None] = mapped_column(PackedVector)
    embedding_model: Mapped[str | None]


class EpisodeSegment(Base):
    """A part of an episode; `message_ids` are the chat messages it is made of, in order."""

    __tablename__ = "episode_segments"
    __table_args__ = (
        UniqueConstraint("episode_id", "sequence_order"),
        CheckConstraint("sequence_order >= 0", name="sequence_order"),
    )

    id: Mapped[PrimaryId]
    episode_id: Mapped[ForeignId] = mapped_column(ForeignKey("episodes.id", ondelete="CASCADE"))
    segment_type: Mapped[SegmentType] = mapped_column(str_enum(SegmentType, name="segment_type"))
    sequence_order: Mapped[int]
    content: Mapped[str]
    content_summary: Mapped[str | None]
    source_type: Mapped[SourceType] = mapped_column(str_enum(SourceType, name="source_type"))
    source_id: Mapped[ForeignId | None]
    message_ids: Mapped[list[str]] = mapped_column(JsonList, default=list)


class CanvasAction(Base):
    """Something an agent did on a canvas during a conversation; linked to the newest episode made of it."""

    __tablename__ = "canvas_actions"

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), index=True
    )
    agent_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("agent_registry.id", ondelete="CASCADE"), index=True
    )
    session_id: Mapped[ForeignId | None] = mapped_column(
        ForeignKey("chat_sessions.id", ondelete="SET NULL"), index=True
    )
    episode_id: Mapped[ForeignId | None] = mapped_column(
        ForeignKey("episodes.id", ondelete="SET NULL"), index=True
    )
    canvas_id: Mapped[str]
    canvas_type: Mapped[str]
    action: Mapped[str]
    created_at: Mapped[datetime]


class EpisodeCanvasType(Base):
    """A kind of canvas the agent worked on during an episode."""

    __tablename__ = "episode_canvas_types"

    episode_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True
    )
    canvas_type: Mapped[str] = mapped_column(primary_key=True)


class EpisodeAccessLog(Base):
    """One episode shown to somebody, or, without an episode, a look that was denied."""

    __tablename__ = "episode_access_logs"
    __table_args__ = (
        CheckConstraint("governance_check_passed = (episode_id IS NOT NULL)", name="episode_id"),
        CheckConstraint("results_count >= 0", name="results_count"),
        Index(None, "workspace_id", "agent_id", "created_at"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    episode_id: Mapped[ForeignId | None] = mapped_column(
        ForeignKey("episodes.id", ondelete="CASCADE"), index=True
    )
    agent_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("agent_registry.id", ondelete="CASCADE"), index=True
    )
    user_id: Mapped[ForeignId | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    access_type: Mapped[AccessType] = mapped_column(str_enum(AccessType, name="access_type"))
    governance_check_passed: Mapped[bool]
    agent_maturity_at_access: Mapped[AgentStatus] = mapped_column(
        str_enum(AgentStatus, name="agent_maturity_at_access")
    )
    results_count: Mapped[int]
    created_at: Mapped[datetime]
