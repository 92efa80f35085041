"""What a suite's tests take with more workers or machines, and what stands in the way of a time budget."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.advice.recommendation import recommend
from atom_testinfra.core.figures import seconds as show
from atom_testinfra.core.scheduling.durations import expect, lower_bound
from atom_testinfra.core.scheduling.units import assign_longest_first

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atom_testinfra.core.costs.baseline import ProfileCost

MOST_OBSTACLES = 10
"""How many tests are named at most, the longest first."""


class StartUp(Struct, frozen=True, kw_only=True):
    """CPU seconds before the first test, as they were measured."""

    serial_s: float
    """Starting pytest and collecting, without workers."""
    controller_s: float | None
    """Of the process that starts workers; `None` where pytest-xdist is not installed."""
    worker_s: float | None
    """Of each worker, which starts and collects as well."""

    def before_tests(self, n_workers: int, n_cores: int) -> float:
        """Return the seconds until tests begin; workers start side by side as far as there are cores."""
        if n_workers == 0 or self.controller_s is None or self.worker_s is None:
            return self.serial_s
        return self.controller_s + n_workers * self.worker_s / min(n_workers, n_cores)


class Estimate(Struct, frozen=True, kw_only=True):
    """A way to run the suite, and how long it is expected to take."""

    n_workers: int
    """0: without workers."""
    seconds: float
    startup_s: float
    bound_s: float
    """No schedule of the tests is shorter, start-up not included."""


class Obstacle(Struct, frozen=True, kw_only=True):
    """A test that alone keeps the suite from being faster, and what it could do."""

    nodeid: str
    seconds: float
    advice: str


class SuitePlan(Struct, frozen=True, kw_only=True):
    """What a suite needs to fit its budget: the estimates, and the tests that are in the way."""

    budget_s: float
    n_tests: int
    n_unknown: int
    total_s: float
    longest: tuple[str, float] | None
    startup: StartUp
    n_cores: int
    estimates: list[Estimate]
    """Serial first, then by number of workers."""
    best: Estimate
    n_useful_workers: int
    """More workers than this have nothing to win, because of the longest test."""
    n_machines: int | None
    """With the best number of workers on each; `None` where no number of machines meets the budget."""
    machines_s: float
    """What they are expected to take; with `None`, the least that any number of machines takes."""
    obstacles: list[Obstacle]

    @property
    def is_met(self) -> bool:
        """Whether the best way on one machine meets the budget."""
        return self.best.seconds <= self.budget_s


def make_plan(
    nodeids: Sequence[str],
    known: Mapping[str, float],
    costs: Mapping[str, ProfileCost],
    startup: StartUp,
    *,
    budget_s: float,
    workers: Sequence[int],
    n_cores: int,
    most_machines: int | None = None,
    fixtures_s: Mapping[str, float] = MappingProxyType({}),
) -> SuitePlan:
    """
    Return how the suite fits the budget, with one of these numbers of workers or without any.

    `costs` has the properties' figures, for advice; `most_machines` is how many machines there are. The
    fixtures of each module and class are set up once.
    """
    durations = expect(nodeids, known, fixtures_s=fixtures_s).with_fixtures()
    total_s, longest_s = math.fsum(durations), max(durations, default=0.0)
    estimates = [_estimate(durations, n, startup, n_cores) for n in sorted({0, *workers})]
    best = min(estimates, key=lambda estimate: (estimate.seconds, estimate.n_workers))
    n_machines, machines_s = _count_machines(
        durations, best, budget_s, most_machines or max(1, len(durations))
    )
    return SuitePlan(
        budget_s=budget_s,
        n_tests=len(nodeids),
        n_unknown=sum(nodeid not in known for nodeid in nodeids),
        total_s=total_s,
        longest=(nodeids[durations.index(longest_s)], longest_s) if durations else None,
        startup=startup,
        n_cores=n_cores,
        estimates=estimates,
        best=best,
        n_useful_workers=math.ceil(total_s / longest_s) if longest_s else 1,
        n_machines=n_machines,
        machines_s=machines_s,
        obstacles=_find_obstacles(nodeids, durations, costs, best, budget_s),
    )


def _estimate(durations: Sequence[float], n_workers: int, startup: StartUp, n_cores: int) -> Estimate:
    startup_s = startup.before_tests(n_workers, n_cores)
    return Estimate(
        n_workers=n_workers,
        seconds=startup_s + _makespan(durations, max(1, n_workers)),
        startup_s=startup_s,
        bound_s=lower_bound(durations, max(1, n_workers)),
    )


def _makespan(durations: Sequence[float], n_slots: int) -> float:
    slots = assign_longest_first(durations, n_slots)
    return max(math.fsum(durations[index] for index in slot) for slot in slots)


def _count_machines(
    durations: Sequence[float], best: Estimate, budget_s: float, most: int
) -> tuple[int | None, float]:
    """Return the fewest machines that meet the budget, and what they take."""
    n_slots, room_s = max(1, best.n_workers), budget_s - best.startup_s
    longest_s = max(durations, default=0.0)
    fewest = max(1, math.ceil(math.fsum(durations) / (n_slots * room_s))) if room_s > 0 else most
    if longest_s <= room_s:
        for n_machines in range(min(fewest, most), most + 1):
            taken_s = best.startup_s + _makespan(durations, n_machines * n_slots)
            if taken_s <= budget_s:
                return n_machines, taken_s
    return None, best.startup_s + _makespan(durations, most * n_slots)


def _find_obstacles(
    nodeids: Sequence[str],
    durations: Sequence[float],
    costs: Mapping[str, ProfileCost],
    best: Estimate,
    budget_s: float,
) -> list[Obstacle]:
    """Return the tests that take more than the budget leaves, or more than an equal share of the work."""
    share_s = math.fsum(durations) / max(1, best.n_workers)
    limit_s = min(max(budget_s - best.startup_s, 0.0), share_s)
    if best.seconds <= budget_s or limit_s <= 0:
        limit_s = share_s
    found = sorted(
        ((s, nodeid) for s, nodeid in zip(durations, nodeids, strict=True) if s > limit_s), reverse=True
    )
    return [
        Obstacle(nodeid=nodeid, seconds=s, advice=_advise(s, costs.get(nodeid), limit_s))
        for s, nodeid in found[:MOST_OBSTACLES]
    ]


def _advise(taken_s: float, cost: ProfileCost | None, limit_s: float) -> str:
    if cost is None:
        fitting = f"{show(limit_s)} would fit instead of {show(taken_s)}"
        return f"{fitting}: split it into several tests, or make it cheaper"
    return recommend(cost, limit_s)
