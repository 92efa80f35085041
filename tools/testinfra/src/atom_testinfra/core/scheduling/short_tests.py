"""The tests that nobody runs yet, shortest first: what may wait behind a long test at no cost."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from atom_testinfra.core.scheduling.durations import Expectation
    from atom_testinfra.core.scheduling.units import Unit


class ShortTests:
    """
    Known tests by their duration, of one scope or of all, as long as nobody has taken their unit.

    A test of another scope takes its fixtures as well. `unit_of` is the caller's: a test that is not in it is
    not there any more.
    """

    def __init__(
        self,
        expectation: Expectation,
        unit_of: dict[int, Unit],
    ) -> None:
        seconds = expectation.seconds
        known = [index for index in unit_of if index not in expectation.unknown]
        with_fixtures_s = {index: seconds[index] + expectation.fixture_s(index) for index in known}
        self._unit_of = unit_of
        self._all = _Shortest(with_fixtures_s)
        by_scope: dict[str, dict[int, float]] = {}
        for index in known:
            by_scope.setdefault(expectation.scopes[index], {})[index] = seconds[index]
        self._by_scope = {scope: _Shortest(found) for scope, found in by_scope.items()}

    def find(self, scope: str, most_s: float) -> int | None:
        """Return the shortest test of the scope if it takes at most `most_s`, else the shortest of all."""
        for tests in (self._by_scope.get(scope), self._all):
            found = None if tests is None else tests.find(self._unit_of, most_s)
            if found is not None:
                return found
        return None


class _Shortest:
    def __init__(self, seconds: dict[int, float]) -> None:
        self._seconds = seconds
        self._queue = deque(sorted(seconds, key=lambda index: (seconds[index], index)))

    def find(self, unit_of: dict[int, Unit], most_s: float) -> int | None:
        while self._queue and self._queue[0] not in unit_of:
            self._queue.popleft()
        return self._queue[0] if self._queue and self._seconds[self._queue[0]] <= most_s else None
