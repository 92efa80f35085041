"""Chat sessions and messages, episodes, their segments, canvas actions and access log."""

import sqlalchemy as sa
from alembic import op

from atom.db.types import UtcDateTime, json_type, one_of

revision = "0003_chat_episodes"
down_revision = "0002_ledger"
branch_labels = None
depends_on = None

ID = sa.String(36)
MATURITY = ("student", "intern", "supervised", "autonomous", "paused", "deprecated")


def upgrade() -> None:
    _create_chat()
    _create_episodes()
    _create_parts_of_episodes()
    with op.batch_alter_table("agent_executions") as batch:
        batch.create_foreign_key(
            "fk_agent_executions_session_id_chat_sessions",
            "chat_sessions",
            ["session_id"],
            ["id"],
            ondelete="SET NULL",
        )
    with op.batch_alter_table("agent_feedback") as batch:
        batch.create_foreign_key(
            "fk_agent_feedback_episode_id_episodes", "episodes", ["episode_id"], ["id"], ondelete="SET NULL"
        )


def downgrade() -> None:
    with op.batch_alter_table("agent_feedback") as batch:
        batch.drop_constraint("fk_agent_feedback_episode_id_episodes", type_="foreignkey")
    with op.batch_alter_table("agent_executions") as batch:
        batch.drop_constraint("fk_agent_executions_session_id_chat_sessions", type_="foreignkey")
    for table in (
        "episode_access_logs",
        "episode_canvas_types",
        "canvas_actions",
        "episode_segments",
        "episodes",
        "chat_messages",
        "chat_sessions",
    ):
        op.drop_table(table)


def _workspace(*, index: bool = False) -> sa.Column[str]:
    owner = sa.ForeignKey("workspaces.id", ondelete="CASCADE")
    return sa.Column("workspace_id", ID, owner, nullable=False, index=index)


