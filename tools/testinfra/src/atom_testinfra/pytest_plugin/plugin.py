"""Hook functions of the plugin; everything they do is in the objects they register."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atom_testinfra.pytest_plugin.ini import Exporter, ProfileLoader, add_ini_options
from atom_testinfra.pytest_plugin.options import add_options, is_recording, read_plan

if TYPE_CHECKING:
    from collections.abc import Generator


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options and register what acts before the first conftest is imported."""
    add_ini_options(parser)
    add_options(parser)
    pluginmanager.register(Exporter(), "atom_testinfra_exporter")
    pluginmanager.register(ProfileLoader(), "atom_testinfra_profile_loader")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Set the number of workers that the plan asks for, whatever the project's own options say."""
    if config.getoption("testinfra_plan", None) and not hasattr(config, "workerinput"):
        from atom_testinfra.pytest_plugin.conditions import set_workers

        set_workers(config, read_plan(config).header.n_workers)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder where tests run, and the journal where the person looks."""
    if not is_recording(config):
        return
    from atom_testinfra.pytest_plugin.conditions import Selection
    from atom_testinfra.pytest_plugin.journal import Journal
    from atom_testinfra.pytest_plugin.options import count_workers
    from atom_testinfra.pytest_plugin.recorder import Recorder

    plan = read_plan(config)
    is_worker = hasattr(config, "workerinput")
    if is_worker or count_workers(config) == 0:
        config.pluginmanager.register(Selection(plan), "atom_testinfra_selection")
        config.pluginmanager.register(Recorder(plan, config), "atom_testinfra_recorder")
    if not is_worker:
        config.pluginmanager.register(Journal(plan, config), "atom_testinfra_journal")
