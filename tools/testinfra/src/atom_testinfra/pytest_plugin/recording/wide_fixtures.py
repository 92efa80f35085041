"""Times fixtures: wider than a function, which whichever test comes first pays for, and a test's own."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.machine.children import children_cpu_ns
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.hooks import HooksOnly

if TYPE_CHECKING:
    from collections.abc import Generator

    from atom_testinfra.pytest_plugin.costs import Record
    from atom_testinfra.pytest_plugin.naming import Naming


class WideFixtures(HooksOnly):
    """
    Sums up what fixtures of a class, module, package or session take, by fixture and by step of a test.

    Setting up and tearing down count, ended child processes included. A fixture that another one asked for is
    that one's own figure.
    """

    def __init__(self, naming: Naming) -> None:
        self._naming = naming
        self._inner: list[int] = []
        """For each fixture that is being set up, what the ones that it asked for have taken."""
        self._leaving: dict[int, int] = {}
        """By identity of the fixture that is being torn down: when that began."""
        self._spent_ns = self._waited_ns = self._own_ns = 0
        self._is_in_own = False
        self._costs_ns: dict[tuple[str, str, str], int] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, object, object]:
        """Time the set-up of a wide fixture, and make sure that its teardown is timed too."""
        if fixturedef.scope == "function":
            if self._is_in_own:
                return (yield)
            self._is_in_own = True
            entered = Clocks.wall_ns() - self._waited_ns
            try:
                return (yield)
            finally:  # without the wide ones that it was the first to ask for
                self._own_ns += Clocks.wall_ns() - self._waited_ns - entered
                self._is_in_own = False
        self._inner.append(0)
        began, entered = _cpu_ns(), Clocks.wall_ns()
        try:
            return (yield)
        finally:
            whole = _cpu_ns() - began
            self._add(fixturedef, whole - self._inner.pop())
            if self._inner:
                self._inner[-1] += whole
            else:  # the time of those that a fixture asks for is within its own
                self._waited_ns += Clocks.wall_ns() - entered
            # Finalizers run in reverse: this one after those of its users, before the fixture's own.
            fixturedef.addfinalizer(partial(self._leave, id(fixturedef)))

    def pytest_fixture_post_finalizer(self, fixturedef: pytest.FixtureDef[Any]) -> None:
        """Take the time of a teardown."""
        began = self._leaving.pop(id(fixturedef), None)
        if began is not None:
            self._add(fixturedef, _cpu_ns() - began)

    def take_step(self) -> tuple[int, int, int]:
        """
        Return what the step that just ended has spent on fixtures.

        CPU and wall nanoseconds of wide ones, and the wall nanoseconds of those of function scope.
        """
        spent = self._spent_ns, self._waited_ns, self._own_ns
        self._spent_ns = self._waited_ns = self._own_ns = 0
        return spent

    def take_records(self) -> list[Record]:
        """Return what each fixture has taken since this was asked last."""
        records: list[Record] = [
            {"name": name, "scope": scope, "place": place, "cpu_s": ns / 1e9}
            for (name, scope, place), ns in self._costs_ns.items()
        ]
        self._costs_ns.clear()
        return records

    def _leave(self, fixture: int) -> None:
        self._leaving[fixture] = _cpu_ns()

    def _add(self, fixturedef: pytest.FixtureDef[Any], ns: int) -> None:
        place = fixturedef.baseid
        file, colons, rest = place.partition("::")
        if place:
            place = f"{self._naming.place(file)}{colons}{rest}"
        key = fixturedef.argname, str(fixturedef.scope), place
        ns = max(ns, 0)
        self._spent_ns += ns
        self._costs_ns[key] = self._costs_ns.get(key, 0) + ns


def _cpu_ns() -> int:
    cpu_ns: int = Clocks.process_cpu_ns()
    return cpu_ns + children_cpu_ns()
