"""Every operation is answered at the first and at the last moment of the calendar."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from atom.identity.models import ApiKeyScope
from atom.kit.clock import FIRST, LAST
from tests.database import Database
from tests.factories import NOW
from tests.http import Api
from tests.property_tests.api.test_api_contract import OPERATIONS, world_of

if TYPE_CHECKING:
    from tests.property_tests.api.contract import Contract

NAME = {"Idempotency-Key": "a-name"}


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_clock_at_the_ends_of_the_calendar_breaks_nothing(
    database: Database, contract: Contract, running_api: Api, name: str
) -> None:
    """For each operation: what is counted from now on, or back from now, ends with the calendar."""
    from tests.property_tests.api.contract import id_fields, with_fields

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
