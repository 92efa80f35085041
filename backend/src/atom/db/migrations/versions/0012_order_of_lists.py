"""Lists are read in the order of an index: a page costs as much as it is long."""

from alembic import op

revision = "0012_order_of_lists"
down_revision = "0011_one_form_of_names"
branch_labels = None
depends_on = None

ADDED = {
    "ledger_transactions": ("workspace_id", "created_at", "id"),
    "spend_reservations": ("workspace_id", "created_at", "id"),
    "api_keys": ("workspace_id", "created_at", "id"),
    "agent_executions": ("agent_id", "started_at", "id"),
    "agent_registry": ("workspace_id", "id"),
    "users": ("workspace_id", "id"),
    "project_tasks": ("project_id", "id"),
}
REPLACED = {
    "api_keys": "workspace_id",
    "agent_executions": "agent_id",
    "users": "workspace_id",
    "project_tasks": "project_id",
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        op.create_index("_".join(("ix", table, *columns)), table, list(columns))
    for table, column in REPLACED.items():
        op.drop_index(f"ix_{table}_{column}", table)


def downgrade() -> None:
    for table, column in REPLACED.items():
        op.create_index(f"ix_{table}_{column}", table, [column])
    for table, columns in ADDED.items():
        op.drop_index("_".join(("ix", table, *columns)), table)
