"""A request whose answer fails writes nothing, and whatever is stored can be answered."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import JSON, Text, cast, literal, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Session, sessionmaker

from atom.db.repair import deep_values
from atom.identity.models import ApiKeyScope
from atom.kit.text import MAX_JSON_DEPTH
from atom.tables import METADATA
from tests.api.operations import OPERATIONS
from tests.database import Database
from tests.faults import InjectedError, Stage, unanswerable
from tests.property_tests.api.ids import id_fields, with_fields
from tests.property_tests.api.places import is_free, nested, put
from tests.property_tests.api.world import World, build, world_of
from tests.property_tests.conftest import scaled

if TYPE_CHECKING:
    from schemathesis import Case

    from tests.property_tests.api.contract import Contract

SENDERS_OWN = {"configuration", "context", "inputs", "metadata", "output", "params", "trigger_context"}
OBJECTS = [
    column
    for table in METADATA.sorted_tables
    for column in table.columns
    if isinstance(column.type, JSON) and column.name in SENDERS_OWN
]
"""The columns that hold JSON objects which the sender chooses."""
DEEP = json.dumps(nested(300))
"""Nested deeper than an answer can be, as stored by a version that did not check the depth."""


@settings(scaled(0.3))
@given(data=st.data(), stage=st.sampled_from(Stage))
def test_a_request_that_cannot_be_answered_wrote_nothing(
    database: Database, contract: Contract, data: st.DataObject, stage: Stage
) -> None:
    """If its answer fails, at any stage, a request of any operation leaves every table as it was."""
    with world_of(database) as world:
        case = contract.aimed(data, data.draw(contract.valid()), world.my_ids)
        before = database.snapshot()
        with unanswerable(stage):
            try:
                status = contract.send(case, world.mine.secrets[ApiKeyScope.ADMIN]).status_code
            except InjectedError:
                status = 500
        assert status >= 400
        assert database.snapshot() == before


def test_no_operation_takes_json_that_is_too_deep(database: Database, contract: Contract) -> None:
    """Where a body may hold any JSON, `MAX_JSON_DEPTH` levels are accepted and one level more is a 422."""
    with world_of(database) as world:
        secret = world.mine.secrets[ApiKeyScope.ADMIN]
        for name, place in contract.body_places(is_free):
            case = _valid(contract, name, world)
            body, before = case.body, database.snapshot()
            for depth in (MAX_JSON_DEPTH + 1, 256):
                case.body = put(body, place, nested(depth))
                response = contract.send(case, secret)
                assert response.status_code == 422, (name, place)
                assert "nested deeper than" in response.text, (name, place)
            assert database.snapshot() == before
            case.body = put(body, place, nested(MAX_JSON_DEPTH))
            status = contract.send(case, secret).status_code
            assert status < 300 or status in (404, 409), (name, place)


def test_there_are_places_of_any_shape(contract: Contract) -> None:
    """The search for JSON of any shape finds at least the places that we know."""
    found = set(contract.body_places(is_free))
    assert found >= {
        ("create_chat", ("metadata",)),
        ("register_agent", ("configuration",)),
        ("request_approval", ("params",)),
        ("route_trigger", ("context",)),
    }


@pytest.mark.parametrize("name", OPERATIONS)
def test_what_is_stored_too_deep_is_answered(database: Database, contract: Contract, name: str) -> None:
    """No operation answers with a 5xx if stored JSON is nested deeper than a request may send today."""
    with database.prepared(build_deep) as (_, world):
        response = contract.send(_valid(contract, name, world), world.mine.secrets[ApiKeyScope.ADMIN])
        assert response.status_code < 500


def test_deep_rows_are_there(database: Database) -> None:
    """In that world, columns of several tables are too deep; otherwise the property above checks nothing."""
    with database.prepared(build_deep), database.engine.connect() as connection:
        found = {value.column.table.name for value in deep_values(connection, METADATA)}
    assert found >= {
        "agent_registry",
        "chat_sessions",
        "hitl_actions",
        "supervised_queue",
        "blocked_triggers",
    }


def build_deep(sessions: sessionmaker[Session]) -> World:
    """Commit a world in which all JSON objects that senders choose are too deep."""
    world = build(sessions)
    with sessions.begin() as session:
        is_sqlite = session.get_bind().dialect.name == "sqlite"
        for column in OBJECTS:
            deep = literal(DEEP, Text) if is_sqlite else cast(literal(DEEP, Text), JSONB)
            session.execute(update(column.table).values({column: deep}))
    return world


def _valid(contract: Contract, name: str, world: World) -> Case[Any]:
    """Return a request that conforms to the document and is about the caller's own rows."""
    case = contract.whole_cases[name]
    return with_fields(case, world.own(id_fields(case)))
