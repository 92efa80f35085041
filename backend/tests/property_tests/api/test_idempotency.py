"""
A request that is repeated with its idempotency key is done once and answered alike; each POST takes a key.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from atom.identity.models import ApiKeyScope
from tests.api.operations import with_key
from tests.database import Database
from tests.factories import NOW
from tests.http import Api
from tests.property_tests.api.ids import id_fields, with_fields
from tests.property_tests.api.world import world_of
from tests.property_tests.conftest import scaled

if TYPE_CHECKING:
    from tests.property_tests.api.contract import Contract

POSTS = with_key("POST")
CLOSING = "suspend_workspace"
"""After it every key of the workspace is refused, so that the request cannot be repeated."""
NAME = {"Idempotency-Key": "a-name"}


@pytest.mark.parametrize("operation", [name for name in POSTS if name != CLOSING])
def test_a_named_request_is_done_once(database: Database, contract: Contract, operation: str) -> None:
    """
    For each POST, a repetition with the same idempotency key gets the same answer, without a secret in it,
    and writes nothing; with another idempotency key it is not a repetition.
    """
    whole = contract.whole_cases[operation]
    with world_of(database) as world:
        case = with_fields(whole, world.own(id_fields(whole)))
        admin = {"Authorization": f"Bearer {world.mine.secrets[ApiKeyScope.ADMIN]}"}
        before = database.snapshot("idempotent_requests")
        first = contract.transport.send(case, {**admin, **NAME})
        once = database.snapshot()
        second = contract.transport.send(case, {**admin, **NAME})
        assert second.status_code == first.status_code
        if first.status_code >= 400:
            assert database.snapshot("idempotent_requests") == before
            return
        assert database.snapshot() == once
        told, again = (json.loads(answer.content or b"null") for answer in (first, second))
        if isinstance(told, dict) and "secret" in told:
            assert (told.pop("secret") is not None, again.pop("secret")) == (True, None)
        assert again == told
        writes = database.snapshot("idempotent_requests") != before
        assert writes is ("idempotency-replayed" in second.headers)
        if writes:
            other = contract.transport.send(case, {**admin, "Idempotency-Key": "another-name"})
            assert "idempotency-replayed" not in other.headers


@pytest.mark.parametrize("operation", with_key("PATCH", "DELETE"))
def test_no_other_request_has_a_name(database: Database, contract: Contract, operation: str) -> None:
    """The idempotency key of a PATCH or a DELETE is not kept: a repetition is carried out."""
    whole = contract.whole_cases[operation]
    with world_of(database) as world:
        case = with_fields(whole, world.own(id_fields(whole)))
        admin = {"Authorization": f"Bearer {world.mine.secrets[ApiKeyScope.ADMIN]}"}
        before = database.snapshot("idempotent_requests")
        for _ in range(2):
            answer = contract.transport.send(case, {**admin, **NAME})
            assert answer.status_code < 500
            assert "idempotency-replayed" not in answer.headers
        assert database.snapshot("idempotent_requests") == before


def test_the_document_takes_a_name_for_each_post(contract: Contract) -> None:
    """In the document, every POST lists the header `Idempotency-Key`, and no other operation does."""
    parameters = {
        operation.id: operation.definition.definition.raw.get("parameters", ())
        for operation in contract.operations
    }
    listed = {name for name, found in parameters.items() if "Idempotency-Key" in {p["name"] for p in found}}
    assert listed == set(POSTS)


@settings(scaled(0.5))
@given(
    names=st.lists(st.sampled_from("ab"), min_size=1, max_size=5),
    bodies=st.lists(st.integers(0, 1), min_size=5, max_size=5),
    hours=st.lists(st.sampled_from((0, 23, 24)), min_size=5, max_size=5),
)
def test_a_name_stands_for_one_request_for_a_day(
    running_api: Api, names: list[str], bodies: list[int], hours: list[int]
) -> None:
    """Another body under a known idempotency key is refused; after 24 hours the key is free."""
    running_api.clock.set(NOW)
    with running_api.database.sessions():
        workspace = running_api.workspace()
        known: dict[str, tuple[int, int, str]] = {}
        hour = 0
        for name, body, step in zip(names, bodies, hours, strict=False):
            hour += step
            running_api.clock.set(NOW + timedelta(hours=hour))
            answer = running_api.client.post(
                "/v1/chats",
                json={"user_id": workspace.user_id, "title": f"number {body}"},
                headers={
                    "Authorization": f"Bearer {workspace.secrets[ApiKeyScope.WRITE]}",
                    "Idempotency-Key": name,
                },
            )
            if name in known and hour - known[name][1] < 24:
                if known[name][0] == body:
                    assert (answer.status_code, answer.json()["id"]) == (201, known[name][2])
                else:
                    assert answer.status_code == 422
            else:
                assert answer.status_code == 201
                known[name] = (body, hour, answer.json()["id"])


def test_a_name_is_of_its_workspace_and_of_its_person(api: Api) -> None:
    """
    Two workspaces may use the same idempotency key, and nobody gets the answer to another person's request.
    """
    mine, theirs = api.workspace(), api.workspace()
    admin = api.caller(mine)
    own = admin.ok("POST", "/v1/keys", {"name": "own", "scope": "write", "user_id": mine.user_id})["secret"]
    answers = [
        api.client.post(
            "/v1/chats",
            json={"user_id": user_id},
            headers={"Authorization": f"Bearer {secret}", **NAME},
        )
        for secret, user_id in (
            (mine.secrets[ApiKeyScope.WRITE], mine.user_id),
            (theirs.secrets[ApiKeyScope.WRITE], theirs.user_id),
            (own, mine.user_id),
        )
    ]
    assert [answer.status_code for answer in answers] == [201, 201, 422]
    assert answers[0].json()["id"] != answers[1].json()["id"]


@pytest.mark.parametrize("name", ["", " ", "x" * 201, "two words", "ä"])
def test_a_name_has_a_form(api: Api, name: str) -> None:
    """An idempotency key that is not 1 to 200 visible ASCII characters is a 422 that names the header."""
    workspace = api.workspace()
    answer = api.client.post(
        "/v1/chats",
        json={"user_id": workspace.user_id},
        headers={
            b"Authorization": f"Bearer {workspace.secrets[ApiKeyScope.WRITE]}".encode(),
            b"Idempotency-Key": name.encode("latin-1"),
        },
    )
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == ["header.Idempotency-Key"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("pause", ""), ("resume", "")),
        (("pause", ""), ("deprecate", "")),
        (("queue/batch", "limit=1"), ("queue/batch", "limit=2")),
    ],
)
def test_a_name_belongs_to_one_request(api: Api, first: tuple[str, str], second: tuple[str, str]) -> None:
    """A known idempotency key with another path or another query is a 422, and nothing is done."""
    workspace = api.workspace()
    headers = {"Authorization": f"Bearer {workspace.secrets[ApiKeyScope.ADMIN]}", **NAME}
    sent = []
    for deed, query in (first, second):
        path = f"/v1/{deed}" if "/" in deed else f"/v1/agents/{workspace.agent_id}/{deed}"
        sent.append(api.client.post(f"{path}?{query}", headers=headers).status_code)
        if len(sent) == 1:
            before = api.rows()
    assert sent == [200, 422]
    assert api.rows() == before
