"""A project under measurement, and the record of a run of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from atom_testinfra.storage.runs import load_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from atom_testinfra.core.records.measurement import Measurement, Run

RUN_FILE = "run.jsonl"


class Subject:
    """A small project: its files, runs of it, and what the runs recorded."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.result: pytest.RunResult | None = None

    def record(self, *arguments: str, test_x: str | None = None, **files: str) -> Run:
        """Run pytest with the recorder in a process of its own and return what it wrote."""
        self.run(*arguments, test_x=test_x, **files)
        return load_run(self.pytester.path / RUN_FILE)

    def run(self, *arguments: str, test_x: str | None = None, **files: str) -> pytest.RunResult:
        """Run pytest with the recorder in a process of its own."""
        if test_x is not None:
            files["test_x"] = test_x
        if files:
            self.pytester.makepyfile(**files)
        (self.pytester.path / RUN_FILE).unlink(missing_ok=True)
        self.result = self.pytester.runpytest_subprocess(
            "-p", "no:cacheprovider", "--testinfra-record", RUN_FILE, *arguments
        )
        return self.result

    @property
    def path(self) -> Path:
        """The project's folder."""
        return self.pytester.path


@pytest.fixture
def cold_subject(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, few_plugins: None) -> Subject:
    """The same, for tests about what a run imports: its runs begin with an interpreter of their own."""
    for name in ("CI", "GITHUB_ACTIONS"):
        monkeypatch.delenv(name, raising=False)
    return Subject(pytester)


@pytest.fixture
def subject(cold_subject: Subject, warm: None) -> Subject:
    """A project whose runs do not depend on where they are run."""
    return cold_subject


@pytest.fixture
def by_name() -> Callable[[Run], dict[str, Measurement]]:
    """Return a run's measurements by the last part of their node ids."""
    return lambda run: {record.nodeid.rpartition("::")[2]: record for record in run.measurements}
