"""
The dialect of an embedded database: SQLAlchemy's own, but for how a transaction begins.

A dialect rather than a listener to `begin`: an engine with listeners looks for them at every statement.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.characteristics import ConnectionCharacteristic

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine.interfaces import ConnectArgsType, DBAPIConnection, Dialect
    from sqlalchemy.pool import PoolProxiedConnection

DRIVER = "sqlite+atom"
READ_ONLY = "postgresql_readonly"
"""The execution option of a read-only transaction, which PostgreSQL's dialect knows by this name."""


class EmbeddedConnection(sqlite3.Connection):
    """A connection that knows whether it refuses to write: asking SQLite would cost every transaction."""

    is_read_only = False

    def __init__(self, database: str, *arguments: Any, **options: Any) -> None:
        _make_private(database)
        super().__init__(database, *arguments, **options)

    def set_read_only(self, value: bool) -> None:
        """Let the connection write or not."""
        self.execute(f"PRAGMA query_only = {int(value)}")
        self.is_read_only = value


def _make_private(database: str) -> None:
    """Make a database's file, if there is none, for the eyes of its owner; SQLite's other files follow it."""
    if database in ("", ":memory:") or database.startswith("file:"):
        return
    with suppress(OSError):  # that it is there, or cannot be: SQLite says which
        os.close(os.open(database, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


class ReadOnly(ConnectionCharacteristic):
    """Whether a connection refuses to write."""

    transactional = True

    def reset_characteristic(self, dialect: Dialect, dbapi_conn: DBAPIConnection) -> None:
        """Let the connection write, as it does when it is new."""
        self.set_characteristic(dialect, dbapi_conn, value=False)

    def set_characteristic(self, dialect: Dialect, dbapi_conn: DBAPIConnection, value: Any) -> None:  # noqa: ARG002
        """Let the connection write or not."""
        cast("EmbeddedConnection", dbapi_conn).set_read_only(value)

    def get_characteristic(self, dialect: Dialect, dbapi_conn: DBAPIConnection) -> bool:  # noqa: ARG002
        """Return whether the connection refuses to write."""
        return cast("EmbeddedConnection", dbapi_conn).is_read_only


class EmbeddedDialect(SQLiteDialect_pysqlite):
    """SQLite whose transactions take the write lock at their start, unless they only read."""

    supports_statement_cache = True
    readers: Engine | None = None
    """The engine whose connections only read; None where all sessions share one connection."""
    connection_characteristics = SQLiteDialect_pysqlite.connection_characteristics.union(
        {READ_ONLY: ReadOnly()}
    )

    def create_connect_args(self, url: URL) -> ConnectArgsType:
        """Return what SQLAlchemy's own dialect does, and that connections know whether they may write."""
        args, options = super().create_connect_args(url)
        return args, {**options, "factory": EmbeddedConnection}

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        """
        Begin a transaction.

        One that reads first and writes later can find the lock taken when there is nothing left to wait for;
        taking it at the start makes the second writer wait instead of fail.
        """
        connection = cast("EmbeddedConnection", dbapi_connection.dbapi_connection)
        connection.execute("BEGIN" if connection.is_read_only else "BEGIN IMMEDIATE")

    # As text: SQLAlchemy would compile a statement for each savepoint, because each has a name of its own.

    def do_savepoint(self, connection: Connection, name: str) -> None:
        """Begin a savepoint."""
        connection.exec_driver_sql(f"SAVEPOINT {name}")

    def do_rollback_to_savepoint(self, connection: Connection, name: str) -> None:
        """Undo what was done since the savepoint began."""
        connection.exec_driver_sql(f"ROLLBACK TO SAVEPOINT {name}")

    def do_release_savepoint(self, connection: Connection, name: str) -> None:
        """Keep what was done since the savepoint began, as far as the transaction is kept."""
        connection.exec_driver_sql(f"RELEASE SAVEPOINT {name}")


registry.register("sqlite.atom", __name__, EmbeddedDialect.__name__)
