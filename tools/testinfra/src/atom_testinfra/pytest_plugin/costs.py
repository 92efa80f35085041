"""From what Hypothesis's statistics say about a run to the figures of a record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Record = dict[str, Any]
    """Plain data, as one of the structs of `core.measurement` reads it back."""

PHASE = "-phase"
FILTERED = frozenset({"invalid", "overrun"})
FULL = re.compile(r"settings\.max_examples=(\d+)")


class EngineRun:
    """One run of Hypothesis's engine: the statistics it hands to its collector, read once."""

    def __init__(self, statistics: Mapping[str, Any]) -> None:
        self.stopped_because: str | None = statistics.get("stopped-because")
        self.phases = {
            key.removesuffix(PHASE): _phase_cost(phase)
            for key, phase in statistics.items()
            if key.endswith(PHASE)
        }
        generated = statistics.get(f"generate{PHASE}", {}).get("test-cases", ())
        self.valid = [case for case in generated if case["status"] == "valid"]
        self.statuses = [
            case["status"]
            for key, phase in statistics.items()
            if key.endswith(PHASE)
            for case in phase["test-cases"]
        ]

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
    n = {"valid": 0, "invalid": 0, "overrun": 0, "interesting": 0}
    run_s = draw_s = gc_s = filtered_s = 0.0
    for case in phase["test-cases"]:
        status, runtime = case["status"], case["runtime"]
        n[status] += 1
        run_s += runtime
        draw_s += case["drawtime"]
        gc_s += case["gctime"]
        if status in FILTERED:
            filtered_s += runtime
    cost: Record = {"duration_s": seconds(phase["duration-seconds"])}
    if phase["test-cases"]:
        cost |= {f"n_{status}": count for status, count in n.items() if count}
        cost |= {"run_s": seconds(run_s), "draw_s": seconds(draw_s), "gc_s": seconds(gc_s)}
        cost |= {"filtered_s": seconds(filtered_s)} if filtered_s else {}
    return cost
