"""
Record the choices of each test case of a property, and run the same test cases again under a mutant.

A replay is exact: Hypothesis's engine decides what to try next from the choices, the status and the targets
of the test cases before. As long as these are equal to the recorded ones it would have gone on as it did, so
the recorded next test case is the one that it would run. What each choice was chosen from has to be equal,
too: from a wider range the engine would have chosen another value, though the recorded one is still allowed.
At the first difference the engine runs instead.
"""

from __future__ import annotations

import base64
import contextlib
import pickle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TestCase = tuple[tuple[Any, ...], int, tuple[tuple[str, float], ...], tuple[Any, ...]]
"""Choices, status, and target observations of a test case, and what each choice was chosen from."""


class Replay:
    """Records runs of Hypothesis's engine by test, and replays them; off where the internals are others."""

    def __init__(self) -> None:
        self._runs: dict[str, list[list[TestCase]]] = {}
        self._state: Any = None
        self._data: Any = None
        self._stop: type[BaseException] = Exception
        self.problem: str | None = None
        """Why nothing can be replayed."""
        self.raised: BaseException | None = None
        """What the replayed test case raised that noticed; Hypothesis may raise another error instead."""
        self.n_test_cases = 0
        """Test cases that the engine ran in the last test."""
        self.n_valid = 0
        """Valid ones among them: `max_examples` bounds these."""
        self.n_replayed = 0
        """Engine runs that were replayed to their end or to a failure."""
        self.n_different = 0
        """Engine runs that went another way than recorded, and were run by the engine."""
        try:
            from hypothesis.core import StateForActualGivenExecution
            from hypothesis.errors import StopTest
            from hypothesis.internal.conjecture.data import ConjectureData, Status

            self._state = StateForActualGivenExecution
            self._data = ConjectureData
            self._stop = StopTest
            self._interesting = int(Status.INTERESTING)
            self._valid = int(Status.VALID)
            self._execute: Callable[..., None] = StateForActualGivenExecution._execute_once_for_engine
            self._run: Callable[..., None] = StateForActualGivenExecution.run_engine
        except (ImportError, AttributeError) as exc:
            self.problem = f"this version of Hypothesis has other internals ({exc})"

    @contextlib.contextmanager
    def recording(self, nodeid: str) -> Iterator[None]:
        """Record every run of the engine for as long as the context lasts."""
        if self.problem is not None:
            yield
            return
        runs: list[list[TestCase]] = []
        execute, run = self._execute, self._run

        def run_engine(state: Any) -> None:
            runs.append([])
            run(state)

        def execute_once(state: Any, data: Any) -> None:
            cases = runs[-1] if runs else []
            try:
                execute(state, data)
            finally:
                cases.append(self.describe(data))
                self.note_case()

        with self._replaced(execute_once, run_engine):
            yield
        self._runs[nodeid] = runs
        self.n_test_cases = sum(map(len, runs))
        self.n_valid = sum(case[1] == self._valid for run in runs for case in run)

    def give(self, nodeid: str) -> str:
        """Return what was recorded of a test, as text for another process."""
        return base64.b64encode(pickle.dumps(self._runs.get(nodeid))).decode()

    def take(self, nodeid: str, text: str) -> None:
        """Take over what another process of ours recorded."""
        runs = pickle.loads(base64.b64decode(text))  # noqa: S301 (our own copy wrote it)
        if runs is not None:
            self._runs[nodeid] = runs

    @contextlib.contextmanager
    def replaying(self, nodeid: str) -> Iterator[None]:
        """Replay the recorded runs of a test, in their order, for as long as the context lasts."""
        self.raised = None
        recorded = self._runs.get(nodeid)
        if self.problem is not None or recorded is None:
            with self.counting():
                yield
            return
        self.n_test_cases = self.n_valid = 0
        remaining = iter(recorded)

        def run_engine(state: Any) -> None:
            cases = next(remaining, None)
            before = self.n_test_cases, self.n_valid
            if cases is None or not self._replay(state, cases):
                self.n_different += cases is not None
                self.n_test_cases, self.n_valid = before  # the engine runs the equal ones once more
                self._run(state)

        with self._replaced(self._counter(), run_engine):
            yield

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """Count the engine's test cases for as long as the context lasts."""
        self.raised = None
        self.n_test_cases = self.n_valid = 0
        if self.problem is not None:
            yield
            return
        with self._replaced(self._counter(), self._run):
            yield

    def note_case(self) -> None:
        """Be told that a test case was recorded; a subclass may keep more of it."""

    def _counter(self) -> Callable[..., None]:
        def execute_once(state: Any, data: Any) -> None:
            self.n_test_cases += 1
            self._execute(state, data)
            self.n_valid += int(data.status) == self._valid

        return execute_once

    def _replay(self, state: Any, cases: list[TestCase]) -> bool:
        """Run recorded test cases; return whether the engine would have run exactly these."""
        for case in cases:
            data = self._data.for_choices(case[0])
            with contextlib.suppress(self._stop):
                state._execute_once_for_engine(data)
            if int(data.status) == self._interesting and case[1] != self._interesting:
                self.n_replayed += 1
                self.raised = data.expected_exception
                raise data.expected_exception
            if self.describe(data) != case:
                return False
        self.n_replayed += 1
        return True

    @staticmethod
    def describe(data: Any) -> TestCase:
        """Return what of a test case decides how the engine goes on."""
        targets = tuple(sorted(data.target_observations.items()))
        ranges = tuple(node.constraints for node in data.nodes)
        return tuple(data.choices), int(data.status), targets, ranges

    @contextlib.contextmanager
    def _replaced(self, execute: Callable[..., None], run: Callable[..., None]) -> Iterator[None]:
        self._state._execute_once_for_engine = execute
        self._state.run_engine = run
        try:
            yield
        finally:
            self._state._execute_once_for_engine = self._execute
            self._state.run_engine = self._run

    def check(self) -> None:
        """
        Replay a property of our own, as it is and with a fault, and give replaying up if the answer is wrong.

        The fault is one that is known to be noticed, at a test case that is known; the property as it is
        must pass without any help of the engine.
        """
        if self.problem is not None:
            return
        from hypothesis import Phase, given, settings
        from hypothesis import strategies as st

        limit = [1 << 40]
        seen: list[int] = []

        @settings(max_examples=30, database=None, phases=(Phase.generate,), derandomize=True, deadline=None)
        @given(st.integers(0, 1 << 30))
        def stays_below(number: int) -> None:
            seen.append(number)
            assert number < limit[0]

        try:
            with self.recording("self-check"):
                stays_below()
            recorded, n_recorded = list(seen), self.n_test_cases
            seen.clear()
            with self.replaying("self-check"):
                stays_below()
            is_exact = seen == recorded and self.n_test_cases == n_recorded and self.n_different == 0
            limit[0] = 1
            first = next((place for place, number in enumerate(recorded, 1) if number >= 1), 0)
            with self.replaying("self-check"):
                try:
                    stays_below()
                    is_noticed = False
                except AssertionError:
                    is_noticed = self.n_test_cases == first
        except Exception as exc:  # noqa: BLE001 (whatever goes wrong here, replaying cannot be relied on)
            self.problem = f"its self-check failed ({exc!r})"
        else:
            if not (is_exact and is_noticed):
                self.problem = "its self-check gave a wrong answer"
        self._runs.clear()
        self.n_replayed = self.n_different = 0
