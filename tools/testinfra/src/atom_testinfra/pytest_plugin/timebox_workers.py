"""A timed run with xdist's workers, in the process that starts them."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.core.budgets.events import Collected
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.naming import find_root
from atom_testinfra.pytest_plugin.timebox_terms import WORKERINPUT, to_workerinput
from atom_testinfra.storage.ledger import Ledger

if TYPE_CHECKING:
    from atom_testinfra.pytest_plugin.timebox_account import TimeBoxAccount
    from atom_testinfra.pytest_plugin.timebox_terms import Terms

ELSEWHERE = "the workers on other machines, which share no file with the others"


class TimeBoxWorkers(HooksOnly):
    """Gives each worker of this machine the terms and a ledger, and reads what they write there."""

    def __init__(self, config: pytest.Config, terms: Terms, account: TimeBoxAccount) -> None:
        self._account = account
        self._root = find_root(config)
        self._folder = Path(tempfile.mkdtemp(prefix="testinfra-time-"))
        self._terms = replace(terms, ledger=str(self._folder / "ledger"))
        self._ledger = Ledger(self._folder / "ledger")
        self._is_told = False
        account.refresh = self._read

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker what the run was given, before it starts."""
        if node.gateway.spec.popen:
            node.workerinput[WORKERINPUT] = to_workerinput(self._terms, self._root)
        elif ELSEWHERE not in self._account.remarks:
            self._account.remarks.append(ELSEWHERE)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Say before the first test what does not fit; all workers foretell the same."""
        self._read()

    def pytest_runtest_logreport(self) -> None:
        """Take in what the workers wrote."""
        self._read()

    def pytest_unconfigure(self) -> None:
        """Remove the ledger."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self) -> None:
        for event in self._ledger.news():
            if isinstance(event, Collected) and not self._is_told:
                self._is_told = True
                self._account.collected(event)
            elif not isinstance(event, Collected):
                self._account.note(event)
