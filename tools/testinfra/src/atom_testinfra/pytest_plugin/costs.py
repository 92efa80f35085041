"""From what Hypothesis's statistics say about a run to the figures of a record."""

from __future__ import annotations

import re
from collections import Counter
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Record = dict[str, Any]
    """Plain data, as one of the structs of `core.measurement` reads it back."""

PHASE = "-phase"
STATUSES = ("valid", "invalid", "overrun", "interesting")
FILTERED = frozenset({"invalid", "overrun"})
STATUS = itemgetter("status")
TIMES = {"run_s": itemgetter("runtime"), "draw_s": itemgetter("drawtime"), "gc_s": itemgetter("gctime")}
FULL = re.compile(r"settings\.max_examples=(\d+)")


class EngineRun:
    """One run of Hypothesis's engine: the statistics it hands to its collector, read once."""

    def __init__(self, statistics: Mapping[str, Any]) -> None:
        self._statistics = statistics
        self.stopped_because: str | None = statistics.get("stopped-because")
        self.phases = {
            key.removesuffix(PHASE): _phase_cost(phase)
            for key, phase in statistics.items()
            if key.endswith(PHASE)
        }
        generated = statistics.get(f"generate{PHASE}", {}).get("test-cases", ())
        self.valid = [case for case in generated if case["status"] == "valid"]

    @property
    def statuses(self) -> list[str]:
        """The status of every test case, phase by phase."""
        phases = [phase for key, phase in self._statistics.items() if key.endswith(PHASE)]
        return [case["status"] for phase in phases for case in phase["test-cases"]]

    @property
    def effective(self) -> int | None:
        """The `max_examples` that Hypothesis says it stopped at."""
        match = FULL.match(self.stopped_because or "")
        return int(match[1]) if match else None

    @property
    def is_flaky(self) -> bool:
        """Whether Hypothesis gave up because the test did not behave the same twice."""
        return self.stopped_because == "test was flaky"

    @property
    def is_exhausted(self) -> bool:
        """Whether there was nothing left to generate, without a counterexample."""
        is_over = self.stopped_because == "nothing left to do"
        return is_over and not any("n_interesting" in phase for phase in self.phases.values())


def merge_phases(runs: Iterable[EngineRun]) -> dict[str, Record]:
    """Return the phases of several engine runs, added up."""
    merged: dict[str, Record] = {}
    for run in runs:
        for name, cost in run.phases.items():
            total = merged.setdefault(name, {})
            for key, value in cost.items():
                total[key] = total.get(key, 0) + value
    return merged


def summarise(values: list[float], *, keep: bool) -> Record | None:
    """Return the summary of one number per test case, in the order they ran; `None` when there is none."""
    if not values:
        return None
    ordered = sorted(values)
    n = len(ordered)
    samples: Record = {
        "n": n,
        "first_s": seconds(values[0]),
        "median_s": seconds((ordered[(n - 1) // 2] + ordered[n // 2]) / 2),
        "q90_s": seconds(ordered[-(-9 * n // 10) - 1]),
        "max_s": seconds(ordered[-1]),
        "total_s": seconds(sum(values)),
    }
    if keep:
        samples["values"] = [seconds(value) for value in values]
    return samples


def seconds(value: float) -> float:
    """Return a measured duration as it is recorded: to the nanosecond, and never below zero."""
    return max(0.0, round(value, 9))


def _phase_cost(phase: Mapping[str, Any]) -> Record:
    cases = phase["test-cases"]
    cost: Record = {"duration_s": seconds(phase["duration-seconds"])}
    if cases:
        n = Counter(map(STATUS, cases))
        cost |= {f"n_{status}": n[status] for status in STATUSES if n[status]}
        cost |= {name: seconds(sum(map(value, cases))) for name, value in TIMES.items()}
        if n.keys() & FILTERED:
            cost["filtered_s"] = seconds(sum(case["runtime"] for case in cases if case["status"] in FILTERED))
    return cost
