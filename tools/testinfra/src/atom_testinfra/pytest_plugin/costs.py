"""From what Hypothesis's statistics say about a run to the figures of a record."""

from __future__ import annotations

from itertools import compress
from operator import itemgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Record = dict[str, Any]
    """Plain data, as one of the structs of `core.records.measurement` reads it back."""

PHASE = "-phase"
STATUSES = ("valid", "invalid", "overrun", "interesting")
FILTERED = ("invalid", "overrun")
CASE = itemgetter("status", "runtime", "drawtime", "gctime")
CASE_WITHOUT_GC = itemgetter("status", "runtime", "drawtime")
"""Before Hypothesis 6.103.1 nothing is said about the garbage collector."""
TIMES = ("run", "draw", "gc")
FULL = "settings.max_examples"


class EngineRun:
    """One run of Hypothesis's engine: the statistics it hands to its collector, read once."""

    def __init__(self, statistics: Mapping[str, Any]) -> None:
        self.stopped_because: str | None = statistics.get("stopped-because")
        phases = {
            key.removesuffix(PHASE): _Phase(phase) for key, phase in statistics.items() if key.endswith(PHASE)
        }
        self.phases = {name: phase.cost() for name, phase in phases.items()}
        self.statuses = [status for phase in phases.values() for status in phase.statuses]
        """The status of every test case, phase by phase."""
        generated = phases.get("generate")
        self.valid = {} if generated is None else generated.valid()
        """Seconds of each valid test case that was generated: `run`, `draw` and `gc`."""

    @property
    def n_given_up(self) -> int:
        """The test cases that were generated and given up."""
        generated = self.phases.get("generate", {})
        return sum(generated.get(f"n_{status}", 0) for status in FILTERED)

    @property
    def effective(self) -> int | None:
        """The `max_examples` that Hypothesis says it stopped at."""
        name, _, rest = (self.stopped_because or "").partition("=")
        number = rest.partition(",")[0]  # a reason may follow
        return int(number) if name == FULL and number.isdecimal() else None

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


def summarise(values: Sequence[float], *, keep: bool) -> Record | None:
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
    return int(value * 1e9 + 0.5) / 1e9 if value > 0 else 0.0  # as `round` does, in a tenth of the time


class _Phase:
    """The test cases of a phase, turned into columns by C code: nothing is done for each of them here."""

    def __init__(self, phase: Mapping[str, Any]) -> None:
        self._duration_s: float = phase["duration-seconds"]
        self.statuses: Sequence[str] = ()
        self._times: Sequence[Sequence[float]] = ()
        if cases := phase["test-cases"]:
            columns = CASE if "gctime" in cases[0] else CASE_WITHOUT_GC
            self.statuses, *self._times = zip(*map(columns, cases), strict=True)

    def cost(self) -> Record:
        statuses = self.statuses
        cost: Record = {"duration_s": seconds(self._duration_s)}
        cost |= {f"n_{status}": n for status in STATUSES if (n := statuses.count(status))}
        cost |= {f"{name}_s": seconds(sum(column)) for name, column in zip(TIMES, self._times, strict=False)}
        if any(f"n_{status}" in cost for status in FILTERED):
            filtered = compress(self._times[0], [status in FILTERED for status in statuses])
            cost["filtered_s"] = seconds(sum(filtered))
        if "n_overrun" in cost:
            overrun = compress(self._times[0], [status == "overrun" for status in statuses])
            cost["overrun_s"] = seconds(sum(overrun))
        return cost

    def valid(self) -> dict[str, Sequence[float]]:
        columns = zip(TIMES, self._times, strict=False)
        if self.statuses.count("valid") == len(self.statuses):
            return dict(columns)
        is_valid = [status == "valid" for status in self.statuses]
        return {name: list(compress(column, is_valid)) for name, column in columns}
