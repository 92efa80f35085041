"""A request is refused if an object of its body has a name twice, or if it has a header twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from atom.identity.models import ApiKeyScope
from tests.api.operations import with_key
from tests.database import Database
from tests.property_tests.api.places import is_free, put
from tests.property_tests.api.world import world_of

if TYPE_CHECKING:
    from tests.property_tests.api.contract import Contract

POSTS = with_key("POST")
MARK = "a name that is written twice"
SENDERS_OWN: tuple[dict[str, Any], ...] = ({"b": 1, MARK: 1}, {"a": [{"b": [], MARK: []}]})
"""Values for fields that take any JSON; `MARK` becomes a second `b` in its object."""


def test_no_body_says_a_name_twice(database: Database, contract: Contract) -> None:
    """A name that stands twice in one object, wherever in a body, is a 400; nothing is written."""
    bodies = [
        (case, body, name)
        for case in contract.whole_cases.values()
        if isinstance(case.body, dict)
        for body, name in _with_a_name_twice(case.body)
    ]
    bodies += [
        (contract.whole_cases[operation], put(contract.whole_cases[operation].body, place, own), "b")
        for operation, place in contract.body_places(is_free)
        for own in SENDERS_OWN
    ]
    assert len(bodies) > 100
    with world_of(database) as world:
        headers = {"Authorization": f"Bearer {world.mine.secrets[ApiKeyScope.ADMIN]}"}
        before = database.snapshot()
        for case, body, name in bodies:
            text = json.dumps(body).replace(json.dumps(MARK), json.dumps(name))
            response = contract.transport.answer(contract.transport.with_body(case, text, headers))
            assert response.status_code == 400, (case.path, text)
            assert response.json()["detail"] == f"an object of the body has the name {name!r} twice"
        assert database.snapshot() == before


def test_no_header_that_is_read_comes_twice(database: Database, contract: Contract) -> None:
    """For each POST, two headers of a name that is read are a 422 that names it, and nothing is written."""
    with world_of(database) as world:
        secret = world.mine.secrets[ApiKeyScope.ADMIN]
        before = database.snapshot()
        for name in POSTS:
            case = contract.whole_cases[name]
            for header in ("Content-Type", "Idempotency-Key"):
                headers = {"Authorization": f"Bearer {secret}", header: "application/json"}
                body = json.dumps(case.body if isinstance(case.body, dict) else {})
                request = contract.transport.with_body(case, body, headers)
                response = contract.transport.answer(request, also=[(header, "text/plain")])
                assert response.status_code == 422, (name, header)
                fields = [error["field"] for error in response.json()["errors"]]
                assert fields == [f"header.{header}"], (name, header)
        assert database.snapshot() == before


def _with_a_name_twice(value: Any) -> Iterator[tuple[Any, str]]:
    """Go through the objects of a body; give the whole body with one name of one of them written again."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield {**value, MARK: each}, name
            for inner, repeated in _with_a_name_twice(each):
                yield {**value, name: inner}, repeated
    elif isinstance(value, list):
        for place, each in enumerate(value):
            for inner, repeated in _with_a_name_twice(each):
                yield [*value[:place], inner, *value[place + 1 :]], repeated
