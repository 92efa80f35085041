"""
Decide which test a worker gets next; pure, so that a run of hours can be tried in milliseconds.

A worker of pytest-xdist begins a test only when it knows the next one, because fixtures are torn down by
what comes next, and what it was sent cannot be taken back. So every worker holds the test that runs and a
test that waits, its look-ahead. A short test that waits behind a very long one costs nothing; a long one
costs its own length. So a short test waits behind a long or unknown one, and what follows is decided when the
long one has ended. Elsewhere the look-ahead is the unit that would come to this worker anyway, judged by when
each worker is expected to be free.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from atom_testinfra.core.scheduling.short_tests import ShortTests
from atom_testinfra.core.scheduling.units import Unit, make_units

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from atom_testinfra.core.scheduling.durations import Expectation

W = TypeVar("W", bound="Hashable")

LOOKED_AT = 4
"""Units that are looked at for each worker, to find the one that would come to it anyway."""
AHEAD_SHARE = 1 / 100
"""Short tests are sent ahead up to this share of the lower bound, so that workers need not wait for us."""
LONG_SHARE = 1 / 20
"""A test that takes more than this share of the lower bound may end at another time than expected."""
FILLER_SHARE = 1 / 25
"""What waits behind a long test takes at most this share of the lower bound, if there is such a test."""
NEIGHBOUR_SHARE = 1 / 2
"""A unit of the scope whose fixtures are set up goes before one that is longer, up to twice as long."""
MOST_NEIGHBOURS = 200
"""How many units are looked at to find one of that scope."""


class WorkerQueue:
    """What one worker was sent, the running test first, and what else is meant for it."""

    __slots__ = ("began_at", "held", "is_ending", "scope", "sent")

    def __init__(self) -> None:
        self.sent: deque[int] = deque()
        self.held: deque[int] = deque()
        """The rest of its unit; nobody has sent these tests yet, so another worker may still take them."""
        self.began_at = 0.0
        self.scope: str | None = None
        """The scope of the last test that it was sent."""
        self.is_ending = False
        """It was told to end after what it was sent."""


class Dispatcher(Generic[W]):
    """Hands every test of a run to exactly one worker, as long as the workers live."""

    def __init__(self, expectation: Expectation, n_workers: int) -> None:
        self._expectation = expectation
        self._scopes = expectation.scopes
        self._seconds = list(expectation.seconds)
        """With its fixtures for a test that was sent to a worker in another scope."""
        self._unknown = expectation.unknown
        self._is_blind = expectation.is_blind
        self.bound_s = expectation.bound_s(n_workers)
        self._ahead_s = AHEAD_SHARE * self.bound_s
        self._units: list[Unit] = make_units(expectation, n_workers)
        self.n_units = len(self._units)
        self._unit_of = {index: unit for unit in self._units for index in unit.indices}
        self._short = ShortTests(expectation, self._unit_of)
        self._workers: dict[W, WorkerQueue] = {}

    @property
    def is_empty(self) -> bool:
        """Whether every test has been sent."""
        return not self._units and not any(queue.held for queue in self._workers.values())

    def knows(self, worker: W) -> bool:
        """Return whether a worker takes part."""
        return worker in self._workers

    def add(self, worker: W) -> None:
        """Take a worker in."""
        self._workers.setdefault(worker, WorkerQueue())

    def begin(self, workers: Sequence[W], now: float) -> dict[W, list[int]]:
        """Return what to send first: every worker gets a head before any worker gets its look-ahead."""
        orders: dict[W, list[int]] = {}
        for worker in workers:
            self.add(worker)
            queue = self._workers[worker]
            if self._units and not queue.sent:
                queue.began_at = now
                orders[worker] = self._send(queue, self._take_unit(self._units[0], queue))
        for worker in workers:
            more = self.refill(worker, now)
            if more:
                orders.setdefault(worker, []).extend(more)
        return orders

    def refill(self, worker: W, now: float) -> list[int]:
        """Return the tests to send to a worker now: none if it has enough, or if there is none for it."""
        queue = self._workers[worker]
        orders: list[int] = []
        while self._needs_more(queue):
            index = self._choose(worker, queue, now)
            if index is None:
                break
            if not queue.sent:
                queue.began_at = now
            orders += self._send(queue, index)
        return orders

    def finish(self, worker: W, index: int, now: float) -> None:
        """Note that a worker has finished a test, and has begun its next one."""
        queue = self._workers[worker]
        queue.sent.remove(index)
        queue.began_at = now

    def lose(self, worker: W) -> int | None:
        """
        Let a worker go; return the test that it was running, `None` if it had none.

        What else it was to run goes back, as a unit that the next free worker gets.
        """
        queue = self._workers.pop(worker)
        running = queue.sent.popleft() if queue.sent else None
        self._give_back([*queue.sent, *queue.held])
        return running

    def give_back(self, index: int) -> None:
        """Let a test run again, before all others."""
        self._give_back([index])

    def retire(self, worker: W) -> None:
        """Plan no more tests for a worker that was told to end after what it was sent."""
        queue = self._workers[worker]
        queue.is_ending = True
        held = list(queue.held)
        queue.held.clear()
        self._give_back(held)

    def _give_back(self, indices: Sequence[int]) -> None:
        if indices:
            for index in indices:
                self._seconds[index] = self._expectation.seconds[index]
            total_s = math.fsum(self._seconds[index] for index in indices)
            unit = Unit(indices, total_s, is_unknown=any(index in self._unknown for index in indices))
            self._units.insert(0, unit)
            self._unit_of.update(dict.fromkeys(indices, unit))

    def _send(self, queue: WorkerQueue, index: int) -> list[int]:
        self._seconds[index] += self._fixture_s(queue, index)
        queue.scope = self._scopes[index]
        queue.sent.append(index)
        return [index]

    def _fixture_s(self, queue: WorkerQueue, index: int) -> float:
        """Return the seconds of the fixtures that a worker sets up for the test, after what it was sent."""
        return 0.0 if queue.scope == self._scopes[index] else self._expectation.fixture_s(index)

    def _needs_more(self, queue: WorkerQueue) -> bool:
        if len(queue.sent) < 2:
            return True
        if not queue.held or queue.held[0] in self._unknown:
            return False
        waiting_s = math.fsum(self._seconds[index] for index in list(queue.sent)[1:])
        return waiting_s + self._seconds[queue.held[0]] <= self._ahead_s

    def _choose(self, worker: W, queue: WorkerQueue, now: float) -> int | None:
        if queue.held:
            return queue.held.popleft()
        if not self._units:
            return self._take_over(worker, queue, now)
        if not queue.sent:
            return self._take_unit(self._units[0], queue)
        last = queue.sent[-1]
        filler = self._find_filler(last)
        if filler is not None:
            return self._take_test(filler)
        planned = self._find_planned(worker, now)
        if planned is not None:
            return self._take_unit(self._find_neighbour(planned, last), queue)
        shortest = self._short.find(self._scopes[last], math.inf)
        return self._take_unit(self._units[0], queue) if shortest is None else self._take_test(shortest)

    def _find_filler(self, last: int) -> int | None:
        """Return a short test to wait behind a long one: what follows is decided when that has ended."""
        if self._is_blind:
            return None
        if last in self._unknown:
            return self._short.find(self._scopes[last], math.inf)
        if self._seconds[last] <= LONG_SHARE * self.bound_s:
            return None
        return self._short.find(self._scopes[last], FILLER_SHARE * self.bound_s)

    def _find_neighbour(self, planned: Unit, last: int) -> Unit:
        """Return a unit of the last test's module that is about as long, so that its fixtures stay set up."""
        begin = self._units.index(planned)
        for unit in self._units[begin : begin + MOST_NEIGHBOURS]:
            if unit.seconds < NEIGHBOUR_SHARE * planned.seconds or unit.is_unknown != planned.is_unknown:
                break
            if self._scopes[unit.indices[0]] == self._scopes[last]:
                return unit
        return planned

    def _take_unit(self, unit: Unit, queue: WorkerQueue) -> int:
        self._units.remove(unit)
        for index in unit.indices:
            del self._unit_of[index]
        first, *rest = unit.indices
        queue.held.extend(rest)
        return first

    def _take_test(self, index: int) -> int:
        unit = self._unit_of.pop(index)
        unit.remove(index, self._seconds[index])
        if not unit.indices:
            self._units.remove(unit)
        return index

    def _find_planned(self, worker: W, now: float) -> Unit | None:
        """Return the unit that comes to this worker if each unit goes to the worker that is free first."""
        own, free = -1, []
        for number, (key, queue) in enumerate(self._workers.items()):
            if not queue.is_ending:
                free.append((self._free_at(queue, now), number))
            if key == worker:
                own = number
        heapq.heapify(free)
        for unit in self._units[: LOOKED_AT * (len(free) + 1)]:
            at, number = free[0]
            if number == own:
                return unit
            heapq.heapreplace(free, (at + unit.seconds, number))
        return None

    def _take_over(self, worker: W, queue: WorkerQueue, now: float) -> int | None:
        """Take the later half of what is held for the worker that has most of it, if that ends sooner."""
        others = [other for key, other in self._workers.items() if key != worker and other.held]
        if not others:
            return None
        victim = max(others, key=self._held_s)
        fixture_s = self._fixture_s(queue, victim.held[-1])
        ends_at = self._free_at(queue, now) + fixture_s + self._seconds[victim.held[-1]]
        if (queue.sent or fixture_s) and ends_at > self._free_at(victim, now):
            return None  # it would wait longer here
        half_s, taken, taken_s = (self._held_s(victim) - fixture_s) / 2, [victim.held.pop()], 0.0
        while victim.held and taken_s + self._seconds[victim.held[-1]] <= half_s:
            taken_s += self._seconds[victim.held[-1]]
            taken.append(victim.held.pop())
        queue.held.extend(reversed(taken))
        return queue.held.popleft()

    def _held_s(self, queue: WorkerQueue) -> float:
        return math.fsum(self._seconds[index] for index in queue.held)

    def _free_at(self, queue: WorkerQueue, now: float) -> float:
        """Return when a worker is expected to have done what it has; a late test is as late again."""
        waiting_s = math.fsum(self._seconds[index] for index in [*queue.sent, *queue.held])
        if not queue.sent or self._is_blind:
            return now + waiting_s
        expected_s, elapsed_s = self._seconds[queue.sent[0]], now - queue.began_at
        return now + waiting_s - expected_s + abs(expected_s - elapsed_s)
