"""Whether tests had to wait for a CPU, so that their wall times say more about other work than about them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.vocabulary import Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from atom_testinfra.core.records.measurement import Measurement, Run

ENOUGH_CPU_S, LEAST_CPU_S = 0.02, 0.002
"""With less CPU time than the first, one interruption decides the ratio; with less than the second, any."""
CLEAR = 1.5
"""From little CPU time a ratio is believed only from here on, and if that of all calls is as high."""
LEAST_SHARE = 0.9
"""Below this share of a core, wall times say more about the other work here than about the tests."""
MOST_DRAWN = 0.1
"""
How much of drawing counts, as a share of Hypothesis's own work.

A strategy may sleep or ask a database, and the CPU time of drawing is not recorded by itself. This share of
it never makes a quiet machine look busy.
"""
WAITING = frozenset({Kind.UNITTEST, Kind.STATEFUL})
"""`setup_example` of a TestCase, and what makes and ends a machine, may wait, and look like the engine's."""


class Contention(Struct, frozen=True, kw_only=True):
    """Wall seconds for each second of CPU: 1 where nothing waits, more where something does."""

    tests: float | None
    """Of the calls of all properties, as they are: many tests wait for other things than a CPU."""
    engine: float | None
    """
    Of Hypothesis's own work, which waits for nothing but a CPU; the true ratio may be higher. `None` where
    too little of that work was seen.
    """

    @property
    def is_high(self) -> bool:
        """Whether wall times are not to be believed."""
        return self.engine is not None and self.engine * LEAST_SHARE > 1

    def describe(self) -> str | None:
        """Return a line about wall times that are not to be believed; `None` where they are."""
        if self.engine is None or not self.is_high:
            return None
        return (
            f"other work kept the CPU from these tests: at least {self.engine:.1f} s of wall time for each"
            " second of CPU in Hypothesis's own work, which waits for nothing else. Wall times, and what is"
            " checked against targets, are too high; CPU times hold. Measure on a quiet machine or with fewer"
            " workers"
        )


def judge_contention(runs: Iterable[Run]) -> Contention:
    """Return how long the properties that passed took for each second of CPU."""
    wall_s = cpu_s = engine_wall_s = engine_cpu_s = 0.0
    for record in (record for run in runs for record in run.measurements):
        if record.outcome is not Outcome.PASSED or record.hypothesis is None:
            continue
        wall_s += record.call.wall_s
        cpu_s += record.call.cpu_s
        one_wall_s, one_cpu_s = _engine_of(record)
        engine_wall_s += one_wall_s
        engine_cpu_s += one_cpu_s
    tests = wall_s / cpu_s if cpu_s > 0 else None
    engine = engine_wall_s / engine_cpu_s if engine_cpu_s >= LEAST_CPU_S else None
    is_clear = tests is not None and engine is not None and min(tests, engine) >= CLEAR
    return Contention(tests=tests, engine=engine if is_clear or engine_cpu_s >= ENOUGH_CPU_S else None)


def _engine_of(record: Measurement) -> tuple[float, float]:
    """
    Return wall and CPU seconds of Hypothesis's own work in a call, as far as they are seen.

    The wall time leaves out all that may wait: the test's own function, drawing but for a small part, and
    what runs around Hypothesis, such as a decorator above `@given`. The CPU time leaves out the function
    alone.
    """
    subject = record.hypothesis
    if subject is None or subject.body_s is None or subject.body_cpu is None or subject.n_explicit:
        return 0.0, 0.0  # of explicit examples only the CPU time is known
    if record.kind in WAITING:
        return 0.0, 0.0
    phases = subject.phases.values()
    drawn_s = sum(phase.draw_s for phase in phases)
    wall_s = sum(phase.duration_s for phase in phases) - drawn_s - subject.body_s
    wall_s += min(drawn_s, wall_s * MOST_DRAWN)
    call = record.call
    cpu_s = (call.cpu_s if call.thread_cpu_s is None else call.thread_cpu_s) - subject.body_cpu.total_s
    return (wall_s, cpu_s) if wall_s > 0 and cpu_s > 0 else (0.0, 0.0)
