"""
A fixed piece of work, timed beside the tests, that says how fast this machine is right now.

A cost divided by the calibration next to it can be compared between runs, and roughly between machines. The
work is mixed, in about equal parts, because a loop alone follows the clock rate and misses what memory and C
code cost: interpreter, allocation, SQLite.
"""

from __future__ import annotations

import gc
from contextlib import closing, contextmanager
from time import process_time, thread_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    Clock = Callable[[], float]
    """Seconds, monotonic."""

CALIBRATION_VERSION = 1
"""Changes with the work: figures of different versions have no common unit."""

ROUNDS = 3
"""The quickest of these counts: the first one also pays for cold caches (1.3 times the others)."""

SHARE = 0.001
"""Part of a run's CPU time that may go into calibrating."""


def calibrate(clock: Clock = thread_time) -> float:
    """
    Return the CPU seconds of the quickest of a few rounds of the fixed work, about 0.6 ms each.

    The garbage collector is off meanwhile: neither the size of the heap under test nor a collection of its
    objects is timed. No pseudo-random state is touched.
    """
    import sqlite3

    with _collector_off(), closing(sqlite3.connect(":memory:", isolation_level=None)) as database:
        database.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, account TEXT, amount INTEGER)")
        return min(_time_round(clock, database) for _ in range(ROUNDS))


class Calibrator:
    """
    Calibrates as often as a share of the CPU time allows, and stamps each test with what it found.

    One calibration is made before the first test. After a test another one is made if enough CPU time has
    passed for it; that test then gets the mean of the two around it, any other test the latest.
    """

    def __init__(
        self,
        *,
        share: float = SHARE,
        clock: Clock = process_time,
        workload: Callable[[], float] = calibrate,
    ) -> None:
        self._share = share
        self._clock = clock
        self._workload = workload
        self._latest: float | None = None
        self._due_at = 0.0

    def start(self) -> None:
        """Make the first calibration, once; called before a test."""
        if self._latest is None:
            self._latest = self._calibrate()

    def stamp(self) -> float:
        """Return the calibration seconds for the test that just ended."""
        self.start()
        latest = self._latest
        assert latest is not None
        if self._clock() < self._due_at:
            return latest
        self._latest = self._calibrate()
        return (latest + self._latest) / 2

    def _calibrate(self) -> float:
        began = self._clock()
        seconds = self._workload()
        ended = self._clock()
        self._due_at = ended + (ended - began) / self._share
        return seconds


@contextmanager
def _collector_off() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _time_round(clock: Clock, database: sqlite3.Connection) -> float:
    began = clock()
    _interpret(3500)
    _allocate(900)
    _query(database, 120)
    return clock() - began


def _interpret(n: int) -> int:
    accumulator = 0
    seen: dict[int, int] = {}
    for i in range(n):
        accumulator = (accumulator * 31 + i) & 0xFFFF
        seen[accumulator & 63] = i
    return accumulator


def _allocate(n: int) -> int:
    return len([({"id": i, "name": str(i)}, [i, i + 1], (i, None)) for i in range(n)])


def _query(database: sqlite3.Connection, n: int) -> int:
    for i in range(n):
        database.execute("INSERT INTO entry (account, amount) VALUES (?, ?)", (f"account {i % 7}", i))
    sums = database.execute(
        "SELECT account, sum(amount) FROM entry WHERE amount > ? GROUP BY account ORDER BY account", (n // 3,)
    ).fetchall()
    database.execute("DELETE FROM entry")
    return len(sums)
