"""Hook functions of the plugin; what they do is elsewhere, and is imported where it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atom_testinfra.pytest_plugin.options import (
    add_ini_options,
    add_options,
    has_plan,
    has_shard,
    is_asked_to_record,
    is_recording,
    sets_ini_option,
    time_asked,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from xdist.remote import Producer

    from atom_testinfra.pytest_plugin.scheduler import DurationScheduling


def __dir__() -> list[str]:
    """Show pytest the hooks only, as `hooks.HooksOnly` does."""
    return [name for name in globals() if name.startswith("pytest_")]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_ini_options(parser)
    add_options(parser)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Export the example counts before pytest-env expands them, and hold a session's run to its plan."""
    option = early_config.known_args_namespace
    if is_asked_to_record(option):
        import atom_testinfra.machine.clocks  # noqa: F401 (before a conftest can patch them)
    if has_plan(option):
        from atom_testinfra.pytest_plugin.conditions import Conditions

        early_config.pluginmanager.register(Conditions(early_config), "atom_testinfra_conditions")
    if has_shard(option):
        from atom_testinfra.pytest_plugin.shards import refuse_random_order

        refuse_random_order(early_config)
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


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Record the run, and run a shard of its tests, if it was asked to."""
    if has_shard(config.option):
        from atom_testinfra.pytest_plugin.shards import start_shard

        start_shard(config)
    if config.option.testinfra_split:
        from atom_testinfra.pytest_plugin.split import start_split

        start_split(config)
    if is_recording(config):
        from atom_testinfra.pytest_plugin.recording import start_recording

        start_recording(config)
    if time_asked(config)[0]:
        from atom_testinfra.pytest_plugin.timebox import start_timebox

        start_timebox(config)


# Only xdist calls it: it does not make us import xdist, or to ask whether it is there under which name.
@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> DurationScheduling | None:
    """Schedule tests by their durations, where they are known."""
    from atom_testinfra.pytest_plugin.scheduler import make_scheduler

    return make_scheduler(config, log)
