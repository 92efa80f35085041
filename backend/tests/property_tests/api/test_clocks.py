"""Every operation is answered at the first and at the last moment of the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from atom.identity.models import ApiKeyScope
from atom.kit.clock import FIRST, LAST, moved
from tests.api.operations import OPERATIONS
from tests.database import Database
from tests.factories import NOW
from tests.http import Api
from tests.property_tests.api.ids import id_fields, with_fields
from tests.property_tests.api.world import world_of

if TYPE_CHECKING:
    from tests.property_tests.api.contract import Contract

RESOLUTION = timedelta(microseconds=1)
NAME = {"Idempotency-Key": "a-name"}


@given(
    moment=st.datetimes(timezones=st.just(UTC)) | st.sampled_from((FIRST, LAST)),
    by=st.timedeltas() | st.sampled_from((timedelta(0), timedelta.min, timedelta.max)),
)
@example(moment=LAST, by=timedelta(microseconds=1))
@example(moment=FIRST, by=-timedelta(microseconds=1))
def test_a_moment_is_moved_to_the_end_of_the_calendar_at_most(moment: datetime, by: timedelta) -> None:
    """A moment is moved exactly, but never past the first or the last moment of the calendar."""
    distance = moment - FIRST
    whole = (LAST - FIRST) // RESOLUTION
    wanted = min(max(distance // RESOLUTION + by // RESOLUTION, 0), whole)
    assert moved(moment, by) == FIRST + wanted * RESOLUTION


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_clock_at_the_ends_of_the_calendar_breaks_nothing(
    database: Database, contract: Contract, running_api: Api, name: str
) -> None:
    """No operation answers with a 5xx when the clock is at the first or the last moment of the calendar."""
    whole = contract.whole_cases[name]
    try:
        for moment in (FIRST, FIRST + timedelta(hours=30), LAST):
            with world_of(database) as world:
                running_api.clock.set(moment)
                secret = world.mine.secrets[ApiKeyScope.ADMIN]
                case = with_fields(whole, world.own(id_fields(whole)))
                response = contract.transport.send(case, {"Authorization": f"Bearer {secret}", **NAME})
                assert response.status_code < 500, (moment, response.text)
    finally:
        running_api.clock.set(NOW)
