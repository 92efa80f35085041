"""Short readings of a SQLite file run in the event loop, and whatever turns out to be long in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TypeVar

import pytest
from sqlalchemy import insert

from atom.db.sqlite import SHORT_STEPS, SHORT_VALUE
from atom.kit.ids import new_id
from atom.kit.threads import Threads
from atom.ledger.postings import AccountType
from atom.tables import ledger
from tests.database import Database
from tests.http import Api, serving

Value = TypeVar("Value")


class CountingThreads(Threads):
    """Threads that count what they ran."""

    n_run = 0

    async def run(self, call: Callable[[], Value]) -> Value:
        """Run a call in a thread."""
        self.n_run += 1
        return await super().run(call)


@pytest.fixture
def own(database: Database) -> Iterator[tuple[Api, CountingThreads]]:
    """An app on a database of its own, and the threads that read in it."""
    with database.clone() as clone, serving(database, clone.engine) as api:
        state, threads = api.app.state, CountingThreads(2, name="reading")
        state.gateway = replace(state.gateway, reading_threads=threads)
        yield api, threads
        threads.close()


def n_if_short(api: Api) -> int:
    """Return how many threads a short reading takes."""
    return 0 if api.engine.dialect.name == "sqlite" else 1


def test_a_short_reading_changes_no_thread(own: tuple[Api, CountingThreads]) -> None:
    """On PostgreSQL every reading waits for another process, and so runs in a thread."""
    api, threads = own
    workspace = api.workspace()
    api.caller(workspace).ok("GET", f"/v1/agents/{workspace.agent_id}")
    assert threads.n_run == n_if_short(api)
    api.stranger().ok("GET", "/ready")
    assert threads.n_run == 2 * n_if_short(api)


def test_a_reading_that_is_not_called_short_has_a_thread(own: tuple[Api, CountingThreads]) -> None:
    """What adds up the whole workspace never runs in the event loop."""
    api, threads = own
    api.caller(api.workspace()).ok("GET", "/v1/ledger/trial-balance")
    assert threads.n_run == 1


def test_a_refused_key_is_refused_once(own: tuple[Api, CountingThreads]) -> None:
    """An error that a reading meant is the answer; nothing is tried again in a thread."""
    api, threads = own
    workspace = api.workspace()
    api.stranger("atom_unknown").refused(401, "GET", f"/v1/agents/{workspace.agent_id}")
    api.caller(workspace).refused(404, "GET", f"/v1/agents/{new_id()}")
    assert threads.n_run == 2 * n_if_short(api)


def test_a_long_text_is_read_in_a_thread(own: tuple[Api, CountingThreads]) -> None:
    """The answer is the same, whether a page has short texts alone or a long one too."""
    api, threads = own
    workspace = api.workspace()
    admin = api.caller(workspace)
    path = f"/v1/chats/{admin.ok('POST', '/v1/chats', {'user_id': workspace.user_id})['id']}/messages"
    texts = ["x" * length for length in (10, SHORT_VALUE // 2)]
    for content in texts:
        admin.ok("POST", path, {"role": "user", "content": content})
    assert [message["content"] for message in admin.ok("GET", path)["items"]] == texts
    assert threads.n_run == n_if_short(api)
    texts.append("x" * (SHORT_VALUE + 1))
    admin.ok("POST", path, {"role": "user", "content": texts[-1]})
    assert [message["content"] for message in admin.ok("GET", path)["items"]] == texts
    assert threads.n_run == n_if_short(api) + 1


def test_a_long_search_is_made_in_a_thread(own: tuple[Api, CountingThreads]) -> None:
    """Who asks for the rare among very many rows is answered, and holds up nobody in the event loop."""
    api, threads = own
    workspace = api.workspace()
    rows = [
        {
            "id": new_id(),
            "workspace_id": workspace.id,
            "code": f"{number:06}",
            "name": "an account",
            "type": AccountType.ASSET,
        }
        for number in range(SHORT_STEPS // 2)
    ]
    with api.sessions.begin() as session:
        session.execute(insert(ledger.Account), rows)
    admin = api.caller(workspace)
    assert admin.ok("GET", "/v1/ledger/accounts", query={"type": "equity"})["items"] == []
    assert threads.n_run == 1
