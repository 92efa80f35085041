"""
Test databases: migrated once per process, then undone or put back, never built per example.

The session fixture `database` offers four ways in, all usable inside `@given`. Each begins by putting the
database back to the state it promises, which costs nothing when nothing was committed since it was in it:

- `session()`: one session on the migrated database, rolled back afterwards. The cheapest as long as nothing
  commits.
- `sessions()`: a maker of sessions that commit. On SQLite one of them writes at a time, the next one waits
  and gives up.
- `prepared(setup)`: the same on a database that has the rows of `setup`, a function of a module: its rows are
  written once and copied from then on. For a property whose examples all begin alike.
- `clone()`: a database of its own with as many connections as wanted, a file on SQLite; for threads and
  processes.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, Engine, PoolProxiedConnection, make_url, text
from sqlalchemy.orm import Session, sessionmaker

from atom.db import migrate
from atom.db.session import create_engine, read_only_session_factory, session_factory
from atom.tables import METADATA

Value = TypeVar("Value")
Setup = Callable[[sessionmaker[Session]], Value]

URL_VARIABLES = ("ATOM_TEST_DATABASE_URL", "ATOM_DATABASE_URL")
MEMORY_SHARED_SINCE = (3, 36)
MEMORY_FILES = Path("/dev/shm")
LEFT_OPEN = "a session was left open: close it before the block of the database ends"
ALL_TABLES = tuple(table.name for table in METADATA.sorted_tables)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clone:
    """A database of its own: its address, an engine on it, makers of sessions that commit or only read."""

    url: URL
    engine: Engine
    sessions: sessionmaker[Session]
    readers: sessionmaker[Session]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Rows that the database had once: how to bring them back, and the value that goes with them."""

    put_back: Callable[[], None]
    value: Any = None


class Database(ABC):
    """The migrated database of one test process."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._sessions = session_factory(engine)
        self._migrated = self._capture(None)
        self._current = self._migrated
        self._prepared: dict[Setup[Any], State] = {}
        self._is_in_use = False
        self._seen_at: State | int = self._migrated
        self._seen: dict[str, list[str]] = {}
        self._forget_writes()

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Give one session on the migrated database; what it does not commit is undone afterwards."""
        with self.sessions() as sessions, sessions() as session:
            yield session

    @contextmanager
    def sessions(self) -> Iterator[sessionmaker[Session]]:
        """Give a maker of sessions that commit, on the migrated database."""
        with self._entered(self._migrated):
            yield self._sessions

    @contextmanager
    def prepared(self, setup: Setup[Value]) -> Iterator[tuple[sessionmaker[Session], Value]]:
        """Give the same, and what `setup` returned, on a database that has the rows it committed."""
        if setup not in self._prepared:
            with self._entered(self._migrated):
                self._prepared[setup] = self._capture(setup(self._sessions))
        state = self._prepared[setup]
        with self._entered(state):
            yield self._sessions, state.value

    def snapshot(self, *tables: str) -> dict[str, list[str]]:
        """
        Return all rows of the tables, of every table if none is named: equal if the rows are.

        They are read anew only if something was committed since they were read last.
        """
        moment = self._current if not self._is_written() else self._count_commits()
        if moment != self._seen_at:
            self._seen_at, self._seen = moment, {}
        wanted = tables or ALL_TABLES
        self._seen |= read_rows(self.engine, (table for table in wanted if table not in self._seen))
        return {table: self._seen[table] for table in wanted}

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

    @contextmanager
    def _entered(self, state: State) -> Iterator[None]:
        if self._is_in_use:
            msg = "the database is in use: take the sessions that the block around this one gave"
            raise RuntimeError(msg)
        if state is not self._current or self._is_written():
            state.put_back()
            self._current = state
            self._forget_writes()
        self._is_in_use = True
        try:
            yield
            self._require_closed()
        finally:
            self._is_in_use = False

    @abstractmethod
    def _capture(self, value: Any) -> State:
        """Return the rows that are there now."""

    @abstractmethod
    def _is_written(self) -> bool:
        """Return whether anything was committed since `_forget_writes`."""

    @abstractmethod
    def _count_commits(self) -> int:
        """Return a number that is another one after each commit."""

    @abstractmethod
    def _forget_writes(self) -> None:
        """Let `_is_written` begin anew."""

    @abstractmethod
    def _require_closed(self) -> None:
        """Raise RuntimeError if a session was left open: it would be in the way of the next `_entered`."""

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
        name = f"file:/atom_{secrets.token_hex(6)}?vfs=memdb"
        self._copier = sqlite3.connect(name, uri=True, timeout=0, check_same_thread=False)
        self._copies = [self._copier]
        engine = create_engine(f"sqlite:///{name}&uri=true")
        migrate.upgrade(engine)
        self._migrated_file = self._copier.serialize()
        super().__init__(engine)

    def close(self) -> None:
        super().close()
        for connection in self._copies:
            connection.close()

    def _capture(self, value: Any) -> State:
        copy = sqlite3.connect(":memory:", check_same_thread=False)
        self._copies.append(copy)
        self._copier.backup(copy, progress=_refuse_to_wait)
        return State(put_back=partial(self._load, copy, self._pragma("schema_version")), value=value)

    def _load(self, copy: sqlite3.Connection, schema_version: int) -> None:
        copy.backup(self._copier, progress=_refuse_to_wait)
        self._copier.execute(f"PRAGMA schema_version = {schema_version}")

    def _is_written(self) -> bool:
        return self._count_commits() != self._data_version

    def _count_commits(self) -> int:
        return self._pragma("data_version")  # counts the commits of other connections

    def _forget_writes(self) -> None:
        self._data_version = self._count_commits()

    def _require_closed(self) -> None:
        try:
            self._copier.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as exc:
            raise RuntimeError(LEFT_OPEN) from exc
        self._copier.execute("ROLLBACK")

    def _pragma(self, name: str) -> int:
        value: int = self._copier.execute(f"PRAGMA {name}").fetchone()[0]
        return value

    @contextmanager
    def _copied(self) -> Iterator[URL]:
        parent = MEMORY_FILES if MEMORY_FILES.is_dir() else None
        with tempfile.TemporaryDirectory(prefix="atom-", dir=parent) as folder:
            path = Path(folder, "clone.sqlite3")
            path.write_bytes(self._migrated_file)
            yield URL.create("sqlite", database=str(path))


