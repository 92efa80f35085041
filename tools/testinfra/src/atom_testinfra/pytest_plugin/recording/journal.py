"""Writes the run file: in the process that the person started, never in a worker."""

from __future__ import annotations

import atexit
import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.machine.clocks import Clocks, other_threads_cpu
from atom_testinfra.machine.instruments import find_instruments
from atom_testinfra.pytest_plugin.distribution import count_workers
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.plan import CALIBRATION
from atom_testinfra.pytest_plugin.recording.record_text import cut_reason, encode
from atom_testinfra.storage.run_writer import RunWriter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from atom_testinfra.pytest_plugin.naming import Naming
    from atom_testinfra.pytest_plugin.plan import Plan

CANNOT_WRITE = 74
"""Exit status of a run whose record could not be written: `EX_IOERR` of sysexits.h."""

STOPPED = "the run was stopped before it had ended"


class Journal(HooksOnly):
    """Writes what collection found, each test as it ends, and what the end was; for a serial run."""

    def __init__(self, plan: Plan, config: pytest.Config, naming: Naming) -> None:
        self._plan = plan
        self._config = config
        self._outcomes: dict[str, int] = {}
        self._name = naming
        self._nodeids: frozenset[str] = frozenset()
        self._n_deselected = 0
        self._began = Clocks.wall(), Clocks.process_cpu()
        self._other_threads_s: float | None = None
        """CPU time of other threads before the first test; `None` if the run is not serial."""
        try:
            self._writer = RunWriter(plan.path)
        except OSError as exc:
            raise pytest.UsageError(_describe("create", plan.path, exc)) from exc
        config.add_cleanup(self._writer.close)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count what was deselected."""
        self._n_deselected += len(items)

    def begin(self, session: pytest.Session, files: dict[str, float]) -> None:
        """Begin the file of a serial run, now that it is known what there is to measure, in which order."""
        option = self._config.option
        is_broken = session.testsfailed and not option.continue_on_collection_errors
        if session.items and not is_broken and not option.collectonly:
            nodeids = [item.nodeid for item in session.items]
            self._write_head(nodeids, self._name.names(session.items, nodeids), files)

    def end_test(self, outcome: str, line: str) -> None:
        """Write a test's record as soon as it is there; stop when nobody waits for this run any more."""
        self._outcomes[outcome] = self._outcomes.get(outcome, 0) + 1
        self._write_line(line)
        if self._plan.is_called_off:
            pytest.exit("testinfra: the run was called off", returncode=pytest.ExitCode.INTERRUPTED)

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Record what was running, before the terminal takes its time over the traceback."""
        if self._writer.size:
            self._end_running(excinfo.value)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Record the end; or remove the file now: a project may end the process before it is closed."""
        if self._writer.size == 0:
            self._writer.close()
            return
        wall, cpu = self._began
        end = {
            "record": "end",
            "exit_status": int(exitstatus),
            "wall_s": round(Clocks.wall() - wall, 6),
            "cpu_s": round(Clocks.process_cpu() - cpu, 6),
            "outcomes": dict(sorted(self._outcomes.items())),
        }
        self._write(end)
        if self._other_threads_s is not None and self._plan.is_waited_for:
            # Python finishes the work of pools before it calls this.
            atexit.register(self._end_again, end)

    def _end_again(self, end: dict[str, Any]) -> None:
        """Write the end once more, with the CPU time of threads that outlived their tests."""
        threads_s = other_threads_cpu() - (self._other_threads_s or 0.0)
        with suppress(OSError):  # the run is whole without it
            self._writer.write_after(encode(end | {"other_threads_cpu_s": round(max(threads_s, 0.0), 6)}))

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say where the record is."""
        if self._writer.size:
            n = sum(self._outcomes.values())
            tests = "1 test" if n == 1 else f"{n} tests"
            terminalreporter.write_line(f"testinfra: {tests} recorded in {self._writer.path}")

    def _end_running(self, cause: BaseException) -> None:
        # pytest takes the variable away when a test's teardown has ended: then none was running.
        running = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" (")[0]
        if running not in self._nodeids:
            return
        if self._plan.is_waited_for:
            # Nobody has stopped the run but the test itself, which would do so in each run to come.
            self._write_lost(running, "crashed", _describe_end(cause))
        else:
            self._write_lost(running, "interrupted", STOPPED)

    def _write_head(
        self, nodeids: list[str], names: list[str], files: dict[str, float] | None = None
    ) -> None:
        if not nodeids:
            return  # nothing to measure, and so no file that could be taken for a result
        self._nodeids = frozenset(nodeids)
        header = self._plan.header | {
            "record": "run",
            "n_workers": count_workers(self._config),
            "is_traced": bool(find_instruments()),
            "calibration": CALIBRATION,
        }
        if header.get("provenance") is None:
            header["provenance"] = _provenance(self._config)
        self._write(header)
        collected = {"record": "collected", "nodeids": names, "n_deselected": self._n_deselected}
        if not header["n_workers"]:  # with workers, tests are collected in them
            startup_s = self._began[1]  # the clock has counted since the process began
            collected["startup_cpu_s"] = round(startup_s, 6)
            collected["collection_cpu_s"] = round(Clocks.process_cpu() - startup_s, 6)
            self._other_threads_s = other_threads_cpu()
        if files is not None:
            collected["files"] = files
        self._write(collected)

    def _write_lost(self, nodeid: str, outcome: str, reason: str) -> None:
        self._outcomes[outcome] = self._outcomes.get(outcome, 0) + 1
        name = self._name(nodeid)
        self._write(
            {"record": "test", "nodeid": name, "kind": "unknown", "outcome": outcome, "reason": reason}
        )

    def _write(self, record: dict[str, Any]) -> None:
        self._write_line(encode(record))

    def _write_line(self, line: str) -> None:
        try:
            self._writer.write_line(line)
        except OSError as exc:
            self._writer.close()
            reason = _describe("write", self._writer.path, exc)
            pytest.exit(f"testinfra: {reason}", returncode=CANNOT_WRITE)


def _describe_end(cause: BaseException) -> str:
    if not isinstance(cause, pytest.exit.Exception):
        return f"it raised {type(cause).__name__}"
    return cut_reason(f"it called pytest.exit(): {cause.msg}" if cause.msg else "it called pytest.exit()")


def _describe(verb: str, path: Path, exc: OSError) -> str:
    from atom_testinfra.storage.folders import cannot

    error = cannot(verb, path, exc)
    return f"{error}; {error.hint}" if error.hint else str(error)


def _provenance(config: pytest.Config) -> dict[str, Any]:
    from atom_testinfra.machine.fingerprint import describe_provenance

    command = ["pytest", *map(str, config.invocation_params.args)]
    return describe_provenance(config.rootpath, command, versions=_loaded_versions())


def _loaded_versions() -> dict[str, str]:
    """Return the versions of what takes part in this run, without searching all that is installed."""
    modules = {"atom-testinfra": "atom_testinfra", "hypothesis": "hypothesis", "pytest": "pytest"}
    modules["pytest-xdist"] = "xdist"
    return {
        name: version
        for name, module in modules.items()
        if isinstance(version := getattr(sys.modules.get(module), "__version__", None), str)
    }
