"""
Requests sent to a server again and again, by clients that keep a connection each.

The clients are raw sockets: a library would take longer to send a request than the service to answer it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

START_TIMEOUT_S = 60
ATOM = Path(sys.executable).with_name("atom")
SERVER = Path(__file__).with_name("api_server.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of sending a request again and again."""

    n_requests: int
    per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    server_cpu_ms: float
    """CPU time of the server's process for one request."""


def request(method: str, path: str, secret: str | None, body: bytes = b"") -> bytes:
    """Return the bytes of a request, with a key if a secret is given."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if secret is not None:
        lines.append(f"Authorization: Bearer {secret}")
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def load(
    port: int, server_pid: int, sent: bytes, *, status: int, n_clients: int, n_requests: int
) -> Load:
    """Send a request from all clients at once, each its share of them; SystemExit for another status."""
    cpu_before_s, started_s = _cpu_s(server_pid), time.perf_counter()
    shares = await asyncio.gather(
        *(_client(port, sent, status, n_requests // n_clients) for _ in range(n_clients))
    )
    elapsed_s, cpu_s = time.perf_counter() - started_s, _cpu_s(server_pid) - cpu_before_s
    latencies_s = [latency_s for share in shares for latency_s in share]
    return Load(
        n_requests=len(latencies_s),
        per_s=len(latencies_s) / elapsed_s,
        p50_ms=1_000 * median(latencies_s),
        p99_ms=1_000 * quantiles(latencies_s, n=100)[-1],
        max_ms=1_000 * max(latencies_s),
        server_cpu_ms=1_000 * cpu_s / len(latencies_s),
    )


async def ask(port: int, sent: bytes) -> bytes:
    """Send a request once, and return the body of the answer; SystemExit unless it succeeded."""
    status, body = await answer_of(port, sent)
    if status >= 400:
        raise SystemExit(f"the service answered {status}: {body.decode()}")
    return body


async def answer_of(port: int, sent: bytes) -> tuple[int, bytes]:
    """Send a request once, and return the status and the body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answer = await _exchange(reader, writer, sent)
    writer.close()
    await writer.wait_closed()
    return answer


async def _client(port: int, sent: bytes, expected: int, n_requests: int) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies_s = []
    for _ in range(n_requests):
        started_s = time.perf_counter()
        status, body = await _exchange(reader, writer, sent)
        if status != expected:
            raise SystemExit(f"the service answered {status}, expected {expected}: {body.decode()}")
        latencies_s.append(time.perf_counter() - started_s)
    writer.close()
    await writer.wait_closed()
    return latencies_s


async def _exchange(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes
) -> tuple[int, bytes]:
    """Send a request, and return the status and the body of its answer."""
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    status_line, *headers = head.lower().split(b"\r\n")
    length = next(line for line in headers if line.startswith(b"content-length:"))
    body = await reader.readexactly(int(length.partition(b":")[2]))
    return int(status_line.split()[1]), body


def _cpu_s(pid: int) -> float:
    """
    Return the CPU time that the threads of a process have taken so far.

    In nanoseconds from the scheduler: the ticks of `/proc/PID/stat` are 5 % of what a round of the trivial
    GET takes.
    """
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(thread.read_text().split()[0]) for thread in threads) / 1e9


@contextmanager
def served() -> Iterator[tuple[int, int, dict[str, str]]]:
    """Serve the demo's data from a SQLite file; give port, process id and what `atom demo` printed."""
    with tempfile.TemporaryDirectory(prefix="atom-bench-") as folder:
        port = _free_port()
        address = {"ATOM_DATABASE_URL": f"sqlite:///{folder}/atom.sqlite3", "ATOM_PORT": str(port)}
        environment = {**os.environ, **address}
        subprocess.run([ATOM, "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL)
        made = subprocess.run([ATOM, "demo"], env=environment, check=True, capture_output=True, text=True)
        server = subprocess.Popen([sys.executable, SERVER], env=environment)
        try:
            _wait_for(port, server)
            yield port, server.pid, dict(line.split("=", 1) for line in made.stdout.splitlines())
        finally:
            server.terminate()
            server.wait()


def _free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Return once the server takes connections; SystemExit if it does not."""
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while server.poll() is None and time.monotonic() < give_up_at:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"the service did not start: {server.poll()}")
