"""A key may belong to a person, for whom alone it speaks; when a key was last used is known."""

import sqlalchemy as sa
from alembic import op

from atom.db.types import UtcDateTime

revision = "0008_keys_of_people"
down_revision = "0007_user_email"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("api_keys") as keys:
        keys.add_column(sa.Column("user_id", sa.String(36), nullable=True))
        keys.add_column(sa.Column("last_used_at", UtcDateTime(), nullable=True))
        keys.create_foreign_key("fk_api_keys_user_id_users", "users", ["user_id"], ["id"], ondelete="CASCADE")
        keys.create_index("ix_api_keys_user_id", ["user_id"])


def downgrade() -> None:
    with op.batch_alter_table("api_keys") as keys:
        keys.drop_index("ix_api_keys_user_id")
        keys.drop_constraint("fk_api_keys_user_id_users", type_="foreignkey")
        keys.drop_column("last_used_at")
        keys.drop_column("user_id")
