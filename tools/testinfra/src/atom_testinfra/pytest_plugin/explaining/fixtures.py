"""Notes what each fixture takes; for a run that explains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.costs import seconds
from atom_testinfra.pytest_plugin.explaining.places import cut
from atom_testinfra.pytest_plugin.hooks import HooksOnly

if TYPE_CHECKING:
    from collections.abc import Generator

    from atom_testinfra.pytest_plugin.costs import Record
    from atom_testinfra.pytest_plugin.explaining.places import Places

N_FIXTURES = 20


class FixtureWatch(HooksOnly):
    """Times the set-up of fixtures, each without those that it asks for while it runs."""

    def __init__(self) -> None:
        self._inner_s: list[float] = []
        self._found: list[tuple[float, Any]] = []

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Generator[None, object, object]:
        """Time one fixture."""
        __tracebackhide__ = True
        self._inner_s.append(0.0)
        began = Clocks.wall()
        try:
            return (yield)
        finally:
            took = Clocks.wall() - began
            self._found.append((took - self._inner_s.pop(), fixturedef))
            if self._inner_s:
                self._inner_s[-1] += took

    def record(self, places: Places) -> list[Record]:
        """Return the fixtures that were set up, the one that took longest first."""
        ranked = sorted(self._found, key=lambda pair: -pair[0])
        return [
            {
                "name": cut(str(fixture.argname)),
                "scope": str(fixture.scope),
                "place": _place(fixture.func, places),
                "own_s": seconds(own_s),
            }
            for own_s, fixture in ranked[:N_FIXTURES]
        ]


def _place(function: Any, places: Places) -> str | None:
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    return None if code is None else places.of_code(code)
