"""Approvals, triggers, proposals, the supervised queue, training and supervision."""

revision = "0004_governance_graduation"
down_revision = "0003_chat_episodes"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
