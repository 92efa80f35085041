"""What is seen of requests: ids, the log, the figures; and never what was in them."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Iterator
from functools import partial

import pytest
from httpx import Client
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from starlette.types import Message, Receive, Scope, Send

from atom.app import create_app
from atom.identity.models import ApiKeyScope
from atom.settings import Settings
from atom.web.limits import RequestLimit
from atom.web.logs import FIELDS, JsonFormatter
from tests.api.operations import committed
from tests.direct import direct_client
from tests.faults import Stage, unanswerable
from tests.http import Api, problem_of

SECRET = "open-sesame"
TOKEN = {"Authorization": f"Bearer {SECRET}"}


@pytest.mark.parametrize("given", ["a", "0af7651916cd43dd8448eb211c80319c", "a.b-c_d", "x" * 64])
def test_the_id_that_a_sender_gives_comes_back(api: Api, given: str) -> None:
    """A proxy's id goes through, so that its log and ours can be read together."""
    for path in ("/live", "/v1/agents", "/nothing"):
        assert api.client.get(path, headers={"X-Request-ID": given}).headers["x-request-id"] == given


@pytest.mark.parametrize("given", [None, "", "x" * 65, "a b", "a\tb", 'a"b', "é"])
def test_a_request_without_a_plain_id_gets_one(api: Api, given: str | None) -> None:
    """What could break a line of a log is not an id; each request gets another one."""
    headers = {} if given is None else {b"X-Request-ID": given.encode()}
    made = {api.client.get("/live", headers=headers).headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    assert given not in made


def test_a_request_is_one_line_without_its_values(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """Method, route, status, time, key: not the id in the path, not the query, not the body, not the key."""
    workspace = api.workspace()
    admin = api.caller(workspace)
    key = next(key["id"] for key in admin.ok("GET", "/v1/keys")["items"] if key["scope"] == "admin")
    chat = admin.ok("POST", "/v1/chats", {"user_id": workspace.user_id})
    caplog.clear()
    with caplog.at_level(logging.INFO, "atom.requests"):
        admin.ok("POST", f"/v1/chats/{chat['id']}/messages", {"role": "user", "content": SECRET})
        admin.refused(422, "GET", "/v1/approvals", query={"limit": SECRET})
        admin.refused(404, "GET", f"/{SECRET}")
    said, refused, lost = (getattr(record, FIELDS) for record in caplog.records)
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert [record.getMessage() for record in caplog.records] == [
        "POST /v1/chats/{chat_id}/messages",
        "GET /v1/approvals",
        "GET (none)",
    ]
    assert [each["status"] for each in (said, refused, lost)] == [201, 422, 404]
    assert said["key_id"] == refused["key_id"] == key
    assert lost["key_id"] is None
    assert all(each["duration_ms"] > 0 for each in (said, refused, lost))
    assert admin.secret is not None
    assert not [line for line in lines if SECRET in line or chat["id"] in line or admin.secret in line]


def test_a_fault_is_logged_without_its_values(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    """An exception that nobody foresaw, with what was sent in its message: kind and place are written."""
    workspace = api.workspace()
    with caplog.at_level(logging.INFO), unanswerable(Stage.SERIALISING):
        api.caller(workspace).refused(500, "POST", "/v1/users", {"email": f"{SECRET}@example.org"})
    lines = [JsonFormatter().format(record) for record in caplog.records if record.name != "httpx"]
    assert any("InjectedError" in line and "unexpected error at /v1/users" in line for line in lines)
    assert not [line for line in lines if SECRET in line]


def test_parameters_of_statements_are_hidden(api: Api) -> None:
    """An error of the database names its statement, not the values in it."""
    with api.engine.connect() as connection, pytest.raises(DBAPIError) as failed:
        connection.execute(text("SELECT :value FROM nowhere"), {"value": SECRET})
    assert "nowhere" in str(failed.value)
    assert SECRET not in str(failed.value)


@pytest.fixture
def watched(api: Api) -> Iterator[Client]:
    """The app on the same database, with a token for /metrics."""
    app = create_app(Settings(metrics_token=SECRET), engine=api.engine, clock=api.clock)
    with direct_client(app) as client:
        yield client


def test_metrics_are_for_who_has_the_token(api: Api, watched: Client) -> None:
    """Without a token in the settings there is no such path; with one it is asked for."""
    assert problem_of(api.client.get("/metrics", headers=TOKEN))["status"] == 404
    assert problem_of(watched.get("/metrics"))["status"] == 401
    assert (
        problem_of(watched.get("/metrics", headers={b"Authorization": "Bearer é".encode()}))["status"] == 401
    )
    response = watched.get("/metrics", headers=TOKEN)
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")


def test_metrics_name_routes_and_no_values(api: Api, watched: Client) -> None:
    """Figures are by route: ids, unknown paths and made-up methods do not make new ones."""
    workspace = api.workspace()
    headers = {"Authorization": f"Bearer {workspace.secrets[ApiKeyScope.ADMIN]}"}
    for path in (f"/v1/agents/{workspace.agent_id}", f"/{SECRET}", f"/{SECRET}/2"):
        watched.get(path, headers=headers)
    watched.head("/live")
    watched.request(SECRET.upper(), "/live")
    figures = watched.get("/metrics", headers=TOKEN).text
    assert 'atom_requests_total{method="GET",route="/v1/agents/{agent_id}",status="200"} 1' in figures
    assert 'atom_requests_total{method="GET",route="(none)",status="404"} 2' in figures
    assert 'atom_requests_total{method="HEAD",route="/live",status="200"} 1' in figures
    assert 'method="OTHER"' in figures
    assert "atom_requests_running 1" in figures
    assert workspace.agent_id not in figures
    assert SECRET not in figures.lower()


@pytest.mark.parametrize("limit", [1, 3])
def test_more_requests_than_may_be_are_refused(limit: int) -> None:
    """The one too many is a 503 that says when to try again; an exempt path and the next one are answered."""
    statuses: list[int] = []

    async def scenario() -> None:
        released = asyncio.Event()

        async def work(_scope: Scope, _receive: Receive, send: Send) -> None:
            await released.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})

        async def receive() -> Message:
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if "status" in message:
                statuses.append(message["status"])

        limited = RequestLimit(work, max_requests=limit, exempt=frozenset({"/live"}))
        ask = partial(limited, receive=receive, send=send)
        running = [asyncio.ensure_future(ask({"type": "http", "path": "/"})) for _ in range(limit)]
        await asyncio.sleep(0)
        await ask({"type": "http", "path": "/"})
        assert statuses == [503]
        running.append(asyncio.ensure_future(ask({"type": "http", "path": "/live"})))
        released.set()
        await asyncio.gather(*running)
        await ask({"type": "http", "path": "/"})

    asyncio.run(scenario())
    assert statuses == [503] + [200] * (limit + 2)


def test_the_reference_names_every_operation_and_loads_nothing(api: Api) -> None:
    """/docs is one page: it refers to no other host, and may not."""
    response = api.client.get("/docs")
    page = response.text
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "http://" not in page
    assert "https://" not in page
    assert not [operation for operation in committed() if f'id="{operation.split()[0]}"' not in page]
    assert api.client.get("/redoc").status_code == 404


def test_the_reference_sends_each_parameter_where_it_belongs(api: Api) -> None:
    """The page's script handles every place in which an operation takes a parameter, headers included."""
    page = api.client.get("/docs").text
    places = set(re.findall(r'<input name="[^"]+" data-in="(\w+)"', page))
    assert places == {"path", "query", "header"}
    assert [place for place in places if f'input.dataset.in === "{place}"' not in page] == []
