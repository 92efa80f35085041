"""The API does what its OpenAPI document says, and workspaces do not see each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from atom.identity.models import ApiKeyScope
from atom.tables import METADATA
from tests.api.operations import OPERATIONS, scopes_of_operations
from tests.database import Database
from tests.factories import EPISODES
from tests.property_tests.api.ids import NOBODY, TABLES, id_fields, with_fields
from tests.property_tests.api.world import THEIRS, rows_of, world_of
from tests.property_tests.conftest import scaled

if TYPE_CHECKING:
    from tests.property_tests.api.contract import Contract


LOG = "episode_access_logs"
"""The table that logs each access to an episode; the episode itself counts them."""
UNCOUNTED = select(*(column for column in EPISODES.c if column.name != "access_count"))
OTHERS = [table.name for table in METADATA.sorted_tables if table.name not in (LOG, EPISODES.name)]

SCOPES = scopes_of_operations()
ORDER = list(ApiKeyScope)
ACTS_FOR_PEOPLE = ("intervene_in_execution", "propose", "route_trigger", "submit_feedback")
"""Operations whose fullest request acts for a person, which takes more than the scope of the route."""


def rows_but_for_looks(database: Database) -> dict[str, list[str]]:
    """Return all rows of all tables except the access log, and episodes without their access counts."""
    with database.engine.connect() as connection:
        episodes = sorted(str(tuple(row)) for row in connection.execute(UNCOUNTED))
    return {**database.snapshot(*OTHERS), EPISODES.name: episodes}


@settings(scaled(0.3))
@given(data=st.data())
def test_a_valid_request_is_answered_as_documented(
    database: Database, contract: Contract, data: st.DataObject
) -> None:
    """
    An answer has a documented status, headers and body; without a key, or with a wrong one, it is a 401.
    """
    with world_of(database) as world:
        case = contract.aimed(data, data.draw(contract.valid()), world.my_ids, world.their_ids)
        contract.call(case, world.mine.secrets[ApiKeyScope.ADMIN])


@settings(scaled(0.3))
@given(data=st.data())
def test_an_invalid_request_is_refused_and_nothing_is_written(
    database: Database, contract: Contract, data: st.DataObject
) -> None:
    """A request that violates the document is refused with a problem, and no table changes."""
    with world_of(database) as world:
        case = contract.aimed(data, data.draw(contract.invalid()), world.my_ids)
        before = database.snapshot()
        response = contract.call(case, world.mine.secrets[ApiKeyScope.ADMIN])
        if response.status_code >= 400:
            assert database.snapshot() == before


@settings(scaled(0.5))
@given(data=st.data())
def test_nothing_of_another_workspace_is_shown_or_changed(
    database: Database, contract: Contract, data: st.DataObject
) -> None:
    """Asked about another workspace's rows, no operation shows or changes anything of them."""
    with world_of(database) as world:
        their_ids = {id_ for ids in world.their_ids.values() for id_ in ids}
        drawn = data.draw(contract.valid())
        case = contract.aimed(data, drawn, world.my_ids, world.their_ids, world.their_ids)
        response = contract.send(case, world.mine.secrets[ApiKeyScope.ADMIN])
        sent = f"{case.path_parameters} {case.query} {case.body!r}"
        assert response.status_code < 500
        assert THEIRS not in response.text
        assert {id_ for id_ in their_ids if id_ in response.text and id_ not in sent} == set()
        with Session(database.engine) as session:
            assert rows_of(session, world.theirs.id) == world.their_rows


ANSWERS_ANYHOW = ("count_accesses", "decide", "enforce")
"""Operations that answer for what does not exist too: nothing is counted, and an unknown agent may not."""
HAS_MORE_RULES = {("post_transaction", "account_id"), ("transfer", "source_account_id")} | {
    (name, "credit_account_id") for name in ("pay_bill", "pay_expense", "post_bill", "post_invoice")
}
"""Fields of requests that may break another rule first: their other fields name any account and currency."""


FILTERS = {
    "list_chats": {"user_id"},
    "list_executions": {"agent_id", "chat_id"},
    "list_keys": {"user_id"},
    **{
        f"list_{kind}": {"agent_id"}
        for kind in ("approvals", "blocked_triggers", "proposals", "queue", "supervisions", "trainings")
    },
}
"""Fields by which a list is narrowed: nobody's list is empty."""


def answers_to_nothing(name: str, field: str) -> set[int]:
    """Return the possible statuses of the answer to a request with the id of nothing in one field."""
    if name in ANSWERS_ANYHOW or (name.startswith("list_") and field in FILTERS.get(name, ())):
        return {200}
    if (name, field) in HAS_MORE_RULES:
        return {404, 422}
    return {409 if field == "claim_id" else 404}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_id_of_another_workspace_is_an_id_of_nothing(
    database: Database, contract: Contract, name: str
) -> None:
    """For each id field, another workspace's id gets the same answer as one of nothing, mostly 404."""
    case = contract.whole_cases[name]
    fields = id_fields(case)
    with world_of(database) as world:
        admin = world.mine.secrets[ApiKeyScope.ADMIN]
        own = world.own(fields)
        for field in fields:
            absent = contract.send(with_fields(case, {**own, field: NOBODY}), admin)
            assert absent.status_code in answers_to_nothing(name, field), (field, absent.text)
            after_nothing = database.snapshot()
            for foreign in world.their_ids[TABLES[field]]:
                found = contract.send(with_fields(case, {**own, field: foreign}), admin)
                assert found.status_code == absent.status_code, (field, found.text)
                assert found.text.replace(foreign, NOBODY) == absent.text, field
                assert database.snapshot() == after_nothing, field
        with Session(database.engine) as session:
            assert rows_of(session, world.theirs.id) == world.their_rows


@pytest.mark.parametrize("name", [name for name, scope in SCOPES.items() if scope is not None])
def test_no_operation_answers_without_a_key(database: Database, contract: Contract, name: str) -> None:
    """
    For each operation, a missing or useless key is a 401,
    in the same words for every useless key, and nothing is written.
    """
    case = contract.whole_cases[name]
    with world_of(database) as world:
        own = world.own(id_fields(case))
        before = database.snapshot()
        told = {}
        for kind, secret in world.useless_secrets.items():
            response = contract.send(with_fields(case, own), secret)
            assert response.status_code == 401, kind
            told[kind] = response.text
        assert len(set(told.values()) - {told["none"]}) == 1
        assert database.snapshot() == before


@pytest.mark.parametrize("name", [name for name, scope in SCOPES.items() if scope is not None])
def test_a_key_of_a_lower_scope_is_refused_and_a_reading_one_changes_only_the_log(
    database: Database, contract: Contract, name: str
) -> None:
    """
    For each operation, a key of too low a scope gets a 403 before anything is written,
    and a read key changes only the access log.
    """
    case = contract.whole_cases[name]
    needed = SCOPES[name]
    assert needed is not None
    for scope in (ApiKeyScope.READ, ApiKeyScope.WRITE):
        with world_of(database) as world:
            own = world.own(id_fields(case))
            before, log_before = rows_but_for_looks(database), database.snapshot(LOG)[LOG]
            response = contract.send(with_fields(case, own), world.mine.secrets[scope])
            is_refused = ORDER.index(needed) > ORDER.index(scope) or name in ACTS_FOR_PEOPLE
            assert (response.status_code == 403) is is_refused, (scope, response.text)
            if scope is ApiKeyScope.READ or is_refused:
                assert rows_but_for_looks(database) == before, scope
                assert set(log_before) <= set(database.snapshot(LOG)[LOG]), scope
