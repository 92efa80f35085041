"""Watches Hypothesis while a test runs; imported only where Hypothesis is."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from functools import cached_property
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, core
from hypothesis.errors import HypothesisException

from atom_testinfra.machine.calibration import Calibrator
from atom_testinfra.machine.children import children_cpu_ns
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.costs import EngineRun, merge_phases, seconds, summarise
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.internals import Internals, current_profile
from atom_testinfra.pytest_plugin.recording.engine_clock import EngineClock
from atom_testinfra.pytest_plugin.recording.referrers import Referrers
from atom_testinfra.pytest_plugin.recording.warm_up import build_tables
from atom_testinfra.pytest_plugin.recording.watch import Watch
from atom_testinfra.pytest_plugin.recording.wide_fixtures import WideFixtures
from atom_testinfra.pytest_plugin.steering.pins import Pins
from atom_testinfra.pytest_plugin.steering.requests import RunSettings, plan_run, seed_of
from atom_testinfra.pytest_plugin.steering.shared_random import SharedRandom
from atom_testinfra.pytest_plugin.steering.sources import Sources
from atom_testinfra.pytest_plugin.steering.subject import BodyTimes, Subject, find_subject, peek_kind
from atom_testinfra.storage.run_writer import escape

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence
    from contextlib import AbstractContextManager

    from atom_testinfra.machine.heap import Heap
    from atom_testinfra.pytest_plugin.costs import Record
    from atom_testinfra.pytest_plugin.explaining.fixtures import FixtureWatch
    from atom_testinfra.pytest_plugin.explaining.notes import Explainer
    from atom_testinfra.pytest_plugin.naming import Naming
    from atom_testinfra.pytest_plugin.plan import Plan

HELPER_PROBLEM = "its properties run inside a plain test, where nothing sets their number of examples"
ELSEWHERE_PROBLEM = "it ran in another process: what Hypothesis did there was not seen, nor any CPU time"
DEADLINE = "DeadlineExceeded"
PRINTING = frozenset({"verbose", "debug"})
"""Verbosities at which Hypothesis prints each test case."""
UNSEEN_PROBLEM = "Hypothesis reported no run of its engine: the test runs in another thread, or not at all"


class HypothesisRecorder(HooksOnly):
    """Holds what the item recorders of a process share, and times the steps of each test in its hooks."""

    def __init__(
        self, plan: Plan, config: pytest.Config, naming: Naming, items: Sequence[pytest.Item], heap: Heap
    ) -> None:
        self.plan = plan
        self.root = naming.root
        self.name = naming
        self._items = items
        self.sources = Sources()
        self.pins = Pins(self.sources)
        self.calibrator = Calibrator()
        self.engine_clock = EngineClock()
        self.engine_clock.hold()
        is_worker = hasattr(config, "workerinput")
        self.watch = Watch(naming, is_worker=is_worker, is_explained=plan.is_explained)
        self.internals = Internals()
        self.internals.report_clocks(self.engine_clock.missing)
        self.shared_random = SharedRandom()
        self.steps: dict[str, tuple[int, int, str]] = {}
        """Wall and CPU nanoseconds of what this process ran of the test, and further figures as JSON."""
        self._item: pytest.Item | None = None
        self._recorder: ItemRecorder | None = None
        self._began = (0, 0, 0)
        self._fixtures = WideFixtures(naming)
        config.pluginmanager.register(self._fixtures, "atom_testinfra_fixtures")
        self._heap = heap
        self._raise_unraisable = _find_unraisable(config)
        self._referrers = Referrers(heap)
        self.fixtures: FixtureWatch | None = None
        """Only in a run that explains."""
        if plan.is_explained:
            from atom_testinfra.pytest_plugin.explaining.fixtures import FixtureWatch

            self.fixtures = FixtureWatch()
            config.pluginmanager.register(self.fixtures, "atom_testinfra_explained_fixtures")
        if any(peek_kind(item) is not None for item in items):
            build_tables()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:
        """Turn to the next test, and follow what its fixtures run of Hypothesis."""
        if peek_kind(item) is None:
            self._heap.restore()
        else:
            self._heap.set_aside()
        self._item, self.steps = item, {}
        recorder = self._recorder = ItemRecorder(self, item)
        self._began = _now()
        recorder.seed_helpers()
        with recorder.listening():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Steer what is to be steered, time the call, and put everything back."""
        recorder = self._recorder
        assert recorder is not None
        self.engine_clock.hold()
        recorder.start()
        thread_cpu = Clocks.thread_cpu
        began, began_thread_s = _now(), thread_cpu()
        try:
            return (yield)
        finally:
            thread_s = thread_cpu() - began_thread_s
            self.steps["call"] = self._since(began, thread_s if recorder.is_property else None)
            recorder.stop()

    # A second function for the same hook, innermost: Hypothesis's plugin sets its collector too.
    @pytest.hookimpl(specname="pytest_runtest_call", wrapper=True, trylast=True)
    def pytest_testinfra_listen(self) -> Generator[None, object, object]:
        """Set a collector that passes on what it hears to the one it replaces."""
        recorder = self._recorder
        if recorder is None:
            return (yield)
        with recorder.listening(), recorder.observing():
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        """Time the teardown, and collect what the test has left, which is nobody's work but its own."""
        __tracebackhide__ = True
        is_collected = self._heap.is_aside and nextitem is not None and peek_kind(nextitem) is not None
        self._began = _now()
        try:
            result = yield
        finally:
            self.steps["teardown"] = self._since(self._began)
            self.watch.leave(item.nodeid)
            if is_collected:
                self._heap.collect()
        if is_collected:
            self._raise_unraisable(item.config)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, call: pytest.CallInfo[None]) -> None:
        """Stop the clocks before anyone makes a report of the step."""
        if call.when == "setup":
            self.steps[call.when] = self._since(self._began, is_setup=True)
        elif call.when == "call" and call.excinfo is not None and self._recorder is not None:
            self._recorder.fail(call.excinfo.value)

    def pytest_unconfigure(self) -> None:
        """Leave the process as it was found."""
        self.shared_random.restore()
        self.engine_clock.restore()
        self._referrers.restore()
        self._heap.restore()

    def take(self, nodeid: str, outcome: str) -> tuple[str | None, Record]:
        """Return the kind of the test that ended, `None` without Hypothesis, and further keys."""
        kind, figures = self._take(nodeid, outcome)
        if fixtures := self._fixtures.take_records():
            figures["fixtures"] = fixtures
        return kind, figures

    def _since(
        self, began: tuple[int, int, int], thread_s: float | None = None, *, is_setup: bool = False
    ) -> tuple[int, int, str]:
        """Return what passed since a step began; what is 0 for most tests stands in few records."""
        wall, cpu, children = began
        wall, cpu = Clocks.wall_ns() - wall, max(Clocks.process_cpu_ns() - cpu, 0)
        further = "" if thread_s is None else f',"thread_cpu_s":{seconds(thread_s)}'
        if children := children_cpu_ns() - children:
            further += f',"children_cpu_s":{children}e-9'
        wide_cpu, wide_wall, own_wall = self._fixtures.take_step()
        if wide_cpu:
            further += f',"wide_cpu_s":{wide_cpu}e-9'
        if wide_wall:
            further += f',"wide_wall_s":{wide_wall}e-9'
        if is_setup:
            further += f',"own_wall_s":{own_wall}e-9'
        return wall, cpu, further

    def _take(self, nodeid: str, outcome: str) -> tuple[str | None, Record]:
        recorder, item = self._recorder, self._item
        self.forget()
        if item is None:
            return self._kinds.get(nodeid), {"problems": [ELSEWHERE_PROBLEM]}
        if recorder is not None and recorder.is_started:
            kind, figures = recorder.finding(outcome)
            if outcome in {"failed", "xpassed"} and (remark := recorder.remark) is not None:
                figures["remark"] = remark
            return kind, figures
        return peek_kind(item), {}  # it never got to its call: skipped, or its set-up failed

    def forget(self) -> None:
        """Know nothing of the test that ended."""
        self._recorder, self._item, self.steps = None, None, {}

    @cached_property
    def _kinds(self) -> dict[str, str | None]:
        """By node id, for tests that only have a report."""
        return {item.nodeid: peek_kind(item) for item in self._items}


