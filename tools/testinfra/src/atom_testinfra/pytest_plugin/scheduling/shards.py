"""Runs one shard of the tests, and leaves a file that says what there was to run and what ran."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.core.errors import InfraError
from atom_testinfra.core.figures import plural
from atom_testinfra.core.scheduling.durations import clamp
from atom_testinfra.core.scheduling.shards import BAD, Shard, ShardKind, ShardNumber, deal_tests, parse_shard
from atom_testinfra.pytest_plugin.distribution import count_workers
from atom_testinfra.pytest_plugin.hooks import HooksOnly
from atom_testinfra.pytest_plugin.naming import Naming, find_root
from atom_testinfra.pytest_plugin.scheduling.durations import committed_durations
from atom_testinfra.storage.project import load_project
from atom_testinfra.storage.run_writer import escape
from atom_testinfra.storage.shards import begin_shard, save_shard, shard_folder

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

OUTPUT = "testinfra_shard"
"""What a worker tells the process that started it, when it ends."""


def refuse_random_order(config: pytest.Config) -> None:
    """
    Refuse an order by chance without a seed that all shards share.

    Raises:
        pytest.UsageError: Tests are ordered by chance, and nobody says by which seed.
    """
    option = config.known_args_namespace
    is_randomly = getattr(option, "randomly_reorganize", False)
    if is_randomly and not isinstance(option.randomly_seed, int):
        raise _no_seed("pytest-randomly", "-p no:randomly or --randomly-seed=1")
    is_shuffled = _is_given(config, "--random-order", "--random-order-bucket")
    if is_shuffled and not _is_given(config, "--random-order-seed"):
        raise _no_seed("pytest-random-order", "--random-order-seed=1")


def start_shard(config: pytest.Config) -> None:
    """
    Register what selects the tests where they are collected, and what keeps the results where they are seen.

    Raises:
        pytest.UsageError: What was asked for names no shard, or its folder or the durations cannot be used.
    """
    is_worker = hasattr(config, "workerinput")
    try:
        number = parse_shard(config.option.testinfra_shard)
        project = load_project(config.invocation_params.dir)
        known = committed_durations(config, project, prefers_ci=True).seconds
        folder = shard_folder(project.shards, ShardKind.TESTS, number)
        if not is_worker:
            begin_shard(folder)
    except InfraError as exc:
        raise pytest.UsageError(f"{exc}; {exc.hint}" if exc.hint else str(exc)) from exc
    selection = None
    if is_worker or not count_workers(config):
        selection = ShardSelection(config, number, known)
        config.pluginmanager.register(selection, "atom_testinfra_shard_selection")
    if not is_worker:
        keeper = ShardKeeper(config, number, folder, selection)
        config.pluginmanager.register(keeper, "atom_testinfra_shard")


class ShardSelection(HooksOnly):
    """Leaves the tests of one shard."""

    def __init__(self, config: pytest.Config, number: ShardNumber, known: Mapping[str, float]) -> None:
        self._config = config
        self._number = number
        self._known = known
        self._name = Naming(config, find_root(config))
        self.dealt: dict[str, Any] | None = None
        """What there was to run, what of it is this shard's, and the digest; `None` before collection."""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Select, after everybody else."""
        workerinput: dict[str, Any] = getattr(self._config, "workerinput", {})
        n_workers = workerinput.get("workercount", 1)
        names = [escape(self._name.name(item)) for item in items]
        shards, digest = deal_tests(names, self._known, self._number.n_shards, n_workers)
        own = shards[self._number.index - 1]
        chosen = [(item, name) for item, name in zip(items, names, strict=True) if name in own]
        others = [item for item, name in zip(items, names, strict=True) if name not in own]
        if others:
            items[:] = [item for item, _ in chosen]
            self._config.hook.pytest_deselected(items=others)
        expected_s = sum(clamp(self._known[name]) for name in own if name in self._known)
        self.dealt = {
            "digest": digest,
            "ids": sorted(names),
            "chosen": sorted(name for _, name in chosen),
            "names": {item.nodeid: name for item, name in chosen},
            "expected_s": expected_s,
            "n_known": sum(name in self._known for name in names),
            "seed": _seed(self._config),
        }

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Tell the process that started this worker."""
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[OUTPUT] = self.dealt


class ShardKeeper(HooksOnly):
    """Follows the outcome of every test, and writes the shard's file at the end."""

    def __init__(
        self, config: pytest.Config, number: ShardNumber, folder: Path, selection: ShardSelection | None
    ) -> None:
        self._number = number
        self._folder = folder
        self._selection = selection
        self._is_collecting_only = bool(config.option.collectonly)
        self._dealt: dict[str, Any] | None = None
        self._running: dict[tuple[str, object], tuple[str, float]] = {}
        self._ended: dict[str, list[tuple[str, float]]] = {}
        self._said = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Follow a test from step to step."""
        key = (report.nodeid, getattr(report, "worker_id", None))
        before, taken_s = self._running.pop(key, ("passed", 0.0))
        state = _outcome(report, before), taken_s + max(report.duration, 0.0)
        if report.when in {"setup", "call"}:
            self._running[key] = state
        else:
            self._ended.setdefault(report.nodeid, []).append(state)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a worker says when it ends."""
        dealt = getattr(node, "workeroutput", {}).get(OUTPUT)
        if dealt is not None and self._dealt is None:
            self._dealt = dealt

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Write the file; a shard without a test has not failed where the other shards have tests."""
        dealt = self._dealt if self._selection is None else self._selection.dealt
        if dealt is None or self._is_collecting_only:
            return
        status = int(exitstatus)
        if status == pytest.ExitCode.NO_TESTS_COLLECTED and dealt["ids"] and not dealt["chosen"]:
            status = session.exitstatus = pytest.ExitCode.OK
        self._said = self._describe(dealt)
        results, seconds = self._take_results(dealt)
        shard = Shard(
            kind=ShardKind.TESTS,
            number=self._number,
            digest=dealt["digest"],
            ids=dealt["ids"],
            chosen=dealt["chosen"],
            results=results,
            exit_status=int(status),
            seed=dealt["seed"],
            seconds=seconds,
        )
        try:
            self._said += f"; written to {os.fspath(save_shard(self._folder, shard))}"
        except InfraError as exc:
            self._said = str(exc)
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say which shard this was."""
        if self._said:
            terminalreporter.write_line(f"testinfra: {self._said}")

    def _describe(self, dealt: dict[str, Any]) -> str:
        n, n_chosen = len(dealt["ids"]), len(dealt["chosen"])
        told = f"shard {self._number}, digest {dealt['digest']}: "
        if not n_chosen:
            shards = plural(self._number.n_shards, "shard")
            return f"{told}no test is in it: the suite has {plural(n, 'test')}, and is cut into {shards}"
        return (
            f"{told}{n_chosen} of {plural(n, 'test')}; {plural(dealt['n_known'], 'duration')} known, "
            f"of those in this shard {dealt['expected_s']:.3g} s"
        )

    def _take_results(self, dealt: dict[str, Any]) -> tuple[list[tuple[str, str]], dict[str, float]]:
        """Return the outcomes by id, and how long the tests took that did not fail."""
        results: list[tuple[str, str]] = []
        seconds: dict[str, float] = {}
        wanted: dict[str, int] = {}
        for name in dealt["chosen"]:
            wanted[name] = wanted.get(name, 0) + 1
        for nodeid, ended in self._ended.items():
            name = dealt["names"].get(nodeid, nodeid)
            # A plugin that runs a failed test again reports every run: the last ones count.
            kept = ended[-wanted.get(name, len(ended)) :]
            results += [(name, outcome) for outcome, _ in kept]
            if all(outcome not in BAD for outcome, _ in kept):
                seconds[name] = round(max(taken_s for _, taken_s in kept), 6)
        return sorted(results), dict(sorted(seconds.items()))


def _outcome(report: pytest.TestReport, before: str) -> str:
    if before in BAD:
        return before
    if report.failed:
        return {"setup": "error", "call": "failed", "teardown": "error"}.get(report.when, "crashed")
    if report.skipped:
        return "xfailed" if hasattr(report, "wasxfail") else "skipped"
    if report.when == "call" and hasattr(report, "wasxfail"):
        return "xpassed"
    return before


def _seed(config: pytest.Config) -> str | None:
    """Return the seed of a random order that is in force."""
    if getattr(config.option, "randomly_reorganize", False):
        return f"pytest-randomly {config.option.randomly_seed}"
    if _is_given(config, "--random-order-seed"):
        return f"pytest-random-order {config.option.random_order_seed}"
    return None


def _is_given(config: pytest.Config, *flags: str) -> bool:
    added = [*config.getini("addopts"), *os.environ.get("PYTEST_ADDOPTS", "").split()]
    words = [str(word) for word in (*config.invocation_params.args, *added)]
    return any(word.partition("=")[0] in flags for word in words)


def _no_seed(plugin: str, remedy: str) -> pytest.UsageError:
    return pytest.UsageError(
        f"--testinfra-shard: {plugin} orders the tests differently in every shard; add {remedy}"
    )
