"""How a run is recorded: by which plugins, in which processes, and under which node ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.pytest_plugin.plan import read_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest


class Listener:
    """
    A plugin of which pytest sees its hooks and nothing else.

    It looks through all names of a plugin twice, for hooks and for fixtures, and unwraps what each stands
    for: with those of the recorder and the journal, some hundred, that took a million instructions.
    """

    def __dir__(self) -> list[str]:
        return [name for name in super().__dir__() if name.startswith("pytest_")]


def start_recording(config: pytest.Config) -> None:
    """Register the recorder where tests run, and the journal where the person looks."""
    plan, register = read_plan(config), config.pluginmanager.register
    if hasattr(config, "workerinput"):
        from atom_testinfra.pytest_plugin.workers import WorkerRecorder

        register(WorkerRecorder(plan, config), "atom_testinfra_recorder")
    elif count_workers(config):
        from atom_testinfra.pytest_plugin.workers import WorkersJournal

        register(WorkersJournal(plan, config), "atom_testinfra_journal")
        return  # tests run, and are selected, in the workers
    else:
        from atom_testinfra.pytest_plugin.journal import Journal
        from atom_testinfra.pytest_plugin.recorder import Recorder

        journal = Journal(plan, config)
        register(journal, "atom_testinfra_journal")
        register(Recorder(plan, config, journal), "atom_testinfra_recorder")
    if plan.skip or plan.only is not None or plan.only_properties:
        from atom_testinfra.pytest_plugin.conditions import Selection

        register(Selection(plan), "atom_testinfra_selection")


def count_workers(config: pytest.Config) -> int:
    """Return the number of xdist workers; 0 for a serial run."""
    if getattr(config.option, "dist", "no") == "no":
        return 0
    return sum(_count_of(spec) for spec in getattr(config.option, "tx", None) or [])


def naming(config: pytest.Config) -> Callable[[str], str]:
    """Return what makes a node id that of a serial run: to those of a group xdist appends `@group`."""
    is_grouped = getattr(config.option, "loadgroup", False)  # in a worker
    if not is_grouped and count_workers(config):
        is_grouped = config.option.dist == "loadgroup"
    return _without_group if is_grouped else str


def _without_group(nodeid: str) -> str:
    # No function's name holds an `@`; a folder's may, before the last `::`, and a parameter, before a `]`.
    group = nodeid.find("@", max(nodeid.rfind("::"), nodeid.rfind("]")) + 1)
    return nodeid if group < 0 else nodeid[:group]


def _count_of(spec: str) -> int:
    """Return how many workers one `--tx` stands for, as xdist reads it: `3*popen` is three."""
    try:
        return max(int(spec[: spec.find("*")]), 0)
    except ValueError:
        return 1
