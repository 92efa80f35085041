"""Recording with xdist: a recorder in each worker, and the journal of the process that started them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from atom_testinfra.pytest_plugin.distribution import names_path, save_names, take_names
from atom_testinfra.pytest_plugin.recording.journal import STOPPED, Journal
from atom_testinfra.pytest_plugin.recording.recorder import ATTRIBUTE, Recorder
from atom_testinfra.storage.run_writer import escape_all

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.pytest_plugin.naming import Naming
    from atom_testinfra.pytest_plugin.plan import Plan


class WorkerRecorder(Recorder):
    """A recorder that tells xdist how its run ended, too."""

    def __init__(self, plan: Plan, config: pytest.Config, naming: Naming) -> None:
        super().__init__(plan, config, naming, journal=None)
        self._is_interrupted = False

    # Before xdist tells the process that started the worker, which then looks for the ids.
    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Leave the tests' ids where the other process cannot know them from pytest's."""
        super().pytest_collection_finish(session)
        if not self._name.is_evident:
            worker: str = self._config.workerinput["workerid"]  # type: ignore[attr-defined]
            names = list(map(self._name.name, session.items))
            save_names(names_path(self._plan.path, worker), escape_all(names))

    def pytest_keyboard_interrupt(self) -> None:
        """Remember that the run did not come to its end by itself."""
        self._is_interrupted = True

    def pytest_sessionfinish(self) -> None:
        """Give the exit status by which xdist knows that a test is lost, whatever the test chose."""
        if self._is_interrupted:
            workeroutput: dict[str, Any] = self._config.workeroutput  # type: ignore[attr-defined]
            workeroutput["exitstatus"] = int(pytest.ExitCode.INTERRUPTED)


class WorkersJournal(Journal):
    """The journal of a run with xdist's workers: begins with what they collect, writes what they report."""

    def __init__(self, plan: Plan, config: pytest.Config, naming: Naming) -> None:
        super().__init__(plan, config, naming)
        self._running: dict[str, None] = {}
        self._is_broken = False

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        """Begin the file with what the first worker collected; xdist makes sure that all collect the same."""
        if self._is_broken:
            self._stop_broken()
        names = take_names(names_path(self._plan.path, node.gateway.id))
        if self._writer.size == 0:
            if names is not None:
                self._name.adopt(ids, names)
            self._write_head(list(ids), list(map(self._name, ids)) if names is None else names)

    @pytest.hookimpl(trylast=True)  # the terminal is to show it first
    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Stop where a file could not be collected, as pytest does by itself; xdist would run the others."""
        if report.failed and not self._config.option.continue_on_collection_errors:
            self._is_broken = True
            if self._writer.size:  # workers that collected different tests
                self._stop_broken()

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Remember what runs."""
        self._running[nodeid] = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the record from a teardown report."""
        outcome_and_line = getattr(report, ATTRIBUTE, None)
        if outcome_and_line is not None:
            self._running.pop(report.nodeid, None)
            self.end_test(*outcome_and_line)

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport, sched: Any) -> None:  # noqa: ARG002
        """Record the test during which a worker died."""
        self._running.pop(crashitem, None)
        self._write_lost(crashitem, "crashed", "the worker died while it ran")

    def _stop_broken(self) -> NoReturn:
        pytest.exit("testinfra: errors during collection", returncode=pytest.ExitCode.INTERRUPTED)

    def _end_running(self, cause: BaseException) -> None:  # noqa: ARG002
        for nodeid in self._running:
            self._write_lost(nodeid, "interrupted", STOPPED)
