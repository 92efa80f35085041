"""The database of a test process: what it says of its rows is so now."""

from __future__ import annotations

from atom.db.session import unit_of_work
from tests import factories
from tests.database import ALL_TABLES, Database, read_rows


def test_a_snapshot_shows_every_commit(database: Database) -> None:
    """Rows are kept between two looks only while nothing is committed, and never into the next block."""
    with database.sessions() as sessions:
        seen = [database.snapshot()]
        for _ in range(3):
            with unit_of_work(sessions) as session:
                factories.workspace(session)
            seen.append(database.snapshot())
            assert seen[-1] == database.snapshot() == read_rows(database.engine, ALL_TABLES)
        with sessions() as session:
            factories.workspace(session)
            session.rollback()
        assert database.snapshot() == seen[-1]
    assert [len(rows["workspaces"]) for rows in seen] == [0, 1, 2, 3]
    with database.sessions():
        assert database.snapshot() == seen[0] == read_rows(database.engine, ALL_TABLES)


def test_a_snapshot_of_one_table_is_part_of_the_whole(database: Database) -> None:
    """Whichever was asked for first."""
    with database.prepared(factories.add_people):
        users = database.snapshot("users")
        assert users["users"]
        assert users.items() <= database.snapshot().items()
        assert database.snapshot("agent_registry").keys() == {"agent_registry"}
