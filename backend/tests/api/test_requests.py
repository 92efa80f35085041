"""Bad requests: the field is named, nothing is written, and whatever goes wrong is a problem."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from starlette.types import Message

from atom.db import migrate
from tests.http import MAX_BODY_BYTES, Api, Workspace, problem_of

NOWHERE = "00000000-0000-4000-8000-000000000000"


def posting(**values: Any) -> dict[str, Any]:
    return {"account_id": NOWHERE, "side": "debit", "amount_minor": 1, **values}


INVALID = [
    ("/v1/users", {"email": "nobody"}, "body.email"),
    ("/v1/users", {"email": "a@b", "role": "king"}, "body.role"),
    ("/v1/users", {"email": "a@b", "hourly_cost_rate_minor": 1.5}, "body.hourly_cost_rate_minor"),
    ("/v1/users", {"email": "a@b", "hourly_cost_rate_minor": True}, "body.hourly_cost_rate_minor"),
    ("/v1/users", {"email": "a@b", "nick": "a"}, "body.nick"),
    ("/v1/keys", {"name": " "}, "body.name"),
    ("/v1/keys", {"name": "a", "expires_at": 1}, "body.expires_at"),
    ("/v1/keys", {"name": "a", "expires_at": "2026-03-01T12:00:00"}, "body.expires_at"),
    ("/v1/keys", {"name": "a", "expires_at": "2026-03-01"}, "body.expires_at"),
    ("/v1/keys", {"name": "a", "expires_at": "0001-01-01T00:00:00+01:00"}, "body.expires_at"),
    ("/v1/keys", {"name": "a\0b"}, "body.name"),
    ("/v1/chats", {"user_id": "me"}, "body.user_id"),
    ("/v1/chats", {"user_id": NOWHERE.upper().replace("0", "A")}, "body.user_id"),
    ("/v1/chats", {}, "body.user_id"),
    ("/v1/chats", {"user_id": NOWHERE, "metadata": []}, "body.metadata"),
    ("/v1/chats", {"user_id": NOWHERE, "metadata": {"a": "\0"}}, "body.metadata.a"),
    ("/v1/chats", {"user_id": NOWHERE, "title": "x" * 201}, "body.title"),
    ("/v1/agents", {"name": "a", "category": "b", "module_path": "c"}, "body.class_name"),
    ("/v1/ledger/accounts", {"code": "1", "name": "a", "type": "cash"}, "body.type"),
    ("/v1/ledger/accounts", {"code": "1", "name": "a", "type": "asset", "currency": "usd"}, "body.currency"),
    (
        "/v1/ledger/accounts",
        {"code": "1", "name": "a", "type": "asset", "floor_minor": 1},
        "body.floor_minor",
    ),
    ("/v1/ledger/transactions", {"postings": [posting()]}, "body.postings"),
    ("/v1/ledger/transactions", {"postings": [posting(), posting()]}, "postings"),
    (
        "/v1/ledger/transactions",
        {"postings": [posting(), posting(side="credit", amount_minor=2)]},
        "postings",
    ),
    (
        "/v1/ledger/transactions",
        {"postings": [posting(amount_minor=0), posting(side="credit")]},
        "body.postings.0.amount_minor",
    ),
    (
        "/v1/ledger/transactions",
        {"postings": [posting(amount_minor=-1), posting(side="credit")]},
        "body.postings.0.amount_minor",
    ),
    (
        "/v1/ledger/transactions",
        {"postings": [posting(amount_minor="1"), posting(side="credit")]},
        "body.postings.0.amount_minor",
    ),
    (
        "/v1/ledger/transactions",
        {"postings": [posting(amount_minor=10**30), posting(side="credit")]},
        "body.postings.0.amount_minor",
    ),
    ("/v1/ledger/closed-periods", {"starts_on": "2026-01-02", "ends_on": "2026-01-01"}, "ends_on"),
    ("/v1/ledger/closed-periods", {"starts_on": 0, "ends_on": "2026-01-01"}, "body.starts_on"),
    ("/v1/ledger/closed-periods", {"starts_on": "2026-02-30", "ends_on": "2026-03-01"}, "body.starts_on"),
    ("/v1/analytics/events", {"events": []}, "body.events"),
    ("/v1/analytics/metrics", {"name": "a", "type": "gauge", "value": "1"}, "body.value"),
    ("/v1/analytics/metrics", {"name": "a", "type": "timer", "value": -1}, "value"),
    ("/v1/analytics/metrics", {"name": "a", "type": "gauge", "value": 1e16}, "body.value"),
    ("/v1/analytics/metrics", {"name": "a", "type": "gauge", "value": 1, "tags": {"a": 1}}, "body.tags.a"),
]


@pytest.mark.parametrize(("path", "body", "field"), INVALID, ids=[f"{p} {f}" for p, _, f in INVALID])
def test_an_invalid_field_is_named_and_nothing_is_written(
    api: Api, path: str, body: dict[str, Any], field: str
) -> None:
    """422 with the field at fault; every table is as before."""
    workspace = api.workspace()
    before = api.database.snapshot()
    problem = api.caller(workspace).refused(422, "POST", path, body)
    assert field in [error["field"] for error in problem["errors"]]
    assert all(error["message"] for error in problem["errors"])
    assert api.database.snapshot() == before


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e400", "-1e400"])
def test_a_number_that_is_none_is_refused(api: Api, number: str) -> None:
    """What JSON has no word or no room for is a 422, as a number of ours and inside of an object."""
    workspace = api.workspace()
    headers = {
        "Authorization": f"Bearer {api.caller(workspace).secret}",
        "Content-Type": "application/json",
    }
    for path, body in [
        ("/v1/analytics/metrics", f'{{"name": "a", "type": "gauge", "value": {number}}}'),
        ("/v1/chats", f'{{"user_id": "{workspace.user_id}", "metadata": {{"a": {number}}}}}'),
    ]:
        response = api.client.post(path, content=body, headers=headers)
        assert problem_of(response)["status"] == 422


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b'"text"', 422),
        (b"null", 422),
        (b"[]", 422),
        (b"\xff\xfe", 400),
        ('{"email": "a@b", "specialty": "c"}'.encode("utf-16"), 400),
        ('{"email": "a@b", "specialty": "c"}'.encode("utf-16-le"), 400),
        (b'{"email": "a@b", "specialty": "a\0b"}', 400),
        (b'{"email": "a@b", "specialty": "\xc3"}', 400),
        (b'{"email": "\\ud800@b"}', 422),
        (b'{"email": "a@b", "\\ud800": 1}', 422),
        (b"[" * 100_000, 400),
        (b'{"email": ' + b"1" * 5_000 + b"}", 400),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_body_that_is_no_object_is_a_problem(api: Api, content: bytes, status: int) -> None:
    """Hostile bytes are refused with a problem, whatever they are."""
    before = api.database.snapshot
    admin = api.caller(api.workspace())
    rows = before()
    headers = {"Authorization": f"Bearer {admin.secret}", "Content-Type": "application/json"}
    response = api.client.post("/v1/users", content=content, headers=headers)
    assert problem_of(response)["status"] == status
    assert before() == rows


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/xml", "json", "text/json+json"]
)
def test_another_content_type_is_refused(api: Api, content_type: str | None) -> None:
    """A body that does not call itself JSON is not read as JSON; the answer says what is expected."""
    admin = api.caller(api.workspace())
    headers = {"Authorization": f"Bearer {admin.secret}"}
    if content_type is not None:
        headers["Content-Type"] = content_type
    response = api.client.post("/v1/users", content=b'{"email": "a@b"}', headers=headers)
    assert problem_of(response)["status"] == 415
    assert "application/json" in problem_of(response)["detail"]


@pytest.mark.parametrize(
    "content_type", ["application/json", "Application/JSON ; charset=utf-8", "application/merge-patch+json"]
)
def test_whatever_calls_itself_json_is_read(api: Api, content_type: str) -> None:
    """The name may have parameters, another case, or be that of a kind of JSON."""
    admin = api.caller(api.workspace())
    headers = {"Authorization": f"Bearer {admin.secret}", "Content-Type": content_type}
    assert api.client.post("/v1/users", content=b'{"email": "a@b"}', headers=headers).status_code == 201


@pytest.mark.parametrize("is_chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_may_be_as_long_as_the_limit_and_no_longer(api: Api, is_chunked: bool) -> None:
    """A body of the limit is read, one byte more is a 413, whether or not its length was declared."""
    workspace = api.workspace()
    headers = {
        "Authorization": f"Bearer {api.caller(workspace).secret}",
        "Content-Type": "application/json",
    }
    body = json.dumps({"email": "a@b"}).encode()
    for n_bytes, status in ((MAX_BODY_BYTES, 201), (MAX_BODY_BYTES + 1, 413)):
        padded = body + b" " * (n_bytes - len(body))
        content = iter([padded[:100], padded[100:]]) if is_chunked else padded
        response = api.client.post("/v1/users", content=content, headers=headers)
        assert response.status_code == status
        if status == 413:
            assert str(MAX_BODY_BYTES) in problem_of(response)["detail"]
            assert response.headers["connection"] == "close"


@pytest.mark.parametrize(
    "chunks", [[60_000] * 4, [MAX_BODY_BYTES, 1], [MAX_BODY_BYTES // 2] * 2 + [1], [1, MAX_BODY_BYTES]]
)
def test_the_chunks_of_a_body_are_counted_together(api: Api, chunks: list[int]) -> None:
    """Chunks that are each short enough are too long together; what is to come is not asked for any more."""
    secret = api.caller(api.workspace()).secret
    waiting = [b" " * n for n in [*chunks, 1, 1]]
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": waiting.pop(0), "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {secret}".encode()), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/users", "query_string": b"", "headers": headers}
    api.exchange(scope, receive, send)
    assert sent[0]["status"] == 413
    assert len(waiting) >= 2


def test_a_body_that_says_it_is_too_long_is_not_waited_for(api: Api) -> None:
    """The header is enough for a 413: nothing of the body is asked for."""
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("the body was asked for")

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-length", b"%d" % (MAX_BODY_BYTES + 1)), (b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/users", "query_string": b"", "headers": headers}
    api.exchange(scope, receive, send)
    assert sent[0]["status"] == 413


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": 0}, "query.limit"),
        ({"limit": 201}, "query.limit"),
        ({"limit": "many"}, "query.limit"),
        ({"limit": ""}, "query.limit"),
        ({"cursor": "somewhere"}, "cursor"),
        ({"lmit": 5}, "query.lmit"),
        ({"limit": [5, 5]}, "query.limit"),
        ({"limit": [0, 5]}, "query.limit"),
    ],
)
def test_an_invalid_query_is_named(api: Api, query: dict[str, Any], field: str) -> None:
    """A parameter that is wrong, given twice, or unknown to the route is a 422 that names it."""
    problem = api.caller(api.workspace()).refused(422, "GET", "/v1/approvals", query=query)
    assert [error["field"] for error in problem["errors"]] == [field]


@pytest.mark.parametrize("id_", ["x", "%00", NOWHERE + "0", NOWHERE.replace("-", ""), "%F0%9F%92%A9"])
def test_an_id_that_cannot_be_one_never_reaches_the_database(api: Api, id_: str) -> None:
    """Ids are checked by their form: the databases disagree on what text may hold."""
    problem = api.caller(api.workspace()).refused(422, "GET", f"/v1/agents/{id_}")
    assert [error["field"] for error in problem["errors"]] == ["path.agent_id"]


def test_a_path_that_is_none_and_a_method_that_is_not_there(api: Api) -> None:
    """404 and 405 are problems too, and 405 says what is allowed."""
    stranger = api.stranger()
    assert stranger.refused(404, "GET", "/v1/nothing")["instance"] == "/v1/nothing"
    stranger.refused(405, "PUT", "/v1/agents")
    response = stranger("DELETE", "/v1/ledger/trial-balance")
    assert problem_of(response)["status"] == 405
    assert response.headers["allow"] == "GET, HEAD"
    assert stranger("DELETE", "/v1/agents").headers["allow"] == "GET, HEAD, POST"
    assert stranger("PUT", f"/v1/chats/{NOWHERE}").headers["allow"] == "DELETE, GET, HEAD, PATCH"
    assert stranger("GET", "/v1/episode-decay").headers["allow"] == "POST"
    assert stranger("POST", "/openapi.json").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "TRACE"])
def test_what_is_allowed_at_a_path_is_what_is_documented(api: Api, method: str) -> None:
    """For each path of the document, a 405 says all its methods, and HEAD beside GET; it needs no key."""
    stranger = api.stranger()
    for path, operations in stranger.ok("GET", "/openapi.json")["paths"].items():
        methods = {each.upper() for each in operations} | ({"HEAD"} if "get" in operations else set())
        refused = stranger(method, re.sub(r"\{\w+\}", NOWHERE, path))
        assert problem_of(refused)["status"] == 405
        assert refused.headers["allow"] == ", ".join(sorted(methods)), path


def things_of(api: Api, workspace: Workspace) -> dict[str, str]:
    """One thing of each kind, and its path."""
    admin = api.caller(workspace)
    chat = admin.ok("POST", "/v1/chats", {"user_id": workspace.user_id})
    account = admin.ok("POST", "/v1/ledger/accounts", {"code": "1", "name": "Cash", "type": "asset"})
    return {"chats": chat["id"], "ledger/accounts": account["id"]}


def test_what_is_not_there_and_what_is_anothers_read_the_same(api: Api) -> None:
    """An id of another workspace and an id of nothing get the same answer, but for the id itself."""
    theirs, mine = api.workspace(), api.caller(api.workspace())
    for kind, id_ in things_of(api, theirs).items():
        foreign = mine.refused(404, "GET", f"/v1/{kind}/{id_}")
        absent = mine.refused(404, "GET", f"/v1/{kind}/{NOWHERE}")
        assert str(foreign).replace(id_, "") == str(absent).replace(NOWHERE, "")


@pytest.mark.parametrize("path", ["/ready", "/health"])
def test_readiness_needs_no_key(api: Api, path: str) -> None:
    """Whoever watches the service sees that it and its database answer."""
    assert api.stranger().ok("GET", path) == {
        "status": "ok",
        "database": api.database.dialect,
        "migration": migrate.head(),
    }


@pytest.mark.parametrize(
    "blank", [" ", "\t\n", "\x1c", "\x1f", "\x85", "\u2003", "\ufeff", " \ufeff"], ids=ascii
)
def test_what_is_blank_to_anybody_is_blank(api: Api, blank: str) -> None:
    """A name of spaces alone is refused by the document's pattern, whatever kind of spaces."""
    admin = api.caller(api.workspace())
    problem = admin.refused(422, "POST", "/v1/keys", {"name": blank})
    assert [error["field"] for error in problem["errors"]] == ["body.name"]
    admin.ok("POST", "/v1/keys", {"name": f"{blank}a{blank}"})


