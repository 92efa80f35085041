"""Text that no database can store is refused wherever a request may have text, in every operation."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING, Any

from atom.identity.models import ApiKeyScope
from tests.api.operations import OPERATIONS
from tests.database import Database
from tests.property_tests.api.ids import with_fields
from tests.property_tests.api.places import is_free, is_text, put
from tests.property_tests.api.world import world_of

if TYPE_CHECKING:
    from tests.property_tests.api.contract import Contract

UNSTORABLE = ("a\0b", "\0", "a\ud800b", "\udfff")


def test_no_body_has_text_that_cannot_be_stored(database: Database, contract: Contract) -> None:
    """A NUL or a lone surrogate in a body is a 422 that names the field, and nothing is written."""
    texts = cycle(UNSTORABLE)
    places: list[tuple[str, Any, Any]] = [
        *((name, place, next(texts)) for name, place in contract.body_places(is_text)),
        *(
            (name, place, value)
            for name, place in contract.body_places(is_free)
            for text in UNSTORABLE
            for value in ({"a": [{"b": text}]}, {text: 1})
        ),
    ]
    assert len(places) > 100
    with world_of(database) as world:
        before = database.snapshot()
        for name, place, value in places:
            case = _case(contract, name)
            case.body = put(case.body, place, value)
            response = contract.send(case, world.mine.secrets[ApiKeyScope.ADMIN])
            assert response.status_code == 422, (name, place)
            shown = ".".join(map(str, ("body", *place)))
            fields = [error["field"] for error in response.json()["errors"]]
            assert any(field.startswith(shown) for field in fields), (name, place)
        assert database.snapshot() == before


def test_no_query_or_path_has_a_nul(database: Database, contract: Contract) -> None:
    """A NUL in any path or query parameter is a 422 that names the parameter, and nothing is written."""
    with world_of(database) as world:
        before = database.snapshot()
        for name in OPERATIONS:
            for place, parameter in contract.parameters(name):
                case = _case(contract, name)
                values = case.path_parameters if place == "path" else case.query
                values[parameter] = "a\0b"
                response = contract.send(case, world.mine.secrets[ApiKeyScope.ADMIN])
                assert response.status_code == 422, (name, parameter)
                assert f"{place}.{parameter}" in [error["field"] for error in response.json()["errors"]]
        assert database.snapshot() == before


def _case(contract: Contract, name: str) -> Any:
    return with_fields(contract.whole_cases[name], {})
