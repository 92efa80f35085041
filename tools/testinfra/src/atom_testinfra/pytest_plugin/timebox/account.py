"""Tells the person what became of the time, and keeps the costs for the next run."""

from __future__ import annotations

import atexit
from typing import TYPE_CHECKING

import pytest

from atom_testinfra.core.budgets.account import Account, describe_forecast
from atom_testinfra.core.budgets.costs import Costs, WorkersExit, split_wall
from atom_testinfra.core.budgets.events import RoundEnded
from atom_testinfra.core.budgets.planner import FLOOR, Forecast
from atom_testinfra.core.errors import CostsError
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.distribution import count_workers
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.steering.planned_tests import file_of
from atom_testinfra.pytest_plugin.timebox import last_moment
from atom_testinfra.pytest_plugin.timebox.terms import exit_now_s, is_own_process, own_cpu_s, speed_guess
from atom_testinfra.storage.costs import update_costs

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from atom_testinfra.core.budgets.events import Collected, Event
    from atom_testinfra.pytest_plugin.timebox.terms import Terms

PREFIX = "testinfra: "
LATE = "each property gets its floor and the run ends late; --testinfra-time-strict refuses instead"


class TimeBoxAccount(HooksOnly):
    """Collects what happened; in the process that a person looks at."""

    def __init__(self, config: pytest.Config, terms: Terms, costs_file: Path, notes: list[str]) -> None:
        self._config = config
        self._terms = terms
        self._costs_file = costs_file
        self._notes = notes
        self._events: list[Event] = []
        self._names: list[str] = []
        self._ended = self._clocks()
        self._warning: str | None = None
        self._n_workers = count_workers(config)
        self.refresh: Callable[[], None] = lambda: None
        """Takes in what other processes have told since."""
        self.remarks: list[str] = []
        """What could not be steered at all."""
        if is_own_process(config):
            atexit.register(self._keep_exit)

    def pytest_report_header(self) -> list[str]:
        """Say above the tests what was asked for."""
        asked = self._terms.span
        rounds = ", round after round with fresh seeds" if self._terms.has_rounds else ""
        return [f"{PREFIX}{asked} for the whole run{rounds}", *(f"{PREFIX}{note}" for note in self._notes)]

    def collected(self, event: Collected) -> None:
        """
        Take in what is to come, and say so where it does not fit.

        Raises:
            pytest.UsageError: It does not fit, and the run is to be refused then.
        """
        self._names = event.names
        self._events.append(event)
        forecast = Forecast(
            floor_s=event.floor_s,
            left_s=event.left_s,
            n_properties=len(event.properties),
            n_unknown=event.n_unknown,
        )
        for note in event.notes:
            self._write(note)
        if forecast.fits:
            return
        words = describe_forecast(forecast, self._terms.span, FLOOR)
        if self._config.option.testinfra_time_strict:
            raise pytest.UsageError(f"{words}; ask for more time, or for fewer tests")
        self._warning = words
        self._write(f"{words}: {LATE}")

    def note(self, event: Event) -> None:
        """Take in an event."""
        self._events.append(event)
        if isinstance(event, RoundEnded):
            wall_s, cpu_s = self._clocks()
            self._ended = min(wall_s, self._terms.origin_s + event.ended_wall_s), cpu_s

    @property
    def names(self) -> list[str]:
        """The names of the tests, by their places."""
        return self._names

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note when the last test ended."""
        if report.when == "teardown":
            self._ended = self._clocks()

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Keep the costs."""
        self.refresh()
        account = self._account()
        if not account.ended:
            return
        files = [file_of(name) for name in self._names]
        try:
            update_costs(self._costs_file, lambda kept: account.costs(kept, files))
        except CostsError as exc:
            self.remarks.append(f"{exc}; the next run does not know what this one learnt")

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say what was asked, and what was taken."""
        account = self._account()
        if self._config.option.testinfra_time_table and account.ended:
            terminalreporter.section("testinfra: the time of each property")
            for line in account.table():
                terminalreporter.write_line(line)
        for line in account.lines(has_floor_to_blame=self._warning is not None):
            terminalreporter.write_line(f"{PREFIX}{line}")

    def _account(self) -> Account:
        wall_s, cpu_s = self._ended
        return Account.of(
            self._events,
            asked=self._terms.span,
            taken_s=wall_s - self._terms.origin_s,
            own_cpu_s=cpu_s + self._terms.base_cpu_s,
            exit_s=exit_now_s(self._terms),
            names=self._names,
            unsteered=self.remarks,
            has_rounds=self._terms.has_rounds,
        )

    def _write(self, text: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(f"{PREFIX}{text}")

    def _keep_exit(self) -> None:
        """Keep how long the exit took, as far as a process can see its own."""
        if not self._events:
            return
        wall_s, cpu_s = self._clocks()
        # Workers have been waited for by now, so their CPU time is in this process's: what they told is not.
        exit_cpu_s = max(cpu_s + self._terms.base_cpu_s - self._account().cpu_s, 0.0)
        exit_wall_s = max(wall_s - self._ended[0], 0.0)
        if self._n_workers:
            taken = WorkersExit(cpu_s=exit_cpu_s, wall_s=exit_wall_s / speed_guess())
            new = Costs(workers_exit={str(self._n_workers): taken})
        else:
            new = Costs(exit=split_wall(exit_wall_s, exit_cpu_s, speed_guess()))
        try:
            update_costs(self._costs_file, lambda kept: kept.updated(new))
        except CostsError:
            return  # the run has ended, and has said that nothing could be kept
        last_moment.place(self._costs_file.parent, self._n_workers)

    @staticmethod
    def _clocks() -> tuple[float, float]:
        return Clocks.wall(), own_cpu_s()
