"""
A fixed piece of work, timed beside the tests, that says how fast this machine is right now.

A cost divided by the calibration next to it can be compared between runs, and roughly between machines. The
work is mixed, in about equal parts, because a loop alone follows the clock rate and misses what memory and C
code cost: interpreter, allocation, SQLite.
"""

from __future__ import annotations

import gc
from contextlib import closing, contextmanager
from sqlite3 import connect  # before a test can patch it
from time import process_time, thread_time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator

    Clock = Callable[[], float]
    """Seconds, monotonic."""

NAME = "3-00ad7fb1"
"""
Which calibration a record was made with: a version, and a digest of the code of the work.

Every run file and baseline says it. Figures of differently named calibrations have no common unit, and are
never compared. Whoever changes the work changes the name with it: a test checks the digest against the code.
"""

FIRST = 3
"""How many are made beside the first tests, however quick these are, because one alone says little."""

SHARE = 0.001
"""Part of a run's CPU time that may go into calibrating after that."""

WHOLE, TIMED, WARM_UP = 10, 4, 1
"""Portions of the work: whose time is told, what is timed for it, and what is done before."""


def calibrate(clock: Clock = thread_time) -> float:
    """
    Return the CPU seconds of the fixed work, 0.6 ms or more.

    Some of it is timed, and the time scaled to the whole. Some is done before, untimed: with cold caches it
    costs 1.3 times as much. The garbage collector is off meanwhile: neither the size of the heap under test
    nor a collection of its objects is timed. No pseudo-random state is touched.
    """
    with _collector_off(), closing(connect(":memory:", isolation_level=None)) as database:
        database.execute("CREATE TABLE entry (id INTEGER PRIMARY KEY, account TEXT, amount INTEGER)")
        _work(database, WARM_UP)
        began = clock()
        _work(database, TIMED)
        return (clock() - began) * WHOLE / TIMED


class Calibrator:
    """
    Calibrates beside the first tests, then as often as a share of the CPU time allows, and stamps each test.

    Many short calibrations say more than a few long ones: a host that is shared slows a virtual machine down
    1.7 times for a tenth of a second to two seconds, again and again. One is made before the first test. A
    test after which another is made gets the mean of the two around it, any other test the latest.
    """

    def __init__(
        self,
        *,
        first: int = FIRST,
        share: float = SHARE,
        clock: Clock = process_time,
        workload: Callable[[], float] = calibrate,
    ) -> None:
        self._first = first
        self._share = share
        self._clock = clock
        self._workload = workload
        self._latest: float | None = None
        self._n_made = 0
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
        if self._n_made > self._first and self._clock() < self._due_at:
            return latest
        self._latest = self._calibrate()
        return (latest + self._latest) / 2

    def _calibrate(self) -> float:
        began = self._clock()
        seconds = self._workload()
        ended = self._clock()
        self._n_made += 1
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


def _work(database: sqlite3.Connection, n: int) -> None:
    _interpret(350 * n)
    _allocate(90 * n)
    _query(database, 12 * n)


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
