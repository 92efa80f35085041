"""The API does what its OpenAPI document says, and one workspace is none of another's business."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from atom.identity.models import ApiKeyScope
from tests.database import Database
from tests.property_tests.conftest import scaled

if TYPE_CHECKING:
    from tests.property_tests.api.contract import Contract
    from tests.property_tests.api.world import World


LOGS = {"episode_access_logs", "episodes"}
"""Where a look at an episode is written down: who looked, and how often somebody did."""


@contextmanager
def world_of(database: Database, *, n_foreign: int = 1) -> Iterator[World]:
    """Give a world whose ids requests are drawn from: mine once, the other workspace's `n_foreign` times."""
    from tests.property_tests.api.contract import KNOWN_IDS
    from tests.property_tests.api.world import build

    with database.prepared(build) as (_, world):
        KNOWN_IDS[:] = world.my_ids + world.their_ids * n_foreign
        yield world


@settings(scaled(0.5))
@given(data=st.data())
def test_a_valid_request_is_answered_as_documented(
    database: Database, contract: Contract, data: st.DataObject
) -> None:
    """Status, headers and body are ones that the document names; without the key, or with another, a 401."""
    with world_of(database, n_foreign=0) as world:
        contract.call(data.draw(contract.valid()), world.mine.secrets[ApiKeyScope.ADMIN])


@settings(scaled(0.5))
@given(data=st.data())
def test_an_invalid_request_is_refused_and_nothing_is_written(
    database: Database, contract: Contract, data: st.DataObject
) -> None:
    """What breaks the document is refused with a problem, and every table is as before."""
    with world_of(database, n_foreign=0) as world:
        before = database.snapshot()
        response = contract.call(data.draw(contract.invalid()), world.mine.secrets[ApiKeyScope.ADMIN])
        if response.status_code >= 400:
            assert database.snapshot() == before


@given(data=st.data(), scope=st.sampled_from(ApiKeyScope), n_requests=st.integers(1, 3))
def test_nothing_of_another_workspace_is_shown_or_changed(
    database: Database, contract: Contract, data: st.DataObject, scope: ApiKeyScope, n_requests: int
) -> None:
    """Whatever a key asks for, about whatever id: of another workspace it is told and it changes nothing."""
    from tests.property_tests.api.world import THEIRS, rows_of

    with world_of(database, n_foreign=2) as world:
        for _ in range(n_requests):
            case = data.draw(contract.valid())
            answer = case.call(headers={"Authorization": f"Bearer {world.mine.secrets[scope]}"}).text
            sent = f"{case.path_parameters} {case.query} {case.body}"
            assert THEIRS not in answer
            assert [id_ for id_ in world.their_ids if id_ in answer and id_ not in sent] == []
        with database.session() as session:
            assert rows_of(session, world.theirs.id) == world.their_rows


@given(data=st.data())
def test_a_key_that_reads_changes_nothing_but_the_log_of_what_it_read(
    database: Database, contract: Contract, data: st.DataObject
) -> None:
    """A key of scope read leaves every table as it is, apart from who looked at which episode."""
    with world_of(database, n_foreign=0) as world:
        case = data.draw(contract.valid())
        before = database.snapshot()
        case.call(headers={"Authorization": f"Bearer {world.mine.secrets[ApiKeyScope.READ]}"})
        after = database.snapshot()
        assert {table for table in before if before[table] != after[table]} <= LOGS
