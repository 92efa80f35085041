"""`--testinfra-rounds`: after the first round, the properties once more and once more, with fresh seeds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.runner import runtestprotocol

from atom_testinfra.core.budgets.events import Ended, Ending, RoundBegan, RoundEnded, Stopped
from atom_testinfra.core.budgets.planner import Share
from atom_testinfra.core.budgets.rounds import Discoveries, next_round_s, weights_of
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.timebox.line_watch import LineWatch
from atom_testinfra.pytest_plugin.timebox.runner import timeout_cap
from atom_testinfra.pytest_plugin.timebox.terms import exit_now_s, own_cpu_s

if TYPE_CHECKING:
    from collections.abc import Generator

    from atom_testinfra.core.budgets.events import Event
    from atom_testinfra.pytest_plugin.steering.limits import Limit
    from atom_testinfra.pytest_plugin.steering.subject import Subject
    from atom_testinfra.pytest_plugin.timebox.runner import TimeBoxRunner
    from atom_testinfra.pytest_plugin.timebox.terms import Terms

FIRST_WATCHED = 2, 3
WATCHED_EACH = 4
"""Watching makes the project's code some two times slower, so only some rounds are watched."""
OF_SHARE = 0.7
"""Of the examples that fit into a share, how many are planned: Hypothesis may grow beyond, and is not cut."""
LEAST_PLANNED = 10
AGAIN = {Ending.COUNT, Ending.CLOCK, Ending.CUT, Ending.GAVE_UP}
"""How a property ends that has more to try."""


@dataclass(slots=True)
class Known:
    """What is known of a property from its rounds so far."""

    fixed_s: float = 0.0
    """What surrounds its examples, by the clock of the budget."""
    example_s: float = 0.0
    discoveries: Discoveries = field(default_factory=Discoveries)


@dataclass(slots=True)
class Running:
    """The property that runs."""

    share_s: float
    planned: int
    limit: Limit | None = None
    is_kept: bool = True
    reports: list[pytest.TestReport] = field(default_factory=list)
    called_s: float = 0.0
    """When its call began."""


