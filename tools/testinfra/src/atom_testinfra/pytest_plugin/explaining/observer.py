"""
Hears from Hypothesis what each test case spent its time on.

Only for a run that explains: observing makes every test case slower. Coverage, which observability collects
unless it is told not to, stays off, because it would change the times several-fold.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import re
from importlib import import_module
from importlib.util import find_spec
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from atom_testinfra.pytest_plugin.costs import seconds
from atom_testinfra.pytest_plugin.explaining.places import cut, describe

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from atom_testinfra.pytest_plugin.costs import Record

N_SLOWEST = 5
N_PARTS = N_CAUSES = 50
"""What is kept of each: a test may draw under a thousand labels."""
CALL_LENGTH = 1000
RETRIED, RETRIED_END = "Retried draw from ", " to satisfy filter"
GAVE_UP = "gave_up"
RULE = "generate:rule:"
INTERACTIVE = re.compile(r"generate:(?:Draw \d+|unlabeled_\d+)(?: \((?P<label>.*)\))?", re.DOTALL)
"""How Hypothesis names a draw inside a test: by its number, and by its label if it has one."""
MODULE = "hypothesis.internal.observability"
observability: Any = import_module(MODULE) if find_spec(MODULE) is not None else None
"""Not in every version."""

ADD, REMOVE, OLD = "add_observability_callback", "remove_observability_callback", "TESTCASE_CALLBACKS"


class Observer:
    """Listens for the length of a call, and keeps what concerns the item's own property."""

    def __init__(self, *, is_property: bool) -> None:
        self._is_property = is_property
        self._run_start: float | None = None
        self._heard = _Heard()
        self.problems: list[str] = []

    @contextlib.contextmanager
    def listening(self, version: str) -> Generator[None]:
        """Let Hypothesis observe, without coverage."""
        add, remove = _registrars()
        if add is None or remove is None:
            self.problems.append(f"Hypothesis {version} has no {MODULE}.{ADD}: nothing is explained")
            yield
            return
        before = getattr(observability, "OBSERVABILITY_COLLECT_COVERAGE", None)
        observability.OBSERVABILITY_COLLECT_COVERAGE = False
        add(self._hear)
        try:
            yield
        finally:
            remove(self._hear)
            if before is not None:
                observability.OBSERVABILITY_COLLECT_COVERAGE = before

    def explanation(
        self, strategies: Mapping[str, object], filters: Mapping[str, str] | None = None
    ) -> Record | None:
        """Return what was heard, or `None` when that is nothing; filters are places by representation."""
        return self._heard.record(strategies, filters or {}) if self._heard.n_cases else None

    def _hear(self, observation: Any) -> None:
        if isinstance(observation, dict):  # before 6.131.29; before 6.94 it does not say what took how long
            observation = SimpleNamespace(**({"timing": {}} | observation))
        if observation.type != "test_case":
            return
        start = observation.run_start
        if self._is_property and self._run_start is not None and start > self._run_start:
            return  # a property inside the property: its time is in that of the one around it
        if self._is_property and start != self._run_start:
            self._run_start, self._heard = start, _Heard()
        self._heard.add(observation)


