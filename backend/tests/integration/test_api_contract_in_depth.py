"""Every operation of the OpenAPI document, by the boundaries of its schema and by many made-up requests."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atom.identity.models import ApiKeyScope
from tests.api.operations import scopes_of_operations
from tests.database import Database
from tests.property_tests.api.world import build
from tests.property_tests.conftest import scaled

if TYPE_CHECKING:
    from tests.property_tests.api.contract import Contract, Operation  # imports Schemathesis

pytestmark = pytest.mark.integration

NAMES = sorted(scopes_of_operations())
ADMIN = ApiKeyScope.ADMIN


def operation_of(contract: Contract, name: str) -> Operation:
    (found,) = (operation for operation in contract.operations if operation.id == name)
    return found


@pytest.mark.parametrize("name", NAMES)
@settings(scaled(0.2))
@given(data=st.data())
def test_an_operation_is_answered_as_documented(
    database: Database, contract: Contract, name: str, data: st.DataObject
) -> None:
    """Valid and invalid requests of one operation alike get what the document says."""
    operation = operation_of(contract, name)
    strategies = [operation.valid, *([operation.invalid] if operation.takes_anything else [])]
    with database.prepared(build) as (_, world):
        case = contract.aimed(data, data.draw(st.one_of(strategies)), world.my_ids, world.their_ids)
        contract.call(case, world.mine.secrets[ADMIN])


@pytest.mark.parametrize("name", NAMES)
def test_the_boundaries_of_an_operation_are_answered_as_documented(
    database: Database, contract: Contract, name: str
) -> None:
    """The shortest, the longest, the least, the most, and one step beyond each."""
    operation = operation_of(contract, name)
    n_cases = 0
    for case in contract.boundaries(operation):
        n_cases += 1
        with database.prepared(build) as (_, world):
            contract.call(contract.with_ids(case, itemgetter(0), world.my_ids), world.mine.secrets[ADMIN])
    assert n_cases > 0