def _find_unraisable(config: pytest.Config) -> Callable[[pytest.Config], None]:
    """
    Return pytest's function that raises what finalizers have raised since it was called last.

    pytest calls it at the end of each step, and so would hold what a collection between two tests finds
    against the second. Before 8.4 there is no such function, and pytest looks at nothing between two tests.
    """
    plugin = config.pluginmanager.get_plugin("unraisableexception")
    found: Callable[[pytest.Config], None] = getattr(plugin, "collect_unraisable", lambda _: None)
    return found


def _now() -> tuple[int, int, int]:
    return Clocks.wall_ns(), Clocks.process_cpu_ns(), children_cpu_ns()


class ItemRecorder:
    """Follows one item from before its call to its record."""

    def __init__(self, hypothesis: HypothesisRecorder, item: pytest.Item) -> None:
        self._hypothesis = hypothesis
        self._item = item
        self._name = escape(hypothesis.name(item.nodeid))
        self.is_started = False
        self._runs: list[EngineRun] = []
        self._problems: list[str] = []
        self._times = BodyTimes(Clocks.thread_cpu, Clocks.wall, hypothesis.watch.look_inside)
        self._subject: Subject | None = None
        self._run_settings: RunSettings | None = None
        self._calibration_s: float | None = None
        self._helper_seed: int | None = None
        self._conditions: Record = {}
        self._missed_deadline = False
        """The call ended with a word about a deadline."""
        self._is_refused = False
        """Hypothesis itself failed the test: of a run that fails a health check it reports no statistics."""
        self._explainer: Explainer | None = None

    @property
    def is_property(self) -> bool:
        """Whether Hypothesis runs the item itself."""
        return self._subject is not None

    @property
    def internals(self) -> Internals:
        """What can be reached in this version of Hypothesis."""
        return self._hypothesis.internals

    def start(self) -> None:
        """Steer the property, and time its body."""
        self.is_started = True
        hypothesis, internals = self._hypothesis, self.internals
        hypothesis.watch.begin()
        self._subject = subject = find_subject(self._item)
        if subject is None:
            return
        self._runs.clear()  # what its fixtures ran is part of its set-up
        hypothesis.calibrator.start()
        if internals.can_steer and subject.settings is not None:
            self._run_settings = run_settings = plan_run(
                subject,
                subject.settings,
                self._name,
                hypothesis.plan,
                pins=hypothesis.pins,
                root=hypothesis.root,
                can_trace=internals.can_trace,
            )
            subject.install(run_settings.settings, run_settings.seed)
        if internals.can_time:
            subject.time(self._times)

    def seed_helpers(self) -> None:
        """Fix the seeds of what fixtures and plain tests run inside, unless the command line does."""
        shared = self._hypothesis.shared_random
        forced: Any = core.global_force_seed  # typed by its first value, None
        if forced is None and self.internals.can_seed:
            self._helper_seed = seed_of(self._name, self._hypothesis.plan.seed_set)
            shared.seed(self._helper_seed)

    @contextmanager
    def listening(self) -> Generator[None]:
        """Note what Hypothesis runs, as far as this version of it can be heard."""
        if not self.internals.can_listen:
            yield
            return
        from hypothesis.statistics import collector

        listener: Any = self._listener(collector.value)  # the variable is typed by its first value, None
        with collector.with_value(listener):
            yield

    def _listener(self, previous: Callable[[Any], object] | None) -> Callable[[Any], None]:
        """Return a collector that notes an engine run and passes it on to the collector before it."""

        def note(statistics: Any) -> None:
            try:
                self._runs.append(EngineRun(statistics))
            except (KeyError, TypeError, AttributeError) as exc:
                self._problems.append(self.internals.describe_statistics(exc))
            if previous is not None:
                previous(statistics)

        return note

    def observing(self) -> AbstractContextManager[None]:
        """Let Hypothesis observe its test cases, if this run is to explain."""
        if not (self._hypothesis.plan.is_explained and self.internals.can_listen):
            return nullcontext()
        from atom_testinfra.pytest_plugin.explaining.notes import Explainer

        self._explainer = Explainer(
            root=self._hypothesis.root,
            fixtures=self._hypothesis.fixtures,
            is_property=self._subject is not None,
            is_profiled=self._hypothesis.plan.is_profiled,
        )
        return self._explainer.watching(self.internals.version)

    def stop(self) -> None:
        """Leave everything as it was found."""
        if self._subject is not None:
            self._subject.restore()
        if self._subject is not None or self._runs:
            self._conditions, notes = self._hypothesis.watch.end()
            self._problems += notes
            self._calibration_s = self._hypothesis.calibrator.stamp()

    def fail(self, exc: BaseException) -> None:
        """Take what the call raised."""
        self._is_refused = isinstance(exc, HypothesisException)
        self._missed_deadline = DEADLINE in str(exc)

    @property
    def remark(self) -> str | None:
        """Return what the tool did that may have made the test fail, if there is anything."""
        own = None if self._subject is None else self._subject.settings
        if (
            own is None
            or own.deadline is None
            or self._run_settings is None
            or self._run_settings.settings.deadline
        ):
            return None
        if not (self._missed_deadline or self._expects_deadline(own.deadline.total_seconds())):
            return None
        deadline_ms = own.deadline.total_seconds() * 1000
        return (
            f"testinfra took its deadline of {deadline_ms:g} ms out, as of every property;"
            ' it stays in a profile with `steering = "suite"`'
        )

    def _expects_deadline(self, deadline_s: float) -> bool:
        """Return whether the test is marked to fail, for its deadline or after it took longer than that."""
        is_longer = max(self._times.wall_s, default=0.0) > deadline_s
        marks = self._item.iter_markers("xfail")
        return any(is_longer or DEADLINE in repr(mark.kwargs.get("raises")) for mark in marks)

    def finding(self, outcome: str) -> tuple[str | None, Record]:
        """Return the kind and what there is to record, which is nothing for a test without Hypothesis."""
        subject = self._subject
        if subject is None and not self._runs and not self._is_refused:
            return None, {}
        kind = "helper" if subject is None else subject.kind
        record = self._helper_record() if subject is None else self._property_record(subject, outcome)
        extra: Record = {"hypothesis": record, **self._conditions}
        if self._calibration_s is not None:
            extra["calibration_s"] = seconds(self._calibration_s)
        problems = [*self._problems, *self.internals.problems]
        if self._explainer is not None:
            problems += self._explainer.problems
            extra["explanation"] = self._explainer.explanation({} if subject is None else subject.strategies)
        if problems:
            extra["problems"] = problems
        return kind, extra

    def _property_record(self, subject: Subject, outcome: str) -> Record:
        own, run_settings = subject.settings, self._run_settings
        # Nested properties report before the one around them, whose time includes theirs.
        main = self._runs[-1] if self._runs else None
        record = _engine_record(self._runs, main)
        record |= self._case_times(subject, main)
        record["hypothesis_profile"] = current_profile()
        record["digest"] = self._hypothesis.sources.digest(subject.body)
        if own is not None:
            record["backend"] = getattr(own, "backend", "hypothesis")  # before 6.100 there is no other
            record["deadline_ms"] = None if own.deadline is None else own.deadline.total_seconds() * 1000
            record["database"] = None if own.database is None else type(own.database).__name__
            verbosity = own.verbosity.name  # to compare the members takes four times as long
            if verbosity in PRINTING:
                self._conditions.setdefault("modes", []).append(f"Hypothesis's verbosity {verbosity}")
        if run_settings is not None:
            record |= run_settings.figures
            self._problems += run_settings.problems
        self._problems += _mismatch(record, outcome, is_seen=self.internals.can_listen)
        return record

    def _case_times(self, subject: Subject, main: EngineRun | None) -> Record:
        keep = self._hypothesis.plan.keep_values
        explicit, body, given_up = self._split_body(subject, main)
        times = {**({} if main is None else main.valid), "body_cpu": body}
        record: Record = {name: summarise(values, keep=keep) for name, values in times.items() if values}
        if self._times.wall_s:
            record["body_s"] = seconds(sum(self._times.wall_s[len(explicit) :]))
        if main is not None and main.n_given_up:
            record["given_up_body_s"] = seconds(sum(given_up))
        if explicit:
            record |= {"n_explicit": len(explicit), "explicit_s": seconds(sum(explicit))}
        if subject.kind == "stateful":
            record["n_steps"] = self._times.n_steps
        return record

    def _split_body(
        self, subject: Subject, main: EngineRun | None
    ) -> tuple[list[float], list[float], list[float]]:
        """Return the body's CPU time in explicit and in valid test cases, and its wall time in the others."""
        times, own = self._times, subject.settings
        n_explicit = subject.n_explicit if own is None or Phase.explicit in own.phases else 0
        explicit, generated = times.cpu_s[:n_explicit], times.cpu_s[n_explicit:]
        returned = times.returned[n_explicit:]
        is_machine = subject.kind == "stateful"
        if is_machine and main is not None and len(generated) == len(main.statuses):
            # One machine for each test case: its status says better than its rules whether it was valid.
            returned = [status == "valid" for status in main.statuses]
        walls = compress(times.wall_s[n_explicit:], map(not_, returned))
        return explicit, list(compress(generated, returned)), list(walls)

    def _helper_record(self) -> Record:
        self._problems.append(HELPER_PROBLEM)
        record = _engine_record(self._runs, self._runs[-1] if len(self._runs) == 1 else None)
        record["phases"] = merge_phases(self._runs)
        record["requested"] = self._hypothesis.plan.max_examples
        record["hypothesis_profile"] = current_profile()
        if self._helper_seed is not None:
            record |= {"seed": str(self._helper_seed), "seed_scheme": "nodeid"}
        return record


def _engine_record(runs: list[EngineRun], main: EngineRun | None) -> Record:
    return {
        "requested": None,
        "configured": None,
        "effective": main.effective if main is not None else None,
        "stopped_because": main.stopped_because if main is not None else None,
        "phases": main.phases if main is not None else {},
        "n_engine_runs": len(runs),
        "is_exhausted": main is not None and main.is_exhausted,
        "is_flaky": any(run.is_flaky for run in runs),
    }


def _mismatch(record: Record, outcome: str, *, is_seen: bool) -> list[str]:
    configured, effective = record["configured"], record["effective"]
    if None not in {configured, effective} and configured != effective:
        return [f"max_examples={configured} was set, but Hypothesis stopped at {effective}"]
    is_silent = record["n_engine_runs"] == 0 and "n_explicit" not in record
    return [UNSEEN_PROBLEM] if is_silent and is_seen and outcome == "passed" else []