class _Heard:
    """The sums over the test cases of one property."""

    def __init__(self) -> None:
        self.n_cases = 0
        self._n_untimed = 0
        self._parts: dict[str, _Sum] = {}
        self._slowest: list[tuple[float, int, str, str]] = []
        self._gave_up: dict[str, _Sum] = {}
        self._retried: dict[str, int] = {}
        self._order = itertools.count()

    def add(self, observation: Any) -> None:
        timing: dict[str, float] = observation.timing
        total = sum(timing.values())
        self.n_cases += 1
        self._n_untimed += not timing
        for name, value in _merge(timing).items():
            self._parts.setdefault(name, _Sum()).add(value)
        for feature in observation.features:
            if feature.startswith(RETRIED):
                cause = cut(feature.removeprefix(RETRIED).removesuffix(RETRIED_END))
                self._retried[cause] = self._retried.get(cause, 0) + 1
        if observation.status == GAVE_UP:
            reason = observation.status_reason.rpartition("unable to satisfy ")[2] or "it did not say why"
            self._gave_up.setdefault(cut(reason), _Sum()).add(total)
        if timing and (len(self._slowest) < N_SLOWEST or total > self._slowest[0][0]):
            # The order decides between equal times, so that nothing else is ever compared.
            case = (total, -next(self._order), observation.status, _call(observation)[:CALL_LENGTH])
            (heapq.heappush if len(self._slowest) < N_SLOWEST else heapq.heappushpop)(self._slowest, case)

    def record(self, strategies: Mapping[str, object], filters: Mapping[str, str]) -> Record:
        waste = self._waste(filters)
        parts = sorted(self._parts.items(), key=lambda part: (-part[1].total, part[0]))
        return {
            "n_cases": self.n_cases,
            "n_untimed": self._n_untimed,
            "n_parts": len(parts),
            "n_causes": len(waste),
            "parts": [_part(name, values, strategies) for name, values in parts[:N_PARTS]],
            "slowest": [
                {"total_s": seconds(total), "status": status, "call": call}
                for total, _, status, call in sorted(self._slowest, reverse=True)
            ],
            "waste": waste[:N_CAUSES],
        }

    def _waste(self, filters: Mapping[str, str]) -> list[Record]:
        """Return the causes, worst first; filters whose condition stands in one place are one cause."""
        merged: dict[str, Record] = {}
        for cause in dict.fromkeys([*self._gave_up, *self._retried]):
            place = filters.get(cause)
            empty: Record = {"cause": cause, "n_gave_up": 0, "n_retried": 0, "total_s": 0.0}
            entry = merged.setdefault(place or cause, empty if place is None else empty | {"place": place})
            gave_up = self._gave_up.get(cause, _Sum())
            entry["n_gave_up"] += gave_up.n
            entry["n_retried"] += self._retried.get(cause, 0)
            entry["total_s"] = seconds(entry["total_s"] + gave_up.total)
        return sorted(merged.values(), key=lambda entry: (-entry["n_gave_up"], -entry["n_retried"]))


class _Sum:
    """How many values there were, what they add up to, and the largest."""

    def __init__(self) -> None:
        self.n = 0
        self.total = self.most = 0.0

    def add(self, value: float) -> None:
        self.n += 1
        self.total += value
        self.most = max(self.most, value)


def _merge(timing: Mapping[str, float]) -> dict[str, float]:
    """Return the times of a test case, with all draws inside the test that have the same label as one."""
    merged: dict[str, float] = {}
    for name, value in timing.items():
        if value <= 0:
            continue
        if (found := INTERACTIVE.fullmatch(name)) is not None:
            label = found["label"]
            name = "generate:data.draw()" if label is None else f"generate:data.draw(): {cut(label)}"
        merged[name] = merged.get(name, 0.0) + value
    return merged


def _call(observation: Any) -> str:
    """Return the steps of a machine, or the arguments: a call's own text may lack their values."""
    if any(name.startswith(RULE) for name in observation.timing):
        steps: str = observation.representation
        return steps
    return ", ".join(f"{name}={describe(value)}" for name, value in observation.arguments.items())


def _part(name: str, values: _Sum, strategies: Mapping[str, object]) -> Record:
    part: Record = {
        "name": name,
        "n": values.n,
        "total_s": seconds(values.total),
        "max_s": seconds(values.most),
    }
    what, _, argument = name.partition(":")
    if what == "generate" and argument in strategies:
        part["strategy"] = describe(strategies[argument])
    return part


def _registrars() -> tuple[Callable[[Any], object] | None, Callable[[Any], object] | None]:
    """Return what adds and removes a callback; before Hypothesis 6.137 the callbacks were a list."""
    callbacks: Any = getattr(observability, OLD, None)
    add = getattr(observability, ADD, None) or getattr(callbacks, "append", None)
    return add, getattr(observability, REMOVE, None) or getattr(callbacks, "remove", None)
