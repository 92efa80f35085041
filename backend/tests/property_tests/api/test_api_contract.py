"""The API does what its OpenAPI document says, and one workspace is none of another's business."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from atom.identity.models import ApiKeyScope
from atom.tables import METADATA
from tests.database import Database
from tests.factories import EPISODES
from tests.property_tests.conftest import scaled

if TYPE_CHECKING:
    from tests.property_tests.api.contract import Contract
    from tests.property_tests.api.world import World


LOG = "episode_access_logs"
"""Where a look at an episode is written down; the episode itself counts them."""
UNCOUNTED = select(*(column for column in EPISODES.c if column.name != "access_count"))
OTHERS = [table.name for table in METADATA.sorted_tables if table.name not in (LOG, EPISODES.name)]

TAGS = ("agents", "analytics", "chat", "episodes", "governance", "keys", "ledger", "users")


@contextmanager
def world_of(database: Database) -> Iterator[World]:
    """Give a database with two workspaces."""
    from tests.property_tests.api.world import build

    with database.prepared(build) as (_, world):
        yield world


def rows_but_for_looks(database: Database) -> dict[str, list[str]]:
    """Return all rows of all tables but the log, and of an episode all but how often it was looked at."""
    with database.engine.connect() as connection:
        episodes = sorted(str(tuple(row)) for row in connection.execute(UNCOUNTED))
    return {**database.snapshot(*OTHERS), EPISODES.name: episodes}


@settings(scaled(0.3))
@given(data=st.data())
def test_a_valid_request_is_answered_as_documented(
    database: Database, contract: Contract, data: st.DataObject
) -> None:
    """Status, headers and body are ones that the document names; without the key, or with another, a 401."""
    with world_of(database) as world:
        case = contract.aimed(data, data.draw(contract.valid()), world.my_ids, world.their_ids)
        contract.call(case, world.mine.secrets[ApiKeyScope.ADMIN])


@settings(scaled(0.3))
@given(data=st.data())
def test_an_invalid_request_is_refused_and_nothing_is_written(
    database: Database, contract: Contract, data: st.DataObject
) -> None:
    """What breaks the document is refused with a problem, and every table is as before."""
    with world_of(database) as world:
        case = contract.aimed(data, data.draw(contract.invalid()), world.my_ids)
        before = database.snapshot()
        response = contract.call(case, world.mine.secrets[ApiKeyScope.ADMIN])
        if response.status_code >= 400:
            assert database.snapshot() == before


@pytest.mark.parametrize("tag", TAGS)
@settings(scaled(0.05))
@given(data=st.data())
def test_nothing_of_another_workspace_is_shown_or_changed(
    database: Database, contract: Contract, data: st.DataObject, tag: str
) -> None:
    """Every operation, asked about another workspace's rows, tells nothing of them and changes none."""
    from tests.property_tests.api.world import THEIRS, rows_of

    with world_of(database) as world:
        their_ids = {id_ for ids in world.their_ids.values() for id_ in ids}
        for operation in contract.tagged(tag):
            drawn = data.draw(operation.valid(), label=operation.id)
            case = contract.aimed(data, drawn, world.my_ids, world.their_ids, world.their_ids)
            response = contract.send(case, world.mine.secrets[ApiKeyScope.ADMIN])
            sent = f"{case.path_parameters} {case.query} {case.body}"
            assert response.status_code < 500
            assert THEIRS not in response.text
            assert {id_ for id_ in their_ids if id_ in response.text and id_ not in sent} == set()
        with Session(database.engine) as session:
            assert rows_of(session, world.theirs.id) == world.their_rows


@pytest.mark.parametrize("tag", TAGS)
@settings(scaled(0.01))
@given(data=st.data(), secret=st.from_regex(r"(atom_)?[!-~]{1,50}", fullmatch=True))
def test_no_operation_answers_without_a_key(
    database: Database, contract: Contract, data: st.DataObject, tag: str, secret: str
) -> None:
    """Whatever is asked for without a key, or with one that nobody made, is a 401 and changes nothing."""
    with world_of(database) as world:
        before = database.snapshot()
        for operation in contract.tagged(tag):
            case = contract.aimed(data, data.draw(operation.valid(), label=operation.id), world.my_ids)
            for key in (None, secret):
                assert contract.send(case, key).status_code == 401
        assert database.snapshot() == before


@pytest.mark.parametrize("tag", TAGS)
@settings(scaled(0.02))
@given(data=st.data())
def test_a_key_that_reads_changes_nothing_but_the_log_of_what_it_read(
    database: Database, contract: Contract, data: st.DataObject, tag: str
) -> None:
    """A key of scope read adds only who looked at which episode; what takes more than to read is a 403."""
    from tests.api.test_operations import committed

    scopes = {operation.split()[0]: scope for operation, scope in committed().items()}
    with world_of(database) as world:
        before, log_before = rows_but_for_looks(database), database.snapshot(LOG)[LOG]
        for operation in contract.tagged(tag):
            case = contract.aimed(data, data.draw(operation.valid(), label=operation.id), world.my_ids)
            response = contract.send(case, world.mine.secrets[ApiKeyScope.READ])
            if scopes[operation.id] is not ApiKeyScope.READ:
                assert response.status_code == 403, operation.id
        assert rows_but_for_looks(database) == before
        assert set(log_before) <= set(database.snapshot(LOG)[LOG])
