"""`atom repair`: what is stored too deep is found in every column, and can be answered afterwards."""

from __future__ import annotations

import pytest
from sqlalchemy import JSON, Text, cast, literal, select, update
from sqlalchemy.dialects.postgresql import JSONB

from atom import cli
from atom.db.repair import deep_values
from atom.db.types import MAX_STORED_DEPTH
from atom.kit.json_depth import depth_of
from atom.tables import METADATA, agents
from tests import factories
from tests.database import Clone, Database
from tests.property_tests.api.world import build

AGENTS = METADATA.tables[agents.Agent.__tablename__]


def nested(depth: int) -> str:
    return '{"a": ' + "[" * (depth - 1) + '"x"' + "]" * (depth - 1) + "}"


def store(clone: Clone, depth: int) -> str:
    """Commit an agent whose configuration is that deep, as text: no column asks for less."""
    with clone.sessions.begin() as session:
        ids = factories.tenant(session)
        written = literal(nested(depth), Text)
        value = written if clone.engine.dialect.name == "sqlite" else cast(written, JSONB)
        session.execute(update(AGENTS).where(AGENTS.c.id == ids.agent_id).values(configuration=value))
    return ids.agent_id


def stored(clone: Clone, agent_id: str) -> str:
    with clone.engine.connect() as connection:
        text = cast(AGENTS.c.configuration, Text)
        return str(connection.scalar(select(text).where(AGENTS.c.id == agent_id)))


@pytest.mark.parametrize("depth", [MAX_STORED_DEPTH, MAX_STORED_DEPTH + 1, 256, 5_000])
def test_what_is_too_deep_is_listed_and_repaired(
    database: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], depth: int
) -> None:
    """`--check` finds it and changes nothing; `repair` makes it shallow, and changes no other row."""
    with database.clone() as clone:
        monkeypatch.setenv("ATOM_DATABASE_URL", clone.url.render_as_string(hide_password=False))
        fine, found = store(clone, 3), store(clone, depth)
        before, is_deep = stored(clone, found), depth > MAX_STORED_DEPTH
        kept = stored(clone, fine)
        assert cli.main(["repair", "--check"]) == int(is_deep)
        out, err = capsys.readouterr()
        assert (f"agent_registry.configuration of {found}: {depth} levels" in out) is is_deep
        assert fine not in out
        assert ("`atom repair`" in err) is is_deep
        assert stored(clone, found) == before
        assert cli.main(["repair"]) == 0
        assert depth_of(stored(clone, found)) == min(depth, MAX_STORED_DEPTH)
        assert stored(clone, fine) == kept
        assert cli.main(["repair", "--check"]) == 0


def test_every_json_column_is_looked_at(database: Database) -> None:
    """Each column of type JSON is found by its type, in tables with rows."""
    columns = [c for table in METADATA.sorted_tables for c in table.columns if isinstance(c.type, JSON)]
    assert {column.name for column in columns} >= {"configuration", "metadata", "params", "trigger_context"}
    with database.prepared(build) as (sessions, _), sessions() as session:
        filled = {c.name for c in columns if session.scalar(select(c).limit(1)) is not None}
        assert filled >= {"configuration", "metadata"}
        assert list(deep_values(session.connection(), METADATA)) == []
