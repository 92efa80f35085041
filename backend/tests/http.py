"""
The API over HTTP for tests: the real app on the database of the process, and callers of its workspaces.

Imported by the fixture `api` when a test asks for it: what it needs takes longer to import than many a test.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from fastapi import FastAPI
from httpx import Client, Response
from sqlalchemy import Engine
from sqlalchemy.orm import Session, sessionmaker
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from atom.app import create_app
from atom.db.session import session_factory, unit_of_work
from atom.identity import keys
from atom.identity.models import ApiKeyScope, UserRole
from atom.kit.clock import ManualClock
from atom.settings import Settings
from tests import factories
from tests.database import ALL_TABLES, Database, read_rows
from tests.direct import direct_client
from tests.factories import NOW

MAX_BODY_BYTES = 200_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The ids of a workspace with an administrator and an agent, and a key of each scope."""

    id: str
    user_id: str
    agent_id: str
    secrets: Mapping[ApiKeyScope, str]

    @classmethod
    def make(cls, sessions: sessionmaker[Session], **agent_values: Any) -> Workspace:
        """Commit a workspace."""
        with unit_of_work(sessions) as session:
            ids = factories.tenant(session, user_values={"role": UserRole.WORKSPACE_ADMIN}, **agent_values)
            secrets = {
                scope: keys.create_key(
                    session, ManualClock(NOW), workspace_id=ids.workspace_id, name="a key", scope=scope
                ).secret
                for scope in ApiKeyScope
            }
        return cls(id=ids.workspace_id, user_id=ids.user_id, agent_id=ids.agent_id, secrets=secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Sends requests with a key."""

    client: Client
    secret: str | None

    def __call__(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None
    ) -> Response:
        """Send a request and return whatever comes back."""
        headers = {} if self.secret is None else {"Authorization": f"Bearer {self.secret}"}
        response: Response = self.client.request(method, path, json=body, params=query, headers=headers)
        return response

    def ok(self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None) -> Any:
        """Send a request that has to succeed, and return what its answer says."""
        response = self(method, path, body, query=query)
        assert response.is_success, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def refused(
        self,
        status: int,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Send a request that has to be refused with this status, and return the problem."""
        response = self(method, path, body, query=query)
        assert response.status_code == status, f"{method} {path}: {response.status_code} {response.text}"
        return problem_of(response)


def problem_of(response: Response) -> dict[str, Any]:
    """Return the problem that a response has to be, as RFC 9457 wants it."""
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found.keys() == {"type", "title", "status", "detail", "instance", "errors"}
    assert found["status"] == response.status_code
    assert found["detail"]
    assert ("www-authenticate" in response.headers) is (response.status_code == 401)
    assert ("retry-after" in response.headers) is (response.status_code == 503)
    return found


class Api:
    """The app on a database whose rows a test may leave behind."""

    def __init__(
        self,
        database: Database,
        engine: Engine,
        app: FastAPI,
        client: Client,
        start: Callable[[], TestClient],
        clock: ManualClock,
    ) -> None:
        self.database = database
        self.engine = engine
        self.sessions = session_factory(engine)
        self.app = app
        self.client = client
        self._start = start
        self.clock = clock

    def exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Give the app one request in the words of ASGI, as no client would send it."""

        async def answer() -> None:
            await self.app(scope, receive, send)

        asyncio.run(answer())

    @cached_property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document as programs read it."""
        found: dict[str, Any] = self.client.get("/openapi.json").json()
        return found

    def rows(self) -> dict[str, list[str]]:
        """Return every row of every table: equal if nothing was written."""
        if self.engine is self.database.engine:
            return self.database.snapshot()
        return read_rows(self.engine, ALL_TABLES)

    def workspace(self, **agent_values: Any) -> Workspace:
        """Commit a workspace with an agent that may do anything."""
        return Workspace.make(self.sessions, **agent_values)

    def caller(self, workspace: Workspace, scope: ApiKeyScope = ApiKeyScope.ADMIN) -> Caller:
        """Return the caller of a workspace who has a key of this scope."""
        return Caller(client=self.client, secret=workspace.secrets[scope])

    def through_threads(self) -> Api:
        """Return the same app, for tests whose requests go through its threads."""
        return Api(self.database, self.engine, self.app, self._start(), self._start, self.clock)

    def stranger(self, secret: str | None = None) -> Caller:
        """Return a caller without a key, or with one that nobody made."""
        return Caller(client=self.client, secret=secret)


@contextmanager
def serving(database: Database, engine: Engine | None = None) -> Iterator[Api]:
    """
    Give the app on the database, where requests are answered in the thread of the test.

    On the engine of one of its clones each request goes through the threads of the app. These are started
    when they are first needed: a process that has them cannot be forked.
    """
    clock, own = ManualClock(NOW), engine or database.engine
    app = create_app(Settings(max_body_bytes=MAX_BODY_BYTES), engine=own, clock=clock)
    with ExitStack() as closing, direct_client(app) as direct:

        @cache
        def start() -> TestClient:
            return closing.enter_context(TestClient(app, raise_server_exceptions=False))

        yield Api(database, own, app, direct if engine is None else start(), start, clock)
