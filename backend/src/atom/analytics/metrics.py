"""The arithmetic of analytics: windows, distributions with nearest-rank percentiles, counters, rates."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain, repeat
from typing import TYPE_CHECKING, Final

from atom.analytics.vocabulary import EventStatus, EventType
from atom.kit.clock import moved

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

SECONDS_PER_HOUR: Final = 3_600
TOP_ERRORS: Final = 5
UNNAMED_ERROR: Final = "(no message)"


class Window(StrEnum):
    """How far back a report looks; what happened exactly at its start is inside."""

    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    MONTH = "30d"

    @property
    def span(self) -> timedelta:
        """How long the window is."""
        return _SPANS[self]

    def start(self, now: datetime) -> datetime:
        """Return where the window that ends now begins."""
        return moved(now, -self.span)


_SPANS: Final = {
    Window.HOUR: timedelta(hours=1),
    Window.DAY: timedelta(hours=24),
    Window.WEEK: timedelta(days=7),
    Window.MONTH: timedelta(days=30),
}


def percent(part: int, whole: int) -> float:
    """Return the part in percent of the whole; nothing of nothing is 0."""
    return 100 * part / whole if whole else 0.0


@dataclass(frozen=True, slots=True)
class Distribution:
    """
    How often each value was seen.

    Distributions add up, so one of a long time is the sum of its parts; whole numbers are summed exactly, and
    other numbers to the same last digit in whatever order they came.
    """

    counts: Mapping[float, int] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Iterable[float]) -> Distribution:
        """Return the distribution of single values."""
        return cls(Counter(values))

    def __add__(self, other: Distribution) -> Distribution:
        return Distribution(Counter(self.counts) + Counter(other.counts))

    @property
    def n(self) -> int:
        """How many values there are."""
        return sum(self.counts.values())

    @property
    def total(self) -> float:
        """The sum of all values."""
        if all(isinstance(value, int) for value in self.counts):
            return sum(value * count for value, count in self.counts.items())
        return math.fsum(chain.from_iterable(repeat(value, count) for value, count in self.counts.items()))

    def percentile(self, rank_percent: int) -> float:
        """Return the smallest value that this share of all values does not exceed; 0 without values."""
        return self._value_at(max(1, -(-rank_percent * self.n // 100)))

    def summary(self) -> Summary:
        """Return the figures of a report; all are 0 without values."""
        if not self.n:
            return Summary()
        smallest, largest = min(self.counts), max(self.counts)
        return Summary(
            n=self.n,
            total=self.total,
            min=smallest,
            # Rounding may put the quotient just outside of the values it is made of.
            mean=min(max(self.total / self.n, smallest), largest),
            median=(self._value_at((self.n + 1) // 2) + self._value_at(self.n // 2 + 1)) / 2,
            p95=self.percentile(95),
            p99=self.percentile(99),
            max=largest,
        )

    def _value_at(self, rank: int) -> float:
        """Return the value at a place, counted from 1, among all values in order."""
        seen = 0
        for value in sorted(self.counts):
            seen += self.counts[value]
            if seen >= rank:
                return value
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The figures of a distribution."""

    n: int = 0
    total: float = 0
    min: float = 0
    mean: float = 0
    median: float = 0
    p95: float = 0
    p99: float = 0
    max: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCount:
    """How many events of one kind there were, and what they brought."""

    type: EventType
    status: EventStatus
    n: int = 1
    time_saved_s: int = 0
    business_value_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What happened to executions; counters of two sets of events add up to those of their union."""

    n_events: int = 0
    n_started: int = 0
    n_succeeded: int = 0
    n_failed: int = 0
    n_cancelled: int = 0
    n_timed_out: int = 0
    time_saved_s: int = 0
    business_value_minor: int = 0

    @classmethod
    def of(cls, events: Iterable[EventCount]) -> Counters:
        """Return the counters of some events."""
        return sum((cls._of_one(event) for event in events), cls())

    @classmethod
    def _of_one(cls, event: EventCount) -> Counters:
        outcome = event.status if event.type is EventType.COMPLETED else None
        return cls(
            n_events=event.n,
            n_started=event.n if event.type is EventType.STARTED else 0,
            n_succeeded=event.n if outcome is EventStatus.COMPLETED else 0,
            n_failed=event.n if outcome is EventStatus.FAILED else 0,
            n_cancelled=event.n if outcome is EventStatus.CANCELLED else 0,
            n_timed_out=event.n if outcome is EventStatus.TIMEOUT else 0,
            time_saved_s=event.time_saved_s,
            business_value_minor=event.business_value_minor,
        )

    def __add__(self, other: Counters) -> Counters:
        return Counters(
            n_events=self.n_events + other.n_events,
            n_started=self.n_started + other.n_started,
            n_succeeded=self.n_succeeded + other.n_succeeded,
            n_failed=self.n_failed + other.n_failed,
            n_cancelled=self.n_cancelled + other.n_cancelled,
            n_timed_out=self.n_timed_out + other.n_timed_out,
            time_saved_s=self.time_saved_s + other.time_saved_s,
            business_value_minor=self.business_value_minor + other.business_value_minor,
        )

    @property
    def n_executions(self) -> int:
        """The executions that came to a success or a failure."""
        return self.n_succeeded + self.n_failed

    @property
    def success_percent(self) -> float:
        """The share of successes in those executions."""
        return percent(self.n_succeeded, self.n_executions)

    @property
    def failure_percent(self) -> float:
        """The share of failures in those executions."""
        return percent(self.n_failed, self.n_executions)

    @property
    def error_percent(self) -> float:
        """The share of failures in the executions begun; one begun before the window counts by its end."""
        n_finished = self.n_executions + self.n_cancelled + self.n_timed_out
        return percent(self.n_failed, max(self.n_started, n_finished))

    @property
    def time_saved_hours(self) -> float:
        """The time saved, in hours with two decimals."""
        return round(self.time_saved_s / SECONDS_PER_HOUR, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorShare:
    """How often an error was met, and its share of all errors."""

    error: str
    n: int
    percent: float


def error_shares(counts: Mapping[str, int]) -> tuple[ErrorShare, ...]:
    """Return every error with its share, the most frequent first, equally frequent ones by name."""
    n_all = sum(counts.values())
    return tuple(
        ErrorShare(error=error, n=n, percent=percent(n, n_all))
        for error, n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    )
