"""The conditions of a measured run: how many workers, and which of the collected tests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atom_testinfra.core.arguments import stop_at_failure
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.options import PLAN
from atom_testinfra.pytest_plugin.plan import load_plan
from atom_testinfra.storage.run_writer import escape

if TYPE_CHECKING:
    import argparse
    from collections.abc import Generator

    from atom_testinfra.pytest_plugin.naming import Naming
    from atom_testinfra.pytest_plugin.plan import Plan


class Conditions(HooksOnly):
    """Has the workers that the plan asks for, and goes on after a failure, whatever the project says."""

    def __init__(self, early_config: pytest.Config) -> None:
        option = early_config.known_args_namespace
        self._n_workers = load_plan(Path(getattr(option, PLAN))).n_workers
        if hasattr(option, "numprocesses"):
            _set_workers(option, self._n_workers)  # pytest-cov goes by them what to start

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Generator[None, object, object]:
        """Change the options once they are all there, in the process that starts the workers."""
        if not hasattr(config, "workerinput"):
            if hasattr(config.option, "numprocesses"):
                _set_workers(config.option, self._n_workers)
            elif self._n_workers:
                raise pytest.UsageError("-n needs pytest-xdist: install atom-testinfra[xdist]")
            if not stop_at_failure(map(str, config.invocation_params.args)):
                config.option.maxfail = 0  # whoever asks for it on the command line gets it
        return (yield)


def _set_workers(option: argparse.Namespace, n_workers: int) -> None:
    """
    Make the run serial, or give it that many xdist workers, whatever `-n` the project's options name.

    How its tests are shared out stays, because it may keep those together that cannot run side by side.
    """
    option.numprocesses = n_workers
    option.maxprocesses = None
    option.tx = []
    if not n_workers:
        option.dist = "no"
    elif option.dist in {"no", "each"}:  # each worker would run each test, and record it
        option.dist = "load"


class Selection(HooksOnly):
    """Leaves out what an earlier part of the run has recorded, and other tests if only properties count."""

    def __init__(self, plan: Plan, naming: Naming) -> None:
        self._name = naming.name
        self._skip = plan.skip
        self._only_properties = plan.only_properties
        self._only = plan.only

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Select after every other plugin has had its say."""
        result = yield
        name = self._name
        if self._skip:
            items[:] = [item for item in items if escape(name(item)) not in self._skip]
        if self._only is not None:
            items[:] = [item for item in items if escape(name(item)) in self._only]
        if self._only_properties:
            chosen = [item for item in items if _is_property(item)]
            left_out = [item for item in items if not _is_property(item)]
            if left_out:
                items[:] = chosen
                config.hook.pytest_deselected(items=left_out)
        return result


def _is_property(item: pytest.Item) -> bool:
    return "hypothesis" in sys.modules and (
        getattr(getattr(item, "obj", None), "is_hypothesis_test", False) is True
    )
