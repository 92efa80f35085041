"""Measures each test in the process that runs it, and puts the record on its teardown report."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.core.measurement import Cost, Kind, Measurement, Outcome, RunPlan, seconds
from atom_testinfra.machine.clocks import CLOCKS
from atom_testinfra.storage.runs import encode

if TYPE_CHECKING:
    from collections.abc import Generator

    from atom_testinfra.pytest_plugin.properties import Laboratory, PropertyProbe

ATTRIBUTE = "testinfra_record"
"""On the teardown report: the record's line. Plain text passes through xdist and other plugins unharmed."""

OUTCOME = "testinfra_outcome"

REASON_LENGTH = 300


class RunningTest:
    """What is known so far about the test that runs."""

    def __init__(self) -> None:
        self.costs: dict[str, Cost] = {}
        self.outcome = Outcome.PASSED
        self.reason: str | None = None
        self.probe: PropertyProbe | None = None


class Recorder:
    """The outer hooks: times set-up, call and teardown, and follows the outcome."""

    def __init__(self, plan: RunPlan, config: pytest.Config) -> None:
        self._plan = plan
        self._config = config
        workerinput: dict[str, Any] = getattr(config, "workerinput", {})
        self._worker: str | None = workerinput.get("workerid")
        self._running = RunningTest()
        self._laboratory: Laboratory | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, object, object]:  # noqa: ARG002
        """Time the set-up."""
        self._running = running = RunningTest()
        wall, cpu = CLOCKS.wall(), CLOCKS.process_cpu()
        try:
            return (yield)
        finally:
            running.costs["setup"] = _cost_since(wall, cpu)
            if self._laboratory is None and "hypothesis" in sys.modules:
                self._open_laboratory()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Time the call, and let Hypothesis be watched where it is at work."""
        running = self._running
        if self._laboratory is not None:
            running.probe = self._laboratory.probe(item)
            running.probe.start()
        wall, cpu = CLOCKS.wall(), CLOCKS.process_cpu()
        try:
            return (yield)
        finally:
            running.costs["call"] = _cost_since(wall, cpu)
            if running.probe is not None:
                running.probe.stop()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, object, object]:  # noqa: ARG002
        """Time the teardown."""
        wall, cpu = CLOCKS.wall(), CLOCKS.process_cpu()
        try:
            return (yield)
        finally:
            self._running.costs["teardown"] = _cost_since(wall, cpu)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Take the outcome of each step; the record goes with the last one."""
        report = yield
        running = self._running
        if not (report.when == "teardown" and report.outcome == "passed"):
            _follow(running, report, call)
        if report.when == "teardown":
            setattr(report, ATTRIBUTE, encode(self._measurement(item, running)))
            setattr(report, OUTCOME, running.outcome.value)
        return report

    def _open_laboratory(self) -> None:
        """Import what needs Hypothesis, before a call: a hook that has begun takes no new listeners."""
        from atom_testinfra.pytest_plugin.properties import Laboratory

        self._laboratory = Laboratory(self._plan, self._config.rootpath)
        self._config.pluginmanager.register(self._laboratory, "atom_testinfra_laboratory")

    def _measurement(self, item: pytest.Item, running: RunningTest) -> Measurement:
        probe = running.probe
        path, line, _ = item.location
        found = probe.result(running.outcome) if probe is not None else None
        return Measurement(
            nodeid=item.nodeid,
            kind=Kind.PLAIN if found is None else found.kind,
            outcome=running.outcome,
            reason=running.reason,
            setup=running.costs.get("setup", Cost()),
            call=running.costs.get("call", Cost()),
            teardown=running.costs.get("teardown", Cost()),
            hypothesis=None if found is None else found.property,
            calibration_s=None if found is None else found.calibration_s,
            worker=self._worker,
            path=path,
            line=None if line is None else line + 1,
            problems=[] if found is None else found.problems,
        )


def _cost_since(wall: float, cpu: float) -> Cost:
    return Cost(wall_s=seconds(CLOCKS.wall() - wall), cpu_s=seconds(CLOCKS.process_cpu() - cpu))


def _follow(running: RunningTest, report: pytest.TestReport, call: pytest.CallInfo[None]) -> None:
    if report.outcome == "failed":
        if running.outcome is not Outcome.FAILED:
            running.outcome = Outcome.FAILED if report.when == "call" else Outcome.ERROR
            running.reason = _first_line(call, report)
    elif hasattr(report, "wasxfail"):
        running.outcome = Outcome.XFAILED if report.outcome == "skipped" else Outcome.XPASSED
        running.reason = _cut(report.wasxfail)
    elif report.outcome == "skipped":
        running.outcome = Outcome.SKIPPED
        running.reason = _skip_reason(report)


def _first_line(call: pytest.CallInfo[None], report: pytest.TestReport) -> str:
    if call.excinfo is None:
        return _cut(str(report.longrepr))
    return _cut(call.excinfo.exconly())


def _skip_reason(report: pytest.TestReport) -> str:
    longrepr = report.longrepr
    text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
    return _cut(text.removeprefix("Skipped: "))


def _cut(text: str) -> str:
    line = text.strip().partition("\n")[0].strip()
    return line if len(line) <= REASON_LENGTH else line[: REASON_LENGTH - 1] + "…"
