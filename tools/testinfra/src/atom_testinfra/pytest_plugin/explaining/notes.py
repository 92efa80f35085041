"""Brings together what a run that explains hears of one test."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from atom_testinfra.pytest_plugin.explaining.draws import DrawWatch
from atom_testinfra.pytest_plugin.explaining.functions import FunctionWatch
from atom_testinfra.pytest_plugin.explaining.observer import Observer
from atom_testinfra.pytest_plugin.explaining.places import Places

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from atom_testinfra.pytest_plugin.costs import Record
    from atom_testinfra.pytest_plugin.explaining.fixtures import FixtureWatch


class Explainer:
    """
    Watches a call: its test cases and draws in the first run, its functions in the second.

    Both at once would be cheaper, and the profiler would be part of what every draw takes.
    """

    def __init__(
        self, *, root: str, fixtures: FixtureWatch | None, is_property: bool, is_profiled: bool
    ) -> None:
        self._places = Places(root)
        self._fixtures = fixtures
        self._is_profiled = is_profiled
        self._observer = Observer(is_property=is_property)
        self._draws = DrawWatch()
        self._functions = FunctionWatch()

    @property
    def problems(self) -> list[str]:
        """What could not be watched, in full sentences."""
        return [*self._observer.problems, *self._functions.problems]

    @contextlib.contextmanager
    def watching(self, version: str) -> Generator[None]:
        """Watch what this run is for."""
        if self._is_profiled:
            with self._functions.watching():
                yield
        else:
            with self._observer.listening(version), self._draws.watching():
                yield

    def explanation(self, strategies: Mapping[str, object]) -> Record | None:
        """Return what was seen, or `None` when that is nothing."""
        places = self._places
        if self._is_profiled:
            functions = self._functions.record(places)
            return {"n_cases": 0, "n_untimed": 0, "parts": [], "slowest": [], "waste": []} | {
                "functions": functions
            }
        found = self._observer.explanation(strategies, self._draws.filters(places))
        if found is not None:
            found["draws"] = self._draws.record(places)
            found["fixtures"] = [] if self._fixtures is None else self._fixtures.record(places)
        return found
