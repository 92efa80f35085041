"""Projects, their tasks and spending limits."""

revision = "0006_budgets"
down_revision = "0005_analytics_workflows"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
