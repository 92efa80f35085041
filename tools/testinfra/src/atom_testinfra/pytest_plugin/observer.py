"""
Hears from Hypothesis what each test case spent its time on.

Only for a run that explains: observing makes every test case slower. Coverage, which observability collects
unless it is told not to, stays off, for it would change the times several-fold.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
from typing import TYPE_CHECKING, Any

from hypothesis.internal import observability

from atom_testinfra.pytest_plugin.costs import seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from atom_testinfra.pytest_plugin.costs import Record

N_SLOWEST = 5
CALL_LENGTH = 1000
RETRIED, RETRIED_END = "Retried draw from ", " to satisfy filter"
GAVE_UP = "gave_up"
RULE = "generate:rule:"
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
            self.problems.append(
                f"Hypothesis {version} has no hypothesis.internal.observability.{ADD}: nothing is explained"
            )
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

    def explanation(self, strategies: Mapping[str, object]) -> Record | None:
        """Return what was heard, or `None` when that is nothing."""
        return self._heard.record(strategies) if self._heard.n_cases else None

    def _hear(self, observation: Any) -> None:
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
        self._parts: dict[str, list[float]] = {}
        self._slowest: list[tuple[float, int, str, str]] = []
        self._gave_up: dict[str, list[float]] = {}
        self._retried: dict[str, int] = {}
        self._order = itertools.count()

    def add(self, observation: Any) -> None:
        timing: dict[str, float] = observation.timing
        total = sum(timing.values())
        self.n_cases += 1
        self._n_untimed += not timing
        for name, value in timing.items():
            if value > 0:
                self._parts.setdefault(name, []).append(value)
        for feature in observation.features:
            if feature.startswith(RETRIED):
                cause = feature.removeprefix(RETRIED).removesuffix(RETRIED_END)
                self._retried[cause] = self._retried.get(cause, 0) + 1
        if observation.status == GAVE_UP:
            reason = observation.status_reason.rpartition("unable to satisfy ")[2] or "it did not say why"
            self._gave_up.setdefault(reason, []).append(total)
        if timing:
            # The order decides between equal times, so that nothing else is ever compared.
            case = (total, -next(self._order), observation.status, _call(observation)[:CALL_LENGTH])
            (heapq.heappush if len(self._slowest) < N_SLOWEST else heapq.heappushpop)(self._slowest, case)

    def record(self, strategies: Mapping[str, object]) -> Record:
        causes = dict.fromkeys([*self._gave_up, *self._retried])
        waste = [
            {
                "cause": cause,
                "n_gave_up": len(self._gave_up.get(cause, ())),
                "n_retried": self._retried.get(cause, 0),
                "total_s": seconds(sum(self._gave_up.get(cause, ()))),
            }
            for cause in causes
        ]
        return {
            "n_cases": self.n_cases,
            "n_untimed": self._n_untimed,
            "parts": sorted(
                (_part(name, values, strategies) for name, values in self._parts.items()),
                key=lambda part: (-part["total_s"], part["name"]),
            ),
            "slowest": [
                {"total_s": seconds(total), "status": status, "call": call}
                for total, _, status, call in sorted(self._slowest, reverse=True)
            ],
            "waste": sorted(waste, key=lambda entry: (-entry["n_gave_up"], -entry["n_retried"])),
        }


def _call(observation: Any) -> str:
    """Return the steps of a machine, or the arguments: a call's own text may lack their values."""
    if any(name.startswith(RULE) for name in observation.timing):
        steps: str = observation.representation
        return steps
    return ", ".join(f"{name}={value!r}" for name, value in observation.arguments.items())


def _part(name: str, values: list[float], strategies: Mapping[str, object]) -> Record:
    part: Record = {
        "name": name,
        "n": len(values),
        "total_s": seconds(sum(values)),
        "max_s": seconds(max(values)),
    }
    what, _, argument = name.partition(":")
    if what == "generate" and argument in strategies:
        part["strategy"] = repr(strategies[argument])
    return part


def _registrars() -> tuple[Callable[[Any], object] | None, Callable[[Any], object] | None]:
    """Return what adds and removes a callback; before Hypothesis 6.137 the callbacks were a list."""
    callbacks: Any = getattr(observability, OLD, None)
    add = getattr(observability, ADD, None) or getattr(callbacks, "append", None)
    return add, getattr(observability, REMOVE, None) or getattr(callbacks, "remove", None)
