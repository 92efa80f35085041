"""A pytest session that is taken over once its tests are collected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

OWN_OPTIONS: tuple[tuple[str, object], ...] = (
    ("numprocesses", None),
    ("dist", "no"),
    ("tx", []),
    ("testinfra_time", "none"),
    ("usepdb", False),
    ("lf", False),
    ("stepwise", False),
)
"""Options that would take the tests away, or choose among them by what ran before."""


class TakenSession:
    """A plugin in the place of pytest's loop over the tests."""

    def __init__(self, files: Sequence[str] | None) -> None:
        """`files` are collected instead of what the command line names."""
        self._named_files = files
        self.broken_files: list[str] = []
        """What could not be collected."""
        self.is_taken = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> None:
        """Keep the tests in this process and to their own numbers, whatever the project's options say."""
        for name, value in OWN_OPTIONS:
            if hasattr(config.option, name):
                setattr(config.option, name, value)
        if self._named_files is not None:
            config.args = list(self._named_files)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note what could not be collected."""
        if report.failed:
            self.broken_files.append(report.nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the tests instead of running them."""
        self.is_taken = True
        self.take(session)
        return True

    def take(self, session: pytest.Session) -> None:
        """Do something with the collected tests."""
        raise NotImplementedError
