"""Accounts, transactions, entries and closed periods."""

from typing import NamedTuple

import sqlalchemy as sa
from alembic import op

from atom.db.types import UtcDateTime, one_of

revision = "0002_ledger"
down_revision = "0001_identity_agents"
branch_labels = None
depends_on = None

ID = sa.String(36)
MAX_AMOUNT_MINOR = 10**15
MAX_BALANCE_MINOR = 10**18

ALWAYS = "TRUE"
IS_UNBALANCED = """
    NEW.status = 'posted' AND (
        SELECT count(*) < 2 OR sum(CASE side WHEN 'debit' THEN amount_minor ELSE -amount_minor END) <> 0
        FROM journal_entries WHERE transaction_id = NEW.id
    )"""
IS_IN_CLOSED_PERIOD = """
    NEW.status IN ('pending', 'posted') AND EXISTS (
        SELECT 1 FROM closed_periods
        WHERE workspace_id = NEW.workspace_id AND NEW.transaction_date BETWEEN starts_on AND ends_on
    )"""
IS_NOT_PENDING = "(SELECT status FROM ledger_transactions WHERE id = NEW.transaction_id) <> 'pending'"


class Guard(NamedTuple):
    """
    A trigger that refuses a write under a condition.

    Where the condition reads another row, PostgreSQL first waits for whoever changes it; SQLite has one
    writer at a time.
    """

    name: str
    operation: str
    table: str
    condition: str
    message: str
    wait_for: str | None = None


OWN_HEADER = "ledger_transactions WHERE id = NEW.transaction_id FOR SHARE"
CLOSING = "workspaces WHERE id = NEW.workspace_id FOR KEY SHARE"

# Entries are written before their header, which is checked against them; that every entry has one in the end
# is up to the deferred foreign key.
GUARDS = (
    Guard("entry_is_final", "UPDATE", "journal_entries", ALWAYS, "an entry never changes"),
    Guard("entry_stays", "DELETE", "journal_entries", ALWAYS, "an entry is never deleted"),
    Guard("entry_is_in_time", "INSERT", "journal_entries", IS_NOT_PENDING, "it is final", OWN_HEADER),
    Guard("transaction_is_final", "UPDATE", "ledger_transactions", "OLD.status <> 'pending'", "it is final"),
    Guard("transaction_stays", "DELETE", "ledger_transactions", ALWAYS, "a transaction is never deleted"),
    Guard("transaction_balances", "INSERT", "ledger_transactions", IS_UNBALANCED, "it does not balance"),
    Guard("draft_balances", "UPDATE", "ledger_transactions", IS_UNBALANCED, "it does not balance"),
    Guard(
        "transaction_is_in_time",
        "INSERT",
        "ledger_transactions",
        IS_IN_CLOSED_PERIOD,
        "it is closed",
        CLOSING,
    ),
    Guard("draft_is_in_time", "UPDATE", "ledger_transactions", IS_IN_CLOSED_PERIOD, "it is closed", CLOSING),
)


