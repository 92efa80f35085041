"""Migrations and models say the same, and each migration can be taken back."""

from __future__ import annotations

from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, Inspector, inspect, text
from sqlalchemy.exc import IntegrityError

from atom.budgets import repository as budgets
from atom.db import migrate
from atom.db.session import connected
from atom.tables import METADATA
from tests import factories
from tests.database import Database


def test_autogenerate_finds_nothing_to_migrate(database: Database) -> None:
    """A database at head has exactly the models' tables, columns, indexes and keys."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []


def test_migrations_make_the_constraints_of_the_models(database: Database) -> None:
    """What autogenerate does not compare is equal too: checks, primary keys, delete rules, names."""
    with database.clone() as clone:
        migrated = _constraints(clone.engine)
        migrate.downgrade(clone.engine, "base")
        METADATA.create_all(clone.engine)
        assert migrated == _constraints(clone.engine)
        assert sum(len(table["checks"]) for table in migrated.values()) > len(migrated) / 2


def test_down_and_up_again_gives_the_same_schema(database: Database) -> None:
    """Every migration, taken back one by one to an empty database, can be run again."""
    with database.clone() as clone:
        before = _constraints(clone.engine)
        while migrate.current(clone.engine) is not None:
            migrate.downgrade(clone.engine, "-1")
        assert set(inspect(clone.engine).get_table_names()) == {"alembic_version"}
        migrate.upgrade(clone.engine)
        assert _constraints(clone.engine) == before


def test_upgrade_of_an_upgraded_database_changes_nothing(database: Database) -> None:
    """Starting the service twice migrates once."""
    with database.clone() as clone:
        migrate.upgrade(clone.engine)
        assert migrate.current(clone.engine) == migrate.head()


def test_require_head_accepts_a_migrated_database(database: Database) -> None:
    """The code starts on the database its migrations made."""
    migrate.require_head(database.engine)


def test_require_head_names_both_revisions_and_the_command(database: Database) -> None:
    """At another migration than the code's, the message says which and what to run."""
    with database.clone() as clone:
        migrate.downgrade(clone.engine, "-1")
        with pytest.raises(migrate.MigrationError, match="run `atom migrate`") as caught:
            migrate.require_head(clone.engine)
        assert repr(migrate.head()) in str(caught.value)


def test_a_migration_that_fails_leaves_the_database_as_it_was() -> None:
    """All steps of one upgrade are one transaction."""
    with connected("sqlite://") as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE api_keys (id TEXT)"))
        with pytest.raises(Exception, match="api_keys already exists"):
            migrate.upgrade(engine)
        assert inspect(engine).get_table_names() == ["api_keys"]


def test_foreign_keys_are_enforced_again_after_a_migration(database: Database) -> None:
    """They are off only while SQLite copies tables."""
    with database.clone() as clone:
        migrate.downgrade(clone.engine, "-1")
        migrate.upgrade(clone.engine)
        with clone.sessions() as session, pytest.raises(IntegrityError):
            factories.user(session, workspace_id="nowhere")


def test_names_take_one_form_unless_both_are_there(database: Database) -> None:
    """A migration composes the names that rows are found by; where both forms exist, both stay."""
    with database.clone() as clone:
        migrate.downgrade(clone.engine, "0012_order_of_lists")
        with clone.sessions.begin() as session:
            own, other = factories.workspace_ids(session, 2)
            for workspace_id, name in ((own, " cafe\u0301"), (other, "cafe\u0301"), (other, "caf\u00e9")):
                budgets.ensure_category(session, workspace_id, name)
        migrate.upgrade(clone.engine)
        with clone.sessions() as session:
            found = {
                workspace_id: [
                    category.name
                    for category in budgets.list_categories(session, workspace_id, limit=9, after=None)
                ]
                for workspace_id in (own, other)
            }
        assert found == {own: ["caf\u00e9"], other: ["cafe\u0301", "caf\u00e9"]}


def _constraints(engine: Engine) -> dict[str, dict[str, Any]]:
    """Everything the schema enforces, by table."""
    inspector = inspect(engine)
    tables = set(inspector.get_table_names()) - {"alembic_version"}
    return {table: _enforced(inspector, table) for table in tables}


def _enforced(inspector: Inspector, table: str) -> dict[str, Any]:
    return {
        "columns": {
            column["name"]: (str(column["type"]), column["nullable"])
            for column in inspector.get_columns(table)
        },
        "primary_key": inspector.get_pk_constraint(table),
        "foreign_keys": sorted(map(str, inspector.get_foreign_keys(table))),
        "unique": sorted(map(str, inspector.get_unique_constraints(table))),
        "checks": sorted(map(str, inspector.get_check_constraints(table))),
        "indexes": sorted(_spelled_out(index) for index in inspector.get_indexes(table)),
    }


def _spelled_out(index: Any) -> str:
    """An index as text; the condition of a partial one is an object without equality."""
    options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
    return str({**index, "dialect_options": options})
