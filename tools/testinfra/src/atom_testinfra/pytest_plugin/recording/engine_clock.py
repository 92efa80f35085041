"""Gives Hypothesis clocks that no test can patch: its statistics are part of our records."""

from __future__ import annotations

import sys
from typing import Any

from atom_testinfra.machine.clocks import Clocks

PLACES = (
    ("hypothesis.internal.conjecture.engine", "time", None),
    ("hypothesis.internal.conjecture.data", "time", None),
    ("hypothesis.core", "time", None),
    ("hypothesis.internal.conjecture.junkdrawer", "time", None),
    ("hypothesis.internal.conjecture.junkdrawer", "_perf_counter", "perf_counter"),
    ("hypothesis.stateful", "time", None),
    ("hypothesis.stateful", "perf_counter", "perf_counter"),
)
"""Module, the name it has for the clock, and the clock's name; `None` for the whole module `time`."""

REQUIRED = PLACES[:2]
"""Phases and test cases are timed there: without these two a patched clock goes into the statistics."""


class EngineClock:
    """
    Puts our clocks in the place of those that Hypothesis looks up at each use.

    Hypothesis asks `time.perf_counter`, as it is at that moment: frozen, ticking in steps of 15 seconds,
    or whatever else a test or a fixture has put there. Deadlines go by the same clocks and so by the
    machine's time, too.
    """

    def __init__(self) -> None:
        self._held: dict[tuple[str, str], tuple[dict[str, Any], object, object]] = {}
        """By module and name: the module's variables, our clock, and what stood there."""
        self._n_modules = 0

    def hold(self) -> None:
        """Take the place of every clock: again before each property, because a test may have reset one."""
        if len(sys.modules) != self._n_modules:
            self._find()
        for (_, name), (variables, clock, _) in self._held.items():
            if variables[name] is not clock:
                variables[name] = clock

    @property
    def missing(self) -> list[str]:
        """The clocks that this version of Hypothesis lacks, by the place where they were expected."""
        return [f"{module}.{name}" for module, name, _ in REQUIRED if (module, name) not in self._held]

    def restore(self) -> None:
        """Give every place back what stood there."""
        for (_, name), (variables, clock, before) in self._held.items():
            if variables.get(name) is clock:
                variables[name] = before
        self._held.clear()
        self._n_modules = 0

    def _find(self) -> None:
        """Look for clocks in the modules that are there by now: some are imported late."""
        self._n_modules = len(sys.modules)
        for module, name, function in PLACES:
            variables = vars(sys.modules[module]) if module in sys.modules else {}
            if name in variables and (module, name) not in self._held:
                clock = Clocks.module if function is None else getattr(Clocks.module, function)
                self._held[module, name] = variables, clock, variables[name]