def upgrade() -> None:
    op.create_table(
        "ledger_accounts",
        sa.Column("id", ID, primary_key=True),
        sa.Column("workspace_id", ID, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("code", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column(
            "type", one_of("asset", "expense", "liability", "equity", "revenue", name="type"), nullable=False
        ),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("is_active", sa.Boolean, nullable=False),
        sa.Column("balance_minor", sa.BigInteger, nullable=False),
        sa.Column("floor_minor", sa.BigInteger),
        sa.Column("version", sa.Integer, nullable=False),
        sa.UniqueConstraint("workspace_id", "code"),
        sa.UniqueConstraint("id", "workspace_id", "currency"),
        sa.CheckConstraint("balance_minor >= floor_minor", name="floor"),
        sa.CheckConstraint(
            f"balance_minor BETWEEN -{MAX_BALANCE_MINOR} AND {MAX_BALANCE_MINOR}", name="balance_range"
        ),
        sa.CheckConstraint("length(currency) = 3", name="currency"),
    )
    op.create_table(
        "ledger_transactions",
        sa.Column("id", ID, primary_key=True),
        sa.Column("workspace_id", ID, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("external_id", sa.String),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("description", sa.String),
        sa.Column(
            "status", one_of("pending", "posted", "failed", "cancelled", name="status"), nullable=False
        ),
        sa.Column("transaction_date", sa.Date, nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.Column("project_id", ID, index=True),
        sa.Column("reverses_id", ID, sa.ForeignKey("ledger_transactions.id"), unique=True),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("posted_at", UtcDateTime),
        sa.UniqueConstraint("workspace_id", "external_id"),
        sa.UniqueConstraint("id", "workspace_id", "currency"),
        sa.CheckConstraint(f"amount_minor BETWEEN 1 AND {MAX_BALANCE_MINOR}", name="amount_minor"),
        sa.CheckConstraint("(status = 'posted') = (posted_at IS NOT NULL)", name="posted_at"),
        sa.Index(None, "workspace_id", "transaction_date", "id"),
    )
    op.create_table(
        "journal_entries",
        sa.Column("id", ID, primary_key=True),
        sa.Column("transaction_id", ID, nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("workspace_id", ID, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("side", one_of("debit", "credit", name="side"), nullable=False),
        sa.Column("amount_minor", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["transaction_id", "workspace_id", "currency"],
            ["ledger_transactions.id", "ledger_transactions.workspace_id", "ledger_transactions.currency"],
            deferrable=True,
            initially="DEFERRED",
        ),
        sa.ForeignKeyConstraint(
            ["account_id", "workspace_id", "currency"],
            ["ledger_accounts.id", "ledger_accounts.workspace_id", "ledger_accounts.currency"],
        ),
        sa.UniqueConstraint("transaction_id", "position"),
        sa.CheckConstraint(f"amount_minor BETWEEN 1 AND {MAX_AMOUNT_MINOR}", name="amount_minor"),
        sa.CheckConstraint("position >= 0", name="position"),
        sa.Index(None, "account_id", "transaction_id"),
    )
    op.create_table(
        "closed_periods",
        sa.Column("id", ID, primary_key=True),
        sa.Column("workspace_id", ID, sa.ForeignKey("workspaces.id"), nullable=False),
        sa.Column("starts_on", sa.Date, nullable=False),
        sa.Column("ends_on", sa.Date, nullable=False),
        sa.Column("closed_at", UtcDateTime, nullable=False),
        sa.CheckConstraint("starts_on <= ends_on", name="range"),
        sa.UniqueConstraint("workspace_id", "starts_on"),
    )
    create_guard = (
        _create_sqlite_guard if op.get_bind().dialect.name == "sqlite" else _create_postgresql_guard
    )
    for guard in GUARDS:
        create_guard(guard)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        for guard in GUARDS:
            op.execute(f"DROP TRIGGER {guard.name} ON {guard.table}")
            op.execute(f"DROP FUNCTION {guard.name}()")
    for table in ("closed_periods", "journal_entries", "ledger_transactions", "ledger_accounts"):
        op.drop_table(table)


def _create_sqlite_guard(guard: Guard) -> None:
    op.execute(
        f"CREATE TRIGGER {guard.name} BEFORE {guard.operation} ON {guard.table} WHEN {guard.condition} "
        f"BEGIN SELECT RAISE(ABORT, '{guard.message}: {guard.name}'); END"
    )


def _create_postgresql_guard(guard: Guard) -> None:
    # A statement of its own, so that the condition after it sees what was waited for.
    wait = f"PERFORM 1 FROM {guard.wait_for};" if guard.wait_for else ""
    row = "OLD" if guard.operation == "DELETE" else "NEW"
    op.execute(
        f"CREATE FUNCTION {guard.name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {wait} "
        f"IF {guard.condition} THEN RAISE EXCEPTION '{guard.message}: {guard.name}' "
        f"USING ERRCODE = 'integrity_constraint_violation', CONSTRAINT = '{guard.name}'; END IF; "
        f"RETURN {row}; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {guard.name} BEFORE {guard.operation} ON {guard.table} "
        f"FOR EACH ROW EXECUTE FUNCTION {guard.name}()"
    )
