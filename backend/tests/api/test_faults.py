"""Faults in the middle of a request: it ends in a problem, nothing is half written, the next one works."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from httpx import Response
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from atom.app import create_app
from atom.db import migrate
from atom.db.session import WritersQueue, connected, create_engine
from atom.identity.access import Gateway
from atom.kit.errors import UnavailableError
from atom.settings import Settings
from tests.database import Clone, Database
from tests.faults import failing_after
from tests.http import Api, Workspace, problem_of, serving
from tests.listening import listening

LOCK_TIMEOUT_MS = 50
LONG = "x" * 50_000
N_THREADS = Settings().threads


@pytest.fixture
def own_api(database: Database) -> Iterator[tuple[Api, Workspace, Clone]]:
    """An app on a database of its own, a file on SQLite, whose connections wait briefly for a lock."""
    with database.clone() as clone:
        event.listen(clone.engine, "connect", _wait_briefly)
        with serving(database, clone.engine) as api:
            yield api, api.workspace(), clone


def _wait_briefly(connection: Any, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute(f"PRAGMA busy_timeout = {LOCK_TIMEOUT_MS}")
    else:
        connection.execute(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
        connection.commit()


def open_account(api: Api, workspace: Workspace, code: str) -> Response:
    body = {"code": code, "name": "Cash", "type": "asset"}
    return api.caller(workspace)("POST", "/v1/ledger/accounts", body)


def assert_works(api: Api, workspace: Workspace) -> None:
    """The next request is answered as if nothing had been."""
    assert open_account(api, workspace, "next").status_code == 201


def assert_unavailable(response: Response) -> None:
    problem = problem_of(response)
    assert (problem["status"], problem["title"]) == (503, "Unavailable")
    assert "try again" in problem["detail"]
    assert int(response.headers["retry-after"]) > 0


@contextmanager
def locked(clone: Clone) -> Iterator[None]:
    """Let somebody else hold what every writer needs."""
    lock = "BEGIN IMMEDIATE" if clone.engine.dialect.name == "sqlite" else "LOCK TABLE ledger_accounts"
    holder = create_engine(clone.url)
    driver = holder.raw_connection()
    driver.cursor().execute(lock)
    try:
        yield
    finally:
        driver.rollback()
        driver.close()
        holder.dispose()


def test_a_lock_that_is_not_released_is_a_503(own_api: tuple[Api, Workspace, Clone]) -> None:
    """A writer who waits too long gives up with a 503; readers are answered meanwhile on SQLite."""
    api, workspace, clone = own_api
    before = api.rows()
    with locked(clone):
        assert_unavailable(open_account(api, workspace, "1"))
        if clone.engine.dialect.name == "sqlite":
            assert api.caller(workspace).ok("GET", "/v1/ledger/accounts")["items"] == []
    assert api.rows() == before
    assert_works(api, workspace)


def test_readiness_waits_for_no_lock(own_api: tuple[Api, Workspace, Clone]) -> None:
    """While somebody else writes, the service is ready: it only reads to find out, and holds nobody up."""
    api, _, clone = own_api
    with locked(clone):
        assert api.stranger().ok("GET", "/ready") == api.stranger().ok("GET", "/health")


def test_readiness_reads_no_migrations(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the code needs is known from the start: its scripts are not parsed again for a stranger."""
    monkeypatch.setattr(migrate, "ScriptDirectory", None)
    assert api.stranger().ok("GET", "/ready")["migration"] == migrate.head()


def test_a_process_lives_without_its_database() -> None:
    """Restarting it would not help; but it is not ready, and says so."""
    nowhere = create_engine("postgresql://nobody@127.0.0.1:1/nothing")
    app = create_app(Settings(), engine=nowhere)
    client = TestClient(app, raise_server_exceptions=False)  # not started: that needs the database
    assert client.get("/live").json() == {"status": "ok"}
    assert_unavailable(client.get("/ready"))
    nowhere.dispose()


