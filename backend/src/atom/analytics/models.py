"""Tables of analytics: measured values, workflow events, alert rules and alerts, calls of integrations."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from atom.analytics.alerts import Severity
from atom.analytics.vocabulary import EventStatus, EventType, MetricType
from atom.db.base import Base, ForeignId, PrimaryId
from atom.db.types import JsonObject, str_enum
from atom.kit.text import MAX_NAME


class MetricPoint(Base):
    """One measured value."""

    __tablename__ = "metric_points"
    __table_args__ = (
        CheckConstraint("type NOT IN ('counter', 'timer') OR value >= 0", name="value"),
        Index(None, "workspace_id", "name", "recorded_at"),
    )

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    type: Mapped[MetricType] = mapped_column(str_enum(MetricType, name="type"))
    value: Mapped[float]
    workflow_id: Mapped[str | None] = mapped_column(String(MAX_NAME))
    tags: Mapped[dict[str, Any]] = mapped_column(JsonObject)
    recorded_at: Mapped[datetime]


class WorkflowEvent(Base):
    """
    One event in a workflow's execution, known by the identifier that its sender gave it.

    Execution and user are names, not references: an event outlives what it tells of.
    """

    __tablename__ = "workflow_events"
    __table_args__ = (
        CheckConstraint("duration_ms >= 0", name="duration_ms"),
        CheckConstraint("time_saved_s >= 0", name="time_saved_s"),
        CheckConstraint("business_value_minor >= 0", name="business_value_minor"),
        CheckConstraint("type <> 'completed' OR status NOT IN ('running', 'paused')", name="outcome"),
        Index(None, "workspace_id", "workflow_id", "occurred_at"),
        Index(None, "workspace_id", "occurred_at"),
    )

    workspace_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    event_id: Mapped[str] = mapped_column(String(MAX_NAME), primary_key=True)
    workflow_id: Mapped[str] = mapped_column(String(MAX_NAME))
    execution_id: Mapped[str] = mapped_column(String(MAX_NAME))
    type: Mapped[EventType] = mapped_column(str_enum(EventType, name="type"))
    status: Mapped[EventStatus] = mapped_column(str_enum(EventStatus, name="status"))
    step_id: Mapped[str | None] = mapped_column(String(MAX_NAME))
    user_id: Mapped[str | None] = mapped_column(String(MAX_NAME))
    duration_ms: Mapped[int | None] = mapped_column(BigInteger)
    error: Mapped[str | None]
    time_saved_s: Mapped[int] = mapped_column(BigInteger)
    business_value_minor: Mapped[int] = mapped_column(BigInteger)
    occurred_at: Mapped[datetime]


class AlertRule(Base):
    """Above which value of a metric somebody wants to be told."""

    __tablename__ = "alert_rules"
    __table_args__ = (UniqueConstraint("workspace_id", "name"),)

    id: Mapped[PrimaryId]
    workspace_id: Mapped[ForeignId] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(MAX_NAME))
    metric: Mapped[str] = mapped_column(String(MAX_NAME))
    threshold: Mapped[float]
    severity: Mapped[Severity] = mapped_column(str_enum(Severity, name="severity"))


class Alert(Base):
    """One time that a rule fired; a rule has at most one alert that is not resolved."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "uq_alerts_rule_id_unresolved",
            "rule_id",
            unique=True,
            sqlite_where=text("resolved_at IS NULL"),
            postgresql_where=text("resolved_at IS NULL"),
        ),
        CheckConstraint("(resolved_at IS NULL) = (resolved_value IS NULL)", name="resolved"),
    )

    id: Mapped[PrimaryId]
    rule_id: Mapped[ForeignId] = mapped_column(ForeignKey("alert_rules.id", ondelete="CASCADE"), index=True)
    fired_at: Mapped[datetime]
    fired_value: Mapped[float]
    resolved_at: Mapped[datetime | None]
    resolved_value: Mapped[float | None]


class IntegrationCalls(Base):
    """How often another system was called, and how often in vain."""

    __tablename__ = "integration_calls"
    __table_args__ = (CheckConstraint("n_errors BETWEEN 0 AND n_calls", name="n_errors"),)

    workspace_id: Mapped[ForeignId] = mapped_column(
        ForeignKey("workspaces.id", ondelete="CASCADE"), primary_key=True
    )
    integration: Mapped[str] = mapped_column(String(MAX_NAME), primary_key=True)
    n_calls: Mapped[int] = mapped_column(BigInteger)
    n_errors: Mapped[int] = mapped_column(BigInteger)
    last_called_at: Mapped[datetime]