def test_a_message_of_one_character_is_one(api: Api) -> None:
    """The shortest that can be said is taken."""
    workspace = api.workspace()
    writer = api.caller(workspace)
    chat = writer.ok("POST", "/v1/chats", {"user_id": workspace.user_id})
    message = {"role": "user", "content": "?"}
    assert writer.ok("POST", f"/v1/chats/{chat['id']}/messages", message)["content"] == "?"


def test_numbers_of_free_json_are_kept_by_value(api: Api) -> None:
    """A number comes back equal from either database; PostgreSQL writes 1e300 out and drops the sign of 0."""
    workspace = api.workspace()
    writer = api.caller(workspace)
    sent = {"large": 1e300, "zero": -0.0, "small": 5e-324, "exact": 0.1, "whole": 2**70}
    chat = writer.ok("POST", "/v1/chats", {"user_id": workspace.user_id, "metadata": sent})
    found = writer.ok("GET", f"/v1/chats/{chat['id']}")["metadata"]
    assert {name: float(value) for name, value in found.items()} == sent
    is_postgres = api.database.dialect == "postgresql"
    assert isinstance(found["large"], int) is is_postgres
    assert (str(found["zero"]) == "0.0") is is_postgres


@pytest.mark.parametrize("n_fields", [49, 50, 51, 3_000])
def test_a_problem_names_at_most_fifty_fields(api: Api, n_fields: int) -> None:
    """However much is wrong, an answer is short; it says how many fields are invalid."""
    fields = {f"{n:06}" + "x" * 30: 1 for n in range(n_fields)}
    problem = api.caller(api.workspace()).refused(422, "POST", "/v1/users", {"email": "a@b", **fields})
    assert len(problem["errors"]) == min(n_fields, 50)
    assert problem["detail"].startswith(f"{n_fields} fields are invalid")
    assert ("the first 50 are listed" in problem["detail"]) is (n_fields > 50)


