"""Approvals, triggers, proposals, the supervised queue, training and supervision."""

import sqlalchemy as sa
from alembic import op

from atom.db.types import UtcDateTime, json_type, one_of

revision = "0004_governance_graduation"
down_revision = "0003_chat_episodes"
branch_labels = None
depends_on = None

ID = sa.String(36)
MATURITY = ("student", "intern", "supervised", "autonomous", "paused", "deprecated")
SOURCE = ("manual", "data_sync", "workflow_engine", "ai_coordinator")


def parent(
    name: str,
    table: str,
    *,
    ondelete: str = "CASCADE",
    index: bool | None = None,
    unique: bool | None = None,
) -> sa.Column[str]:
    key = sa.ForeignKey(f"{table}.id", ondelete=ondelete)
    return sa.Column(name, ID, key, nullable=ondelete == "SET NULL", index=index, unique=unique)


def upgrade() -> None:
    op.create_table(
        "hitl_actions",
        sa.Column("id", ID, primary_key=True),
        parent("agent_id", "agent_registry"),
        sa.Column("action_type", sa.String, nullable=False),
        sa.Column("params", json_type(), nullable=False),
        sa.Column(
            "status", one_of("PENDING", "APPROVED", "REJECTED", "EXPIRED", name="status"), nullable=False
        ),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("reviewed_at", UtcDateTime),
        parent("reviewed_by", "users", ondelete="SET NULL"),
        sa.CheckConstraint("(status = 'PENDING') = (reviewed_at IS NULL)", name="reviewed_at"),
    )
    op.create_index(None, "hitl_actions", ["agent_id", "created_at"])
    op.create_table(
        "agent_proposals",
        sa.Column("id", ID, primary_key=True),
        parent("agent_id", "agent_registry"),
        sa.Column("type", one_of("training", "action", "analysis", name="type"), nullable=False),
        sa.Column(
            "status",
            one_of("proposed", "approved", "rejected", "executed", "cancelled", name="status"),
            nullable=False,
        ),
        parent("proposed_by", "users", ondelete="SET NULL"),
        parent("approved_by", "users", ondelete="SET NULL"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("changed_at", UtcDateTime),
    )
    op.create_index(None, "agent_proposals", ["agent_id", "created_at"])
    op.create_table(
        "blocked_triggers",
        sa.Column("id", ID, primary_key=True),
        parent("agent_id", "agent_registry"),
        sa.Column("maturity_at_block", one_of(*MATURITY, name="maturity_at_block"), nullable=False),
        sa.Column("confidence_at_block", sa.Double, nullable=False),
        sa.Column("trigger_source", one_of(*SOURCE, name="trigger_source"), nullable=False),
        sa.Column("trigger_context", json_type(), nullable=False),
        sa.Column(
            "routing_decision",
            one_of(
                "run",
                "supervised_run",
                "supervised_queue",
                "training_proposal",
                "action_proposal",
                "refused",
                name="routing_decision",
            ),
            nullable=False,
        ),
        sa.Column("reason", sa.String, nullable=False),
        parent("proposal_id", "agent_proposals", ondelete="SET NULL", index=True),
        sa.Column("is_resolved", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("confidence_at_block BETWEEN 0 AND 1", name="confidence_at_block"),
    )
    op.create_index(None, "blocked_triggers", ["agent_id", "created_at"])
    op.create_table(
        "supervised_queue",
        sa.Column("id", ID, primary_key=True),
        parent("agent_id", "agent_registry", index=True),
        parent("user_id", "users", index=True),
        sa.Column("trigger_source", one_of(*SOURCE, name="trigger_source"), nullable=False),
        sa.Column("trigger_context", json_type(), nullable=False),
        sa.Column(
            "status",
            one_of("pending", "executing", "completed", "failed", "cancelled", name="status"),
            nullable=False,
        ),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("attempt_count", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("max_attempts > 0", name="max_attempts"),
        sa.CheckConstraint("attempt_count BETWEEN 0 AND max_attempts", name="attempt_count"),
        sa.CheckConstraint("expires_at > created_at", name="expires_at"),
    )
    op.create_index(None, "supervised_queue", ["status", "priority", "created_at"])
    op.create_table(
        "training_sessions",
        sa.Column("id", ID, primary_key=True),
        parent("proposal_id", "agent_proposals", unique=True),
        parent("agent_id", "agent_registry"),
        parent("supervisor_id", "users", ondelete="SET NULL"),
        sa.Column(
            "status",
            one_of("scheduled", "in_progress", "completed", "cancelled", "failed", name="status"),
            nullable=False,
        ),
        sa.Column("performance_score", sa.Double),
        sa.Column("confidence_boost", sa.Double),
        sa.Column("promoted_to_intern", sa.Boolean, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.CheckConstraint("performance_score BETWEEN 0 AND 1", name="performance_score"),
        sa.CheckConstraint("confidence_boost BETWEEN 0 AND 1", name="confidence_boost"),
        sa.CheckConstraint("(status = 'completed') = (performance_score IS NOT NULL)", name="completed"),
    )
    op.create_index(None, "training_sessions", ["agent_id", "created_at"])
    op.create_table(
        "supervision_sessions",
        sa.Column("id", ID, primary_key=True),
        parent("agent_id", "agent_registry"),
        parent("workspace_id", "workspaces", index=True),
        parent("supervisor_id", "users", ondelete="SET NULL"),
        sa.Column(
            "status", one_of("running", "completed", "interrupted", "failed", name="status"), nullable=False
        ),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("completed_at", UtcDateTime),
        sa.Column("duration_seconds", sa.Double),
        sa.Column("intervention_count", sa.Integer, nullable=False),
        sa.Column("interventions", json_type(), nullable=False),
        sa.Column("supervisor_rating", sa.Integer),
        sa.Column("confidence_boost", sa.Double),
        sa.CheckConstraint("intervention_count >= 0", name="intervention_count"),
        sa.CheckConstraint("supervisor_rating BETWEEN 1 AND 5", name="supervisor_rating"),
        sa.CheckConstraint("confidence_boost BETWEEN 0 AND 1", name="confidence_boost"),
        sa.CheckConstraint("duration_seconds >= 0", name="duration_seconds"),
        sa.CheckConstraint("(status = 'running') = (completed_at IS NULL)", name="completed_at"),
        sa.CheckConstraint("(status = 'completed') = (supervisor_rating IS NOT NULL)", name="rated"),
        sa.CheckConstraint("(status = 'running') = (duration_seconds IS NULL)", name="measured"),
    )
    op.create_index(None, "supervision_sessions", ["agent_id", "completed_at"])
    op.create_table(
        "promotions",
        sa.Column("id", ID, primary_key=True),
        parent("agent_id", "agent_registry"),
        parent("promoted_by", "users", ondelete="SET NULL"),
        sa.Column("from_status", one_of(*MATURITY, name="from_status"), nullable=False),
        sa.Column("to_status", one_of(*MATURITY, name="to_status"), nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("n_episodes", sa.Integer, nullable=False),
        sa.Column("intervention_rate", sa.Double, nullable=False),
        sa.Column("constitutional_score", sa.Double, nullable=False),
        sa.Column("confidence_before", sa.Double, nullable=False),
        sa.Column("confidence_after", sa.Double, nullable=False),
        sa.Column("promoted_at", UtcDateTime, nullable=False),
    )
    op.create_index(None, "promotions", ["agent_id", "promoted_at"])


def downgrade() -> None:
    for table in (
        "promotions",
        "supervision_sessions",
        "training_sessions",
        "supervised_queue",
        "blocked_triggers",
        "agent_proposals",
        "hitl_actions",
    ):
        op.drop_table(table)
