"""Transactions: whole or not at all; read-only ones cannot write; foreign keys count."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime

import pytest
from sqlalchemy import Engine, bindparam, event, func, literal, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, StatementError
from sqlalchemy.orm import Session, sessionmaker
from sqlalchemy.pool import QueuePool

from atom.db.direct import fetch
from atom.db.session import (
    BUSY_TIMEOUT_MS,
    create_engine,
    read_only,
    read_only_session_factory,
    short_reader,
    unit_of_work,
)
from atom.db.sqlite import SHORT_STEPS, SHORT_VALUE, is_refused
from atom.tables import agents, identity
from tests import factories
from tests.database import Database
from tests.listening import listening


def write_half(sessions: sessionmaker[Session]) -> None:
    with unit_of_work(sessions) as session:
        factories.workspace(session)
        raise RuntimeError("halfway")


def n_workspaces(session: Session) -> int:
    return session.scalars(select(func.count()).select_from(identity.Workspace)).one()


def test_a_unit_of_work_commits_when_it_ends(database: Database) -> None:
    """The next transaction sees what the block wrote."""
    with database.sessions() as sessions:
        with unit_of_work(sessions) as session:
            factories.workspace(session)
        with unit_of_work(sessions) as session:
            assert n_workspaces(session) == 1


def test_a_unit_of_work_rolls_back_when_it_raises(database: Database) -> None:
    """The exception passes through, and nothing of the block stays."""
    with database.sessions() as sessions:
        with pytest.raises(RuntimeError, match="halfway"):
            write_half(sessions)
        with unit_of_work(sessions) as session:
            assert n_workspaces(session) == 0


def test_a_read_only_session_refuses_to_write(database: Database) -> None:
    """The database itself says no, and the next session of the engine writes again."""
    with database.sessions() as sessions:
        with pytest.raises(DBAPIError), unit_of_work(read_only_session_factory(database.engine)) as session:
            factories.workspace(session)
        with unit_of_work(sessions) as session:
            factories.workspace(session)
            assert n_workspaces(session) == 1


def test_a_reading_is_one_transaction_for_rows_and_objects(database: Database) -> None:
    """Whichever is asked for first; what is committed meanwhile is seen by the next transaction only."""
    with database.clone() as clone:
        if clone.engine.dialect.name != "sqlite":
            pytest.skip("READ COMMITTED sees what others commit")
        for look in (n_workspaces, n_workspaces_by_connection):
            with clone.readers() as reader, clone.sessions() as writer:
                n_before = look(reader)
                factories.workspace(writer)
                writer.commit()
                assert n_workspaces(reader) == n_workspaces_by_connection(reader) == n_before
                reader.commit()
                assert n_workspaces_by_connection(reader) == n_workspaces(reader) == n_before + 1
                reader.rollback()
                assert look(reader) == n_before + 1
        readers = read_only(clone.engine)
        assert isinstance(readers.pool, QueuePool)
        assert readers.pool.checkedout() == 0


def n_workspaces_by_connection(session: Session) -> int:
    return session.connection().scalars(select(func.count()).select_from(identity.Workspace)).one()


def test_a_reading_tells_that_it_began_once(database: Database) -> None:
    """For rows alone, and for objects after rows: the decision cache has to know when a transaction began."""
    with database.sessions():
        readers = read_only_session_factory(database.engine)
        began: list[Session] = []
        event.listen(readers, "after_begin", lambda session, *_: began.append(session))
        with readers() as reader:
            n_workspaces_by_connection(reader)
            reader.connection()
            assert began == [reader]


def n_idle(engine: Engine) -> int:
    """Return how many connections the engine's pool keeps for the next who asks."""
    assert isinstance(engine.pool, QueuePool)
    return engine.pool.checkedin()


def test_readers_keep_their_prepared_statements(database: Database) -> None:
    """A reader's connection to a file is never a writer's: to change its mode costs it its statements."""
    with database.clone() as clone:
        if clone.engine.dialect.name != "sqlite":
            pytest.skip("PostgreSQL is told for each transaction")
        with clone.readers() as reader, clone.sessions() as writer:
            assert [_is_read_only(session) for session in (reader, writer)] == [True, False]
        with clone.readers() as reader:
            assert _is_read_only(reader)
        readers = read_only(clone.engine)
        assert [n_idle(readers), n_idle(clone.engine)] == [1, 1]
        clone.engine.dispose()
        assert n_idle(readers) == 0


