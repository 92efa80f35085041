"""
Names that rows are found by, in the one form of a name: composed, without space around it.

Where a workspace has both forms, each row keeps what it has, because two spending limits cannot be made one.
"""

import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0013_form_of_keys"
down_revision = "0012_order_of_lists"
branch_labels = None
depends_on = None

COLUMNS = (
    ("spend_categories", "name"),
    ("workflow_definitions", "workflow_id"),
    ("workflow_executions", "workflow_id"),
    ("workflow_events", "workflow_id"),
    ("alert_rules", "name"),
    ("alert_rules", "metric"),
    ("metric_points", "name"),
    ("integration_calls", "integration"),
)


def upgrade() -> None:
    for table, column in COLUMNS:
        _rewrite(table, column)


def downgrade() -> None:
    """Nothing to take back: the old forms are not known any more, and the new ones were allowed before."""


def _rewrite(name: str, column: str) -> None:
    connection = op.get_bind()
    table = sa.table(name, sa.column("workspace_id"), sa.column(column))
    place = (table.c.workspace_id, table.c[column])
    taken = {tuple(row) for row in connection.execute(sa.select(*place).distinct())}
    for workspace_id, before in sorted(taken):
        after = unicodedata.normalize("NFC", before).strip()
        if after != before and (workspace_id, after) not in taken:
            here = (table.c.workspace_id == workspace_id, table.c[column] == before)
            connection.execute(sa.update(table).where(*here).values({column: after}))
            taken.add((workspace_id, after))
