"""Many requests at once: everybody is answered, and what they wrote adds up."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from httpx import ASGITransport, AsyncClient

from atom.db.session import WritersQueue
from tests.database import Database
from tests.http import serving

N_WRITERS = 60
N_READERS = 60
"""More of each than there are threads, and than there are connections."""


@pytest.mark.parametrize("n_readers", [0, N_READERS], ids=["writers", "writers and readers"])
def test_more_requests_than_threads_and_connections_are_all_answered(
    database: Database, n_readers: int
) -> None:
    """More requests than threads and connections: none waits for what another one of them holds."""
    with database.clone() as clone, serving(database, clone.engine) as api:
        workspace = api.workspace()
        admin = api.caller(workspace)
        chat = admin.ok("POST", "/v1/chats", {"user_id": workspace.user_id})
        path = f"/v1/chats/{chat['id']}"

        async def send_all() -> list[int]:
            headers = {"Authorization": f"Bearer {admin.secret}"}
            transport = ASGITransport(api.app)
            async with AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
                body = {"role": "user", "content": "hello"}
                writes = [client.post(f"{path}/messages", json=body) for _ in range(N_WRITERS)]
                reads = [client.get(path) for _ in range(n_readers)]
                return [answer.status_code for answer in await asyncio.gather(*reads, *writes)]

        statuses = asyncio.run(send_all())
        assert sorted(statuses) == [200] * n_readers + [201] * N_WRITERS
        positions = [message["position"] for message in admin.ok("GET", f"{path}/messages")["items"]]
        assert positions == list(range(N_WRITERS))


def test_writers_wait_in_front_of_sqlite_and_readers_do_not(database: Database) -> None:
    """While another thread of the service writes, a writer waits, and gives up in time; readers read on."""
    with database.clone() as clone, serving(database, clone.engine) as api:
        admin = api.caller(api.workspace())
        body = {"code": "1", "name": "Cash", "type": "asset"}
        state = api.app.state
        state.gateway = replace(state.gateway, writers=WritersQueue(clone.engine, timeout_s=0.01))
        with state.gateway.writers.turn():
            assert admin.ok("GET", "/v1/ledger/accounts")["items"] == []
            if database.dialect == "sqlite":
                assert "try again" in admin.refused(503, "POST", "/v1/ledger/accounts", body)["detail"]
            else:
                admin.ok("POST", "/v1/ledger/accounts", {**body, "code": "2"})
        admin.ok("POST", "/v1/ledger/accounts", body)
