"""Metrics, workflow events, alerts, workflow executions and their steps."""

revision = "0005_analytics_workflows"
down_revision = "0004_governance_graduation"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
