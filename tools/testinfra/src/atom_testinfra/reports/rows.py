"""A property as the report shows it: its cost under each profile, split into parts that add up."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.costs.cost import split_time

if TYPE_CHECKING:
    from atom_testinfra.core.costs.baseline import Baseline, ProfileCost

PARTS = ("setup", "generate", "body", "engine", "filtered", "other")
"""The parts of a duration, in the order in which they are stacked."""

PLACES = 6
"""Decimal places of the parts: microseconds, below which nothing was measured."""

PART_TITLES = {
    "setup": "Set-up",
    "generate": "Generating",
    "body": "Body",
    "engine": "Engine",
    "filtered": "Given up",
    "other": "Other",
}
PART_MEANINGS = {
    "setup": "fixtures, before the first example",
    "generate": "drawing arguments for the examples that counted",
    "body": "the test's own code, and the product's, in the examples that counted",
    "engine": "Hypothesis itself, around and between the examples that counted",
    "filtered": "test cases that were given up, with Hypothesis's work for them: they checked nothing",
    "other": "explicit and replayed examples, and pytest around them",
}


class CostSplit(Struct, frozen=True, kw_only=True, gc=False):
    """What a property cost under one profile, in wall seconds of a run; the parts add up to the duration."""

    duration_s: float
    setup_s: float
    generate_s: float
    body_s: float
    engine_s: float
    filtered_s: float
    other_s: float
    cpu_s: float
    n_examples: int
    """Examples that ran, generated ones and those of `@example`."""
    max_examples: int
    calls_per_valid: float
    seconds_per_example: float
    spread: float | None
    """Longest less shortest duration of the runs over the median; `None` with one run."""
    repeats: int
    body_cpu_us: float | None
    is_exhausted: bool
    predicted_s: float | None
    """What the cost model expected before this was measured."""
    unpredictable: str | None
    modes: list[str] = []
    """Slower or faster ways to run its code that were on, as with the garbage collector off."""

    def part(self, name: str) -> float:
        """Return the seconds of one of `PARTS`."""
        seconds: float = getattr(self, f"{name}_s")
        return seconds


class PropertyRow(Struct, frozen=True, kw_only=True, gc=False):
    """A property, where it stands, and its cost by profile."""

    nodeid: str
    kind: str
    tier: str
    measured_tier: str
    is_declared: bool
    pin: str | None
    """Where the test sets its own `max_examples`, and to what."""
    costs: dict[str, CostSplit]


def split_cost(cost: ProfileCost) -> CostSplit:
    """Return the parts of a measured cost, so that a bar is as long as the test."""
    split = split_time(cost)
    parts = {
        "setup": split.setup_s,
        "generate": split.generate_s,
        "body": split.body_s,
        "engine": split.engine_s,
        "filtered": split.rejected_s + split.overrun_s,
        "other": split.other_s,
    }
    predicted = cost.predicted
    return CostSplit(
        duration_s=cost.duration_s,
        **{f"{name}_s": round(value, PLACES) for name, value in parts.items()},
        cpu_s=cost.cpu_s,
        n_examples=cost.n_examples + cost.n_explicit,
        max_examples=cost.max_examples,
        calls_per_valid=cost.calls_per_valid,
        seconds_per_example=cost.seconds_per_example,
        spread=_spread(cost.runs.duration_s),
        repeats=cost.repeats,
        body_cpu_us=cost.body_cpu_us,
        is_exhausted=cost.is_exhausted,
        predicted_s=None if predicted is None else predicted.duration_s,
        unpredictable=cost.unpredictable,
        modes=cost.modes,
    )


def property_rows(baseline: Baseline) -> list[PropertyRow]:
    """Return a row for each property of the baseline, in the order of node ids."""
    rows = [
        PropertyRow(
            nodeid=nodeid,
            kind=str(entry.kind),
            tier=entry.tier,
            measured_tier=entry.measured_tier,
            is_declared=entry.is_declared,
            pin=None
            if entry.pin is None
            else f"{entry.pin.max_examples}, set in {entry.pin.path}"
            + (f":{entry.pin.line}" if entry.pin.line else "")
            if entry.pin.path
            else f"{entry.pin.max_examples}; its file does not show where the number comes from",
            costs={name: split_cost(cost) for name, cost in entry.profiles.items()},
        )
        for nodeid, entry in baseline.properties.items()
    ]
    rows.sort(key=lambda row: row.nodeid)
    return rows


def _spread(durations: list[float]) -> float | None:
    middle = median(durations) if len(durations) > 1 else 0.0
    return (max(durations) - min(durations)) / middle if middle else None
