"""The e-mail address of a user is unique in the workspace: a refusal told of users of other workspaces."""

from alembic import op

revision = "0007_user_email"
down_revision = "0006_budgets"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_constraint("uq_users_email", type_="unique")
        users.create_unique_constraint("uq_users_workspace_id_email", ["workspace_id", "email"])


def downgrade() -> None:
    with op.batch_alter_table("users") as users:
        users.drop_constraint("uq_users_workspace_id_email", type_="unique")
        users.create_unique_constraint("uq_users_email", ["email"])
