"""The tests that nobody runs yet, shortest first: what may wait behind a long test at no cost."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atom_testinfra.core.scheduling.units import Unit


class ShortTests:
    """
    Known tests by their duration, of one module or of all, as long as nobody has taken their unit.

    `unit_of` is the caller's: a test that is not in it is not there any more.
    """

    def __init__(
        self,
        indices: Iterable[int],
        seconds: Sequence[float],
        modules: Sequence[str],
        unit_of: dict[int, Unit],
    ) -> None:
        self._seconds = seconds
        self._modules = modules
        self._unit_of = unit_of
        self._all = deque(sorted(indices, key=lambda index: (seconds[index], index)))
        self._by_module: dict[str, deque[int]] = {}
        for index in self._all:
            self._by_module.setdefault(modules[index], deque()).append(index)

    def find(self, module: str, most_s: float) -> int | None:
        """Return the shortest test of the module if it takes at most `most_s`, else the shortest of all."""
        for tests in (self._by_module.get(module, deque()), self._all):
            while tests and tests[0] not in self._unit_of:
                tests.popleft()
            if tests and self._seconds[tests[0]] <= most_s:
                return tests[0]
        return None
