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
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import URL, Connection, Engine
    from sqlalchemy.engine.interfaces import ConnectArgsType, DBAPIConnection, Dialect
    from sqlalchemy.pool import PoolProxiedConnection

DRIVER = "sqlite+atom"
READ_ONLY = "postgresql_readonly"
"""The execution option of a read-only transaction, which PostgreSQL's dialect knows by this name."""
SHORT_STEPS = 20_000
"""
After how many steps of SQLite's machine a statement is not short any more.

A page of 200 rows takes about 6,000, and 20,000 take about a millisecond.
"""
SHORT_VALUE = 2_048
"""The longest text in a short reading, in bytes: a page may have 200 rows, and several texts in each."""
PRIMARY_CODE = 0xFF
"""The bits of an error's code that do not tell a variant of it."""
REFUSALS = {sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_TOOBIG}


class EmbeddedConnection(sqlite3.Connection):
    """A connection that knows whether it refuses to write: asking SQLite would cost every transaction."""

    is_read_only = False
    n_alarms = 0
    """How often the running transaction came to the end of `SHORT_STEPS`."""

    def __init__(self, database: str, *arguments: Any, **options: Any) -> None:
        _make_private(database)
        super().__init__(database, *arguments, **options)

    def set_read_only(self, value: bool) -> None:
        """Let the connection write or not."""
        self.execute(f"PRAGMA query_only = {int(value)}")
        self.is_read_only = value

    def keep_short(self) -> None:
        """
        Let a transaction raise an error where it would wait for a lock, take many steps or read a long text.

        SQLite counts the steps of a prepared statement over all its runs: only a second alarm in one
        transaction says that at least `SHORT_STEPS` were taken in it.
        """
        self.execute("PRAGMA busy_timeout = 0")
        self.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, SHORT_VALUE)
        self.set_progress_handler(self._is_too_long, SHORT_STEPS)

    def _is_too_long(self) -> bool:
        self.n_alarms += 1
        return self.n_alarms > 1


def run(connection: Connection, text: str, parameters: Sequence[Any] = ()) -> tuple[list[Any], int]:
    """
    Run a text on the driver of a connection, in its transaction; SQLAlchemy has no part in it.

    Return the rows that were found, and how many were written. An error of the driver becomes the one that
    SQLAlchemy would raise.
    """
    if not connection.in_transaction():
        connection.begin()
    driver = cast("EmbeddedConnection", connection.connection.dbapi_connection)
    try:
        cursor = driver.execute(text, parameters)
        return cursor.fetchall(), cursor.rowcount  # the second row and all others are searched for only now
    except sqlite3.Error as exc:
        raise DBAPIError.instance(
            text, None, exc, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
        ) from exc


def is_refused(error: DBAPIError) -> bool:
    """Whether a transaction was not short, or would have waited, on a connection that keeps them short."""
    return getattr(error.orig, "sqlite_errorcode", 0) & PRIMARY_CODE in REFUSALS


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
    short_readers: Engine | None = None
    """The same for one connection that keeps its transactions short."""
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
        connection.n_alarms = 0
        connection.execute("BEGIN" if connection.is_read_only else "BEGIN IMMEDIATE")

    # Directly: SQLAlchemy would compile a statement for each savepoint, because each has a name of its own.

    def do_savepoint(self, connection: Connection, name: str) -> None:
        """Begin a savepoint."""
        run(connection, f"SAVEPOINT {name}")

    def do_rollback_to_savepoint(self, connection: Connection, name: str) -> None:
        """Undo what was done since the savepoint began."""
        run(connection, f"ROLLBACK TO SAVEPOINT {name}")

    def do_release_savepoint(self, connection: Connection, name: str) -> None:
        """Keep what was done since the savepoint began, as far as the transaction is kept."""
        run(connection, f"RELEASE SAVEPOINT {name}")


registry.register("sqlite.atom", __name__, EmbeddedDialect.__name__)
