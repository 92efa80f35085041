"""What a run with `--testinfra-time` was given, and the clocks by which its time passes."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from atom_testinfra.core.time_spans import BudgetClock, TimeSpan
from atom_testinfra.machine.age import process_age_s
from atom_testinfra.machine.children import children_cpu_ns
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.machine.run_queue import read_turns

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from atom_testinfra.core.budgets.events import Event

WORKERINPUT = "testinfra_time"
EXIT_S = 0.3
"""What an exit takes that was never seen."""
SLOWEST_GUESS = 4.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a run was given, the same in all of its processes."""

    span: TimeSpan
    origin_s: float
    """When the run began, by `Clocks.wall`, which all processes of a machine share."""
    n_workers: int
    ledger: str | None = None
    exit_s: float = EXIT_S
    """What the exit takes on a quiet machine, by the clock of the budget."""
    base_cpu_s: float = 0.0
    """CPU seconds that count and are of no worker, or, below zero, that this process had used before."""
    has_rounds: bool = False
    """Round after round is run for as long as the time lasts."""


class BudgetTime:
    """The time since the run began, by the clock of its budget."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._others_s: dict[str, float] = {}

    def now_s(self) -> float:
        """Return the seconds that are spent."""
        if self._terms.span.clock is BudgetClock.WALL:
            return self.wall_s()
        return own_cpu_s() + sum(self._others_s.values()) + self._terms.base_cpu_s

    def wall_s(self) -> float:
        """Return the wall seconds since the run began."""
        return float(Clocks.wall() - self._terms.origin_s)

    def clock(self) -> float:
        """Return a reading of the clock by which this process ends its tests."""
        return Clocks.wall() if self._terms.span.clock is BudgetClock.WALL else own_cpu_s()

    def hear(self, events: Iterable[Event]) -> None:
        """Take in how much CPU time the other workers have used."""
        for event in events:
            self._others_s[event.worker] = max(self._others_s.get(event.worker, 0.0), event.cpu_s)


def speed_guess() -> float:
    """Return how many wall seconds a CPU second takes now, from what this process got so far."""
    turns = read_turns()
    if turns is not None and turns.ran_s > 0.0:
        return 1.0 + turns.queued_s / turns.ran_s
    cpu_s = Clocks.process_cpu()
    return min(max(process_age_s() / cpu_s, 1.0), SLOWEST_GUESS) if cpu_s else 1.0


def exit_now_s(terms: Terms) -> float:
    """Return what the exit will take by the clock of the budget, as busy as the machine is."""
    return terms.exit_s * (speed_guess() if terms.span.clock is BudgetClock.WALL else 1.0)


def own_cpu_s() -> float:
    """Return the CPU seconds of this process and of its children that have ended."""
    return float(Clocks.process_cpu() + children_cpu_ns() / 1e9)


def is_own_process(config: pytest.Config) -> bool:
    """Return whether the process was started to be this pytest: a program may call pytest at any time."""
    return [*map(str, config.invocation_params.args)] == sys.argv[1:]


def to_workerinput(terms: Terms, root: str, cpu_s: float) -> dict[str, Any]:
    """Return the terms as plain data; this process had used `cpu_s` CPU seconds when it began to tell."""
    return {
        "seconds": terms.span.seconds,
        "clock": terms.span.clock.value,
        "root": os.fspath(root),
        "origin_s": terms.origin_s,
        "n_workers": terms.n_workers,
        "ledger": terms.ledger,
        "exit_s": terms.exit_s,
        "has_rounds": terms.has_rounds,
        "base_cpu_s": terms.base_cpu_s + cpu_s,
    }
