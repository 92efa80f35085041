"""Follows each test in the process that runs it, and hands its record on as a line of JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.naming import find_file
from atom_testinfra.pytest_plugin.recording.record_text import cut_reason, encode, find_counterexample, quote

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from atom_testinfra.pytest_plugin.naming import Naming
    from atom_testinfra.pytest_plugin.plan import Plan
    from atom_testinfra.pytest_plugin.recording.hypothesis_recorder import HypothesisRecorder
    from atom_testinfra.pytest_plugin.recording.journal import Journal

ATTRIBUTE = "testinfra_record"
"""On a worker's teardown report: outcome and line, for plain text passes through xdist unharmed."""

LATE_PROBLEM = "it was the first to import Hypothesis: what it ran of it was not seen"

RERUN_PROBLEM = "a plugin ran it more than once: these are the figures of its last run"

RERUN: Any = "rerun"
"""Outcome in reports of pytest-rerunfailures; flaky leaves out the report of a call that it is to repeat."""

FAILED_STEP = {"setup": "error", "call": "failed", "teardown": "error"}
"""The outcome by what failed. pytest-forked has a step of its own, `???`, for a test whose process died."""


class Recorder(HooksOnly):
    """
    Follows the outcome of a test through its reports, and what each step took.

    In a suite without Hypothesis this hook is the only one, because recording may cost at most 3 % of
    300 trivial tests: wall times are pytest's own, CPU times run from report to report, and the line is put
    together by hand as `core.vocabulary` and `core.records.measurement` describe it. As soon as Hypothesis is
    there the `HypothesisRecorder` times each step from its first hook to its last, with clocks that no test
    has patched.
    """

    def __init__(self, plan: Plan, config: pytest.Config, naming: Naming, journal: Journal | None) -> None:
        self._plan = plan
        self._config = config
        self._journal = journal
        """Where records go; `None` in a worker, whose reports carry them to another process."""
        workerinput: dict[str, Any] = getattr(config, "workerinput", {})
        worker: str | None = workerinput.get("workerid")
        self._tail = "}" if worker is None else f',"worker":{quote(worker)}}}'
        self._items: Sequence[pytest.Item] = ()
        self._collected_ns: dict[Path, int] = {}
        self._name = naming
        self._hypothesis: HypothesisRecorder | None = None
        self._cpu = Clocks.process_cpu_ns
        self._cpu_began = 0
        self._path = self._quoted_path = ""
        self._steps: dict[str, tuple[int, int, str]] = {}
        self._outcome = "passed"
        self._reason: str | None = None
        self._counterexample: str | None = None
        self._passed_over: set[str] = set()

    def pytest_collectstart(self) -> None:
        """Note the profiles that conftests and modules have registered, before the next one is imported."""
        if "hypothesis" in sys.modules:
            from atom_testinfra.pytest_plugin.profiles import note_profiles

            note_profiles()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(self, collector: pytest.Collector) -> Generator[None, object, object]:
        """Time how long importing a file and collecting its tests take, in a serial run."""
        if self._journal is None:
            return (yield)
        began = Clocks.wall_ns()
        try:
            return (yield)
        finally:
            file = find_file(collector)
            if file is not None:
                seen = self._collected_ns.get(file.path, 0)
                self._collected_ns[file.path] = seen + Clocks.wall_ns() - began

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Watch Hypothesis if collection has imported Hypothesis."""
        self._items = session.items
        self._learn_names()
        if "hypothesis" in sys.modules:
            self._watch_hypothesis()
        if self._journal is not None:
            files = {self._name.locate(path): ns / 1e9 for path, ns in self._collected_ns.items()}
            self._journal.begin(session, files)
        self._cpu_began = self._cpu()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a step's report says; the record goes with the last one."""
        when, cpu = report.when, self._cpu()
        if when == "setup":
            self._outcome, self._reason, self._steps = "passed", None, {}
            self._counterexample = None
        elif when == "call" and report.__class__ is not pytest.TestReport and hasattr(report, "context"):
            if report.outcome == "failed":  # of a subtest, in a call that goes on and may say that it passed
                self._follow(report)
            return
        if report.outcome != "passed" or (when == "call" and hasattr(report, "wasxfail")):
            self._follow(report)
        # pytest's clock may have been patched: no record may hold less than no time.
        wall = int(report.duration * 1e9) if report.duration > 0 else 0
        self._steps[when] = (wall, cpu - self._cpu_began, "")
        if when not in {"setup", "call"}:
            self._end(report)
        self._cpu_began = cpu

    def _learn_names(self) -> None:
        self._name.learn(self._items)
        if self._name.is_ambiguous:
            from atom_testinfra.pytest_plugin.naming import CurrentTest

            self._config.pluginmanager.register(CurrentTest(self._name), "atom_testinfra_current")

    def _watch_hypothesis(self) -> None:
        # Never during a call: a hook that has begun takes no new listeners.
        from atom_testinfra.machine.heap import Heap

        heap = Heap()
        heap.set_aside()  # or our imports cost a full collection of all that the suite has imported
        from atom_testinfra.pytest_plugin.recording.hypothesis_recorder import HypothesisRecorder

        self._hypothesis = HypothesisRecorder(self._plan, self._config, self._name, self._items, heap)
        self._config.pluginmanager.register(self._hypothesis, "atom_testinfra_hypothesis_recorder")

    def _end(self, report: pytest.TestReport) -> None:
        outcome = self._outcome
        if outcome == RERUN or ("call" not in self._steps and outcome in {"passed", "failed"}):
            self._pass_over(report.nodeid)  # nothing says how it ended: it is run again
        else:
            self._finish(report)
        self._outcome, self._steps = "passed", {}  # of a set-up that is repeated there may be no report
        if self._hypothesis is None and "hypothesis" in sys.modules:
            self._watch_hypothesis()

    def _pass_over(self, nodeid: str) -> None:
        """Leave this run of the test without a record: another follows, or the test is listed without one."""
        self._passed_over.add(nodeid)
        if self._hypothesis is not None:
            self._hypothesis.forget()

    def _follow(self, report: pytest.TestReport) -> None:
        if report.outcome == RERUN:
            self._outcome = RERUN
            return
        if self._outcome in {"failed", "error"}:
            return  # nothing that comes after it makes up for it
        if report.outcome == "failed":
            self._outcome = FAILED_STEP.get(report.when, "crashed")
            message = _message(report.longrepr)
            self._reason, self._counterexample = cut_reason(message), find_counterexample(message)
        elif hasattr(report, "wasxfail"):
            self._outcome = "xfailed" if report.outcome == "skipped" else "xpassed"
            self._reason = cut_reason(report.wasxfail)
        elif report.outcome == "skipped":
            self._outcome = "skipped"
            longrepr = report.longrepr
            text = longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
            self._reason = cut_reason(text.removeprefix("Skipped: "))

    def _finish(self, report: pytest.TestReport) -> None:
        hypothesis, outcome, steps = self._hypothesis, self._outcome, self._steps
        if report.when != "teardown":
            steps = {}  # its process died, and told of none
        nodeid = report.nodeid
        kind: str | None = None
        figures: dict[str, Any] = {}
        if hypothesis is not None:
            # Of a test that ran elsewhere pytest tells how long it took; the CPU time here is not its own.
            steps = hypothesis.steps or {when: (wall, 0, "") for when, (wall, _, _) in steps.items()}
            kind, figures = hypothesis.take(nodeid, outcome)
        elif "hypothesis" in sys.modules:
            figures["problems"] = [LATE_PROBLEM]
        if self._passed_over and nodeid in self._passed_over:
            figures.setdefault("problems", []).append(RERUN_PROBLEM)
        if kind is None:
            kind = "unknown" if outcome == "crashed" else "plain"
        name = quote(self._name(nodeid))
        text = f'{{"record":"test","nodeid":{name},"kind":"{kind}","outcome":"{outcome}"'
        reason, remark = self._reason, figures.pop("remark", None)
        if remark is not None:
            reason = remark if not reason else f"{reason}; {remark}"
        if reason is not None:
            text += f',"reason":{quote(reason)}'
        if self._counterexample is not None:
            text += f',"counterexample":{quote(self._counterexample)}'
        for when, (wall, cpu, further) in steps.items():
            text += f',"{when}":{{"wall_s":{wall}e-9,"cpu_s":{cpu}e-9{further}}}'
        path, line, _ = report.location
        if path != self._path:
            self._path, self._quoted_path = path, quote(self._name.place(path))
        place = "" if line is None else f',"line":{line + 1}'
        if figures:
            text += "".join(f',"{key}":{encode(value)}' for key, value in figures.items())
        text = f'{text},"path":{self._quoted_path}{place}{self._tail}'
        if self._journal is not None:
            self._journal.end_test(outcome, text)
        else:
            setattr(report, ATTRIBUTE, [outcome, text])


def _message(longrepr: object) -> str:
    crash = getattr(longrepr, "reprcrash", None)
    if crash is not None:
        return str(crash.message)
    # What a fixture that is missing is called stands below the lines that ask for it.
    return str(getattr(longrepr, "errorstring", longrepr))
