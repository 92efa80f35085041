"""
How long fixtures of a wider scope take, so that the scheduler knows what coming to another module costs.

A worker times them, and tells it in the report of the set-up in which they ran.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.core.scheduling.durations import list_scopes
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.hooks import HooksOnly

if TYPE_CHECKING:
    from collections.abc import Generator

    from _pytest.fixtures import FixtureDef, SubRequest

ATTRIBUTE = "testinfra_fixtures_s"
"""Of the report of a set-up: seconds by node id of the module or class, and "" for yet wider scopes."""
SCOPES = frozenset({"class", "module"})
LEAST_S = 1e-3
"""Fixtures that take less are part of their test."""


class FixtureTimer(HooksOnly):
    """Times, in a worker, the set-up of fixtures whose scope is wider than a test."""

    def __init__(self) -> None:
        self._taken_s: dict[str, float] = {}
        self._inner_s: list[float] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: FixtureDef[Any], request: SubRequest
    ) -> Generator[None, object, object]:
        """Time a fixture, without those that it asks for while it is set up."""
        if fixturedef.scope == "function":
            return (yield)
        began = Clocks.wall()
        self._inner_s.append(0.0)
        try:
            return (yield)
        finally:
            whole_s = Clocks.wall() - began
            own_s = whole_s - self._inner_s.pop()
            scope = request.node.nodeid if fixturedef.scope in SCOPES else ""
            self._taken_s[scope] = self._taken_s.get(scope, 0.0) + own_s
            if self._inner_s:
                self._inner_s[-1] += whole_s

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put what a set-up took for them into its report, which xdist sends with all its attributes."""
        report = yield
        taken_s = {scope: s for scope, s in self._taken_s.items() if s >= LEAST_S}
        self._taken_s.clear()
        if taken_s and report.when == "setup":
            setattr(report, ATTRIBUTE, taken_s)
        return report


class FixtureStays:
    """Adds up what workers have told: a stay of a worker in a module sets up its fixtures once."""

    def __init__(self) -> None:
        self._modules: dict[object, str] = {}
        self._stays: dict[object, dict[str, float]] = {}
        self._most_s: dict[str, float] = {}

    def take(self, report: pytest.TestReport) -> float:
        """Return the seconds of a report that belong to fixtures of several tests."""
        if report.when != "setup":
            return 0.0
        worker, scopes = getattr(report, "worker_id", None), list_scopes(report.nodeid)
        module = scopes[-1]
        if self._modules.get(worker) != module:
            self._end(worker)
            self._modules[worker] = module
        stay = self._stays.setdefault(worker, {})
        stay |= {scope: 0.0 for scope in scopes if scope not in stay}
        taken_s: dict[str, float] = getattr(report, ATTRIBUTE, {})
        for scope, seconds in taken_s.items():
            if scope:
                stay[scope] = stay.get(scope, 0.0) + seconds
        return sum(taken_s.values())

    def finish(self) -> dict[str, float]:
        """Return the seconds by node id of the module or class, 0 where there are no such fixtures."""
        for worker in list(self._stays):
            self._end(worker)
        return self._most_s

    def _end(self, worker: object) -> None:
        for scope, seconds in self._stays.pop(worker, {}).items():
            self._most_s[scope] = max(seconds, self._most_s.get(scope, 0.0))
