"""Watches Hypothesis while a test runs; imported only where Hypothesis is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import Phase, core
from hypothesis import settings as Settings  # noqa: N812 (it is a class, whatever its name looks like)
from hypothesis.statistics import collector
from msgspec import Struct

from atom_testinfra.core.measurement import Kind, Outcome, Property, RunPlan, SeedScheme, seconds
from atom_testinfra.machine.calibration import Calibrator
from atom_testinfra.machine.clocks import CLOCKS
from atom_testinfra.pytest_plugin.costs import EngineRun, merge_phases, summarise
from atom_testinfra.pytest_plugin.sources import Sources
from atom_testinfra.pytest_plugin.steering import Course, plan_course, seed_of
from atom_testinfra.pytest_plugin.subject import BodyTimes, Subject, find_subject

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

HELPER_PROBLEM = "its properties run inside a plain test: measured, but not to be steered"


class Finding(Struct, frozen=True, kw_only=True):
    """What a probe found out."""

    kind: Kind
    property: Property | None
    calibration_s: float | None
    problems: list[str]


class Laboratory:
    """What all probes of a process share, and the inner hook in which they listen."""

    def __init__(self, plan: RunPlan, root: Path) -> None:
        self.plan = plan
        self.root = root
        self.sources = Sources()
        self.calibrator = Calibrator()
        self._current: PropertyProbe | None = None

    def probe(self, item: pytest.Item) -> PropertyProbe:
        """Return a probe for the item, which is the one that is listened to from now on."""
        self._current = PropertyProbe(self, item)
        return self._current

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self) -> Generator[None, object, object]:
        """Listen to the engine from the innermost wrapper, for Hypothesis's plugin sets its collector too."""
        probe = self._current
        if probe is None:
            return (yield)
        listener: Any = probe.listener(collector.value)  # the variable is typed by its first value, None
        with collector.with_value(listener):
            return (yield)


