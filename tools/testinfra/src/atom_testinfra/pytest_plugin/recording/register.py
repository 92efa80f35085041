"""How a run is recorded: by which plugins, in which processes, and under which node ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.pytest_plugin.distribution import count_workers
from atom_testinfra.pytest_plugin.naming import Naming, find_root
from atom_testinfra.pytest_plugin.plan import read_plan

if TYPE_CHECKING:
    import pytest


def start_recording(config: pytest.Config) -> None:
    """Register the recorder where tests run, and the journal where the person looks."""
    plan, register = read_plan(config), config.pluginmanager.register
    naming = Naming(config, plan.root or find_root(config))
    if hasattr(config, "workerinput"):
        from atom_testinfra.pytest_plugin.recording.workers import WorkerRecorder

        register(WorkerRecorder(plan, config, naming), "atom_testinfra_recorder")
    elif count_workers(config):
        from atom_testinfra.pytest_plugin.recording.workers import WorkersJournal

        register(WorkersJournal(plan, config, naming), "atom_testinfra_journal")
        return  # tests run, and are selected, in the workers
    else:
        from atom_testinfra.pytest_plugin.recording.journal import Journal
        from atom_testinfra.pytest_plugin.recording.recorder import Recorder

        journal = Journal(plan, config, naming)
        register(journal, "atom_testinfra_journal")
        register(Recorder(plan, config, naming, journal), "atom_testinfra_recorder")
    if plan.skip or plan.only is not None or plan.only_properties:
        from atom_testinfra.pytest_plugin.recording.conditions import Selection

        register(Selection(plan, naming), "atom_testinfra_selection")
