"""Offers xdist our scheduler in a run with workers; says so where a run without workers asks for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.pytest_plugin.distribution import count_workers
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.options import TIMES_FIXTURES, is_recording

if TYPE_CHECKING:
    from xdist.remote import Producer

    from atom_testinfra.pytest_plugin.scheduling.scheduler import DurationScheduling


def start_scheduling(config: pytest.Config) -> None:
    """Register the hook that xdist calls in the process that starts workers, and what they time for it."""
    if TIMES_FIXTURES in getattr(config, "workerinput", ()):
        from atom_testinfra.pytest_plugin.scheduling.fixtures import FixtureTimer

        config.pluginmanager.register(FixtureTimer(), "atom_testinfra_fixtures")
    if hasattr(config, "workerinput"):
        return
    plugin = OfferedScheduler() if count_workers(config) else _NothingToSchedule()
    config.pluginmanager.register(plugin, "atom_testinfra_scheduling")


class OfferedScheduler(HooksOnly):
    """Only xdist calls it: it does not make us import xdist, or ask whether it is there under which name."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Producer) -> DurationScheduling | None:
        """Schedule tests by their durations, where they are known."""
        from atom_testinfra.pytest_plugin.scheduling.scheduler import make_scheduler

        return make_scheduler(config, log)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Let a worker time fixtures, but for a recorded run, whose tests are timed as they are."""
        if not is_recording(node.config):
            node.workerinput[TIMES_FIXTURES] = True


class _NothingToSchedule:
    def pytest_report_header(self) -> str:
        return "testinfra: --testinfra-schedule=on has no effect without workers; add -n 2 or more"
