"""Accounts, transactions, entries and closed periods."""

revision = "0002_ledger"
down_revision = "0001_identity_agents"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
