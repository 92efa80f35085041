"""
What a request costs the API, against a trivial FastAPI GET on the same server: `make bench-api`.

One uvicorn worker on loopback, on a SQLite file with the demo's data; 16 clients of one process keep a
connection each and send the next request when the last is answered. The routes take turns, so that each of
them meets the machine as it is in each round; ratios are taken within a round.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass
from statistics import median
from typing import TYPE_CHECKING

from api_server import TRIVIAL_PATH
from evidence import save, table, take_no_options
from http_load import Load, ask, load, request, served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

COMMAND = "make bench-api"
N_CLIENTS = 16
N_WARM_UP = 160
N_ROUNDS = 5
N_REQUESTS = 480
"""Of a route in a round."""
MOST_P99 = 3.0
"""How much longer than the trivial GET's slowest hundredth a read's may take."""
TRIVIAL = "trivial FastAPI GET"


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A request that is sent again and again, and how many times the CPU of the trivial GET it may take."""

    name: str
    request: bytes
    status: int = 200
    most_cpu: float | None = None
    is_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A route's loads, one for each round, and how they compare with the trivial GET's of the same round."""

    route: str
    most_cpu: float | None
    is_read: bool
    loads: list[Load]
    cpu_ratio: float
    p99_ratio: float

    @property
    def misses(self) -> list[str]:
        """What the route was asked for and is not."""
        missed = []
        if self.most_cpu is not None and self.cpu_ratio > self.most_cpu:
            missed.append(f"{self.route} CPU {self.cpu_ratio:.2f}")
        if self.is_read and self.p99_ratio > MOST_P99:
            missed.append(f"{self.route} p99 {self.p99_ratio:.1f}")
        return missed


def main() -> int:
    """Serve, load, print, save; 1 if a route takes more than it may."""
    take_no_options(__doc__)
    with served() as (port, server_pid, variables):
        figures = asyncio.run(_measure(port, server_pid, variables))
    missed = [miss for each in figures for miss in each.misses]
    save("api", COMMAND, [asdict(each) for each in figures], _report(figures, missed))
    return 1 if missed else 0


async def _measure(port: int, server_pid: int, variables: dict[str, str]) -> list[Figures]:
    routes = [each async for each in _routes(port, variables)]
    rounds: list[dict[str, Load]] = []
    for number in range(N_ROUNDS + 1):
        n_requests = N_REQUESTS if number else N_WARM_UP
        loads = {}
        for route in routes:
            loads[route.name] = await load(
                port,
                server_pid,
                route.request,
                status=route.status,
                n_clients=N_CLIENTS,
                n_requests=n_requests,
            )
        rounds.append(loads)
    return list(_figures(routes, rounds[1:]))


def _figures(routes: list[Route], rounds: list[dict[str, Load]]) -> Iterator[Figures]:
    for route in routes:
        pairs = [(loads[route.name], loads[TRIVIAL]) for loads in rounds]
        yield Figures(
            route=route.name,
            most_cpu=route.most_cpu,
            is_read=route.is_read,
            loads=[ours for ours, _ in pairs],
            cpu_ratio=median(ours.server_cpu_ms / trivial.server_cpu_ms for ours, trivial in pairs),
            p99_ratio=median(ours.p99_ms / trivial.p99_ms for ours, trivial in pairs),
        )


async def _routes(port: int, variables: dict[str, str]) -> AsyncIterator[Route]:
    """
    Go through the requests.

    What they write changes no answer to a read but one: the page of transactions is full from the warm-up on.
    """
    key, chat, agent = variables["KEY"], variables["CHAT_ID"], variables["AGENT_ID"]

    async def make(path: str, **values: str | None) -> str:
        made = json.loads(await ask(port, request("POST", path, key, json.dumps(values).encode())))
        return str(made["id"])

    yield Route(name=TRIVIAL, request=request("GET", TRIVIAL_PATH, None))
    yield Route(name="GET /live", request=request("GET", "/live", None))
    yield Route(name="GET /ready", request=request("GET", "/ready", None), most_cpu=2.0)
    unknown = request("GET", f"/v1/chats/{chat}", None)
    yield Route(name="a read without a key (401)", request=unknown, status=401, most_cpu=1.2)
    unknown = request("GET", f"/v1/chats/{chat}", "atom_unknown")
    yield Route(name="a read with an unknown key (401)", request=unknown, status=401)
    for path in (
        f"/v1/chats/{chat}",
        f"/v1/chats/{chat}/messages",
        f"/v1/agents/{agent}",
        f"/v1/agents/{agent}/decision?action=deploy",
        "/v1/ledger/accounts",
        "/v1/ledger/transactions",
        f"/v1/episodes?agent_id={agent}",
    ):
        name = path.replace(chat, "{chat_id}").replace(agent, "{agent_id}").partition("?")[0]
        yield Route(name=f"GET {name}", request=request("GET", path, key), most_cpu=2.5, is_read=True)
    written = await make("/v1/chats", user_id=variables["USER_ID"])
    body = b'{"role": "user", "content": "Is the invoice of March paid?"}'
    sent = request("POST", f"/v1/chats/{written}/messages", key, body)
    yield Route(name="POST /v1/chats/{chat_id}/messages", request=sent, status=201, most_cpu=3.5)
    source = await make("/v1/ledger/accounts", code="8000", name="Source", type="asset", floor_minor=None)
    target = await make("/v1/ledger/accounts", code="8001", name="Target", type="asset", floor_minor=None)
    move = {"source_account_id": source, "target_account_id": target, "amount_minor": 1}
    sent = request("POST", "/v1/ledger/transfers", key, json.dumps(move).encode())
    yield Route(name="POST /v1/ledger/transfers", request=sent, status=201, most_cpu=5.0)


def _report(figures: list[Figures], missed: list[str]) -> str:
    rows = [
        [
            each.route,
            *(
                f"{median(getattr(load, name) for load in each.loads):{form}}"
                for name, form in (("per_s", ".0f"), ("p50_ms", ".1f"), ("p99_ms", ".1f"))
            ),
            f"{median(load.server_cpu_ms for load in each.loads):.2f}",
            f"{each.cpu_ratio:.2f}",
            "" if each.most_cpu is None else f"{each.most_cpu:g}",
            f"{each.p99_ratio:.1f}",
        ]
        for each in figures
    ]
    columns = [
        "route",
        "requests/s",
        "p50 ms",
        "p99 ms",
        "server CPU ms",
        "CPU ratio",
        "at most",
        "p99 ratio",
    ]
    return (
        f"{table(columns, rows)}\n\n{N_CLIENTS} clients, 1 worker, medians of {N_ROUNDS} rounds with "
        f"{N_REQUESTS} requests a route. CPU is the server's for one request. Ratios are to the {TRIVIAL}: "
        "an `async` handler of a FastAPI application without middleware of its own, behind the same uvicorn. "
        f"The p99 of a read may be {MOST_P99:g} times the trivial one's. "
        f"Missed by: {', '.join(missed) or 'none'}."
    )


if __name__ == "__main__":
    raise SystemExit(main())
