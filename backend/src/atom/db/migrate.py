"""Runs migrations from code; every database is made in this way, also those of tests."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from atom.db.session import read_only
from atom.kit.errors import AtomError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

SCRIPTS = Path(__file__).parent / "migrations"
ADVISORY_LOCK = 0x61746F6D
"""PostgreSQL's lock under which one process migrates while the others wait; SQLite has its write lock."""

REVISION = text("SELECT version_num FROM alembic_version")


class MigrationError(AtomError):
    """The database's migration is not the one this code needs."""

    status_code = 503
    title = "Database not migrated"


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@cache
def head() -> str:
    """Return the revision this code needs; reading the migrations takes longer than asking a database."""
    revision = ScriptDirectory.from_config(_config()).get_current_head()
    if revision is None:
        raise MigrationError(f"no migrations in {str(SCRIPTS)!r}; reinstall the package")
    return revision


def is_known(revision: str) -> bool:
    """Whether this code has a migration of this name."""
    return any(revision == each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions())


def current(engine: Engine) -> str | None:
    """Return the database's revision; None for an empty one."""
    with read_only(engine).connect() as connection:
        try:
            return connection.execute(REVISION).scalar_one_or_none()
        except DBAPIError:
            connection.rollback()
            if engine.dialect.has_table(connection, "alembic_version"):
                raise
            return None


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Bring the database up to a revision, in one transaction."""
    with _migrating(engine) as config:
        command.upgrade(config, revision)


def downgrade(engine: Engine, revision: str) -> None:
    """Bring the database down to a revision, `base` for none, in one transaction."""
    with _migrating(engine) as config:
        command.downgrade(config, revision)


def require_head(engine: Engine) -> None:
    """Raise unless the database is at this code's revision."""
    found, needed = current(engine), head()
    if found != needed:
        raise MigrationError(
            f"the database is at migration {found!r}, the code needs {needed!r}; run `atom migrate`"
        )


@contextmanager
def _migrating(engine: Engine) -> Iterator[Config]:
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            with connection.begin():
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
                yield _config(connection)
            return
        # SQLite changes a table by copying and dropping it; with foreign keys on, the drop takes children.
        driver = connection.connection.cursor()
        is_enforced = driver.execute("PRAGMA foreign_keys").fetchone()[0]
        driver.execute("PRAGMA foreign_keys = OFF")
        try:
            with connection.begin():
                yield _config(connection)
                orphans = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                if orphans:
                    raise MigrationError(f"the migration left rows without their parent: {orphans[:5]!r}")
        finally:
            driver.execute(f"PRAGMA foreign_keys = {is_enforced}")
            driver.close()
