"""What happens in a run, as its processes tell each other."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from msgspec import Struct

from atom_testinfra.core.time_spans import BudgetClock


class Ending(StrEnum):
    """How a test of a timed run ended."""

    COUNT = "count"
    """It ran the number of examples that was planned."""
    CLOCK = "clock"
    """It ran until its share was spent, as planned."""
    CUT = "cut"
    """It took far longer than predicted, and was ended before its number was reached."""
    EXHAUSTED = "exhausted"
    """Nothing was left to try."""
    GAVE_UP = "gave up"
    """Hypothesis ended it: too many test cases did not fit."""
    FAILED = "failed"
    """It failed; if it did so in its call, shrinking is in its time."""
    FIXED = "fixed"
    """A property whose number could not be set."""
    SKIPPED = "skipped"
    """It was skipped, so that no example ran."""
    PLAIN = "plain"
    """A test without examples."""

    @property
    def is_telling(self) -> bool:
        """Whether its time says what the next examples cost."""
        return self in {Ending.COUNT, Ending.CLOCK, Ending.CUT}


class Began(Struct, frozen=True, kw_only=True, tag="began", tag_field="event"):
    """A test began; a worker that dies leaves no end, and what it was to take is over by itself."""

    test: int
    """Place among the collected tests, which is the same in each worker."""
    worker: str
    at_s: float
    planned_s: float = 0.0
    cpu_s: float = 0.0
    """CPU seconds of its process so far."""


class Ended(Struct, frozen=True, kw_only=True, tag="ended", tag_field="event"):
    """A test ended; wall and CPU seconds are of the whole test, fixtures included."""

    test: int
    worker: str
    at_s: float
    ending: Ending
    wall_s: float
    process_s: float
    """CPU seconds."""
    cpu_s: float = 0.0
    """CPU seconds of its process so far."""
    n_examples: int = 0
    n_planned: int = 0
    share_s: float = 0.0
    n_running: int = 0
    """Valid examples after the first test case."""
    running_wall_s: float = 0.0
    """From the end of the first test case to the end of the last one."""
    running_cpu_s: float = 0.0
    queued_s: float | None = None
    """Of the wall seconds, those in which it was ready and others had the CPU; `None` where nobody tells."""
    running_queued_s: float | None = None
    is_capped: bool = False
    """Its share is what another plugin's timeout allows."""
    reason: str | None = None
    """Why its number could not be set."""

    @property
    def is_idle(self) -> bool:
        """Whether it is a property that no example ran of: it was skipped, or its set-up failed."""
        has_no_call = self.ending is Ending.FAILED and not self.n_planned and self.reason is None
        return has_no_call or self.ending is Ending.SKIPPED

    def by(self, clock: BudgetClock) -> float:
        """Return what it took by a clock."""
        return self.process_s if clock is BudgetClock.CPU else self.wall_s

    def example_by(self, clock: BudgetClock) -> float:
        """Return what an example took by a clock, without what only the first one pays."""
        running_s = self.running_cpu_s if clock is BudgetClock.CPU else self.running_wall_s
        return running_s / self.n_running if self.n_running else 0.0

    @property
    def example_queued_s(self) -> float | None:
        """Of the wall seconds of an example, those in which others had the CPU."""
        if self.running_queued_s is None:
            return None
        return self.running_queued_s / self.n_running if self.n_running else 0.0

    @property
    def fixed_queued_s(self) -> float | None:
        """The same of what the examples do not explain."""
        if self.queued_s is None or self.example_queued_s is None:
            return None
        return max(self.queued_s - self.example_queued_s * self.n_examples, 0.0)

    def fixed_by(self, clock: BudgetClock) -> float:
        """Return what it took that its examples do not explain."""
        return max(self.by(clock) - self.example_by(clock) * self.n_examples, 0.0)


class Collected(Struct, frozen=True, kw_only=True, tag="collected", tag_field="event"):
    """A worker has collected the tests, and predicted what their floors need."""

    worker: str
    names: list[str]
    """The tests under which costs are kept; empty from all workers but the first."""
    properties: list[int]
    floor_s: float
    left_s: float
    n_unknown: int
    notes: list[str] = []
    cpu_s: float = 0.0


class RoundBegan(Struct, frozen=True, kw_only=True, tag="round began", tag_field="event"):
    """A property began once more; of a worker that dies, it is what the worker was at."""

    test: int
    worker: str
    round: int
    cpu_s: float = 0.0


class RoundEnded(Struct, frozen=True, kw_only=True, tag="round ended", tag_field="event"):
    """A property ended in a round after the first."""

    test: int
    worker: str
    round: int
    ended_wall_s: float
    """Since the run began."""
    n_examples: int
    wall_s: float
    process_s: float
    """CPU seconds."""
    cpu_s: float = 0.0
    """CPU seconds of its process so far."""
    n_new: int | None = None
    """Steps from line to line that no earlier round of this process took; `None` where nobody looked."""
    is_exhausted: bool = False
    is_kept: bool = True
    """A failure that it finds is kept in Hypothesis's database."""
    is_last: bool = False
    """It is the last one of its round."""
    reports: list[dict[str, Any]] = []
    """The reports of what failed, as plain data."""


class Stopped(Struct, frozen=True, kw_only=True, tag="stopped", tag_field="event"):
    """The process that a person looks at wants no further round: enough tests have failed."""

    worker: str = ""
    cpu_s: float = 0.0


class Spent(Struct, frozen=True, kw_only=True, tag="spent", tag_field="event"):
    """The process that a person looks at has used CPU time as well, since it started the first worker."""

    worker: str = ""
    cpu_s: float = 0.0


Event = Began | Ended | Collected | RoundBegan | RoundEnded | Stopped | Spent
