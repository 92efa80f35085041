"""What a suite would take if its properties ran another number of examples, all at once."""

from __future__ import annotations

from math import fsum, sqrt
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.costs.baseline import ProfileCost
from atom_testinfra.core.costs.cost import NORMAL_95, duration_with, marginal_s

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atom_testinfra.core.records.measurement import Measurement

MOST_EXAMPLES = 1_000_000
"""Where the search for a number of examples ends."""


class Growing(Struct, frozen=True, kw_only=True):
    """A property whose cost grows with its examples."""

    nodeid: str
    cost: ProfileCost
    teardown_s: float
    variance: float
    """Upper bound of the variance of an example's cost, in square seconds."""
    n_pinned: int | None
    """The number of examples that the test itself asks for."""

    def seconds(self, n_examples: int) -> float:
        """Return what the property is expected to take."""
        return self.teardown_s + duration_with(self.cost, n_examples)


class Estimate(Struct, frozen=True, kw_only=True):
    """The suite's expected time with a number of examples."""

    n_examples: int
    seconds: float
    low_s: float
    high_s: float
    """95 % of runs, as far as the spread of the test cases tells; the machine's own is not in it."""


class GrowingSuite(Struct, frozen=True, kw_only=True):
    """The tests of a run as a function of the number of examples."""

    fixed_s: float
    """Tests that the number does not change."""
    n_fixed: int
    growing: list[Growing]

    def estimate(self, n_examples: int) -> Estimate:
        """Return the expected seconds of all tests, one after the other."""
        seconds = fsum([self.fixed_s, *(test.seconds(n_examples) for test in self.growing)])
        # The measured mean is off by the chance of its examples, and a run to come by that of its own.
        variance = fsum(
            test.variance * n_examples * (1 + n_examples / test.cost.n_examples) for test in self.growing
        )
        error = NORMAL_95 * sqrt(variance)
        low_s = max(self.fixed_s, seconds - error)
        return Estimate(n_examples=n_examples, seconds=seconds, low_s=low_s, high_s=seconds + error)

    def largest_within(self, limit_s: float) -> Estimate | None:
        """Return the estimate for the largest number of examples that fits; `None` if not even one does."""
        low, high = 0, MOST_EXAMPLES + 1
        while high - low > 1:
            middle = (low + high) // 2
            if self.estimate(middle).seconds <= limit_s:
                low = middle
            else:
                high = middle
        return self.estimate(low) if low else None

    def keeping_pins(self) -> GrowingSuite:
        """Return the same suite in which a property with a number of its own keeps it."""
        pinned_s = [test.seconds(test.n_pinned) for test in self.growing if test.n_pinned is not None]
        return GrowingSuite(
            fixed_s=fsum([self.fixed_s, *pinned_s]),
            n_fixed=self.n_fixed + len(pinned_s),
            growing=[test for test in self.growing if test.n_pinned is None],
        )


def grow(nodeid: str, cost: ProfileCost, runs: Sequence[Measurement]) -> Growing | None:
    """Return a property as a function of its examples; `None` where the cost model says nothing about it."""
    if cost.unpredictable is not None or cost.duration_s == 0 or cost.n_examples == 0:
        return None
    properties = [run.hypothesis for run in runs if run.hypothesis is not None]
    return Growing(
        nodeid=nodeid,
        cost=cost,
        teardown_s=_mean(run.teardown.wall_s for run in runs),
        variance=max(_variance(p.run.total_s / p.run.n, p.run.max_s) for p in properties if p.run is not None)
        if all(p.run is not None and p.run.n for p in properties)
        else marginal_s(cost) ** 2,
        n_pinned=max((p.pin.max_examples for p in properties if p.pin is not None), default=None),
    )


def _variance(mean_s: float, max_s: float) -> float:
    """Return the largest variance that values from 0 to `max_s` with this mean can have (Bhatia-Davis)."""
    return max(0.0, max_s - mean_s) * mean_s


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return fsum(found) / len(found)