def _refuse_to_wait(status: int, _remaining: int, _total: int) -> None:
    if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        raise RuntimeError(LEFT_OPEN)


def read_rows(engine: Engine, tables: Iterable[str]) -> dict[str, list[str]]:
    """Return all rows of the tables, as the driver gives them."""
    with engine.connect() as connection:
        driver = connection.connection.cursor()
        try:
            return {table: _rows(driver, table) for table in tables}
        finally:
            driver.close()


def _rows(driver: Any, table: str) -> list[str]:
    driver.execute(f'SELECT * FROM "{table}"')
    return sorted(map(repr, driver.fetchall()))


class PostgresDatabase(Database):
    """
    A database on a PostgreSQL server, made from a template; put back by deleting every row and copying some.

    The rows of a state are kept in a schema of their own in the same database, and all statements go in one
    message. As a replica the server checks no foreign keys and fires no triggers: immutable rows go too.
    """

    def __init__(self, server: URL) -> None:
        self._server = create_engine(server).execution_options(isolation_level="AUTOCOMMIT")
        self._template = f"atom_template_{secrets.token_hex(6)}"
        self._own = f"atom_test_{secrets.token_hex(6)}"
        self._administer(f'CREATE DATABASE "{self._template}"')
        template = create_engine(server.set(database=self._template))
        migrate.upgrade(template)
        template.dispose()
        self._administer(f'CREATE DATABASE "{self._own}" TEMPLATE "{self._template}"')
        self._administer(f'ALTER DATABASE "{self._own}" SET synchronous_commit = off')
        engine = create_engine(server.set(database=self._own))
        self._note_commits(engine)
        super().__init__(engine)

    def close(self) -> None:
        super().close()
        for name in (self._own, self._template):
            self._administer(f'DROP DATABASE "{name}" WITH (FORCE)')
        self._server.dispose()

    def _capture(self, value: Any) -> State:
        schema = f"state_{secrets.token_hex(6)}"
        with self.engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
            n_rows = {
                table: connection.exec_driver_sql(
                    f'CREATE TABLE {schema}."{table}" AS TABLE public."{table}"'
                ).rowcount
                for table in ALL_TABLES
            }
        statements = [
            "SET LOCAL session_replication_role = replica",
            *(f'DELETE FROM public."{table}"' for table in ALL_TABLES),
            *(
                f'INSERT INTO public."{table}" SELECT * FROM {schema}."{table}"'
                for table, n in n_rows.items()
                if n > 0
            ),
        ]
        return State(put_back=partial(self._run, "; ".join(statements)), value=value)

    def _run(self, statements: str) -> None:
        with self.engine.begin() as connection:
            connection.exec_driver_sql(statements)

    def _is_written(self) -> bool:
        return self._n_commits != self._n_known_commits

    def _count_commits(self) -> int:
        return self._n_commits

    def _forget_writes(self) -> None:
        self._n_known_commits = self._n_commits

    def _note_commits(self, engine: Engine) -> None:
        """Wrap the commit of the dialect: an engine with a listener looks for some at each statement."""
        commit, self._n_commits = engine.dialect.do_commit, 0

        def note(connection: PoolProxiedConnection) -> None:
            commit(connection)
            self._n_commits += 1

        engine.dialect.do_commit = note  # type: ignore[method-assign, assignment]

    def _require_closed(self) -> None:
        """A session that only read is in nobody's way; one that wrote is waited for as by any writer."""

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


def database_url() -> URL:
    """Return the address of the database to test on: that of the environment, SQLite's if it names none."""
    return make_url(next((os.environ[name] for name in URL_VARIABLES if os.environ.get(name)), "sqlite://"))


@cache
def shared_database() -> Database:
    """Return the database of this process, which the fixture `database` gives; state machines ask here."""
    url = database_url()
    return PostgresDatabase(url) if url.get_backend_name() == "postgresql" else SqliteDatabase()


def close_shared_database() -> None:
    """Drop the database of this process, if there is one."""
    if shared_database.cache_info().currsize:
        shared_database().close()
        shared_database.cache_clear()
