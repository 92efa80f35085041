"""Runs the real scheduler in virtual time, with workers that keep to xdist's protocol."""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from xdist.remote import Producer

from atom_testinfra.pytest_plugin.scheduling.durations import KnownDurations
from atom_testinfra.pytest_plugin.scheduling.scheduler import DurationScheduling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ROUND_TRIP_S = 0.002
"""From the end of a test until the worker has what the scheduler sends for it."""


class VirtualWorker:
    """
    A worker as `xdist.remote` is one: it begins a test when it knows the next one, or that there is none.

    What it was sent cannot be taken back.
    """

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.queue: deque[int] = deque()
        self.shutting_down = False
        self.module: str | None = None
        self.running: int | None = None

    def send_runtest_some(self, indices: Sequence[int]) -> None:
        assert not self.shutting_down, "a test was sent to a worker that was told to end"
        self.queue.extend(indices)

    def shutdown(self) -> None:
        self.shutting_down = True


@dataclass
class VirtualRun:
    """What happened: who ran what, until when."""

    executed: list[tuple[str, int]] = field(default_factory=list)
    crashed: list[str] = field(default_factory=list)
    ends_at: float = 0.0

    def order_of(self, worker: str) -> list[int]:
        return [index for name, index in self.executed if name == worker]


class Reporter:
    """Stands for pytest's terminal."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write_line(self, line: str) -> None:
        self.lines.append(line)


def make_config(root: Path, n_workers: int, reporter: Reporter | None = None) -> Any:
    """Return what the scheduler reads of a pytest config."""
    values = {"maxschedchunk": None, "dist": "load", "tx": ["popen"] * n_workers, "loadgroup": False}
    option = SimpleNamespace(**values, verbose=0)
    return SimpleNamespace(
        option=option,
        rootpath=root,
        getoption=values.get,
        getvalue=values.__getitem__,
        pluginmanager=SimpleNamespace(getplugin=lambda _: reporter),
        hook=SimpleNamespace(pytest_collectreport=lambda report: None),
    )


def run_virtually(
    nodeids: Sequence[str],
    real_s: Sequence[float],
    known: Mapping[str, float],
    n_workers: int,
    *,
    root: Path,
    fixtures_s: Mapping[str, float] = MappingProxyType({}),
    knows_fixtures: bool = True,
    crashes: frozenset[int] = frozenset(),
    scheduler: type[Any] = DurationScheduling,
    stops_after: int | None = None,
    reporter: Reporter | None = None,
) -> VirtualRun:
    """
    Run the tests; those in `crashes` end their worker, which is replaced.

    `stops_after` ends the run after this many tests, as `-x` does. A worker that comes to a module sets up
    its fixtures, which takes `fixtures_s`, by the module's node id; the scheduler may or may not know that.
    """
    now, log = [0.0], Producer("virtual", enabled=False)
    config = make_config(root, n_workers, reporter)
    if scheduler is DurationScheduling:
        durations = KnownDurations(
            seconds=known,
            fixtures_s=fixtures_s if knows_fixtures else {},
            root=str(root),
            file=root / "durations.json",
        )
        sched: Any = DurationScheduling(config, log, durations, clock=lambda: now[0])
    else:
        sched = scheduler(config, log)
    workers = [VirtualWorker(f"gw{number}") for number in range(n_workers)]
    active = set(workers)
    for worker in workers:
        sched.add_node(worker)
    for worker in workers:
        sched.add_node_collection(worker, list(nodeids))
    sched.schedule()
    run = VirtualRun()
    events: list[tuple[float, int, VirtualWorker]] = []
    n_made, is_stopping = len(workers), False

    def begin_what_can() -> None:
        for worker in list(active):
            knows_next = len(worker.queue) >= 2 or worker.shutting_down
            if worker.running is None and worker.queue and knows_next:
                worker.running = worker.queue.popleft()
                module = nodeids[worker.running].partition("::")[0]
                setup_s = 0.0 if worker.module == module else fixtures_s.get(module, 0.0)
                worker.module = module
                heapq.heappush(events, (now[0] + setup_s + real_s[worker.running], id(worker), worker))
            elif worker.running is None and not worker.queue and worker.shutting_down:
                active.discard(worker)
                assert sched.remove_node(worker) is None or is_stopping

    def end_if_finished() -> None:
        if sched.tests_finished or is_stopping:
            for worker in active:
                worker.shutdown()

    end_if_finished()
    begin_what_can()
    while events:
        now[0], _, worker = heapq.heappop(events)
        index, worker.running = worker.running, None
        assert index is not None
        run.executed.append((worker.gateway.id, index))
        run.ends_at = now[0]
        if index in crashes:
            active.discard(worker)
            run.crashed.append(sched.remove_node(worker))
            clone = VirtualWorker(f"gw{n_made}")
            n_made += 1
            active.add(clone)
            sched.add_node(clone)
            sched.add_node_collection(clone, list(nodeids))
            sched.schedule()
        else:
            now[0] += ROUND_TRIP_S
            sched.mark_test_complete(worker, index, real_s[index])
        if stops_after is not None and len(run.executed) >= stops_after:
            is_stopping = True
            for each in active:
                each.queue.clear()
        end_if_finished()
        begin_what_can()
    assert not active, f"{len(active)} workers wait for ever"
    return run
