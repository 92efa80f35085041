"""A timed run in virtual time: the planner as it is, and tests that only cost."""

from __future__ import annotations

from dataclasses import dataclass, field

from atom_testinfra.core.budgets.allocation import Demand, level_of
from atom_testinfra.core.budgets.events import Began, Ended, Ending
from atom_testinfra.core.budgets.planner import PlannedTest, Planner

PYTEST_S = 0.002
"""What surrounds each virtual test."""


@dataclass
class VirtualRun:
    """Runs a suite of virtual tests one after the other, or on several workers that take turns."""

    tests: list[PlannedTest]
    true_s: list[float]
    """What an example, or a test without examples, really costs."""
    asked_s: float
    n_workers: int = 1
    dearer_by: float = 1.0
    """From half of the tests on, everything costs this much more."""
    once_s: float = 0.0
    """What the first test pays for all, as for a database that is created."""
    n_run: dict[int, int] = field(default_factory=dict)
    endings: dict[int, Ending] = field(default_factory=dict)
    now_s: float = 0.0

    def run(self) -> VirtualRun:
        """Run all tests; a worker takes the next one as soon as it is free."""
        names = [str(i) for i in range(self.n_workers)]
        planners = {
            name: Planner(self.tests, asked_s=self.asked_s, exit_s=0.0, n_workers=self.n_workers, worker=name)
            for name in names
        }
        free_at = dict.fromkeys(names, 0.0)
        ends: list[tuple[float, Ended]] = []
        for index in range(len(self.tests)):
            name = min(free_at, key=lambda name: free_at[name])
            now_s = free_at[name]
            for at_s, ended in sorted(ends, key=lambda each: each[0]):
                if at_s <= now_s:
                    ends.remove((at_s, ended))
                    for planner in planners.values():
                        planner.note(ended)
            began, ended = self._run_one(index, planners[name], name, now_s)
            for planner in planners.values():
                planner.note(began)
            free_at[name] = ended.at_s
            ends.append((ended.at_s, ended))
        self.now_s = max(free_at.values())
        return self

    def foreseen(self) -> list[float]:
        """Return the numbers that perfect foresight would have given."""
        demands = [
            Demand(cost_s=true_s, factor=test.factor, floor=test.floor, most=test.most)
            for test, true_s in zip(self.tests, self.true_s, strict=True)
        ]
        room_s = self.asked_s * self.n_workers - PYTEST_S * len(self.tests) - self.once_s
        level = level_of(demands, room_s)
        return [demand.n_at(level) for demand in demands]

    def _run_one(self, index: int, planner: Planner, worker: str, now_s: float) -> tuple[Began, Ended]:
        test, cost_s = self.tests[index], self.true_s[index]
        if index >= len(self.tests) / 2:
            cost_s *= self.dearer_by
        if not test.is_property:
            took_s = cost_s + PYTEST_S
            began = Began(test=index, worker=worker, at_s=now_s)
            return began, _ended(index, worker, now_s + took_s, Ending.PLAIN, took_s)
        share = planner.plan(index, now_s)
        planned = float("inf") if share.grows else share.n_examples
        by_clock = max(int(share.stop_s / cost_s) + 1, share.floor)
        n = int(min(planned, by_clock, test.most))
        ending = Ending.COUNT if n == planned else Ending.CLOCK if share.grows else Ending.CUT
        if n == test.most:
            ending = Ending.EXHAUSTED
        self.n_run[index], self.endings[index] = n, ending
        took_s = n * cost_s + PYTEST_S + (0.0 if index else self.once_s)
        began = Began(test=index, worker=worker, at_s=now_s, planned_s=share.predicted_s)
        return began, _ended(
            index, worker, now_s + took_s, ending, took_s, n=n, planned=share.n_examples, cost_s=cost_s
        )


def _ended(
    index: int,
    worker: str,
    at_s: float,
    ending: Ending,
    took_s: float,
    *,
    n: int = 0,
    planned: int = 0,
    cost_s: float = 0.0,
) -> Ended:
    return Ended(
        test=index,
        worker=worker,
        at_s=at_s,
        ending=ending,
        wall_s=took_s,
        process_s=took_s,
        n_examples=n,
        n_planned=planned,
        n_running=max(n - 1, 0),
        running_wall_s=max(n - 1, 0) * cost_s,
        running_cpu_s=max(n - 1, 0) * cost_s,
    )
