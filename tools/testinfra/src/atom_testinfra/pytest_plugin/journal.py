"""Writes the run file: in the process that the person started, never in a worker."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from atom_testinfra.core.errors import InfraError
from atom_testinfra.core.measurement import Collected, Kind, Measurement, Outcome, RunEnd, RunPlan
from atom_testinfra.machine.clocks import CLOCKS
from atom_testinfra.pytest_plugin.options import count_workers
from atom_testinfra.pytest_plugin.recorder import ATTRIBUTE, OUTCOME
from atom_testinfra.storage.runs import RunWriter, encode

if TYPE_CHECKING:
    from collections.abc import Sequence


class Journal:
    """Writes what collection found, each test as it ends, and what the end was."""

    def __init__(self, plan: RunPlan, config: pytest.Config) -> None:
        self._plan = plan
        self._config = config
        self._outcomes: Counter[str] = Counter()
        self._running: dict[str, None] = {}
        self._n_deselected = 0
        self._began = CLOCKS.wall(), CLOCKS.process_cpu()
        try:
            self._writer = RunWriter(Path(plan.path))
        except InfraError as exc:
            raise pytest.UsageError(str(exc)) from exc

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count what was deselected."""
        self._n_deselected += len(items)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Begin the file: only now is it known that there is something to measure, and in which order."""
        option = self._config.option
        is_broken = session.testsfailed and not option.continue_on_collection_errors
        if count_workers(self._config) == 0 and not is_broken and not option.collectonly:
            self._begin([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:  # noqa: ARG002
        """Begin the file with what the first worker collected; xdist makes sure that all collect the same."""
        if self._writer.n_lines == 0:
            self._begin(list(ids))

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Remember what runs; stop when whoever waits for this run is gone."""
        parent = self._plan.parent_pid
        if parent is not None and os.getppid() != parent:
            pytest.exit(
                "testinfra: the process that measures is gone", returncode=pytest.ExitCode.INTERRUPTED
            )
        self._running[nodeid] = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a test's record as soon as it is there."""
        line = getattr(report, ATTRIBUTE, None)
        if line is not None:
            self._running.pop(report.nodeid, None)
            self._write_line(line)
            self._outcomes[getattr(report, OUTCOME)] += 1

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport, sched: Any) -> None:  # noqa: ARG002
        """Record the test during which a worker died."""
        self._running.pop(crashitem, None)
        self._write_lost(crashitem, Outcome.CRASHED, "the worker died while it ran")

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Record what was still running, and the end."""
        if self._writer.n_lines == 0:
            return
        for nodeid in list(self._running):
            self._write_lost(nodeid, Outcome.INTERRUPTED, "the run was stopped while it ran")
        wall, cpu = self._began
        self._write_line(
            encode(
                RunEnd(
                    exit_status=int(exitstatus),
                    wall_s=CLOCKS.wall() - wall,
                    cpu_s=max(0.0, CLOCKS.process_cpu() - cpu),
                    outcomes=dict(sorted(self._outcomes.items())),
                )
            )
        )

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the record is."""
        if self._writer.n_lines:
            n = sum(self._outcomes.values())
            tests = "1 test" if n == 1 else f"{n} tests"
            terminalreporter.write_line(f"testinfra: {tests} recorded in {self._writer.path}")

    def pytest_unconfigure(self) -> None:
        """Close the file."""
        self._writer.close()

    def _begin(self, nodeids: list[str]) -> None:
        if not nodeids:
            return  # nothing to measure, and so no file that could be taken for a result
        header = msgspec.structs.replace(
            self._plan.header, n_workers=count_workers(self._config), is_traced=_is_traced()
        )
        self._write_line(encode(header))
        self._write_line(encode(Collected(nodeids=nodeids, n_deselected=self._n_deselected)))

    def _write_lost(self, nodeid: str, outcome: Outcome, reason: str) -> None:
        self._outcomes[outcome] += 1
        self._write_line(encode(Measurement(nodeid=nodeid, kind=Kind.PLAIN, outcome=outcome, reason=reason)))

    def _write_line(self, line: str) -> None:
        try:
            self._writer.write_line(line)
        except InfraError as exc:
            self._writer.close()
            pytest.exit(f"testinfra: {exc}", returncode=pytest.ExitCode.INTERNAL_ERROR)


def _is_traced() -> bool:
    if sys.gettrace() is not None or sys.getprofile() is not None:
        return True
    monitoring = getattr(sys, "monitoring", None)
    return monitoring is not None and any(monitoring.get_tool(tool) for tool in range(6))
