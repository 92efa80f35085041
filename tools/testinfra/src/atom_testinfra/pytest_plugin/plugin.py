"""Hook functions of the plugin; what they do is elsewhere, and is imported where it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from atom_testinfra.pytest_plugin.options import (
    add_ini_options,
    add_options,
    budget_asked,
    has_plan,
    has_shard,
    is_asked_to_record,
    is_recording,
    is_to_schedule,
    sets_ini_option,
    time_asked,
)

if TYPE_CHECKING:
    from collections.abc import Generator


def __dir__() -> list[str]:
    """Show pytest the hooks only, as `hooks.HooksOnly` does."""
    return [name for name in globals() if name.startswith("pytest_")]


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the options; what the ini file sets is seen to by hooks that other runs do not pay for."""
    add_ini_options(parser)
    add_options(parser)
    config = pluginmanager.get_plugin("pytestconfig")
    if config is not None and sets_ini_option(config):
        from atom_testinfra.pytest_plugin.ini import IniHooks

        pluginmanager.register(IniHooks(), "atom_testinfra_ini")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Hold a session's run to its plan, and look at the clocks before a conftest can patch them."""
    option = early_config.known_args_namespace
    if is_asked_to_record(option):
        import atom_testinfra.machine.clocks  # noqa: F401 (before a conftest can patch them)
    if has_plan(option):
        from atom_testinfra.pytest_plugin.recording.conditions import Conditions

        early_config.pluginmanager.register(Conditions(early_config), "atom_testinfra_conditions")
    if has_shard(option):
        from atom_testinfra.pytest_plugin.scheduling.shards import refuse_random_order

        refuse_random_order(early_config)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start what the run was asked to do."""
    if has_shard(config.option):
        from atom_testinfra.pytest_plugin.scheduling.shards import start_shard

        start_shard(config)
    if config.option.testinfra_split:
        from atom_testinfra.pytest_plugin.scheduling.split import start_split

        start_split(config)
    if is_recording(config):
        from atom_testinfra.pytest_plugin.recording.register import start_recording

        start_recording(config)
    if config.option.testinfra_rounds and not time_asked(config)[0]:
        raise pytest.UsageError("--testinfra-rounds: name a time as well, such as --testinfra-time 2h")
    if time_asked(config)[0]:
        from atom_testinfra.pytest_plugin.timebox.register import start_timebox

        start_timebox(config)
    text, source = budget_asked(config)
    if text:
        from atom_testinfra.pytest_plugin.steering.example_budget import start_budget

        start_budget(config, text, source)
    if is_to_schedule(config):
        from atom_testinfra.pytest_plugin.scheduling.register import start_scheduling

        start_scheduling(config)
