"""Answers that are given again to the same request: those whose sender named it with an Idempotency-Key."""

import sqlalchemy as sa
from alembic import op

from atom.db.types import UtcDateTime

revision = "0009_idempotent_requests"
down_revision = "0008_keys_of_people"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "idempotent_requests",
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.CheckConstraint("(status IS NULL) = (body IS NULL)", name=op.f("ck_idempotent_requests_answered")),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_idempotent_requests_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("workspace_id", "key", name=op.f("pk_idempotent_requests")),
    )
    op.create_index(
        op.f("ix_idempotent_requests_workspace_id_created_at"),
        "idempotent_requests",
        ["workspace_id", "created_at"],
    )


def downgrade() -> None:
    op.drop_table("idempotent_requests")
