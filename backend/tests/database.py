"""
Test databases: migrated once per process, then undone or put back, never built per example.

The session fixture `database` offers four ways in, all usable inside `@given`:

- `session()`: one session, rolled back afterwards. The cheapest as long as nothing commits; what does is put
  back as with `sessions()`.
- `sessions()`: a maker of sessions that commit; the database is put back to its migrated state afterwards. On
  SQLite one of them writes at a time, the next one waits and gives up.
- `prepared(setup)`: the same on a database that has the rows of `setup`, a function of a module: its rows are
  written once and copied on SQLite. For a property whose examples all begin alike.
- `clone()`: a database of its own with as many connections as wanted, a file on SQLite; for threads and
  processes.
"""

from __future__ import annotations

import functools
import os
import secrets
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Connection, Engine, event, func, make_url, select, text
from sqlalchemy.orm import Session, sessionmaker

from atom.db import migrate
from atom.db.session import create_engine, read_only_session_factory, session_factory
from atom.tables import METADATA

Value = TypeVar("Value")
Setup = Callable[[sessionmaker[Session]], Value]

URL_VARIABLES = ("ATOM_TEST_DATABASE_URL", "ATOM_DATABASE_URL")
MEMORY_SHARED_SINCE = (3, 36)
MEMORY_FILES = Path("/dev/shm")
ALL_TABLES = tuple(table.name for table in METADATA.sorted_tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """A database of its own: its address, an engine on it, makers of sessions that commit or only read."""

    url: URL
    engine: Engine
    sessions: sessionmaker[Session]
    readers: sessionmaker[Session]


class Database(ABC):
    """The migrated database of one test process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = session_factory(engine)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give one session; everything it does is undone afterwards."""
        try:
            with self._sessions() as session:
                yield session
        finally:
            self._restore()

    @contextmanager
    def sessions(self) -> Iterator[sessionmaker[Session]]:
        """Give a maker of sessions that commit; the database is put back afterwards."""
        try:
            yield self._sessions
        finally:
            self._restore()

    @contextmanager
    def prepared(self, setup: Setup[Value]) -> Iterator[tuple[sessionmaker[Session], Value]]:
        """Give the same, and what `setup` returned, on a database that has the rows it committed."""
        try:
            yield self._sessions, self._prepare(setup)
        finally:
            self._restore()

    def snapshot(self, *tables: str) -> dict[str, list[str]]:
        """Return all rows of the tables, of every table if none is named: equal if the rows are."""
        with self.engine.connect() as connection:
            driver = connection.connection.cursor()
            try:
                return {table: _rows(driver, table) for table in tables or ALL_TABLES}
            finally:
                driver.close()

    @contextmanager
    def clone(self) -> Iterator[Clone]:
        """Give a database of its own, dropped afterwards."""
        with self._copied() as url:
            engine = create_engine(url)
            try:
                yield Clone(
                    url=url,
                    engine=engine,
                    sessions=session_factory(engine),
                    readers=read_only_session_factory(engine),
                )
            finally:
                engine.dispose()

    def close(self) -> None:
        """Drop what this object made."""
        self.engine.dispose()

    def _prepare(self, setup: Setup[Value]) -> Value:
        """Write the rows of `setup`, or bring them back."""
        return setup(self._sessions)

    @abstractmethod
    def _restore(self) -> None:
        """Put the database back to its migrated state."""

    @abstractmethod
    def _copied(self) -> AbstractContextManager[URL]:
        """Give the address of a fresh copy of the migrated database."""


class SqliteDatabase(Database):
    """
    SQLite in memory, under a name that several connections share; put back by copying a template over it.

    A connection of its own copies, and then gives the schema its old version number again: the connections of
    the engine see new pages under the schema they know, and keep their prepared statements. Without that each
    example would parse the definition of every table anew.
    """

    def __init__(self) -> None:
        if sqlite3.sqlite_version_info < MEMORY_SHARED_SINCE:
            msg = f"SQLite {sqlite3.sqlite_version} cannot share a database in memory; 3.36 or newer can"
            raise RuntimeError(msg)
        migrated = create_engine("sqlite://")
        migrate.upgrade(migrated)
        with migrated.connect() as connection:
            self._migrated = _Template(_driver(connection), None)
        migrated.dispose()
        name = f"file:/atom_{secrets.token_hex(6)}?vfs=memdb"
        self._copier = sqlite3.connect(name, uri=True, check_same_thread=False)
        self._prepared: dict[Setup[Any], _Template] = {}
        self._state: tuple[_Template | None, int] = (None, 0)
        super().__init__(create_engine(f"sqlite:///{name}&uri=true"))
        self._restore()

    def close(self) -> None:
        super().close()
        for connection in (self._copier, *self._connections()):
            connection.close()

    def _connections(self) -> Iterator[sqlite3.Connection]:
        yield self._migrated.connection
        yield from (template.connection for template in self._prepared.values())

    def _prepare(self, setup: Setup[Value]) -> Value:
        if setup not in self._prepared:
            self._prepared[setup] = _Template(self._copier, super()._prepare(setup))
        self._load(self._prepared[setup])
        return self._prepared[setup].value

    def _restore(self) -> None:
        self._load(self._migrated)

    def _load(self, template: _Template) -> None:
        # The number of the data counts the commits of other connections: as before means nothing was written.
        if self._state != (template, _pragma(self._copier, "data_version")):
            template.connection.backup(self._copier, progress=_refuse_to_wait)
            self._copier.execute(f"PRAGMA schema_version = {template.schema_version}")
            self._state = (template, _pragma(self._copier, "data_version"))

    @contextmanager
    def _copied(self) -> Iterator[URL]:
        parent = MEMORY_FILES if MEMORY_FILES.is_dir() else None
        with tempfile.TemporaryDirectory(prefix="atom-", dir=parent) as folder:
            path = Path(folder, "clone.sqlite3")
            path.write_bytes(self._migrated.connection.serialize())
            yield URL.create("sqlite", database=str(path))


class _Template:
    """A copy of a database in memory, and the value that goes with it."""

    def __init__(self, source: sqlite3.Connection, value: Any) -> None:
        self.connection = sqlite3.connect(":memory:", check_same_thread=False)
        self.value = value
        source.backup(self.connection, progress=_refuse_to_wait)
        self.schema_version = _pragma(source, "schema_version")


def _refuse_to_wait(status: int, _remaining: int, _total: int) -> None:
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        msg = "a session was left open: close it before the block of the database ends"
        raise RuntimeError(msg)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    value: int = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return value


def _rows(driver: Any, table: str) -> list[str]:
    driver.execute(f'SELECT * FROM "{table}"')
    return sorted(map(repr, driver.fetchall()))


def _driver(connection: Connection) -> sqlite3.Connection:
    driver = connection.connection.dbapi_connection
    assert isinstance(driver, sqlite3.Connection)
    return driver


class PostgresDatabase(Database):
    """A database on a PostgreSQL server, made from a template; put back by deleting every row written."""

    def __init__(self, server: URL) -> None:
        self._server = create_engine(server).execution_options(isolation_level="AUTOCOMMIT")
        self._template = f"atom_template_{secrets.token_hex(6)}"
        self._own = f"atom_test_{secrets.token_hex(6)}"
        self._administer(f'CREATE DATABASE "{self._template}"')
        template = create_engine(server.set(database=self._template))
        migrate.upgrade(template)
        with template.connect() as connection:
            filled = {
                table.name
                for table in METADATA.sorted_tables
                if connection.scalar(select(func.count()).select_from(table))
            }
        template.dispose()
        self._administer(f'CREATE DATABASE "{self._own}" TEMPLATE "{self._template}"')
        self._administer(f'ALTER DATABASE "{self._own}" SET synchronous_commit = off')
        deletes = (
            f'DELETE FROM "{table.name}";' for table in METADATA.sorted_tables if table.name not in filled
        )
        # As a replica the server checks no foreign keys and fires no triggers: immutable rows go too.
        self._deletes = f"SET LOCAL session_replication_role = replica; {' '.join(deletes)}"
        super().__init__(create_engine(server.set(database=self._own)))
        self._is_written = False
        event.listen(self.engine, "commit", self._note_commit)

    def close(self) -> None:
        super().close()
        for name in (self._own, self._template):
            self._administer(f'DROP DATABASE "{name}" WITH (FORCE)')
        self._server.dispose()

    def _restore(self) -> None:
        if self._is_written:
            with self.engine.begin() as connection:
                connection.exec_driver_sql(self._deletes)
            self._is_written = False

    def _note_commit(self, _connection: Connection) -> None:
        self._is_written = True

    @contextmanager
    def _copied(self) -> Iterator[URL]:
        name = f"atom_clone_{secrets.token_hex(6)}"
        self._administer(f'CREATE DATABASE "{name}" TEMPLATE "{self._template}"')
        try:
            yield self._server.url.set(database=name)
        finally:
            self._administer(f'DROP DATABASE "{name}" WITH (FORCE)')

    def _administer(self, statement: str) -> None:
        with self._server.connect() as connection:
            connection.execute(text(statement))


@functools.cache
def shared_database() -> Database:
    """
    Return the database of this process, the one that the fixture `database` gives; state machines ask here.

    It is on the server that the environment names, on SQLite if it names none.
    """
    address = next((os.environ[name] for name in URL_VARIABLES if os.environ.get(name)), "sqlite://")
    url = make_url(address)
    return PostgresDatabase(url) if url.get_backend_name() == "postgresql" else SqliteDatabase()


def close_shared_database() -> None:
    """Drop the database of this process, if there is one."""
    if shared_database.cache_info().currsize:
        shared_database().close()
        shared_database.cache_clear()