def test_who_reads_does_not_wait_for_those_who_wait_to_write(database: Database) -> None:
    """With more writers queued than there are threads, a reader is answered before any of them."""
    with database.clone() as clone, serving(database, clone.engine) as api:
        if clone.engine.dialect.name != "sqlite":
            pytest.skip("writers wait for each other on SQLite alone")
        workspace = api.workspace()
        gateway: Gateway = api.app.state.gateway
        with ThreadPoolExecutor(2 * N_THREADS) as pool:
            with gateway.writers.turn():
                writers = [
                    pool.submit(open_account, api, workspace, str(code)) for code in range(2 * N_THREADS)
                ]
                await_that(lambda: gateway.writing_threads.n_running == N_THREADS)
                assert api.caller(workspace).ok("GET", "/v1/ledger/accounts")["items"] == []
                assert not any(writer.done() for writer in writers)
            assert {writer.result().status_code for writer in writers} == {201}


def await_that(is_so: Callable[[], bool]) -> None:
    """Return once something is so; give up after five seconds."""
    waiting = threading.Event()
    for _ in range(500):
        if is_so():
            return
        waiting.wait(0.01)
    pytest.fail("it did not come to be so within 5 s")


def test_a_full_disk_is_a_503(own_api: tuple[Api, Workspace, Clone]) -> None:
    """When the database cannot grow, the request that needed it is undone; after that there is room again."""
    api, workspace, clone = own_api
    if clone.engine.dialect.name != "sqlite":
        pytest.skip("a full disk can be had for SQLite alone, by the limit of its pages")
    admin = api.caller(workspace)
    chat = admin.ok("POST", "/v1/chats", {"user_id": workspace.user_id})
    path = f"/v1/chats/{chat['id']}/messages"
    with page_limit(clone.engine, spare=5):
        before = api.rows()
        response = admin("POST", path, {"role": "user", "content": LONG})
        assert_unavailable(response)
        assert api.rows() == before
        assert admin.ok("GET", path)["items"] == []
    assert admin.ok("POST", path, {"role": "user", "content": LONG})["position"] == 0


@contextmanager
def page_limit(engine: Engine, *, spare: int) -> Iterator[None]:
    """Let the file of a SQLite database grow by that many pages, on every connection."""

    with engine.connect() as connection:
        n_pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()

    def checkout(driver: Any, _record: object, _proxy: object) -> None:
        driver.execute(f"PRAGMA max_page_count = {n_pages + spare}")

    def lift(driver: Any, _record: object, _proxy: object) -> None:
        driver.execute("PRAGMA max_page_count = 4294967294")

    event.listen(engine, "checkout", checkout)
    try:
        yield
    finally:
        event.remove(engine, "checkout", checkout)
        event.listen(engine, "checkout", lift)


class DroppedError(psycopg.OperationalError, sqlite3.OperationalError):
    """What a driver raises when the server is gone."""


@contextmanager
def dropping_after(engine: Engine, n_writes: int) -> Iterator[None]:
    """Let the connection be gone after that many writing statements."""
    seen = 0

    def drop(_c: Any, _cursor: Any, statement: str, _values: Any, context: Any, _many: bool) -> None:
        nonlocal seen
        seen += context.isinsert or context.isupdate or context.isdelete
        if seen == n_writes:
            raise OperationalError(statement, None, DroppedError("server closed the connection"))

    with listening(engine, "after_cursor_execute", drop):
        yield


def invoice(api: Api, workspace: Workspace) -> Callable[[], Response]:
    """Return a request of several writes: entries, a header, balances."""
    admin = api.caller(workspace)
    debit, credit = (
        admin.ok("POST", "/v1/ledger/accounts", {"code": type_, "name": type_, "type": type_})["id"]
        for type_ in ("asset", "revenue")
    )
    body = {"debit_account_id": debit, "credit_account_id": credit, "amount_minor": 100}
    return lambda: admin("POST", "/v1/ledger/invoices", body)


@pytest.mark.parametrize("n_writes", [1, 2, 3])
def test_a_connection_that_drops_between_two_writes_is_a_503(api: Api, n_writes: int) -> None:
    """A database that goes away in the middle takes everything of the request with it."""
    workspace = api.workspace()
    send = invoice(api, workspace)
    before = api.rows()
    with dropping_after(api.database.engine, n_writes):
        assert_unavailable(send())
    assert api.rows() == before
    assert send().status_code == 201


