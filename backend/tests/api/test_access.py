"""Who gets in over HTTP: keys, scopes, workspaces that are closed."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from starlette.types import Message

from atom.identity.models import ApiKeyScope, Workspace, WorkspaceStatus
from tests.api.operations import committed
from tests.http import Api, problem_of

NOWHERE = "00000000-0000-4000-8000-000000000000"
WITH_BODY = [operation for operation in committed() if operation.split()[1] in ("POST", "PATCH", "PUT")]


BODIES = [b"{", b"[" * 100_000, b'{"a": 1}', b"\xff", b'{"a": "\\u0000"}']


def repr_short(content: bytes) -> str:
    """Return a short name for the content of a body."""
    return repr(content)[:12]


ADMIN, WRITE, READ = ApiKeyScope.ADMIN, ApiKeyScope.WRITE, ApiKeyScope.READ


@pytest.mark.parametrize("secret", [None, "atom_nobody", "", "ä", "atom_" + "x" * 5_000])
def test_without_a_key_that_exists_nothing_is_told(api: Api, secret: str | None) -> None:
    """No key, and a key that nobody made, are a 401 that says how to authenticate."""
    headers = {} if secret is None else {b"Authorization": f"Bearer {secret}".encode()}
    response = api.client.get("/v1/agents", headers=headers)
    assert problem_of(response)["status"] == 401
    assert response.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize("scheme", ["Basic", "Token", "bearer:"])
def test_another_scheme_is_no_key(api: Api, scheme: str) -> None:
    """A key under another scheme than `Bearer` is not looked at."""
    secret = api.workspace().secrets[ADMIN]
    response = api.client.get("/v1/agents", headers={"Authorization": f"{scheme} {secret}"})
    assert problem_of(response)["status"] == 401


def test_a_revoked_and_an_expired_key_are_like_no_key(api: Api) -> None:
    """Revoked and expired keys are refused with the same words as an unknown one."""
    admin = api.caller(api.workspace())
    revoked = admin.ok("POST", "/v1/keys", {"name": "for a day"})
    expires_at = (api.clock.now() + timedelta(hours=1)).isoformat()
    expiring = admin.ok("POST", "/v1/keys", {"name": "for an hour", "expires_at": expires_at})
    for made in (revoked, expiring):
        api.stranger(made["secret"]).ok("GET", "/v1/agents")
    admin.ok("DELETE", f"/v1/keys/{revoked['id']}")
    api.clock.advance(timedelta(hours=1))
    details = {
        api.stranger(secret).refused(401, "GET", "/v1/agents")["detail"]
        for secret in (revoked["secret"], expiring["secret"], "atom_nobody")
    }
    assert len(details) == 1


@pytest.mark.parametrize("status", [WorkspaceStatus.SUSPENDED, WorkspaceStatus.EXPIRED])
def test_a_closed_workspace_is_forbidden_to_its_own_keys(api: Api, status: WorkspaceStatus) -> None:
    """The keys of a suspended or expired workspace are known and useless."""
    workspace = api.workspace()
    with api.sessions.begin() as session:
        session.get_one(Workspace, workspace.id).status = status
    assert status.value in api.caller(workspace).refused(403, "GET", "/v1/agents")["detail"]


@pytest.mark.parametrize("content", BODIES, ids=repr_short)
def test_a_key_is_looked_at_before_the_body(api: Api, content: bytes) -> None:
    """Whatever the body, a key that is missing, unknown or revoked is a 401; one of too low a scope a 403."""
    workspace = api.workspace()
    admin = api.caller(workspace)
    revoked = admin.ok("POST", "/v1/keys", {"name": "revoked", "scope": "admin"})
    admin.ok("DELETE", f"/v1/keys/{revoked['id']}")
    for operation in WITH_BODY:
        _, method, path = operation.split()
        path = re.sub(r"{\w+}", NOWHERE, path)
        keys = [(None, 401), ("atom_nobody", 401), (revoked["secret"], 401)]
        if committed()[operation] is not READ:
            keys.append((workspace.secrets[READ], 403))
        for secret, status in keys:
            headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
            problem = problem_of(api.client.request(method, path, content=content, headers=headers))
            assert (problem["status"], problem["errors"]) == (status, []), operation


def test_without_a_key_the_body_is_not_even_received(api: Api) -> None:
    """A caller who shows no key costs no more than the head of the request."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body was asked for")

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-length", b"1000"), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/users", "query_string": b"", "headers": headers}
    api.exchange(scope, receive, send)
    assert sent[0]["status"] == 401