class RoundsRunner(HooksOnly):
    """Runs the rounds after the first, in each process that runs tests; each has seeds of its own."""

    def __init__(self, terms: Terms, first: TimeBoxRunner, *, root: str, worker: str) -> None:
        self._terms = terms
        self._first = first
        self._worker = worker
        self._watch = LineWatch(root)
        self._known: dict[int, Known] = {}
        self._open: dict[int, None] = {}
        self._failed: set[int] = set()
        self._running: Running | None = None
        self._is_stopped = False

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Run the rounds that the time allows, after all tests have run once."""
        result = yield
        properties = self._first.hand_over()
        self._open = dict.fromkeys(i for i in properties if self._has_more(i))
        self._known = {i: self._learn_first(i) for i in properties}
        if self._open and not _is_to_end(session):
            last = self._run_rounds(session)
            if last is not None:
                self._tear_down(last)
        if session.shouldfail:
            raise session.Failed(session.shouldfail)
        return result

    # Before the one that reports every run, and those that run a test again.
    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a property without a word; only what fails is reported."""
        if self._running is None:
            return None
        self._running.reports = runtestprotocol(item, log=False, nextitem=nextitem)
        return True

    # Innermost: for a parametrised test Hypothesis's own plugin makes a plain copy of the settings.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Hold a property to its share of the round."""
        if self._running is None:
            return (yield)
        subject = self._limit(item, self._running)
        try:
            return (yield)
        finally:
            if subject is not None:
                subject.restore()

    def _run_rounds(self, session: pytest.Session) -> pytest.Item | None:
        """Run rounds until the time is over; return the last item that ran."""
        first_s = self._first.now_s()
        number, usual_s, last = 1, max(first_s - self._first.began_s, 0.0), None
        while self._open and not self._is_over(session):
            fixed_s = sum(self._known[i].fixed_s for i in self._open)
            round_s = next_round_s(self._left_s(), usual_s, fixed_s)
            if round_s is None:
                break
            number += 1
            last = self._run_round(session, number, round_s) or last
        return last

    def _run_round(self, session: pytest.Session, number: int, round_s: float) -> pytest.Item | None:
        order = self._order()
        weights = weights_of([self._known[i].discoveries.rate for i in order])
        is_watched = number in FIRST_WATCHED or number % WATCHED_EACH == FIRST_WATCHED[-1]
        ends_at_s = self._first.now_s() + round_s * self._n_sharing
        last = None
        for place, index in enumerate(order):
            if self._is_over(session):
                break
            part = weights[place] / sum(weights[place:])
            share_s = max(ends_at_s - self._first.now_s(), 0.0) / self._n_sharing * part
            last = session.items[index]
            following = session.items[order[(place + 1) % len(order)]]
            is_last = place == len(order) - 1
            self._run_one(last, following, index, number, share_s, is_watched=is_watched, is_last=is_last)
        return last

    def _run_one(
        self,
        item: pytest.Item,
        following: pytest.Item,
        index: int,
        number: int,
        share_s: float,
        *,
        is_watched: bool,
        is_last: bool,
    ) -> None:
        known = self._known[index]
        room_s = min(max(share_s - known.fixed_s, 0.0), timeout_cap(item))
        fitting = OF_SHARE * room_s / known.example_s if known.example_s else 0
        self._running = running = Running(share_s=room_s, planned=max(int(fitting), LEAST_PLANNED))
        self._publish(RoundBegan(test=index, worker=self._worker, round=number, cpu_s=own_cpu_s()))
        is_watched = is_watched and self._watch.start()
        wall_s, cpu_s, began_s = Clocks.wall(), own_cpu_s(), self._first.clock()
        try:
            # One property alone is set up anew each time, as if there were a test between.
            item.config.hook.pytest_runtest_protocol(
                item=item, nextitem=None if following is item else following
            )
        finally:
            seen = self._watch.stop() if is_watched else None
            self._running = None
        spent_s = self._first.clock() - began_s
        failed = [report for report in running.reports if report.failed]
        n_valid, reason = 0, None
        if running.limit is not None:
            result = running.limit.result()
            n_valid, reason = result.n_valid, result.reason
        if n_valid and not failed:
            known.example_s = max(spent_s - known.fixed_s, 0.0) / n_valid
        is_exhausted = reason == "finished" or not n_valid
        if failed or is_exhausted:
            self._open.pop(index, None)
        self._publish(
            RoundEnded(
                test=index,
                worker=self._worker,
                round=number,
                ended_wall_s=self._first.wall_s(),
                n_examples=n_valid,
                wall_s=Clocks.wall() - wall_s,
                process_s=own_cpu_s() - cpu_s,
                cpu_s=own_cpu_s(),
                n_new=None if seen is None else known.discoveries.note(seen, spent_s),
                is_exhausted=is_exhausted,
                is_kept=running.is_kept,
                is_last=is_last,
                reports=[_to_data(report, item.config, number) for report in failed],
            )
        )
        if failed:
            self._failed.add(index)
        if not self._worker:
            for report in failed:
                item.ihook.pytest_runtest_logreport(report=report)

    def _limit(self, item: pytest.Item, running: Running) -> Subject | None:
        from atom_testinfra.pytest_plugin.steering.limits import Limit, LimitedSettings
        from atom_testinfra.pytest_plugin.steering.subject import find_subject

        subject = find_subject(item)
        own = None if subject is None else subject.settings
        if subject is None or own is None:
            return None
        share = Share.growing(running.planned, running.share_s)
        running.limit = Limit(share, own.max_examples, self._first.clock, timeout_cap(item))
        fresh = _without_fixed_seed(own)
        running.is_kept = fresh.database is not None
        subject.install(LimitedSettings.of(fresh, running.limit), None)
        subject.forget_seed()
        return subject

    @property
    def _n_sharing(self) -> int:
        """The processes that spend one time together: CPU seconds add up, and wall seconds pass for all."""
        return self._terms.n_workers if self._terms.span.clock == "cpu" else 1

    def _left_s(self) -> float:
        return (self._terms.span.seconds - exit_now_s(self._terms) - self._first.now_s()) / self._n_sharing

    def _is_over(self, session: pytest.Session) -> bool:
        self._take_in(self._first.hear())
        most = session.config.getvalue("maxfail")
        has_enough = most and len(self._failed) >= most
        return bool(self._is_stopped or has_enough or _is_to_end(session) or self._left_s() <= 0.0)

    def _take_in(self, events: list[Event]) -> None:
        for event in events:
            self._is_stopped = self._is_stopped or isinstance(event, Stopped)
            if isinstance(event, RoundEnded) and event.reports:
                self._note_failed(event.test)
            if isinstance(event, Ended) and event.ending is Ending.FAILED:
                self._note_failed(event.test)

    def _note_failed(self, index: int) -> None:
        self._failed.add(index)
        self._open.pop(index, None)

    def _order(self) -> list[int]:
        """Return the properties in their order; each worker begins elsewhere, so that ends differ."""
        order = list(self._open)
        number = int(self._worker.lstrip("gw") or 0) if self._worker.lstrip("gw").isdigit() else 0
        begin = number * len(order) // max(self._terms.n_workers, 1) % len(order)
        return order[begin:] + order[:begin]

    def _has_more(self, index: int) -> bool:
        ended = self._first.ended.get(index)
        return ended is None or ended.ending in AGAIN

    def _learn_first(self, index: int) -> Known:
        ended = self._first.ended.get(index)
        if ended is None:
            return Known()
        clock = self._terms.span.clock
        example_s = ended.example_by(clock)
        return Known(fixed_s=ended.fixed_by(clock), example_s=example_s)

    def _publish(self, event: Event) -> None:
        self._first.tell_others(event)

    def _tear_down(self, item: pytest.Item) -> None:
        """Tear down what the last item left for a next one that does not come."""
        state: Any = item.session._setupstate
        call = pytest.CallInfo.from_call(lambda: state.teardown_exact(None), when="teardown")
        report = item.ihook.pytest_runtest_makereport(item=item, call=call)
        if report.failed and not self._worker:
            item.ihook.pytest_runtest_logreport(report=report)


def _is_to_end(session: pytest.Session) -> bool:
    return bool(session.shouldfail or session.shouldstop)


def _without_fixed_seed(own: Any) -> Any:
    """Return the settings with other examples in each run, whose failures are kept."""
    if not own.derandomize:
        return own
    from hypothesis import settings
    from hypothesis.configuration import storage_directory
    from hypothesis.database import DirectoryBasedExampleDatabase

    kept = settings.default.database if settings.default is not None else None
    folder: Any = storage_directory("examples")  # what it is differs from version to version
    database = kept or DirectoryBasedExampleDatabase(folder)
    return settings(own, derandomize=False, database=database)


def _to_data(report: pytest.TestReport, config: pytest.Config, number: int) -> dict[str, Any]:
    report.sections.append(("testinfra", f"found in round {number}, with a fresh seed"))
    data: dict[str, Any] = config.hook.pytest_report_to_serializable(config=config, report=report)
    return data
