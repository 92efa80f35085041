"""Chat sessions and messages, episodes, their segments and their access log."""

revision = "0003_chat_episodes"
down_revision = "0002_ledger"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