def _create_chat() -> None:
    op.create_table(
        "chat_sessions",
        sa.Column("id", ID, primary_key=True),
        _workspace(),
        sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("title", sa.String),
        sa.Column("metadata", json_type(), nullable=False),
        sa.Column("message_count", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.UniqueConstraint("id", "workspace_id"),
        sa.CheckConstraint("message_count >= 0", name="message_count"),
        sa.CheckConstraint("updated_at >= created_at", name="updated_at"),
        sa.Index(None, "workspace_id", "user_id", "updated_at", "id"),
    )
    op.create_table(
        "chat_messages",
        sa.Column("id", ID, primary_key=True),
        sa.Column("session_id", ID, nullable=False),
        _workspace(index=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("role", one_of("user", "assistant", "system", name="role"), nullable=False),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id", "workspace_id"],
            ["chat_sessions.id", "chat_sessions.workspace_id"],
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("session_id", "position"),
        sa.CheckConstraint("position >= 0", name="position"),
    )


def _create_episodes() -> None:
    op.create_table(
        "episodes",
        sa.Column("id", ID, primary_key=True),
        sa.Column("title", sa.String, nullable=False),
        sa.Column("description", sa.String),
        sa.Column("summary", sa.String),
        sa.Column(
            "agent_id", ID, sa.ForeignKey("agent_registry.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="SET NULL"), index=True),
        _workspace(),
        sa.Column("session_id", ID, sa.ForeignKey("chat_sessions.id", ondelete="SET NULL"), index=True),
        sa.Column("execution_ids", json_type(), nullable=False),
        sa.Column("canvas_ids", json_type(), nullable=False),
        sa.Column("feedback_ids", json_type(), nullable=False),
        sa.Column("canvas_action_count", sa.Integer, nullable=False),
        sa.Column("aggregate_feedback_score", sa.Double),
        sa.Column("supervisor_rating", sa.Integer),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("duration_seconds", sa.Integer),
        sa.Column(
            "status", one_of("active", "completed", "archived", "consolidated", name="status"), nullable=False
        ),
        sa.Column("topics", json_type(), nullable=False),
        sa.Column("entities", json_type(), nullable=False),
        sa.Column("importance", sa.Double, nullable=False),
        sa.Column("maturity_at_time", one_of(*MATURITY, name="maturity_at_time"), nullable=False),
        sa.Column("human_intervention_count", sa.Integer, nullable=False),
        sa.Column("human_edits", json_type(), nullable=False),
        sa.Column("constitutional_score", sa.Double),
        sa.Column("decay_score", sa.Double, nullable=False),
        sa.Column("access_count", sa.Integer, nullable=False),
        sa.Column("consolidated_into", ID, sa.ForeignKey("episodes.id", ondelete="SET NULL"), index=True),
        sa.Column("archived_at", UtcDateTime),
        sa.Column("embedding", sa.LargeBinary),
        sa.Column("embedding_model", sa.String),
        sa.CheckConstraint("ended_at >= started_at", name="ended_at"),
        sa.CheckConstraint("duration_seconds >= 0", name="duration_seconds"),
        sa.CheckConstraint("importance BETWEEN 0 AND 1", name="importance"),
        sa.CheckConstraint("decay_score BETWEEN 0 AND 1", name="decay_score"),
        sa.CheckConstraint("constitutional_score BETWEEN 0 AND 1", name="constitutional_score"),
        sa.CheckConstraint("aggregate_feedback_score BETWEEN -1 AND 1", name="aggregate_feedback_score"),
        sa.CheckConstraint("supervisor_rating BETWEEN 1 AND 5", name="supervisor_rating"),
        sa.CheckConstraint("canvas_action_count >= 0", name="canvas_action_count"),
        sa.CheckConstraint("human_intervention_count >= 0", name="human_intervention_count"),
        sa.CheckConstraint("access_count >= 0", name="access_count"),
        sa.CheckConstraint("consolidated_into <> id", name="consolidated_into"),
        sa.CheckConstraint("(embedding IS NULL) = (embedding_model IS NULL)", name="embedding"),
        sa.CheckConstraint("(status = 'archived') = (archived_at IS NOT NULL)", name="archived_at"),
        sa.Index(None, "workspace_id", "agent_id", "started_at", "id"),
    )


def _create_parts_of_episodes() -> None:
    op.create_table(
        "episode_segments",
        sa.Column("id", ID, primary_key=True),
        sa.Column("episode_id", ID, sa.ForeignKey("episodes.id", ondelete="CASCADE"), nullable=False),
        sa.Column(
            "segment_type",
            one_of("conversation", "execution", "reflection", name="segment_type"),
            nullable=False,
        ),
        sa.Column("sequence_order", sa.Integer, nullable=False),
        sa.Column("content", sa.String, nullable=False),
        sa.Column("content_summary", sa.String),
        sa.Column(
            "source_type",
            one_of("chat_message", "agent_execution", "manual", name="source_type"),
            nullable=False,
        ),
        sa.Column("source_id", ID),
        sa.Column("message_ids", json_type(), nullable=False),
        sa.UniqueConstraint("episode_id", "sequence_order"),
        sa.CheckConstraint("sequence_order >= 0", name="sequence_order"),
    )
    op.create_table(
        "canvas_actions",
        sa.Column("id", ID, primary_key=True),
        _workspace(index=True),
        sa.Column(
            "agent_id", ID, sa.ForeignKey("agent_registry.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("session_id", ID, sa.ForeignKey("chat_sessions.id", ondelete="SET NULL"), index=True),
        sa.Column("episode_id", ID, sa.ForeignKey("episodes.id", ondelete="SET NULL"), index=True),
        sa.Column("canvas_id", sa.String, nullable=False),
        sa.Column("canvas_type", sa.String, nullable=False),
        sa.Column("action", sa.String, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
    )
    op.create_table(
        "episode_canvas_types",
        sa.Column("episode_id", ID, sa.ForeignKey("episodes.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("canvas_type", sa.String, primary_key=True),
    )
    op.create_table(
        "episode_access_logs",
        sa.Column("id", ID, primary_key=True),
        _workspace(),
        sa.Column("episode_id", ID, sa.ForeignKey("episodes.id", ondelete="CASCADE"), index=True),
        sa.Column(
            "agent_id", ID, sa.ForeignKey("agent_registry.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="SET NULL"), index=True),
        sa.Column(
            "access_type",
            one_of("temporal", "semantic", "sequential", "contextual", name="access_type"),
            nullable=False,
        ),
        sa.Column("governance_check_passed", sa.Boolean, nullable=False),
        sa.Column(
            "agent_maturity_at_access", one_of(*MATURITY, name="agent_maturity_at_access"), nullable=False
        ),
        sa.Column("results_count", sa.Integer, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("governance_check_passed = (episode_id IS NOT NULL)", name="episode_id"),
        sa.CheckConstraint("results_count >= 0", name="results_count"),
        sa.Index(None, "workspace_id", "agent_id", "created_at"),
    )