@pytest.mark.parametrize("n_writes", [1, 2, 3])
def test_a_fault_of_ours_between_two_writes_is_a_500(api: Api, n_writes: int) -> None:
    """An exception that nobody foresaw undoes the request, and tells the caller nothing of itself."""
    workspace = api.workspace()
    send = invoice(api, workspace)
    before = api.rows()
    with failing_after(api.database.engine, n_writes):
        problem = problem_of(send())
    assert (problem["status"], problem["title"]) == (500, "Internal error")
    assert "InjectedError" not in str(problem)
    assert api.rows() == before
    assert send().status_code == 201


def test_a_commit_that_fails_is_no_success(api: Api) -> None:
    """The commit comes before the answer: when it fails, nobody was told 201."""
    workspace = api.workspace()
    before = api.rows()

    def fail(_connection: Any) -> None:
        raise OperationalError("COMMIT", None, DroppedError("server closed the connection"))

    with listening(api.database.engine, "commit", fail):
        assert_unavailable(open_account(api, workspace, "1"))
    assert api.rows() == before
    assert_works(api, workspace)


def test_a_server_that_ends_the_connection_is_a_503(own_api: tuple[Api, Workspace, Clone]) -> None:
    """PostgreSQL's administrator ends the connection in the middle of a request."""
    api, workspace, clone = own_api
    if clone.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no server")
    before = api.rows()

    def end(connection: Any, _cursor: Any, _statement: str, _values: Any, context: Any, _many: bool) -> None:
        if context.isinsert:
            pid = connection.connection.dbapi_connection.info.backend_pid
            with administrator.begin() as other:
                other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})

    with connected(clone.url) as administrator, listening(clone.engine, "after_cursor_execute", end):
        assert_unavailable(open_account(api, workspace, "1"))
    assert api.rows() == before
    assert_works(api, workspace)


def test_a_client_that_leaves_in_the_middle_of_its_body_wrote_nothing(api: Api) -> None:
    """A body that breaks off is never half a request."""
    workspace = api.workspace()
    before = api.rows()
    coming = [
        {"type": "http.request", "body": b'{"email": "ada@example.org"}', "more_body": True},
        {"type": "http.disconnect"},
    ]
    headers = [
        (b"authorization", f"Bearer {api.caller(workspace).secret}".encode()),
        (b"content-type", b"application/json"),
    ]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/users",
        "query_string": b"",
        "headers": headers,
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return coming.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    api.exchange(scope, receive, send)
    assert [message["status"] for message in sent if "status" in message] == [400]
    assert api.rows() == before
    assert_works(api, workspace)


def test_a_database_at_another_migration_stops_the_start_and_the_health(database: Database) -> None:
    """An app refuses to start on it; one that runs says on /health which command helps."""
    with database.clone() as clone:
        with serving(database, clone.engine) as api:
            migrate.downgrade(clone.engine, "-1")
            problem = api.stranger().refused(503, "GET", "/health")
            assert "run `atom migrate`" in problem["detail"]
        with (
            pytest.raises(migrate.MigrationError, match="run `atom migrate`"),
            serving(database, clone.engine),
        ):
            pass


def test_writers_on_sqlite_come_one_after_the_other() -> None:
    """A turn that is taken is waited for; whoever waits too long is told that it is others' doing."""
    queue = WritersQueue(create_engine("sqlite://"), timeout_s=0.01)
    with queue.turn(), pytest.raises(UnavailableError, match="try again"), queue.turn():
        pass
    with queue.turn():
        pass


def test_writers_on_a_database_that_locks_rows_do_not_wait_for_each_other() -> None:
    """On PostgreSQL there is no queue in front of the database's own."""
    queue = WritersQueue(create_engine("postgresql://nobody@localhost/nothing"), timeout_s=0.01)
    with queue.turn(), queue.turn():
        pass