@pytest.mark.parametrize(
    ("method", "path", "body", "query"),
    [
        ("POST", "/v1/users", {"email": "a@b", "x" * 100_000: 1}, None),
        ("POST", "/v1/users", {"email": "x" * 100_000}, None),
        ("POST", "/v1/users", {f"{n}" + "é" * 2_000: 1 for n in range(40)}, None),
        ("GET", "/v1/" + "x" * 60_000, None, None),
        ("GET", "/v1/approvals", None, {"cursor": "x" * 60_000}),
        ("GET", "/v1/approvals", None, {"x" * 60_000: "1"}),
        ("GET", "/v1/approvals", None, {f"{n}": "1" for n in range(9_000)}),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_problem_is_short(api: Api, method: str, path: str, body: Any, query: Any) -> None:
    """What a bad request says is repeated in part only: the answer is never large because the request was."""
    response = api.caller(api.workspace())(method, path, body, query=query)
    assert problem_of(response)["status"] in (404, 422)
    assert len(response.content) < 50_000


@pytest.mark.parametrize("path", ["/live", "/ready", "/health", "/openapi.json", "/docs"])
def test_head_is_get_without_its_body(api: Api, path: str) -> None:
    """HEAD is answered wherever GET is, with the same headers and nothing else."""
    head, get = api.client.head(path), api.client.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"] == str(len(get.content))


def test_head_needs_a_key_where_get_does(api: Api) -> None:
    """HEAD is not a way around a key, and no other method becomes GET."""
    admin = api.caller(api.workspace())
    assert api.client.head("/v1/agents").status_code == 401
    assert admin("HEAD", "/v1/agents").status_code == 200
    assert admin("HEAD", "/v1/episode-decay").status_code == 405


@pytest.mark.parametrize("path", ["/v1/agents/", "/live/", "/docs/", f"/v1/chats/{NOWHERE}/"])
def test_a_slash_at_the_end_is_another_path(api: Api, path: str) -> None:
    """It is not redirected: the address would be made of whatever the header Host says."""
    response = api.client.get(path, headers={"Host": "elsewhere.example"}, follow_redirects=False)
    assert problem_of(response)["status"] == 404
    assert "location" not in response.headers


@pytest.mark.parametrize("spelling", ["cafe\u0301", " caf\u00e9 ", "caf\u00e9"])
def test_a_name_is_one_name_however_it_is_spelt(api: Api, spelling: str) -> None:
    """Unicode form and space around it make no other name: nobody spends beside a limit."""
    caller = api.caller(api.workspace())
    name = "caf\u00e9"
    limit = {"category": spelling, "limit_minor": 1, "required_deal_stage": spelling}
    assert caller.ok("POST", "/v1/spending/limits", limit)["name"] == name
    for other in ("cafe\u0301", f"{name} ", name):
        spend = {"category": other, "amount_minor": 2, "deal_stage": other}
        assert caller.ok("POST", "/v1/spending/checks", spend)["verdict"] == "paused"
        caller.ok("POST", "/v1/spending/resumption", {"category": other})
        assert len(caller.ok("GET", "/v1/spending/categories", query={"name": other})["items"]) == 1
    steps = [{"id": "a", "action": "work"}]
    caller.ok("POST", "/v1/workflows", {"workflow_id": spelling, "steps": steps})
    assert caller.ok("POST", "/v1/workflow-executions", {"workflow_id": name})["workflow_id"] == name
    rule = {"name": spelling, "metric": spelling, "threshold": 1.0, "severity": "high"}
    caller.ok("POST", "/v1/analytics/alert-rules", rule)
    caller.refused(409, "POST", "/v1/analytics/alert-rules", {**rule, "name": name})
    caller.ok("POST", "/v1/analytics/metrics", {"name": name, "type": "gauge", "value": 2.0})
    fired = caller.ok("POST", "/v1/analytics/alert-evaluation")["items"]
    assert [each["rule"]["name"] for each in fired] == [name]