COUNT = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :most) SELECT max(i) FROM n"
"""Takes at least one step of SQLite's machine for each number."""


@pytest.fixture
def short(database: Database) -> Iterator[tuple[Engine, Engine]]:
    """A file's engine, and the engine of its short readings."""
    with database.clone() as clone:
        reader = short_reader(clone.engine)
        assert (reader is None) is (clone.engine.dialect.name != "sqlite")
        if reader is None:
            pytest.skip("PostgreSQL is another process, which is always waited for")
        yield clone.engine, reader


@pytest.mark.parametrize("in_the_way", ["steps", "text", "parameter"])
def test_a_short_reading_takes_no_more_than_is_short(short: tuple[Engine, Engine], in_the_way: str) -> None:
    """What would take long is refused, and the next reading of the connection is answered."""
    _, reader = short
    sought = {
        "steps": text(COUNT).bindparams(most=2 * SHORT_STEPS),
        "text": text("SELECT zeroblob(:n)").bindparams(n=SHORT_VALUE + 1),
        "parameter": text("SELECT :given").bindparams(given="x" * (SHORT_VALUE + 1)),
    }[in_the_way]
    with pytest.raises(DBAPIError) as refused, reader.connect() as connection:
        connection.execute(sought).scalar_one()
    assert is_refused(refused.value)
    with reader.connect() as connection:
        assert connection.execute(text(COUNT), {"most": 10}).scalar_one() == 10


def test_a_statement_that_runs_directly_is_refused_too(short: tuple[Engine, Engine]) -> None:
    """Also when it has found rows already: SQLite looks for each row when it is fetched."""
    _, reader = short
    first = select(literal(1).label("i")).cte(recursive=True)
    numbers = first.union_all(select(first.c.i + 1).where(first.c.i < bindparam("most")))
    with pytest.raises(DBAPIError) as refused, reader.connect() as connection:
        fetch(connection, select(numbers.c.i), {"most": 2 * SHORT_STEPS})
    assert is_refused(refused.value)
    with reader.connect() as connection:
        assert list(map(tuple, fetch(connection, select(numbers.c.i), {"most": 2}))) == [(1,), (2,)]


def test_many_short_readings_are_not_one_long_one(short: tuple[Engine, Engine]) -> None:
    """SQLite counts the steps of a prepared statement over all its runs; we count those of a transaction."""
    _, reader = short
    n_numbers = SHORT_STEPS // 100
    for _ in range(200):
        with reader.connect() as connection:
            assert connection.execute(text(COUNT), {"most": n_numbers}).scalar_one() == n_numbers


def test_a_short_reading_writes_nothing(short: tuple[Engine, Engine]) -> None:
    """Like every other reader of a file, and its refusal is an error rather than a reason to try again."""
    _, reader = short
    with pytest.raises(DBAPIError, match="readonly") as refused, reader.connect() as connection:
        connection.execute(text("DELETE FROM workspaces"))
    assert not is_refused(refused.value)


def test_a_short_reading_waits_for_no_lock() -> None:
    """On a database without a write-ahead log a writer locks readers out: a short reading is refused."""
    address = "file:/atom_short?vfs=memdb"
    writer = sqlite3.connect(address, uri=True, isolation_level=None)
    writer.execute("CREATE TABLE things (id INTEGER)")
    engine = create_engine(f"sqlite:///{address}&uri=true")
    reader = short_reader(engine)
    assert reader is not None
    reader.connect().close()  # connecting waits; from now on the pool has a connection that is ready
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DBAPIError) as refused, reader.connect() as connection:
        connection.execute(text("SELECT * FROM things"))
    assert is_refused(refused.value)
    writer.execute("ROLLBACK")
    with reader.connect() as connection:
        assert connection.execute(text("SELECT * FROM things")).all() == []
    engine.dispose()
    writer.close()


def _is_read_only(session: Session) -> bool:
    return bool(session.connection().exec_driver_sql("PRAGMA query_only").scalar_one())


