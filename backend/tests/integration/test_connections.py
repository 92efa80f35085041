"""Clients that are slow, silent, broken or too many: their connections end, and the others are served."""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from atom.db.session import connected
from atom.identity.models import ApiKeyScope
from tests.database import Clone, Database
from tests.http import Workspace

pytestmark = pytest.mark.integration

ATOM = Path(sys.executable).with_name("atom")
PATIENCE_S = 20.0
"""How long anything may take here, on a machine that has other things to do."""
WHOLE_REQUEST = b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running service, what it logs, and a caller of a workspace in it."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path
    workspace: Workspace

    def connect(self) -> socket.socket:
        """Return a connection that gives up after a while."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Ask for a path."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, timeout=PATIENCE_S)

    def lines(self) -> list[dict[str, Any]]:
        """Return what was logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def serving(
    clone: Clone, folder: Path, *, n_files: int | None = None, **settings: int | str
) -> Iterator[Server]:
    """Serve a database, with settings and a limit of open files."""
    workspace = Workspace.make(clone.sessions)
    port, log = free_port(), folder / "log"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ATOM_")} | {
        "ATOM_DATABASE_URL": clone.url.render_as_string(hide_password=False),
        "ATOM_PORT": str(port),
        "ATOM_LOG_FORMAT": "json",
        "ATOM_STOP_TIMEOUT_S": "5",
        **{f"ATOM_{name.upper()}": str(value) for name, value in settings.items()},
    }
    limit = (
        None if n_files is None else lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (n_files, n_files))
    )
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [ATOM, "serve", "--no-migrate"], env=environment, stderr=stderr, preexec_fn=limit
        )
        try:
            await_start(port, process, log)
            yield Server(port=port, process=process, log=log, workspace=workspace)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Stop a service as it wants to be, so that it ends its workers; by force if it does not stop."""
    process.terminate()
    try:
        process.wait(2 * PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def await_start(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + 3 * PATIENCE_S
    while process.poll() is None and time.monotonic() < give_up_at:
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        time.sleep(0.05)
    raise AssertionError(log.read_text())


def answer_on(connection: socket.socket) -> tuple[int, dict[str, Any]]:
    """Return the status and the problem that a connection ends with; 0 if it ends without a word."""
    received = b""
    while chunk := connection.recv(65_536):
        received += chunk
    if not received:
        return 0, {}
    head, _, body = received.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head.lower()
    assert b"connection: close" in head.lower()
    return int(head.split()[1]), json.loads(body)


@pytest.fixture
def clone(database: Database) -> Iterator[Clone]:
    """A database of its own: a file on SQLite."""
    with database.clone() as clone:
        yield clone


def head_of(workspace: Workspace, n_bytes: int) -> bytes:
    secret = workspace.secrets[ApiKeyScope.ADMIN]
    return (
        f"POST /v1/users HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {secret}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {n_bytes}\r\n\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("sent", "status"),
    [(b"", 0), (b"GET /live HT", 408), (WHOLE_REQUEST[:-2], 408), (WHOLE_REQUEST + b"G", 408)],
    ids=["silence", "half a line", "no end", "a second one"],
)
def test_a_head_that_does_not_come_ends_the_connection(
    clone: Clone, tmp_path: Path, sent: bytes, status: int
) -> None:
    """Who does not say what they want within the time-out is told so, or nothing if they said nothing."""
    with serving(clone, tmp_path, head_timeout_s=1, keep_alive_s=60) as server, server.connect() as client:
        client.sendall(sent)
        if sent.startswith(WHOLE_REQUEST):
            assert client.recv(65_536).startswith(b"HTTP/1.1 200")
        found, problem = answer_on(client)
        assert found == status
        assert not status or "head of the request took too long" in problem["detail"]


@pytest.mark.parametrize("is_trickling", [False, True])
def test_a_body_that_does_not_come_ends_the_connection(
    clone: Clone, tmp_path: Path, is_trickling: bool
) -> None:
    """The time-out counts from the head, so one byte now and then does not hold a connection."""
    with serving(clone, tmp_path, body_timeout_s=1) as server, server.connect() as client:
        client.sendall(head_of(server.workspace, 1_000))
        client.settimeout(0.2)
        began_s, received = time.monotonic(), b""
        while not received and time.monotonic() - began_s < PATIENCE_S:
            if is_trickling:
                client.send(b" ")
            try:
                received = client.recv(12)
            except TimeoutError:
                continue
        assert received == b"HTTP/1.1 408"


def test_a_body_after_its_refusal_is_not_waited_for(clone: Clone, tmp_path: Path) -> None:
    """Who was refused by the head alone cannot hold the connection by never sending the rest."""
    with serving(clone, tmp_path, body_timeout_s=1) as server, server.connect() as client:
        client.sendall(head_of(server.workspace, 1_000).replace(b"Bearer", b"Basic"))
        assert client.recv(65_536).startswith(b"HTTP/1.1 401")
        while client.recv(65_536):
            pass


def test_an_answer_that_is_not_read_ends_the_connection(clone: Clone, tmp_path: Path) -> None:
    """A client that asks and asks and never reads is left."""
    with serving(clone, tmp_path, read_timeout_s=1, max_requests=5_000) as server, server.connect() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        request, began_s = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n", time.monotonic()
        client.settimeout(0.2)
        is_left = False
        while not is_left and time.monotonic() - began_s < PATIENCE_S:
            try:
                client.send(request)
            except TimeoutError:
                continue
            except OSError:
                is_left = True
        assert is_left
        assert server.get("/live").status_code == 200


@pytest.mark.parametrize(
    "sent", [b"\r\n\x00nonsense\r\n\r\n", b"GET /live HTTP/9.9.9\r\n\r\n", b"\x16\x03\x01\r\n\r\n"]
)
def test_what_is_not_http_is_a_problem(clone: Clone, tmp_path: Path, sent: bytes) -> None:
    """Noise, another protocol's greeting: 400 as a problem like any other."""
    with serving(clone, tmp_path) as server, server.connect() as client:
        client.sendall(sent)
        assert answer_on(client)[0] == 400
        assert server.get("/live").status_code == 200


