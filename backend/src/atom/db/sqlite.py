"""
The dialect of an embedded database: SQLAlchemy's own, but for how a transaction begins.

A dialect rather than a listener to `begin`: an engine with listeners looks for them at every statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine.characteristics import ConnectionCharacteristic

if TYPE_CHECKING:
    from sqlalchemy.engine.interfaces import DBAPIConnection, Dialect
    from sqlalchemy.pool import PoolProxiedConnection

DRIVER = "sqlite+atom"
READ_ONLY = "postgresql_readonly"
"""The execution option of a read-only transaction, which PostgreSQL's dialect knows by this name."""


class ReadOnly(ConnectionCharacteristic):
    """Whether a connection refuses to write."""

    transactional = True

    def reset_characteristic(self, dialect: Dialect, dbapi_conn: DBAPIConnection) -> None:
        """Let the connection write, as it does when it is new."""
        self.set_characteristic(dialect, dbapi_conn, value=False)

    def set_characteristic(self, dialect: Dialect, dbapi_conn: DBAPIConnection, value: Any) -> None:  # noqa: ARG002
        """Let the connection write or not."""
        dbapi_conn.cursor().execute(f"PRAGMA query_only = {int(value)}")

    def get_characteristic(self, dialect: Dialect, dbapi_conn: DBAPIConnection) -> bool:  # noqa: ARG002
        """Return whether the connection refuses to write."""
        return is_read_only(dbapi_conn)


class EmbeddedDialect(SQLiteDialect_pysqlite):
    """SQLite whose transactions take the write lock at their start, unless they only read."""

    supports_statement_cache = True
    connection_characteristics = SQLiteDialect_pysqlite.connection_characteristics.union(
        {READ_ONLY: ReadOnly()}
    )

    def do_begin(self, dbapi_connection: PoolProxiedConnection) -> None:
        """
        Begin a transaction.

        One that reads first and writes later can find the lock taken when there is nothing left to wait for;
        taking it at the start makes the second writer wait instead of fail.
        """
        begin = "BEGIN" if is_read_only(dbapi_connection) else "BEGIN IMMEDIATE"
        dbapi_connection.cursor().execute(begin)


def is_read_only(dbapi_connection: Any) -> bool:
    """Return whether the connection refuses to write."""
    return bool(dbapi_connection.cursor().execute("PRAGMA query_only").fetchone()[0])


registry.register("sqlite.atom", __name__, EmbeddedDialect.__name__)
