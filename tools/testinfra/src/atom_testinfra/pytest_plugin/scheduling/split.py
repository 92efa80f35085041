"""`--testinfra-split`: a long property's examples over several workers, and what each process does for it."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.core.errors import InfraError
from atom_testinfra.pytest_plugin.distribution import count_workers
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.options import is_recording, time_asked
from atom_testinfra.pytest_plugin.scheduling.durations import find_durations
from atom_testinfra.pytest_plugin.scheduling.share_files import ShareFiles

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.scheduling.splitting import SplitPlan

WORKERINPUT = "testinfra_split"
PLUGIN = "atom_testinfra_split"


def start_split(config: pytest.Config) -> None:
    """
    Register what splits properties in a worker, and what follows them in the process that starts workers.

    Raises:
        pytest.UsageError: Something else was asked for that splitting does not go with.
    """
    workerinput: dict[str, Any] | None = getattr(config, "workerinput", None)
    if workerinput is not None:
        if WORKERINPUT in workerinput:
            from atom_testinfra.pytest_plugin.scheduling.shares import ShareRunner

            config.pluginmanager.register(ShareRunner(config, workerinput[WORKERINPUT]), PLUGIN)
        return
    _refuse(config)
    n_workers = count_workers(config)
    if n_workers < 2:
        config.pluginmanager.register(_NothingToSplit(), PLUGIN)
        return
    try:
        known = find_durations(config)
    except InfraError as exc:
        raise pytest.UsageError(f"{exc}; {exc.hint}" if exc.hint else str(exc)) from exc
    terms = {
        "root": known.root,
        "seconds": dict(known.seconds),
        "n_workers": n_workers,
        "base": secrets.token_hex(8),
    }
    config.pluginmanager.register(SplitProperties(config, terms), PLUGIN)


class SplitProperties(HooksOnly):
    """Tells the workers what they need, and reports what a run that ended early has left unreported."""

    def __init__(self, config: pytest.Config, terms: dict[str, Any]) -> None:
        self._config = config
        self._folder = Path(tempfile.mkdtemp(prefix="testinfra-split-"))
        self._terms = terms | {"folder": str(self._folder)}
        self._files = ShareFiles(self._folder)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker what to split by, before it starts; it is the same for one that comes in later."""
        node.workerinput[WORKERINPUT] = self._terms

    def take_plan(self) -> SplitPlan | None:
        """Return what the workers have made of the tests, once they have collected them."""
        plan = self._files.load_plan()
        session: Any = self._config.pluginmanager.getplugin("session")
        if plan is not None and session is not None:  # the terminal counts the tests that it will hear of
            session.testscollected -= sum(n - 1 for n in plan.split.values())
        return plan

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Report a failure whose other shares never ran, as after `-x` or a crash."""
        from atom_testinfra.pytest_plugin.scheduling.shares import choose_share, load_reports

        for group in self._files.groups():
            if not self._files.claim(group):
                continue
            results = self._files.load(group)
            loaded = {n: load_reports(self._config, result["reports"]) for n, result in results.items()}
            reports = loaded[choose_share(loaded)]
            if any(report.failed for report in reports):
                for report in reports:
                    self._config.hook.pytest_runtest_logreport(report=report)
                session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED

    def pytest_unconfigure(self) -> None:
        """Remove the folder that the workers shared."""
        shutil.rmtree(self._folder, ignore_errors=True)


def describe(plan: SplitPlan) -> list[str]:
    """Return, in lines, what was split and which long properties were not."""
    lines = [f"testinfra: {nodeid} in {n} shares" for nodeid, n in plan.split.items()]
    lines += [f"testinfra: {nodeid} is not split, because {why}" for nodeid, why in plan.whole.items()]
    return lines or ["testinfra: nothing to split: no test takes more than an equal share of the run"]


class _NothingToSplit:
    def pytest_report_header(self) -> str:
        return "testinfra: --testinfra-split has no effect without workers; add -n 2 or more"


def _refuse(config: pytest.Config) -> None:
    if is_recording(config):
        raise _clash("a recorded run runs each property as it is")
    if time_asked(config)[0]:
        raise _clash("a timed run gives each property its own number of examples")
    specs: Sequence[str] = getattr(config.option, "tx", None) or []
    elsewhere = [spec for spec in specs if not _is_here(spec)]
    if count_workers(config) and elsewhere:
        raise _clash(f"{elsewhere[0]!r} may be on another machine, and shares need one folder")


def _is_here(spec: str) -> bool:
    return spec.rpartition("*")[2].startswith("popen") and "via=" not in spec


def _clash(reason: str) -> pytest.UsageError:
    return pytest.UsageError(f"--testinfra-split cannot be used here: {reason}")
