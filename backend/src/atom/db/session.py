"""Engines and transactions: one request is one transaction, committed whole or not at all."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Semaphore
from typing import TYPE_CHECKING, Any, cast

import sqlalchemy
from sqlalchemy import QueuePool, StaticPool, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from atom.db import sqlite
from atom.db.types import load_json
from atom.kit.errors import InvalidError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Engine

DIALECTS = {
    "sqlite": sqlite.DRIVER,
    "sqlite+pysqlite": sqlite.DRIVER,
    sqlite.DRIVER: sqlite.DRIVER,
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
}
"""How an address may begin, and the driver that is meant; hosts of databases write `postgres` too."""
MAX_CONNECTIONS = 25
"""As many as the application takes by its default settings."""
BUSY_TIMEOUT_MS = 5_000
"""How long a statement waits for a lock, on either database."""


def create_engine(url: str | URL, *, max_connections: int = MAX_CONNECTIONS) -> Engine:
    """
    Return an engine for a SQLite or PostgreSQL address, with a limited number of connections.

    An in-memory SQLite database lives on one connection, shared by all sessions of the engine. An error of
    the engine does not show the parameters of its statement: a log has no business with them.
    """
    options: dict[str, Any] = {"json_deserializer": load_json, "hide_parameters": True}
    address = database_address(url)
    if address.get_backend_name() == "postgresql":
        engine = sqlalchemy.create_engine(
            address, pool_pre_ping=True, pool_size=max_connections, max_overflow=0, **options
        )
        event.listen(engine, "connect", _prepare_postgres)
        return engine
    in_memory = address.database in (None, "", ":memory:")
    if in_memory:
        options["poolclass"] = StaticPool
    else:
        options |= {"pool_size": max_connections, "max_overflow": 0, "poolclass": FilePool}
    options["connect_args"] = {"check_same_thread": False}
    engine = sqlalchemy.create_engine(address, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    if not in_memory:
        _add_readers(engine, address, options)
    return engine


class FilePool(QueuePool):
    """
    The connections that write to a file; to close them closes the readers' too.

    A listener would not do: an engine with listeners looks for them at every statement.
    """

    readers: tuple[Engine, ...] = ()

    def dispose(self) -> None:
        """Close the connections that nobody uses."""
        super().dispose()
        for each in self.readers:
            each.dispose()

    def recreate(self) -> FilePool:
        """Return an empty pool like this one."""
        fresh = cast("FilePool", super().recreate())
        fresh.readers = self.readers
        return fresh


def _add_readers(engine: Engine, address: URL, options: dict[str, Any]) -> None:
    """Give an engine two more, whose connections read only for as long as they are open."""
    readers = sqlalchemy.create_engine(address, **options)
    event.listen(readers, "connect", _prepare_sqlite_reader)
    short_readers = sqlalchemy.create_engine(address, **{**options, "pool_size": 1})
    event.listen(short_readers, "connect", _prepare_sqlite_short_reader)
    for each in (engine, readers, short_readers):
        cast("sqlite.EmbeddedDialect", each.dialect).readers = readers if each is engine else each
    cast("sqlite.EmbeddedDialect", engine.dialect).short_readers = short_readers
    cast("FilePool", engine.pool).readers = (readers, short_readers)


@contextmanager
def connected(url: str | URL) -> Iterator[Engine]:
    """Give an engine for the block; its connections are closed when the block ends, also by an error."""
    engine = create_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()


def database_address(url: str | URL) -> URL:
    """Return the address that a text names: of a SQLite file or of a PostgreSQL database."""
    name = "ATOM_DATABASE_URL"
    expected = "expected sqlite:///FILE, with three slashes, or postgresql://USER@HOST/NAME"
    try:
        address = make_url(url)
    except (ArgumentError, ValueError) as exc:  # a text that is not shown: it may hold a password
        raise InvalidError(f"{name} cannot be read as an address; {expected}", field=name) from exc
    scheme = address.drivername
    if scheme not in DIALECTS:
        raise InvalidError(f"{name} names a database of kind {scheme!r}; {expected}", field=name)
    if DIALECTS[scheme] == sqlite.DRIVER and (address.host or address.username):
        raise InvalidError(
            f"{name} names the host {address.host!r} for a SQLite file; {expected}", field=name
        )
    return address.set(drivername=DIALECTS[scheme])


def shown_address(url: str) -> str:
    """Return an address as it may be shown to anybody: without its password."""
    address = make_url(url)
    if "password" in address.query:
        address = address.update_query_dict({"password": "***"})
    return address.render_as_string(hide_password=True)


def _prepare_postgres(dbapi_connection: Any, _record: object) -> None:
    with dbapi_connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = {BUSY_TIMEOUT_MS}")
    dbapi_connection.commit()  # without it the setting would end with the first transaction rolled back


def _prepare_sqlite(dbapi_connection: Any, _record: object) -> None:
    dbapi_connection.isolation_level = None  # sqlite3 opens no transaction of its own: the dialect does
    dbapi_connection.execute("PRAGMA foreign_keys = ON")
    dbapi_connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    dbapi_connection.execute("PRAGMA journal_mode = WAL")


def _prepare_sqlite_reader(dbapi_connection: Any, record: object) -> None:
    _prepare_sqlite(dbapi_connection, record)
    dbapi_connection.set_read_only(value=True)


def _prepare_sqlite_short_reader(dbapi_connection: Any, record: object) -> None:
    _prepare_sqlite_reader(dbapi_connection, record)
    dbapi_connection.keep_short()


def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Return the maker of sessions; what a session loaded stays readable after its commit."""
    return sessionmaker(engine, expire_on_commit=False)