class PropertyProbe:
    """Follows one item from before its call to its record."""

    def __init__(self, laboratory: Laboratory, item: pytest.Item) -> None:
        self._laboratory = laboratory
        self._item = item
        self._runs: list[EngineRun] = []
        self._times = BodyTimes(CLOCKS.thread_cpu)
        self._subject: Subject | None = None
        self._course: Course | None = None
        self._calibration_s: float | None = None
        self._helper_seed: int | None = None

    def start(self) -> None:
        """Steer the property, and time its body."""
        laboratory = self._laboratory
        self._subject = subject = find_subject(self._item)
        if subject is None:
            self._force_seed()
            return
        laboratory.calibrator.start()
        self._course = course = plan_course(
            subject, self._item.nodeid, laboratory.plan.header, laboratory.sources, laboratory.root
        )
        subject.install(course.settings, course.seed)
        subject.time(self._times)

    def _force_seed(self) -> None:
        """
        Fix the seed of whatever properties a plain test runs inside.

        It is what `--hypothesis-seed` does, and it keeps them from the example database too.
        """
        if core.global_force_seed is None:
            self._helper_seed = seed_of(self._item.nodeid, self._laboratory.plan.header.seed_set)
            core.global_force_seed = self._helper_seed  # type: ignore[assignment]

    def listener(self, previous: Callable[[Any], object] | None) -> Callable[[Any], None]:
        """Return a collector that notes an engine run and passes it on to the collector before it."""

        def note(statistics: Any) -> None:
            self._runs.append(EngineRun(statistics))
            if previous is not None:
                previous(statistics)

        return note

    def stop(self) -> None:
        """Leave everything as it was found."""
        if self._helper_seed is not None:
            core.global_force_seed = None
        if self._subject is not None:
            self._subject.restore()
            self._calibration_s = self._laboratory.calibrator.stamp()

    def result(self, outcome: Outcome) -> Finding | None:
        """Return what there is to record, or `None` for a test without Hypothesis."""
        subject, course = self._subject, self._course
        if subject is not None and course is not None:
            return self._property_finding(subject, course, outcome)
        return self._helper_finding() if self._runs else None

    def _property_finding(self, subject: Subject, course: Course, outcome: Outcome) -> Finding:
        own = subject.settings
        # Nested properties report before the one around them, whose time includes theirs.
        main = self._runs[-1] if self._runs else None
        explicit_s, n_explicit, body = self._split_body(subject, main)
        keep = self._laboratory.plan.keep_values
        valid = main.valid if main is not None else []
        record = Property(
            requested=course.requested,
            configured=course.configured,
            effective=main.effective if main is not None else None,
            stopped_because=main.stopped_because if main is not None else None,
            phases=main.phases if main is not None else {},
            n_engine_runs=len(self._runs),
            n_explicit=n_explicit,
            explicit_s=seconds(explicit_s),
            run=summarise([case["runtime"] for case in valid], keep=keep),
            draw=summarise([case["drawtime"] for case in valid], keep=keep),
            gc=summarise([case["gctime"] for case in valid], keep=keep),
            body_cpu=summarise(body, keep=keep),
            n_steps=self._times.n_steps if subject.kind is Kind.STATEFUL else None,
            is_exhausted=main is not None and main.is_exhausted,
            is_flaky=main is not None and main.is_flaky,
            pin=course.pin,
            seed=course.seed_text,
            seed_scheme=course.seed_scheme,
            hypothesis_profile=Settings.get_current_profile_name(),
            deadline_ms=None if own.deadline is None else own.deadline.total_seconds() * 1000,
            database=None if own.database is None else type(own.database).__name__,
            backend=own.backend,
            digest=self._laboratory.sources.digest(subject.body),
        )
        problems = [*course.problems, *_mismatch(record, outcome)]
        return Finding(
            kind=subject.kind, property=record, calibration_s=self._calibration_s, problems=problems
        )

    def _split_body(self, subject: Subject, main: EngineRun | None) -> tuple[float, int, list[float]]:
        """Return the cost and number of the explicit examples, and the body's CPU time by valid test case."""
        times = self._times
        n_explicit = subject.n_explicit if Phase.explicit in subject.settings.phases else 0
        explicit, generated = times.cpu_s[:n_explicit], times.cpu_s[n_explicit:]
        returned = times.returned[n_explicit:]
        is_machine = subject.kind is Kind.STATEFUL
        if is_machine and main is not None and len(generated) == len(main.statuses):
            # One machine for each test case: its status says better than its rules whether it was valid.
            returned = [status == "valid" for status in main.statuses]
        body = [cpu for cpu, was_valid in zip(generated, returned, strict=True) if was_valid]
        return sum(explicit), len(explicit), body

    def _helper_finding(self) -> Finding:
        last = self._runs[-1]
        only = last if len(self._runs) == 1 else None
        record = Property(
            requested=self._laboratory.plan.header.max_examples,
            configured=None,
            effective=only.effective if only else None,
            stopped_because=only.stopped_because if only else None,
            phases=merge_phases(self._runs),
            n_engine_runs=len(self._runs),
            is_exhausted=bool(only and only.is_exhausted),
            is_flaky=any(run.is_flaky for run in self._runs),
            seed=None if self._helper_seed is None else str(self._helper_seed),
            seed_scheme=SeedScheme.RANDOM if self._helper_seed is None else SeedScheme.NODEID,
            hypothesis_profile=Settings.get_current_profile_name(),
        )
        return Finding(
            kind=Kind.HELPER,
            property=record,
            calibration_s=self._laboratory.calibrator.stamp(),
            problems=[HELPER_PROBLEM],
        )


def _mismatch(record: Property, outcome: Outcome) -> list[str]:
    if record.effective is not None and record.effective != record.configured:
        return [f"max_examples={record.configured} was set, but Hypothesis stopped at {record.effective}"]
    if record.n_engine_runs == 0 and outcome is Outcome.PASSED and record.n_explicit == 0:
        return ["Hypothesis reported no run of its engine: the test runs in another thread, or not at all"]
    return []
