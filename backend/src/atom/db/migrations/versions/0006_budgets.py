"""Projects, their tasks, spending limits and what is reserved under them."""

import sqlalchemy as sa
from alembic import op

from atom.db.types import UtcDateTime, one_of

revision = "0006_budgets"
down_revision = "0005_analytics_workflows"
branch_labels = None
depends_on = None

ID = sa.String(36)
NAME = sa.String(200)


def upgrade() -> None:
    op.create_table(
        "projects",
        sa.Column("id", ID, primary_key=True),
        sa.Column("workspace_id", ID, sa.ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("budget_minor", sa.BigInteger, nullable=False),
        sa.Column("actual_burn_minor", sa.BigInteger, nullable=False),
        sa.Column(
            "budget_status",
            one_of("on_track", "at_risk", "over_budget", name="budget_status"),
            nullable=False,
        ),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("budget_minor BETWEEN 0 AND 1000000000000000", name="budget_minor"),
        sa.Index(None, "workspace_id", "created_at", "id"),
    )
    op.create_table(
        "project_tasks",
        sa.Column("id", ID, primary_key=True),
        sa.Column(
            "project_id", ID, sa.ForeignKey("projects.id", ondelete="CASCADE"), nullable=False, index=True
        ),
        sa.Column("title", NAME, nullable=False),
        sa.Column("assigned_to", ID, sa.ForeignKey("users.id", ondelete="SET NULL"), index=True),
        sa.Column("actual_minutes", sa.BigInteger, nullable=False),
        sa.CheckConstraint("actual_minutes BETWEEN 0 AND 10000000", name="actual_minutes"),
    )
    op.create_table(
        "spend_categories",
        sa.Column("id", ID, primary_key=True),
        sa.Column("workspace_id", ID, sa.ForeignKey("workspaces.id", ondelete="CASCADE"), nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("limit_minor", sa.BigInteger),
        sa.Column("spent_minor", sa.BigInteger, nullable=False),
        sa.Column("reserved_minor", sa.BigInteger, nullable=False),
        sa.Column("is_paused", sa.Boolean, nullable=False),
        sa.Column("required_deal_stage", NAME),
        sa.Column("required_milestone", NAME),
        sa.UniqueConstraint("workspace_id", "name"),
        sa.UniqueConstraint("id", "workspace_id"),
        sa.CheckConstraint("limit_minor BETWEEN 0 AND 1000000000000000", name="limit_minor"),
        sa.CheckConstraint("spent_minor BETWEEN 0 AND 1000000000000000000", name="spent_minor"),
        sa.CheckConstraint("reserved_minor BETWEEN 0 AND 1000000000000000000", name="reserved_minor"),
        sa.CheckConstraint("reserved_minor <= limit_minor", name="reserved_within_limit"),
    )
    op.create_table(
        "spend_reservations",
        sa.Column("id", ID, primary_key=True),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("category_id", ID, nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("spent_minor", sa.BigInteger),
        sa.Column("status", one_of("held", "settled", "released", name="status"), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("ended_at", UtcDateTime),
        sa.ForeignKeyConstraint(
            ["category_id", "workspace_id"],
            ["spend_categories.id", "spend_categories.workspace_id"],
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000000", name="amount_minor"),
        sa.CheckConstraint("spent_minor BETWEEN 0 AND amount_minor", name="spent_minor"),
        sa.CheckConstraint("(status = 'settled') = (spent_minor IS NOT NULL)", name="settled"),
        sa.CheckConstraint("(status = 'held') = (ended_at IS NULL)", name="ended"),
        sa.Index(None, "category_id", "workspace_id"),
    )


def downgrade() -> None:
    for table in ("spend_reservations", "spend_categories", "project_tasks", "projects"):
        op.drop_table(table)