@pytest.mark.parametrize("is_valid", [(True, True), (True, False), (False, True)])
def test_two_headers_with_keys_are_no_key(api: Api, is_valid: tuple[bool, bool]) -> None:
    """Which of two keys would count is nobody's guess: neither does."""
    secret = api.workspace().secrets[ADMIN]
    headers = [("Authorization", f"Bearer {secret if valid else 'atom_nobody'}") for valid in is_valid]
    problem = problem_of(api.client.get("/v1/agents", headers=headers))
    assert problem["status"] == 401
    assert "2 headers" in problem["detail"]


@pytest.mark.parametrize(
    ("scope", "path", "body"),
    [
        (READ, "/v1/users", {"email": "ada@example.org"}),
        (WRITE, "/v1/users", {"email": "ada@example.org"}),
        (READ, "/v1/keys", {"name": "another"}),
        (WRITE, "/v1/keys", {"name": "another"}),
        (READ, "/v1/chats", None),
        (WRITE, "/v1/approvals/expiry", {"older_than_s": 0}),
    ],
)
def test_a_scope_includes_only_the_ones_below(
    api: Api, scope: ApiKeyScope, path: str, body: dict[str, Any] | None
) -> None:
    """A key that reads does not write, one that writes does not administer; nothing is written."""
    workspace = api.workspace()
    before = api.database.snapshot()
    request = body or {"user_id": workspace.user_id}
    assert scope.value in api.caller(workspace, scope).refused(403, "POST", path, request)["detail"]
    assert api.database.snapshot() == before


def test_a_secret_is_told_once_and_kept_as_a_hash(api: Api) -> None:
    """The secret is in the answer to its making, and neither in the list of keys nor in the database."""
    workspace = api.workspace()
    admin = api.caller(workspace)
    made = admin.ok("POST", "/v1/keys", {"name": "another", "scope": "write"})
    assert made["secret"] not in str(admin.ok("GET", "/v1/keys"))
    assert made["secret"] not in str(api.database.snapshot())
    assert {key["name"] for key in admin.ok("GET", "/v1/keys")["items"]} == {"a key", "another"}
    api.stranger(made["secret"]).ok("POST", "/v1/chats", {"user_id": workspace.user_id})


def test_two_workspaces_may_know_the_same_person(api: Api) -> None:
    """An address is taken in its workspace alone: a refusal would tell of another one's users."""
    mine, other = api.caller(api.workspace()), api.caller(api.workspace())
    body = {"email": "ada@example.org"}
    mine.ok("POST", "/v1/users", body)
    other.ok("POST", "/v1/users", body)
    assert "ada@example.org" in mine.refused(409, "POST", "/v1/users", body)["detail"]


def test_an_agents_key_does_not_answer_for_a_person(api: Api) -> None:
    """A key that writes can ask for an approval; deciding it takes a key of scope admin."""
    workspace = api.workspace()
    agent, person = api.caller(workspace, WRITE), api.caller(workspace)
    asked = agent.ok("POST", f"/v1/agents/{workspace.agent_id}/approvals", {"action_type": "deploy"})
    decision = {"user_id": workspace.user_id, "is_approved": True}
    agent.refused(403, "POST", f"/v1/approvals/{asked['id']}/decision", decision)
    assert person.ok("POST", f"/v1/approvals/{asked['id']}/decision", decision)["status"] == "APPROVED"
