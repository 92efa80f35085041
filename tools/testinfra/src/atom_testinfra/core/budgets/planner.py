"""What is still to come in a run, and the share of the time that the next test gets."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from dataclasses import dataclass
from math import fsum, inf
from typing import TYPE_CHECKING

from atom_testinfra.core.budgets.allocation import Demand, level_of
from atom_testinfra.core.budgets.costs import LEAST_S
from atom_testinfra.core.budgets.drift import Drift
from atom_testinfra.core.budgets.events import Began, Ended, Ending
from atom_testinfra.core.time_spans import BudgetClock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.budgets.events import Event

FLOOR = 5
"""Examples of a property of the profile's number, whatever the time."""
CUT = 1.5
"""A test is ended at this multiple of its share: below it is variance, above three nothing is saved."""
UNKNOWN_PLANNED = 10
"""Examples that Hypothesis plans for where nobody knows what they cost: from there on it grows."""
LAST = 3
"""The last tests go by the clock, so that what the others left is used."""
STEPS = 250
"""The shares are computed anew after each of this many parts of what is to come: before each test, mostly."""
MOST_PLANNED = 1_000_000
"""Examples that Hypothesis plans for at most; a property may grow beyond."""
ODD = 3.0
"""What surrounds a property counts, for the others, as at most this multiple of what was predicted."""
LEAST_PLAIN_S = 0.002
"""What a test without examples takes, before one was seen."""
LEAST_FIXED_S = 0.005
"""What surrounds a property, before one was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedTest:
    """A test as it is known before it runs; a time that is not known is `None`."""

    is_property: bool
    factor: float = 1.0
    """Its own number of examples against the profile's."""
    saved: int = 0
    """Failures that the example database holds for it."""
    example_s: float | None = None
    """Of one example, on a quiet machine; only properties have it."""
    fixed_s: float | None = None
    """Of a property what its examples do not explain; of another test, all."""
    most: float = inf
    """Examples after which nothing was left to try."""
    is_idle: bool = False
    """It was skipped last time, or its set-up failed: no time is kept for it unless its call begins."""

    @property
    def floor(self) -> int:
        """The examples that it gets whatever the time: as many fresh ones as asked, after all saved ones."""
        return max(1, round(FLOOR * min(self.factor, 1.0))) + self.saved


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """How many examples and how much time the next property gets."""

    n_examples: int
    """What Hypothesis is to plan for."""
    floor: int
    """No clock ends it below this many valid examples."""
    stop_s: float
    """The time in its call after which it is ended."""
    grows: bool
    """It goes on until the time is over, however many examples that gives."""
    predicted_s: float

    @classmethod
    def growing(cls, n_examples: int, share_s: float) -> Share:
        """Return a share that lasts for its time, of a property that has had its floor already."""
        return cls(n_examples=n_examples, floor=1, stop_s=share_s, grows=True, predicted_s=share_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What the floor needs against what there is."""

    floor_s: float
    """At least: what is not known is not in it."""
    left_s: float
    """What is left of the time asked, on all workers, less what the exit needs."""
    n_properties: int
    n_unknown: int

    @property
    def fits(self) -> bool:
        """Whether the floor fits; where there is no property, there is none that could fail to."""
        return not self.n_properties or self.floor_s <= self.left_s


class Planner:
    """
    Shares out a time; `now_s` is the time since the run began, by the clock of the budget.

    With workers each has a planner of its own, which is told what the others do.
    """

    def __init__(
        self,
        tests: Sequence[PlannedTest],
        *,
        asked_s: float,
        exit_s: float,
        clock: BudgetClock = BudgetClock.WALL,
        n_workers: int = 1,
        worker: str = "",
        guess: float = 1.0,
    ) -> None:
        self._tests = tests
        self._end_s = asked_s - exit_s
        self._asked_s = asked_s
        self._clock = clock
        self._n_workers = max(n_workers, 1)
        self._worker = worker
        self._pending = dict.fromkeys(range(len(tests)))
        self._running: dict[str, Began] = {}
        self._drift = Drift(asked_s=asked_s, guess=guess)
        self._fixed_drift = Drift(asked_s=asked_s, guess=guess)
        self._plain_drift = Drift(asked_s=asked_s, guess=guess)
        self._plain_seen: list[float] = []
        self._fixed_seen: list[float] = []
        self._level = self._equal_s = 0.0
        """The shares of what is to come: of properties by their costs, and of those without a cost."""
        self._awake: set[int] = set()
        """The tests that run although no example of them ran last time."""
        self._renew_at = 0
        """The number of tests to come at which the shares are computed anew."""
        self.outcomes: Counter[Ending] = Counter()

    @property
    def n_sharing(self) -> int:
        """How many seconds of tests fit into a second: CPU seconds are those of all workers already."""
        return 1 if self._clock is BudgetClock.CPU else self._n_workers

    def expect_exit(self, seconds: float) -> None:
        """Take in what the exit should take as the machine is now."""
        self._end_s = self._asked_s - seconds

    @property
    def drift(self) -> float:
        """How much slower properties are than predicted."""
        return self._drift.factor

    def forecast(self, now_s: float) -> Forecast:
        """Return whether the floor of what is to come fits, as far as costs are known."""
        properties = [self._tests[i] for i in self._pending if self._is_sharing(i)]
        known = [test for test in properties if test.example_s is not None]
        floor_s = self._around_s() + sum(min(test.floor, test.most) * self._cost(test) for test in known)
        return Forecast(
            floor_s=floor_s,
            left_s=self._capacity_s(now_s),
            n_properties=len(properties),
            n_unknown=len(properties) - len(known),
        )

    def plan(self, index: int, now_s: float, *, limit_s: float = inf) -> Share:
        """Return what a property gets; `limit_s` is the time after which something else would end it."""
        self._pending.setdefault(index)  # a plugin may run it once more
        test = self._tests[index]
        if test.is_idle and index not in self._awake:
            self._awake.add(index)
            self._renew_at = 0
        if len(self._pending) <= self._renew_at or not self._renew_at:
            self._renew(now_s)
        if test.example_s is None:
            wanted_s = self._equal_s
        else:
            wanted_s = self._demand(test).n_at(self._level) * self._cost(test)
        share_s = max(min(wanted_s, self._end_s - now_s, limit_s), 0.0)
        if test.example_s is None or self._is_late():
            return self._by_clock(test, share_s)
        n = round(max(share_s / self._cost(test), test.floor))
        return Share(
            # One more shows that there is still nothing left to try.
            n_examples=n + 1 if n >= test.most else n,
            floor=test.floor,
            stop_s=max(min(CUT * share_s + self._fixed_s(test), self._end_s - now_s, limit_s), 0.0),
            grows=False,
            predicted_s=share_s,
        )

    def note(self, event: Event) -> None:
        """Take in that a test began or ended, here or in another worker."""
        if not isinstance(event, Began | Ended):
            return
        if isinstance(event, Began):
            self._pending.pop(event.test, None)
            self._running[event.worker] = event
            return
        self._pending.pop(event.test, None)
        self._running.pop(event.worker, None)
        self.outcomes[event.ending] += 1
        self._learn(self._tests[event.test], event)

    def _learn(self, test: PlannedTest, end: Ended) -> None:
        spent_s = end.by(self._clock)
        if spent_s > self._asked_s:
            return  # a laptop that slept, or a test that hung: it says nothing about the others
        if not test.is_property:
            insort(self._plain_seen, spent_s)
            if test.fixed_s is not None:
                self._plain_drift.learn(test.fixed_s, spent_s)
            return
        fixed_s = end.fixed_by(self._clock)
        insort(self._fixed_seen, fixed_s)
        if test.example_s is None or not _is_typical(end):
            return
        # Apart, because the first test that needs a database or a server pays for all that follow.
        self._drift.learn(end.n_examples * test.example_s, end.n_examples * end.example_by(self._clock))
        known_s = test.fixed_s or 0.0
        self._fixed_drift.learn(known_s, min(fixed_s, ODD * known_s * self._fixed_drift.factor))

    def _cost(self, test: PlannedTest) -> float:
        assert test.example_s is not None
        return max(test.example_s, LEAST_S) * self.drift

    def _capacity_s(self, now_s: float) -> float:
        """Return the seconds until the end, on all workers, less what the others still need."""
        others = [began for worker, began in self._running.items() if worker != self._worker]
        if self._clock is BudgetClock.CPU:
            return self._end_s - now_s - sum(began.planned_s for began in others)
        running_s = sum(max(began.at_s + began.planned_s - now_s, 0.0) for began in others)
        return self._n_workers * (self._end_s - now_s) - running_s

    def _around_s(self) -> float:
        """Return what is to come and cannot be steered."""
        plain_s = _mean(self._plain_seen, LEAST_PLAIN_S)
        fixed_s = _mean(self._fixed_seen, LEAST_FIXED_S * self.drift)
        total_s = 0.0
        for index in self._pending:
            test = self._tests[index]
            if test.is_property:
                total_s += fixed_s if test.fixed_s is None else self._fixed_s(test)
            else:
                total_s += plain_s if test.fixed_s is None else test.fixed_s * self._plain_drift.factor
        return total_s

    def _renew(self, now_s: float) -> None:
        """Compute the shares of all that is to come."""
        properties = [self._tests[i] for i in self._pending if self._is_sharing(i)]
        known = [self._demand(test) for test in properties if test.example_s is not None]
        room_s = max(self._capacity_s(now_s) - self._around_s(), 0.0)
        self._equal_s = room_s / len(properties)
        self._level = level_of(known, self._equal_s * len(known))
        self._renew_at = len(self._pending) - max(1, len(self._pending) // STEPS)

    def _is_sharing(self, index: int) -> bool:
        """Return whether a test gets a share of the time."""
        test = self._tests[index]
        return test.is_property and (not test.is_idle or index in self._awake)

    def _demand(self, test: PlannedTest) -> Demand:
        return Demand(cost_s=self._cost(test), factor=test.factor, floor=test.floor, most=test.most)

    def _fixed_s(self, test: PlannedTest) -> float:
        return (test.fixed_s or 0.0) * self._fixed_drift.factor

    def _is_late(self) -> bool:
        """Return whether the properties to come that can use time are the last ones."""
        n_open = 0
        for index in self._pending:
            n_open += self._is_sharing(index) and self._tests[index].most == inf
            if n_open > LAST * self._n_workers:
                return False
        return True

    def _by_clock(self, test: PlannedTest, share_s: float) -> Share:
        """Plan few examples and let them grow: growing is harmless, and a high plan that is cut is hollow."""
        if test.example_s is None:
            n, stop_s = UNKNOWN_PLANNED, share_s
        else:
            n, stop_s = int(min(share_s / self._cost(test), MOST_PLANNED)), share_s + self._fixed_s(test)
        return Share(
            n_examples=max(n, test.floor),
            floor=test.floor,
            stop_s=stop_s,
            grows=True,
            predicted_s=share_s,
        )


def _is_typical(end: Ended) -> bool:
    """Return whether a test's time says how slow the others are: not where it was far off by itself."""
    is_far_off = end.ending is Ending.CUT and end.n_examples < end.n_planned / 2
    return bool(end.n_examples) and end.ending.is_telling and not is_far_off


def _mean(ordered: Sequence[float], default: float) -> float:
    """Return the mean without the largest: it predicts a sum, unlike a median, and ignores one odd test."""
    if len(ordered) < 2:
        return ordered[0] if ordered else default
    return fsum(ordered[:-1]) / (len(ordered) - 1)
