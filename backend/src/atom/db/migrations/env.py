"""Alembic's entry: runs the scripts in the transaction that `atom.db.migrate` opened."""

from alembic import context

from atom.db.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,  # for its naming convention
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
