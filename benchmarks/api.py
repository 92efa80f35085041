"""
How fast the API answers: `make bench-api`.

One uvicorn worker on loopback, on a SQLite file with the demo's data; 16 clients of one process keep a
connection each and send the next request when the last is answered. The clients are raw sockets: a library
would take longer to send a request than the service to answer it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING

from evidence import save, table

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = "make bench-api"
N_CLIENTS = 16
N_WARM_UP = 400
N_REQUESTS = 4_000
LEAST_PER_S = 500
MOST_P99_TO_P50 = 10
START_TIMEOUT_S = 60
ATOM = Path(sys.executable).with_name("atom")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A request that is sent again and again."""

    name: str
    request: bytes
    is_read: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of sending it."""

    route: str
    is_read: bool
    n_requests: int
    per_s: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    server_cpu_ms: float

    @property
    def p99_to_p50(self) -> float:
        """How much longer one in a hundred takes than the one in the middle."""
        return self.p99_ms / self.p50_ms


def main() -> int:
    """Serve, load, print, save; 1 if a read route is too slow or too uneven."""
    with tempfile.TemporaryDirectory(prefix="atom-bench-") as folder:
        environment = {**os.environ, "ATOM_DATABASE_URL": f"sqlite:///{folder}/atom.sqlite3"}
        subprocess.run([ATOM, "migrate"], env=environment, check=True, stdout=subprocess.DEVNULL)
        made = subprocess.run([ATOM, "demo"], env=environment, check=True, capture_output=True, text=True)
        variables = dict(line.split("=", 1) for line in made.stdout.splitlines())
        port = _free_port()
        environment |= {"ATOM_PORT": str(port)}
        command = [str(ATOM), "serve", "--no-migrate", "--quiet"]
        server = subprocess.Popen(command, env=environment)
        try:
            _wait_for(port, server)
            loads = [asyncio.run(_load(port, server.pid, route)) for route in _routes(variables)]
        finally:
            server.terminate()
            server.wait()
    reads = [load for load in loads if load.is_read]
    slow = [load.route for load in reads if load.per_s < LEAST_PER_S]
    uneven = [load.route for load in reads if load.p99_to_p50 >= MOST_P99_TO_P50]
    rows = [
        [
            load.route,
            f"{load.per_s:.0f}",
            f"{load.p50_ms:.1f}",
            f"{load.p99_ms:.1f}",
            f"{load.p99_to_p50:.1f}",
            f"{load.max_ms:.1f}",
            f"{load.server_cpu_ms:.2f}",
        ]
        for load in loads
    ]
    columns = ["route", "requests/s", "p50 ms", "p99 ms", "p99 / p50", "max ms", "server CPU ms"]
    verdict = "; ".join(
        f"{what} {', '.join(missed) or 'none'}"
        for what, missed in (("too slow:", slow), ("too uneven:", uneven))
    )
    report = (
        f"{table(columns, rows)}\n\n{N_CLIENTS} clients, 1 worker, {N_REQUESTS} requests a route after "
        f"{N_WARM_UP} to warm up. Asked of read routes: at least {LEAST_PER_S} requests/s, p99 below "
        f"{MOST_P99_TO_P50} times p50; {verdict}."
    )
    save("api", COMMAND, [asdict(load) for load in loads], report)
    return 1 if slow or uneven else 0


def _routes(variables: dict[str, str]) -> Iterator[Route]:
    chat, agent = variables["CHAT_ID"], variables["AGENT_ID"]
    for path in (
        f"/v1/chats/{chat}",
        f"/v1/chats/{chat}/messages",
        f"/v1/agents/{agent}/decision?action=deploy",
        "/v1/ledger/accounts",
    ):
        name = path.replace(chat, "{chat_id}").replace(agent, "{agent_id}").partition("?")[0]
        yield Route(name=f"GET {name}", request=_request("GET", path, variables["KEY"]), is_read=True)
    body = b'{"role": "user", "content": "Is the invoice of March paid?"}'
    path = f"/v1/chats/{chat}/messages"
    yield Route(
        name="POST /v1/chats/{chat_id}/messages",
        request=_request("POST", path, variables["KEY"], body),
        is_read=False,
    )


def _request(method: str, path: str, secret: str, body: bytes = b"") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {secret}"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def _load(port: int, server_pid: int, route: Route) -> Load:
    """Send the requests of a route from all clients at once."""
    await _send(port, route.request, N_WARM_UP)
    cpu_before_s, started_s = _cpu_s(server_pid), time.perf_counter()
    latencies_s = await _send(port, route.request, N_REQUESTS)
    elapsed_s, cpu_s = time.perf_counter() - started_s, _cpu_s(server_pid) - cpu_before_s
    return Load(
        route=route.name,
        is_read=route.is_read,
        n_requests=len(latencies_s),
        per_s=len(latencies_s) / elapsed_s,
        p50_ms=1_000 * median(latencies_s),
        p99_ms=1_000 * quantiles(latencies_s, n=100)[-1],
        max_ms=1_000 * max(latencies_s),
        server_cpu_ms=1_000 * cpu_s / len(latencies_s),
    )


async def _send(port: int, request: bytes, n_requests: int) -> list[float]:
    """Let each client send its share, one request after the other; return how long each took."""
    shares = await asyncio.gather(
        *(_client(port, request, n_requests // N_CLIENTS) for _ in range(N_CLIENTS))
    )
    return [latency_s for share in shares for latency_s in share]


async def _client(port: int, request: bytes, n_requests: int) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    latencies_s = []
    for _ in range(n_requests):
        started_s = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        status_line, *headers = head.lower().split(b"\r\n")
        if not status_line.startswith(b"http/1.1 2"):
            raise SystemExit(f"the service answered {status_line.decode()}")
        lengths = [line for line in headers if line.startswith(b"content-length:")]
        await reader.readexactly(int(lengths[0].partition(b":")[2]))
        latencies_s.append(time.perf_counter() - started_s)
    writer.close()
    await writer.wait_closed()
    return latencies_s


def _cpu_s(pid: int) -> float:
    """Return the CPU time that a process has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Return once the service takes connections."""
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while server.poll() is None and time.monotonic() < give_up_at:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"the service did not start: {server.poll()}")


if __name__ == "__main__":
    raise SystemExit(main())
