"""A timed run with xdist's workers, in the process that starts them."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.core.budgets.events import (
    Collected,
    Ended,
    Ending,
    RoundBegan,
    RoundEnded,
    Spent,
    Stopped,
)
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.naming import find_root
from atom_testinfra.pytest_plugin.timebox.terms import WORKERINPUT, own_cpu_s, to_workerinput
from atom_testinfra.storage.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Generator

    from atom_testinfra.pytest_plugin.timebox.account import TimeBoxAccount
    from atom_testinfra.pytest_plugin.timebox.terms import Terms

TELL_EACH_S = 0.02
"""CPU seconds of this process after which it tells the workers: more often is not worth a line."""
ELSEWHERE = "the workers on other machines, which share no file with the others"


class TimeBoxWorkers(HooksOnly):
    """Gives each worker of this machine the terms and a ledger, and reads what they write there."""

    def __init__(self, config: pytest.Config, terms: Terms, account: TimeBoxAccount) -> None:
        self._config = config
        self._account = account
        self._session: pytest.Session | None = None
        self._has_stopped = False
        self._started_cpu_s: float | None = None
        self._told_cpu_s = 0.0
        self._at: dict[str, RoundBegan] = {}
        """What each worker runs in a round after the first."""
        self._found: set[int] = set()
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
            if self._started_cpu_s is None:
                self._started_cpu_s = own_cpu_s()
            terms = to_workerinput(self._terms, self._root, self._started_cpu_s)
            node.workerinput[WORKERINPUT] = terms
        elif ELSEWHERE not in self._account.remarks:
            self._account.remarks.append(ELSEWHERE)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Report what the rounds found, before the run has its exit status."""
        try:
            return (yield)
        finally:
            self._read()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """Report the property that a worker died of in a round, in which xdist does not know of it."""
        self._read()
        began = self._at.pop(node.gateway.id, None)
        if error and began is not None:
            self._report(_crash(self._account.names[began.test], node.gateway.id, began.round))

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Say before the first test what does not fit; all workers predict the same."""
        self._read()

    def pytest_runtest_logreport(self) -> None:
        """Take in what the workers wrote, and end their rounds where enough tests have failed."""
        self._read()
        self._tell_cpu()
        session = self._session
        if session is not None and (session.shouldfail or session.shouldstop) and not self._has_stopped:
            self._has_stopped = True
            self._ledger.append(Stopped())

    def _tell_cpu(self) -> None:
        """Let the workers count what this process uses beside them."""
        used_s = own_cpu_s() - (self._started_cpu_s or 0.0)
        if self._started_cpu_s is not None and used_s > self._told_cpu_s + TELL_EACH_S:
            self._told_cpu_s = used_s
            self._ledger.append(Spent(cpu_s=used_s))

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Remember who knows whether enough tests have failed."""
        self._session = session

    def pytest_unconfigure(self) -> None:
        """Remove the ledger."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _read(self) -> None:
        for event in self._ledger.news():
            if isinstance(event, Collected) and not self._is_told:
                self._is_told = True
                self._account.collected(event)
            elif not isinstance(event, Collected | Stopped | Spent):
                self._account.note(event)
            if isinstance(event, Ended) and event.ending is Ending.FAILED:
                self._found.add(event.test)
            if isinstance(event, RoundBegan):
                self._at[event.worker] = event
            if isinstance(event, RoundEnded):
                self._at.pop(event.worker, None)
                self._report_found(event)

    def _report_found(self, event: RoundEnded) -> None:
        """Report what a round found; another worker may have found it, too."""
        if not event.reports or event.test in self._found:
            return
        self._found.add(event.test)
        hook = self._config.hook
        for data in event.reports:
            self._report(hook.pytest_report_from_serializable(config=self._config, data=data))

    def _report(self, report: pytest.TestReport) -> None:
        self._config.hook.pytest_runtest_logreport(report=report)


def _crash(nodeid: str, worker: str, number: int) -> pytest.TestReport:
    file = nodeid.partition("::")[0]
    text = f"worker {worker!r} died while running {nodeid!r} in round {number}"
    return pytest.TestReport(nodeid, (file, None, nodeid), {}, "failed", text, "call")