def test_silent_connections_stop_nobody(clone: Clone, tmp_path: Path) -> None:
    """With few files, 300 silent connections end, the log stays short, and others are served."""
    with (
        serving(clone, tmp_path, n_files=400, head_timeout_s=2, max_connections=1_000) as server,
        ExitStack() as stack,
    ):
        for _ in range(300):
            stack.enter_context(server.connect())
        give_up_at = time.monotonic() + PATIENCE_S
        status = 503
        while status == 503 and time.monotonic() < give_up_at:
            status = server.get("/live").status_code
        assert status == 200
        assert len(server.lines()) < 300


def test_more_connections_than_may_be_are_refused(clone: Clone, tmp_path: Path) -> None:
    """The ones too many get a 503 that says so; when the others end there is room again."""
    with serving(clone, tmp_path, max_connections=3, head_timeout_s=60) as server:
        with ExitStack() as stack:
            clients = [stack.enter_context(server.connect()) for _ in range(10)]
            refused = [answer_on(client) for client in select.select(clients, [], [], PATIENCE_S)[0]]
            time.sleep(0.5)  # until all are taken
            refused += [answer_on(client) for client in select.select(clients, [], [], 0)[0]]
            answers = [(status, problem["detail"]) for status, problem in refused if status]
        assert len(answers) >= 10 - 3
        assert set(answers) == {(503, "there are too many connections; try again")}
        give_up_at = time.monotonic() + PATIENCE_S
        while server.get("/live").status_code == 503:
            assert time.monotonic() < give_up_at


def test_a_flood_of_nonsense_leaves_a_short_log(clone: Clone, tmp_path: Path) -> None:
    """What goes wrong a thousand times in the same way is written down twenty times."""
    with serving(clone, tmp_path) as server:
        for _ in range(300):
            with server.connect() as client:
                client.sendall(b"\x00\r\n\r\n")
                answer_on(client)
        alike = [line for line in server.lines() if line["message"].startswith("Invalid HTTP request")]
        assert 0 < len(alike) <= 60
        assert any("left out" in line["message"] for line in alike)


def test_a_stop_finishes_what_was_begun(clone: Clone, tmp_path: Path) -> None:
    """SIGTERM in the middle of a body: it may still come, is written and answered; then the process ends."""
    body = json.dumps({"email": "ada@example.org"}).encode()
    with serving(clone, tmp_path) as server, server.connect() as client:
        client.sendall(head_of(server.workspace, len(body)) + body[:5])
        time.sleep(0.5)  # until it is taken
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        client.sendall(body[5:])
        assert client.recv(12) == b"HTTP/1.1 201"
        assert server.process.wait(PATIENCE_S) in (0, -signal.SIGTERM)
        with connected(clone.url) as engine, engine.connect() as connection:
            emails = connection.exec_driver_sql("SELECT email FROM users").scalars().all()
        assert "ada@example.org" in emails


def test_several_workers_serve_one_database(clone: Clone, tmp_path: Path) -> None:
    """On PostgreSQL several processes answer, each for itself."""
    if clone.engine.dialect.name == "sqlite":
        pytest.skip("several workers need PostgreSQL")
    with serving(clone, tmp_path, workers=2, metrics_token="sesame") as server:
        headers = {"Authorization": "Bearer sesame"}
        processes: set[str] = set()
        give_up_at = time.monotonic() + 3 * PATIENCE_S
        while len(processes) < 2 and time.monotonic() < give_up_at:
            lines = server.get("/metrics", **headers).text.splitlines()
            processes |= {line for line in lines if line.startswith("process_id ")}
        assert len(processes) == 2
