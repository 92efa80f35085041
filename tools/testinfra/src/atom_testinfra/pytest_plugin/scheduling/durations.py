"""What a run knows about how long its tests take, and what it learns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from atom_testinfra.core.errors import InfraError, NothingMeasuredError, ScheduleError
from atom_testinfra.core.figures import plural
from atom_testinfra.core.scheduling.durations import baseline_durations
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.ini import is_ci
from atom_testinfra.pytest_plugin.naming import Naming, find_root
from atom_testinfra.pytest_plugin.scheduling.fixtures import FixtureStays
from atom_testinfra.storage.baseline import load_baseline
from atom_testinfra.storage.durations import DurationsFile, load_durations, save_durations
from atom_testinfra.storage.project import load_project

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from atom_testinfra.core.scheduling.dispatch import Dispatcher
    from atom_testinfra.core.scheduling.durations import Expectation
    from atom_testinfra.storage.project import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownDurations:
    """How long tests take, by node id, and where that is known from."""

    seconds: Mapping[str, float]
    fixtures_s: Mapping[str, float]
    """What fixtures of modules and classes take, by their node id."""
    root: str
    """The folder that node ids are relative to."""
    file: Path
    """Where durations of this machine are kept."""
    remarks: tuple[str, ...] = ()

    def describe(self, expectation: Expectation, dispatcher: Dispatcher[Any]) -> list[str]:
        """Return, in lines, which scheduler is at work and what it knows."""
        n, n_unknown = len(expectation.seconds), len(expectation.unknown)
        lines = [f"testinfra: {remark}" for remark in self.remarks]
        units = f"testinfra: DurationScheduling, {plural(n, 'test')} in {plural(dispatcher.n_units, 'unit')}"
        if expectation.is_blind:
            return [*lines, f"{units}; no duration is known yet, this run records them"]
        longest_s = max(expectation.seconds)
        lines.append(f"{units}; longest {longest_s:.3g} s, lower bound {dispatcher.bound_s:.3g} s")
        if expectation.is_poor:
            lines.append(
                "testinfra: the schedule may be poor, because the duration of"
                f" {n_unknown:,} of {plural(n, 'test')} is not known; this run records them"
            )
        return lines


class DurationsKeeper(HooksOnly):
    """Keeps how long each test took in the process that the person started."""

    def __init__(self, config: pytest.Config, known: KnownDurations) -> None:
        self._name = Naming(config, known.root)
        self._file = known.file
        self._running: dict[tuple[str, object], float] = {}
        self._seen: dict[str, float] = {}
        self._fixtures = FixtureStays()
        self._failed: set[str] = set()
        self._problem: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up the steps of a test; a failed test may have taken any time, and is left out."""
        key = (report.nodeid, getattr(report, "worker_id", None))
        taken_s = self._running.pop(key, 0.0) + max(report.duration - self._fixtures.take(report), 0.0)
        if report.failed:
            self._failed.add(report.nodeid)
        if report.when != "teardown":
            self._running[key] = taken_s
        elif report.nodeid not in self._failed:
            self._seen[report.nodeid] = max(taken_s, self._seen.get(report.nodeid, 0.0))

    def pytest_sessionfinish(self) -> None:
        """Write the file."""
        seen = {self._name(nodeid): s for nodeid, s in self._seen.items() if nodeid not in self._failed}
        fixtures_s = {self._name(scope): s for scope, s in self._fixtures.finish().items()}
        try:
            save_durations(self._file, seen, fixtures_s)
        except (InfraError, OSError) as exc:
            self._problem = str(exc)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say why durations were not kept, if they were not."""
        if self._problem is not None:
            terminalreporter.write_line(f"testinfra: durations were not kept: {self._problem}")


def find_durations(config: pytest.Config) -> KnownDurations:
    """
    Return what is known on this machine: seen by earlier runs here, else named, else from the baseline.

    Raises:
        InfraError: The baseline, or a file that was named, cannot be read.
    """
    project = load_project(config.invocation_params.dir)
    committed = committed_durations(config, project, prefers_ci=is_ci())
    remarks: tuple[str, ...] = ()
    try:
        seen = load_durations(project.durations)
    except ScheduleError as exc:
        seen, remarks = DurationsFile(seconds={}), (f"{exc}; its durations are not used",)
    return KnownDurations(
        seconds=committed.seconds | seen.seconds,
        fixtures_s=committed.fixtures_s | seen.fixtures_s,
        root=find_root(config),
        file=project.durations,
        remarks=remarks,
    )


def committed_durations(config: pytest.Config, project: Project, *, prefers_ci: bool) -> DurationsFile:
    """
    Return the durations that every machine has: the baseline's, and those of a file that was named.

    Raises:
        InfraError: One of them cannot be read.
    """
    targets = project.config.targets
    profiles = [targets.ci_profile, targets.local_profile]
    try:
        baseline = load_baseline(project.baseline)
    except NothingMeasuredError:
        measured: dict[str, float] = {}
    else:
        measured = baseline_durations(baseline.properties, profiles if prefers_ci else profiles[::-1])
    named: str | None = config.option.testinfra_durations
    if named is None:
        return DurationsFile(seconds=measured)
    path = Path(config.invocation_params.dir, named)
    if not path.is_file():
        hint = f"a run with workers writes {project.config.durations!r}"
        raise ScheduleError(f"there is no file {named!r} of durations", hint=hint)
    found = load_durations(path)
    return DurationsFile(seconds=measured | found.seconds, fixtures_s=found.fixtures_s)
