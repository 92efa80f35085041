"""Hook functions of the plugin; what they do is elsewhere, and is imported where it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atom_testinfra.pytest_plugin.options import (
    PLAN,
    add_ini_options,
    add_options,
    count_workers,
    is_recording,
    read_plan,
    sets_ini_option,
)

if TYPE_CHECKING:
    from collections.abc import Generator


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_ini_options(parser)
    add_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Export the example counts before anything else reads the environment: pytest-env expands them."""
    if sets_ini_option(early_config):
        from atom_testinfra.pytest_plugin.ini import export_counts

        export_counts(early_config)
    return (yield)


# pytest takes no function for a hook whose name does not begin like this.
@pytest.hookimpl(specname="pytest_load_initial_conftests")
def pytest_testinfra_load_profile(early_config: pytest.Config) -> None:
    """Load the profile of the ini options: after pytest-env, before the first conftest is imported."""
    if sets_ini_option(early_config):
        from atom_testinfra.pytest_plugin.ini import load_profile

        load_profile(early_config)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Have the workers that the plan asks for, and go on after a failure, whatever the project says."""
    if config.getoption(PLAN, None) and not hasattr(config, "workerinput"):
        from atom_testinfra.pytest_plugin.conditions import go_on_after_failures, set_workers

        set_workers(config, read_plan(config).n_workers)
        go_on_after_failures(config)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder where tests run, and the journal where the person looks."""
    if not is_recording(config):
        return
    from atom_testinfra.pytest_plugin.journal import Journal, WorkersJournal
    from atom_testinfra.pytest_plugin.recorder import Recorder

    plan = read_plan(config)
    is_worker, is_serial = hasattr(config, "workerinput"), count_workers(config) == 0
    journal = None
    if not is_worker:
        journal = Journal(plan, config) if is_serial else WorkersJournal(plan, config)
        config.pluginmanager.register(journal, "atom_testinfra_journal")
    if is_worker or is_serial:
        config.pluginmanager.register(Recorder(plan, config, journal), "atom_testinfra_recorder")
        if plan.skip or plan.only is not None or plan.only_properties:
            from atom_testinfra.pytest_plugin.conditions import Selection

            config.pluginmanager.register(Selection(plan), "atom_testinfra_selection")
