"""Metrics, workflow events, alerts, calls of integrations, workflow executions and their steps."""

import sqlalchemy as sa
from alembic import op

from atom.db.types import UtcDateTime, json_type, one_of

revision = "0005_analytics_workflows"
down_revision = "0004_governance_graduation"
branch_labels = None
depends_on = None

ID = sa.String(36)
NAME = sa.String(200)


def workspace_id(*, primary_key: bool = False) -> sa.Column[str]:
    return sa.Column(
        "workspace_id",
        ID,
        sa.ForeignKey("workspaces.id", ondelete="CASCADE"),
        nullable=False,
        primary_key=primary_key,
    )


def upgrade() -> None:
    op.create_table(
        "metric_points",
        sa.Column("id", ID, primary_key=True),
        workspace_id(),
        sa.Column("name", NAME, nullable=False),
        sa.Column("type", one_of("counter", "gauge", "histogram", "timer", name="type"), nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("workflow_id", NAME),
        sa.Column("tags", json_type(), nullable=False),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("type NOT IN ('counter', 'timer') OR value >= 0", name="value"),
        sa.Index(None, "workspace_id", "name", "recorded_at"),
    )
    op.create_table(
        "workflow_events",
        workspace_id(primary_key=True),
        sa.Column("event_id", NAME, primary_key=True),
        sa.Column("workflow_id", NAME, nullable=False),
        sa.Column("execution_id", NAME, nullable=False),
        sa.Column(
            "type",
            one_of("started", "completed", "step_started", "step_completed", "step_failed", name="type"),
            nullable=False,
        ),
        sa.Column(
            "status",
            one_of("running", "completed", "failed", "paused", "cancelled", "timeout", name="status"),
            nullable=False,
        ),
        sa.Column("step_id", NAME),
        sa.Column("user_id", NAME),
        sa.Column("duration_ms", sa.BigInteger),
        sa.Column("error", sa.String),
        sa.Column("time_saved_s", sa.BigInteger, nullable=False),
        sa.Column("business_value_minor", sa.BigInteger, nullable=False),
        sa.Column("occurred_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("duration_ms >= 0", name="duration_ms"),
        sa.CheckConstraint("time_saved_s >= 0", name="time_saved_s"),
        sa.CheckConstraint("business_value_minor >= 0", name="business_value_minor"),
        sa.CheckConstraint("type <> 'completed' OR status NOT IN ('running', 'paused')", name="outcome"),
        sa.Index(None, "workspace_id", "workflow_id", "occurred_at"),
        sa.Index(None, "workspace_id", "occurred_at"),
    )
    op.create_table(
        "alert_rules",
        sa.Column("id", ID, primary_key=True),
        workspace_id(),
        sa.Column("name", NAME, nullable=False),
        sa.Column("metric", NAME, nullable=False),
        sa.Column("threshold", sa.Double, nullable=False),
        sa.Column("severity", one_of("low", "medium", "high", "critical", name="severity"), nullable=False),
        sa.UniqueConstraint("workspace_id", "name"),
    )
    op.create_table(
        "alerts",
        sa.Column("id", ID, primary_key=True),
        sa.Column(
            "rule_id", ID, sa.ForeignKey("alert_rules.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("fired_at", UtcDateTime, nullable=False),
        sa.Column("fired_value", sa.Double, nullable=False),
        sa.Column("resolved_at", UtcDateTime),
        sa.Column("resolved_value", sa.Double),
        sa.CheckConstraint("(resolved_at IS NULL) = (resolved_value IS NULL)", name="resolved"),
        sa.Index(
            "uq_alerts_rule_id_unresolved",
            "rule_id",
            unique=True,
            sqlite_where=sa.text("resolved_at IS NULL"),
            postgresql_where=sa.text("resolved_at IS NULL"),
        ),
    )
    op.create_table(
        "integration_calls",
        workspace_id(primary_key=True),
        sa.Column("integration", NAME, primary_key=True),
        sa.Column("n_calls", sa.BigInteger, nullable=False),
        sa.Column("n_errors", sa.BigInteger, nullable=False),
        sa.Column("last_called_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("n_errors BETWEEN 0 AND n_calls", name="n_errors"),
    )
    op.create_table(
        "workflow_executions",
        sa.Column("id", ID, primary_key=True),
        workspace_id(),
        sa.Column("workflow_id", NAME, nullable=False),
        sa.Column("definition", json_type(), nullable=False),
        sa.Column("inputs", json_type(), nullable=False),
        sa.Column(
            "status",
            one_of(
                "pending", "running", "paused", "completed", "failed", "partial", "cancelled", name="status"
            ),
            nullable=False,
        ),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("ended_at", UtcDateTime),
        sa.CheckConstraint("version >= 1", name="version"),
        sa.Index(None, "workspace_id", "created_at", "id"),
    )
    op.create_table(
        "workflow_step_executions",
        sa.Column("id", ID, primary_key=True),
        sa.Column(
            "execution_id", ID, sa.ForeignKey("workflow_executions.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("step_id", NAME, nullable=False),
        sa.Column("sequence_order", sa.Integer, nullable=False),
        sa.Column(
            "status",
            one_of("pending", "running", "completed", "failed", "skipped", name="status"),
            nullable=False,
        ),
        sa.Column("retry_count", sa.Integer, nullable=False),
        sa.Column("not_before", UtcDateTime),
        sa.Column("started_at", UtcDateTime),
        sa.Column("duration_ms", sa.BigInteger),
        sa.Column("output", json_type(), nullable=False),
        sa.Column("error", sa.String),
        sa.UniqueConstraint("execution_id", "step_id"),
        sa.UniqueConstraint("execution_id", "sequence_order"),
        sa.CheckConstraint("retry_count BETWEEN 0 AND 3", name="retry_count"),
        sa.CheckConstraint("duration_ms >= 0", name="duration_ms"),
    )


def downgrade() -> None:
    for table in (
        "workflow_step_executions",
        "workflow_executions",
        "integration_calls",
        "alerts",
        "alert_rules",
        "workflow_events",
        "metric_points",
    ):
        op.drop_table(table)
