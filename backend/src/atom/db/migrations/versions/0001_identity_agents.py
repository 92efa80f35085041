"""Workspaces, users, API keys, agents, their executions and the feedback on them."""

import sqlalchemy as sa
from alembic import op

from atom.db.types import UtcDateTime, json_type, one_of

revision = "0001_identity_agents"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(36)


def upgrade() -> None:
    op.create_table(
        "workspaces",
        sa.Column("id", ID, primary_key=True),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("status", one_of("active", "suspended", "trial", "expired", name="status"), nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("id", ID, primary_key=True),
        sa.Column(
            "workspace_id", ID, sa.ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("email", sa.String, nullable=False, unique=True),
        sa.Column(
            "role",
            one_of(
                "super_admin",
                "security_admin",
                "workspace_admin",
                "workflow_admin",
                "automation_admin",
                "integration_admin",
                "compliance_admin",
                "team_lead",
                "member",
                "guest",
                name="role",
            ),
            nullable=False,
        ),
        sa.Column("specialty", sa.String),
        sa.Column("hourly_cost_rate_minor", sa.BigInteger, nullable=False),
        sa.CheckConstraint("hourly_cost_rate_minor >= 0", name="hourly_cost_rate"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", ID, primary_key=True),
        sa.Column(
            "workspace_id", ID, sa.ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("scope", one_of("read", "write", "admin", name="scope"), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
    )
    op.create_table(
        "agent_registry",
        sa.Column("id", ID, primary_key=True),
        sa.Column("workspace_id", ID, sa.ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("category", sa.String, nullable=False),
        sa.Column("module_path", sa.String, nullable=False),
        sa.Column("class_name", sa.String, nullable=False),
        sa.Column(
            "status",
            one_of("student", "intern", "supervised", "autonomous", "paused", "deprecated", name="status"),
            nullable=False,
        ),
        sa.Column("confidence", sa.Double),
        sa.Column("version", sa.String, nullable=False),
        sa.Column("configuration", json_type(), nullable=False),
        sa.UniqueConstraint("workspace_id", "module_path", "class_name"),
        sa.CheckConstraint("confidence BETWEEN 0 AND 1", name="confidence"),
    )
    op.create_table(
        "agent_executions",
        sa.Column("id", ID, primary_key=True),
        sa.Column(
            "agent_id", ID, sa.ForeignKey("agent_registry.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("session_id", ID, index=True),
        sa.Column(
            "status", one_of("pending", "running", "completed", "failed", name="status"), nullable=False
        ),
        sa.Column("input_summary", sa.String),
        sa.Column("output_summary", sa.String),
        sa.Column("result_summary", sa.String),
        sa.Column("error_message", sa.String),
        sa.Column(
            "triggered_by",
            one_of("manual", "schedule", "websocket", "event", name="triggered_by"),
            nullable=False,
        ),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("completed_at", UtcDateTime),
        sa.Column("duration_seconds", sa.Double),
        sa.Column("metadata", json_type(), nullable=False),
        sa.CheckConstraint("duration_seconds >= 0", name="duration_seconds"),
    )
    op.create_table(
        "agent_feedback",
        sa.Column("id", ID, primary_key=True),
        sa.Column(
            "agent_id", ID, sa.ForeignKey("agent_registry.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("execution_id", ID, sa.ForeignKey("agent_executions.id", ondelete="SET NULL"), index=True),
        sa.Column("episode_id", ID, index=True),
        sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("original_output", sa.String),
        sa.Column("user_correction", sa.String),
        sa.Column(
            "feedback_type",
            one_of(
                "correction",
                "rating",
                "approval",
                "comment",
                "thumbs_up",
                "thumbs_down",
                name="feedback_type",
            ),
            nullable=False,
        ),
        sa.Column("thumbs_up_down", sa.Boolean),
        sa.Column("rating", sa.Integer),
        sa.Column("status", one_of("pending", "accepted", "rejected", name="status"), nullable=False),
        sa.Column("reasoning", sa.String),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("adjudicated_at", UtcDateTime),
        sa.CheckConstraint("rating BETWEEN 1 AND 5", name="rating"),
    )


def downgrade() -> None:
    for table in ("agent_feedback", "agent_executions", "agent_registry", "api_keys", "users", "workspaces"):
        op.drop_table(table)
