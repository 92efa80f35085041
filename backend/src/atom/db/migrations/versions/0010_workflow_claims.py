"""Workflows are defined by name and version; who runs a step holds a claim on it until its lease ends."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from atom.db.types import UtcDateTime

revision = "0010_workflow_claims"
down_revision = "0009_idempotent_requests"
branch_labels = None
depends_on = None

JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def upgrade() -> None:
    op.create_table(
        "workflow_definitions",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("workspace_id", sa.String(36), nullable=False),
        sa.Column("workflow_id", sa.String(200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("definition", JSON, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("version >= 1", name=op.f("ck_workflow_definitions_version")),
        sa.ForeignKeyConstraint(
            ["workspace_id"],
            ["workspaces.id"],
            name=op.f("fk_workflow_definitions_workspace_id_workspaces"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_workflow_definitions")),
        sa.UniqueConstraint(
            "workspace_id",
            "workflow_id",
            "version",
            name=op.f("uq_workflow_definitions_workspace_id_workflow_id_version"),
        ),
    )
    with op.batch_alter_table("workflow_step_executions") as steps:
        steps.add_column(sa.Column("claim_id", sa.String(36), nullable=True))
        steps.add_column(sa.Column("worker", sa.String(200), nullable=True))
        steps.add_column(sa.Column("lease_until", UtcDateTime(), nullable=True))
        steps.create_unique_constraint("uq_workflow_step_executions_claim_id", ["claim_id"])
        steps.create_index("ix_workflow_step_executions_lease_until", ["lease_until"])
        steps.create_check_constraint(
            op.f("ck_workflow_step_executions_claim"),
            "(claim_id IS NULL) = (lease_until IS NULL) AND (claim_id IS NULL) = (worker IS NULL)",
        )


def downgrade() -> None:
    with op.batch_alter_table("workflow_step_executions") as steps:
        steps.drop_constraint(op.f("ck_workflow_step_executions_claim"), type_="check")
        steps.drop_index("ix_workflow_step_executions_lease_until")
        steps.drop_constraint("uq_workflow_step_executions_claim_id", type_="unique")
        steps.drop_column("lease_until")
        steps.drop_column("worker")
        steps.drop_column("claim_id")
    op.drop_table("workflow_definitions")
