"""
E-mail addresses without regard to case, and account codes in one Unicode form.

Where two rows of a workspace would become the same, the one of the smaller id takes the form and the other
keeps what it has: the operator decides what becomes of it.
"""

import unicodedata
from collections.abc import Callable

import sqlalchemy as sa
from alembic import op

revision = "0011_one_form_of_names"
down_revision = "0010_workflow_claims"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _rewrite("users", "email", lambda text: unicodedata.normalize("NFC", text).casefold())
    _rewrite("ledger_accounts", "code", lambda text: unicodedata.normalize("NFC", text))


def downgrade() -> None:
    """Nothing to take back: the old forms are not known any more, and the new ones were allowed before."""


def _rewrite(name: str, column: str, form: Callable[[str], str]) -> None:
    connection = op.get_bind()
    table = sa.table(name, sa.column("id"), sa.column("workspace_id"), sa.column(column))
    rows = connection.execute(sa.select(table).order_by(table.c.id)).all()
    taken = {(row.workspace_id, getattr(row, column)) for row in rows}
    for row in rows:
        before = getattr(row, column)
        after = form(before)
        if after != before and (row.workspace_id, after) not in taken:
            connection.execute(sa.update(table).where(table.c.id == row.id).values({column: after}))
            taken.add((row.workspace_id, after))