class ReadOnlySession(Session):
    """
    A session that gives its connection before it keeps any books about objects.

    Most readings ask for rows alone; a session's own transaction takes longer than their statements. Objects
    that are asked for later are read in the transaction that the connection is in.
    """

    _connection: Connection | None = None

    def connection(self, *arguments: Any, **options: Any) -> Connection:
        """Return the connection of the session's transaction, which begins now if it has not."""
        if self._connection is not None:
            return self._connection
        if arguments or options or self.in_transaction():
            return super().connection(*arguments, **options)
        self._connection = self.bind = self.get_bind().engine.connect()
        self._connection.begin()
        self.dispatch.after_begin(self, None, self._connection)
        return self._connection

    def commit(self) -> None:
        """End the transaction."""
        super().commit()
        self._leave()

    def rollback(self) -> None:
        """End the transaction."""
        super().rollback()
        self._leave()

    def close(self) -> None:
        """End the transaction, and forget what was read."""
        super().close()
        self._leave()

    def _leave(self) -> None:
        if self._connection is not None:
            self.bind = self._connection.engine
            self._connection.close()
            self._connection = None


def read_only_session_factory(engine: Engine) -> sessionmaker[Session]:
    """Return the maker of sessions that may read only; they never wait for a writer."""
    return sessionmaker(read_only(engine), class_=ReadOnlySession, expire_on_commit=False)


def read_only(engine: Engine) -> Engine:
    """
    Return the engine whose transactions may read only.

    A SQLite file has connections of its own for it: a connection that is told to read only, or to write
    again, loses its prepared statements, and preparing one takes ten times as long as running it.
    """
    readers: Engine | None = getattr(engine.dialect, "readers", None)
    return readers or engine.execution_options(**{sqlite.READ_ONLY: True})


def short_reader(engine: Engine) -> Engine | None:
    """
    Return the engine with one connection whose transactions read only, and never wait or take long.

    What would wait or take long raises an error that `sqlite.is_refused` knows. There is no such engine
    for PostgreSQL, where every statement waits for another process.
    """
    found: Engine | None = getattr(engine.dialect, "short_readers", None)
    return found


def connections_in_use(engine: Engine) -> int | None:
    """Return how many connections work now, for reading and for writing; None where all share one."""
    pools = {each.pool for each in (engine, read_only(engine))}
    counts = [pool.checkedout() for pool in pools if isinstance(pool, QueuePool)]
    return sum(counts) if counts else None


@contextmanager
def unit_of_work(sessions: sessionmaker[Session]) -> Iterator[Session]:
    """Run the block in one transaction: committed when it ends, rolled back when it raises."""
    session = sessions()
    try:
        yield session
        session.commit()
    except BaseException:
        session.rollback()
        raise
    finally:
        session.close()


class WritersQueue:
    """
    Lets the threads of a process write one after the other, where the database would let only one write.

    SQLite does not queue who waits for its lock: they try again now and then, and under load the unlucky one
    gives up. Other databases lock rows, and here nobody waits.
    """

    def __init__(self, engine: Engine, *, timeout_s: float = BUSY_TIMEOUT_MS / 1_000) -> None:
        self._turns = Semaphore(1) if engine.dialect.name == "sqlite" else None
        self._timeout_s = timeout_s

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this thread's turn, for as long as SQLite would be waited for."""
        if self._turns is None:
            yield
            return
        if not self._turns.acquire(timeout=self._timeout_s):
            raise UnavailableError(f"others have been writing for {self._timeout_s:g} s; try again")
        try:
            yield
        finally:
            self._turns.release()
