"""Gives each property its share of the time, in the process that runs it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from atom_testinfra.core.budgets.events import Began, Collected, Ended, Ending
from atom_testinfra.core.budgets.planner import Planner
from atom_testinfra.core.budgets.rounds import first_round_s
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.machine.run_queue import queued_s
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.steering.planned_tests import plan_tests
from atom_testinfra.pytest_plugin.timebox.terms import BudgetTime, exit_now_s, own_cpu_s, speed_guess

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from atom_testinfra.core.budgets.costs import Costs
    from atom_testinfra.core.budgets.events import Event
    from atom_testinfra.core.budgets.planner import PlannedTest, Share
    from atom_testinfra.pytest_plugin.naming import Naming
    from atom_testinfra.pytest_plugin.steering.limits import Limit
    from atom_testinfra.pytest_plugin.steering.subject import Subject
    from atom_testinfra.pytest_plugin.timebox.terms import Terms
    from atom_testinfra.storage.ledger import Ledger

OF_TIMEOUT = 0.5
"""Of the time after which pytest-timeout ends a test from inside an example, which looks like a failure."""
HELPER = "its properties run inside a test without examples"
NO_SETTINGS = "Hypothesis offers no settings for it"


class Reading(NamedTuple):
    """What the clocks show, or the seconds between two readings."""

    wall_s: float
    cpu_s: float
    queued_s: float | None
    """Ready to run while others had the CPU; `None` if the system does not report it."""

    @classmethod
    def take(cls) -> Reading:
        """Read the clocks."""
        return cls(Clocks.wall(), own_cpu_s(), queued_s())

    def since(self, earlier: Reading) -> Reading:
        """Return the seconds from an earlier reading to this one."""
        queued = None
        if self.queued_s is not None and earlier.queued_s is not None:
            queued = self.queued_s - earlier.queued_s
        return Reading(self.wall_s - earlier.wall_s, self.cpu_s - earlier.cpu_s, queued)

    def plus(self, seconds: Reading) -> Reading:
        """Return the reading that many seconds later."""
        queued = None
        if self.queued_s is not None and seconds.queued_s is not None:
            queued = self.queued_s + seconds.queued_s
        return Reading(self.wall_s + seconds.wall_s, self.cpu_s + seconds.cpu_s, queued)


@dataclass(slots=True)
class Current:
    """The test that runs."""

    index: int
    began: Reading
    share: Share | None = None
    limit: Limit | None = None
    has_failed: bool = False
    reason: str | None = None
    is_skipped: bool = False
    is_capped: bool = False
    called: Reading | None = None
    """The clocks when its call began."""

    def begin_call(self) -> None:
        """Note when the call begins; if a plugin repeats the test, leave out the earlier attempt."""
        now = Reading.take()
        if self.limit is not None and self.called is not None:
            self.began = self.began.plus(now.since(self.called))
        self.called = now


class TimeBoxRunner(HooksOnly):
    """Plans before each property, limits it, and tells what it took."""

    def __init__(
        self,
        terms: Terms,
        naming: Naming,
        costs: Costs,
        *,
        note: Callable[[Event], None],
        ledger: Ledger | None,
        worker: str,
    ) -> None:
        self._terms = terms
        self._name = naming
        self._costs = costs
        self._note = note
        self._ledger = ledger
        self._worker = worker
        self._time = BudgetTime(terms)
        self._tests: list[PlannedTest] = []
        self._index: dict[int, int] = {}
        self._planner: Planner | None = None
        self._current: Current | None = None
        self._flaw: str | None = None
        self.tell: Callable[[Collected], None] = lambda _: None
        self.ended: dict[int, Ended] = {}
        """How each test ended, here or in another worker, as far as it was told."""
        self.began_s = 0.0
        """When the tests began, by the clock of the budget."""

    # Before xdist tells the process that started the worker, which then looks into the ledger.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Predict the costs of the tests to come."""
        names = [self._name.name(item) for item in session.items]
        self._index = {id(item): i for i, item in enumerate(session.items)}
        self._tests = plan_tests(session.items, names, self._costs, self._terms.span.clock)
        properties = [i for i, test in enumerate(self._tests) if test.is_property]
        if properties:
            from atom_testinfra.pytest_plugin.steering.limits import find_flaw

            self._flaw = find_flaw()
        self.began_s = self.now_s()
        planner = self._make_planner(self._terms.span.seconds)
        forecast = planner.forecast(self.began_s)
        if self._terms.has_rounds:
            first_s = first_round_s(forecast.left_s, forecast.floor_s) / planner.n_sharing
            planner = self._make_planner(self.began_s + first_s + exit_now_s(self._terms))
        self._planner = planner
        collected = Collected(
            worker=self._worker,
            names=names,
            properties=properties,
            floor_s=forecast.floor_s,
            left_s=forecast.left_s,
            n_unknown=forecast.n_unknown,
            notes=self._notes(),
            cpu_s=own_cpu_s(),
        )
        if self._ledger is not None:
            self._ledger.append(collected)
        self.tell(collected)

    def hand_over(self) -> list[int]:
        """Return the places of the properties, and leave the tests alone from now on."""
        self._index = {}
        self.hear()
        return [i for i, test in enumerate(self._tests) if test.is_property and self._flaw is None]

    def now_s(self) -> float:
        """Return the seconds that are spent, by the clock of the budget."""
        return self._time.now_s()

    def wall_s(self) -> float:
        """Return the wall seconds since the run began."""
        return self._time.wall_s()

    def clock(self) -> float:
        """Return a reading of the clock by which this process ends its tests."""
        return self._time.clock()

    def tell_others(self, event: Event) -> None:
        """Tell the account, and the other workers, what happened."""
        self._note(event)
        if self._ledger is not None:
            self._ledger.append(event)

    def hear(self) -> list[Event]:
        """Take in what the other workers have told since, and return it."""
        if self._ledger is None:
            return []
        assert self._planner is not None
        news = [event for event in self._ledger.news() if event.worker != self._worker]
        self._time.hear(news)
        for event in news:
            self._planner.note(event)
            if isinstance(event, Ended):
                self.ended[event.test] = event
        return news

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Follow a test from its first fixture to its last."""
        index = self._index.get(id(item))
        if index is None or self._planner is None:
            return (yield)
        self._current = current = Current(index, Reading.take())
        if not self._tests[index].is_property:
            self._begin(current, self._tests[index].fixed_s or 0.0)
        try:
            return (yield)
        finally:
            self._current = None
            self._publish(self._end(current))

    # Innermost: for a parametrised test Hypothesis's own plugin makes a plain copy of the settings.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Hold a property to its share."""
        current = self._current
        if current is None or "hypothesis" not in sys.modules:
            return (yield)
        if not self._tests[current.index].is_property:
            return (yield from self._watch(current))
        subject = self._limit(item, current)
        try:
            return (yield)
        finally:
            if current.limit is not None:
                current.limit.end()
            if subject is not None:
                subject.restore()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note that the test failed, as it was expected to or not, or was skipped, in whatever step."""
        if self._current is None:
            return
        is_expected = report.skipped and hasattr(report, "wasxfail")
        self._current.has_failed |= report.failed or (is_expected and report.when == "call")
        self._current.is_skipped |= report.skipped and not is_expected

    def _limit(self, item: pytest.Item, current: Current) -> Subject | None:
        from atom_testinfra.pytest_plugin.steering.limits import Limit, LimitedSettings
        from atom_testinfra.pytest_plugin.steering.subject import find_subject

        assert self._planner is not None
        current.begin_call()
        self.hear()
        self._planner.expect_exit(exit_now_s(self._terms))
        cap_s = timeout_cap(item)
        share = self._planner.plan(current.index, self._time.now_s(), limit_s=cap_s)
        subject = find_subject(item)
        own = None if subject is None else subject.settings
        if subject is None or own is None or self._flaw is not None:
            current.reason = self._flaw or NO_SETTINGS
            self._begin(current, 0.0)
            return None
        current.share = share
        current.is_capped = share.predicted_s >= cap_s
        self._begin(current, share.predicted_s)
        current.limit = Limit(share, own.max_examples, self._time.clock, cap_s)
        subject.install(LimitedSettings.of(own, current.limit), None)
        return subject

    def _watch(self, current: Current) -> Generator[None, object, object]:
        """Notice what a test without examples runs of Hypothesis, which nothing limits."""
        from hypothesis.statistics import collector

        previous: Any = collector.value

        def note(statistics: Any) -> None:
            current.reason = HELPER
            if previous is not None:
                previous(statistics)

        listener: Any = note
        with collector.with_value(listener):
            return (yield)

    def _begin(self, current: Current, planned_s: float) -> None:
        self._publish(
            Began(
                test=current.index,
                worker=self._worker,
                at_s=self._time.now_s(),
                planned_s=planned_s,
                cpu_s=own_cpu_s(),
            )
        )

    def _end(self, current: Current) -> Ended:
        taken = Reading.take().since(current.began)
        ending = Ending.PLAIN
        if self._tests[current.index].is_property:
            ending = Ending.FAILED if current.has_failed else Ending.FIXED
            ending = Ending.SKIPPED if current.is_skipped else ending
        end = Ended(
            test=current.index,
            worker=self._worker,
            at_s=self._time.now_s(),
            ending=ending,
            wall_s=taken.wall_s,
            process_s=taken.cpu_s,
            cpu_s=own_cpu_s(),
            queued_s=taken.queued_s,
            reason=current.reason,
        )
        if current.limit is None or current.share is None or ending is Ending.SKIPPED:
            return end
        return _with_examples(end, current, current.limit, current.share)

    def _publish(self, event: Event) -> None:
        assert self._planner is not None
        self._planner.note(event)
        if isinstance(event, Ended):
            self.ended[event.test] = event
        self.tell_others(event)

    def _make_planner(self, asked_s: float) -> Planner:
        return Planner(
            self._tests,
            asked_s=asked_s,
            exit_s=exit_now_s(self._terms),
            clock=self._terms.span.clock,
            n_workers=self._terms.n_workers,
            worker=self._worker,
            guess=speed_guess() if self._terms.span.clock == "wall" else 1.0,
        )

    def _notes(self) -> list[str]:
        if self._flaw is not None:
            return [f"{self._flaw}: properties keep their own numbers"]
        return []


def _with_examples(end: Ended, current: Current, limit: Limit, share: Share) -> Ended:
    from msgspec.structs import replace

    result = limit.result()
    (first_wall, first_cpu), (last_wall, last_cpu) = limit.first, limit.last
    if current.has_failed or result.has_failed:
        ending = Ending.FAILED
    elif limit.is_over:
        ending = Ending.CLOCK if share.grows or result.n_valid >= share.n_examples else Ending.CUT
    else:
        by_reason = {"max_examples": Ending.COUNT, "finished": Ending.EXHAUSTED, None: Ending.FIXED}
        ending = by_reason.get(result.reason, Ending.GAVE_UP)
    return replace(
        end,
        ending=ending,
        n_examples=result.n_valid,
        n_planned=share.n_examples,
        share_s=share.predicted_s,
        is_capped=current.is_capped,
        n_running=max(limit.n_running, 0),
        running_wall_s=last_wall - first_wall,
        running_cpu_s=max(last_cpu - first_cpu, 0.0),
        running_queued_s=limit.queued_s,
    )


def timeout_cap(item: pytest.Item) -> float:
    """Return the seconds that a property may get, so that pytest-timeout does not end it."""
    return _timeout_of(item) * OF_TIMEOUT


def _timeout_of(item: pytest.Item) -> float:
    """Return the seconds after which pytest-timeout ends a test, as far as it is told."""
    marker = item.get_closest_marker("timeout")
    asked: object = None
    if marker is not None:
        asked = marker.args[0] if marker.args else marker.kwargs.get("timeout")
    if asked is None:
        asked = getattr(item.config.option, "timeout", None)
    if asked is None and item.config.pluginmanager.has_plugin("timeout"):
        asked = os.environ.get("PYTEST_TIMEOUT") or item.config.getini("timeout")
    try:
        seconds = float(str(asked))
    except ValueError:
        return inf
    return seconds if seconds > 0 else inf