def test_a_commit_that_fails_is_undone(database: Database) -> None:
    """The connection is whole afterwards: the next unit of work begins and commits."""

    def fail(_: object) -> None:
        raise RuntimeError("the commit failed")

    with database.sessions() as sessions:
        with (
            listening(database.engine, "commit", fail),
            pytest.raises(RuntimeError, match="the commit failed"),
            unit_of_work(sessions) as session,
        ):
            factories.workspace(session)
        with unit_of_work(sessions) as session:
            assert n_workspaces(session) == 0


def test_foreign_keys_are_enforced(database: Database) -> None:
    """A row without its parent is refused."""
    with database.session() as session, pytest.raises(IntegrityError):
        factories.user(session, workspace_id="nowhere")


def test_a_session_is_undone(database: Database) -> None:
    """What a `session()` block writes and commits is gone for the next one."""
    with database.session() as session:
        factories.workspace(session)
        session.commit()
        assert n_workspaces(session) == 1
    with database.session() as session:
        assert n_workspaces(session) == 0


def test_a_database_is_put_back_after_commits(database: Database) -> None:
    """What a `sessions()` block commits is gone for the next one."""
    with database.sessions() as sessions, unit_of_work(sessions) as session:
        factories.workspace(session)
    with database.session() as session:
        assert n_workspaces(session) == 0


def test_a_naive_time_is_refused(database: Database) -> None:
    """A time without zone is a mistake of the caller, not a time in UTC."""
    with database.session() as session:
        workspace = factories.workspace(session)
        agent = factories.agent(session, workspace_id=workspace.id)
        with pytest.raises(StatementError, match="has no time zone"):
            factories.execution(session, agent_id=agent.id, started_at=datetime(2026, 1, 1))  # noqa: DTZ001


@pytest.mark.parametrize("confidence", [-0.01, 1.01])
def test_confidence_outside_its_range_is_refused(database: Database, confidence: float) -> None:
    """The schema holds the range of a float."""
    with database.session() as session:
        workspace = factories.workspace(session)
        with pytest.raises(IntegrityError):
            factories.agent(session, workspace_id=workspace.id, confidence=confidence)


def test_a_change_inside_json_is_written(database: Database) -> None:
    """Setting a key of a JSON object in place marks the row as changed."""
    with database.sessions() as sessions:
        with unit_of_work(sessions) as session:
            workspace = factories.workspace(session)
            agent = factories.agent(session, workspace_id=workspace.id)
            agent_id = agent.id
        with unit_of_work(sessions) as session:
            agent = session.get_one(agents.Agent, agent_id)
            agent.configuration["model"] = "small"
        with unit_of_work(sessions) as session:
            assert session.get_one(agents.Agent, agent_id).configuration == {"model": "small"}


def test_a_database_is_put_back_while_other_connections_stay_open(database: Database) -> None:
    """A connection that read before the database was put back reads the migrated state afterwards."""
    with database.sessions() as sessions:
        with unit_of_work(sessions) as session:
            factories.workspace(session)
        with unit_of_work(sessions) as session:
            assert n_workspaces(session) == 1
    with database.sessions() as sessions, unit_of_work(sessions) as session:
        assert n_workspaces(session) == 0


def two_workspaces(sessions: sessionmaker[Session]) -> int:
    with unit_of_work(sessions) as session:
        factories.workspace(session)
        factories.workspace(session)
        return n_workspaces(session)


def test_a_prepared_database_has_its_rows_each_time(database: Database) -> None:
    """What one block adds is not there for the next, and nothing is left behind in the end."""
    for _ in range(3):
        with database.prepared(two_workspaces) as (sessions, count), unit_of_work(sessions) as session:
            assert n_workspaces(session) == count == 2
            factories.workspace(session)
    with database.session() as session:
        assert n_workspaces(session) == 0


def test_a_statement_waits_for_a_lock_equally_long_on_either_database(database: Database) -> None:
    """The time-out is the connection's: a transaction that is rolled back does not take it along."""
    query = "PRAGMA busy_timeout" if database.dialect == "sqlite" else "SHOW lock_timeout"
    with database.clone() as clone, clone.engine.connect() as connection:
        for _ in range(2):
            found = str(connection.exec_driver_sql(query).scalar_one())
            connection.rollback()
            assert found in {f"{BUSY_TIMEOUT_MS}", f"{BUSY_TIMEOUT_MS // 1_000}s"}
