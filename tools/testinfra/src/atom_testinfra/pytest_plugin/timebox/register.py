"""`--testinfra-time`: what was asked for, and which parts of the plugin handle it in which process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.core.budgets.costs import Costs, Time
from atom_testinfra.core.errors import ConfigError, CostsError
from atom_testinfra.core.time_spans import BudgetClock, TimeSpan, parse_time_span
from atom_testinfra.machine.age import process_age_s
from atom_testinfra.machine.clocks import Clocks
from atom_testinfra.pytest_plugin.distribution import count_workers
from atom_testinfra.pytest_plugin.naming import Naming, find_root
from atom_testinfra.pytest_plugin.options import is_recording, time_asked
from atom_testinfra.pytest_plugin.timebox import last_moment
from atom_testinfra.pytest_plugin.timebox.terms import (
    EXIT_S,
    WORKERINPUT,
    Terms,
    is_own_process,
    own_cpu_s,
)
from atom_testinfra.storage.costs import baseline_costs, costs_path, load_costs
from atom_testinfra.storage.project import load_project

if TYPE_CHECKING:
    from atom_testinfra.pytest_plugin.timebox.runner import TimeBoxRunner


def start_timebox(config: pytest.Config) -> None:
    """Register what keeps a run to its time, where tests run and where the person looks."""
    workerinput: dict[str, Any] | None = getattr(config, "workerinput", None)
    if workerinput is not None:
        if WORKERINPUT in workerinput:
            _start_worker(config, workerinput)
        return
    text, source = time_asked(config)
    if is_recording(config):
        _refuse_recording(config, source)
        return
    span = _parse(text, source)
    if config.option.testinfra_rounds and getattr(config.option, "hypothesis_seed", None) is not None:
        raise pytest.UsageError(
            "--testinfra-rounds: with --hypothesis-seed each round would repeat the first; leave one out"
        )
    if config.option.collectonly:
        return
    root = find_root(config)
    costs, notes = find_costs(config, root)
    n_workers = count_workers(config)
    from atom_testinfra.pytest_plugin.timebox.account import TimeBoxAccount

    terms = Terms(
        span=span,
        origin_s=Clocks.wall() - _age_s(config),
        n_workers=max(n_workers, 1),
        exit_s=predict_exit(
            costs, last_moment.load(costs_path(Path(root)).parent, n_workers), span.clock, n_workers
        ),
        base_cpu_s=0.0 if is_own_process(config) else -own_cpu_s(),
        has_rounds=config.option.testinfra_rounds,
    )
    account = TimeBoxAccount(config, terms, costs_path(Path(root)), notes)
    if n_workers:
        from atom_testinfra.pytest_plugin.timebox.workers import TimeBoxWorkers

        config.pluginmanager.register(TimeBoxWorkers(config, terms, account), "atom_testinfra_timebox")
    else:
        from atom_testinfra.pytest_plugin.timebox.runner import TimeBoxRunner

        runner = TimeBoxRunner(terms, Naming(config, root), costs, note=account.note, ledger=None, worker="")
        runner.tell = account.collected
        _register(config, runner, terms, root, worker="")
    config.pluginmanager.register(account, "atom_testinfra_timebox_account")


def find_costs(config: pytest.Config, root: str) -> tuple[Costs, list[str]]:
    """Return what is known of the tests' costs, and remarks on what could not be read."""
    notes = []
    kept = None
    try:
        kept = load_costs(costs_path(Path(root)))
    except CostsError as exc:
        notes.append(f"{exc}; planning without it")
    if kept is not None and kept.properties:
        return kept, notes
    try:
        project = load_project(config.invocation_params.dir)
        known = baseline_costs(project.baseline, project.config.targets.local_profile)
    except (ConfigError, CostsError) as exc:
        return Costs(), [*notes, f"{exc}; planning without it"]
    return known.updated(kept or Costs()), notes


def predict_exit(costs: Costs, last: Time | None, clock: BudgetClock, n_workers: int) -> float:
    """
    Return what the exit takes on a quiet machine, as it did last time.

    Args:
        costs: what is kept; it holds the exit up to the last handler.
        last: what the process took after that, or `None` where it was not seen.
        clock: by which.
        n_workers: of this run; 0 without.
    """
    seconds = costs.exit_s(clock, n_workers)
    if seconds is None:
        # In wall time the workers end together, and then the process that waited for them.
        return EXIT_S * (n_workers + 1 if clock is BudgetClock.CPU else 1 + min(n_workers, 1))
    return seconds + (EXIT_S if last is None else last.by(clock))


def _age_s(config: pytest.Config) -> float:
    return process_age_s() if is_own_process(config) else 0.0


def _parse(text: str, source: str) -> TimeSpan:
    try:
        return parse_time_span(text)
    except ConfigError as exc:
        raise pytest.UsageError(f"{source}: {exc}") from exc


def _refuse_recording(config: pytest.Config, source: str) -> None:
    """Leave a measured run its fixed numbers: refuse the flag, and say that the setting is not in force."""
    if source.startswith("--"):
        raise pytest.UsageError(
            f"{source}: a run that is recorded has fixed numbers of examples; leave out one of the two"
        )
    config.pluginmanager.register(_NotInForce(source), "atom_testinfra_time_not_in_force")


class _NotInForce:
    def __init__(self, source: str) -> None:
        self._source = source

    def pytest_report_header(self) -> str:
        return f"testinfra: {self._source} is not in force, because a run that is recorded has fixed numbers"


def _start_worker(config: pytest.Config, workerinput: dict[str, Any]) -> None:
    from atom_testinfra.pytest_plugin.timebox.runner import TimeBoxRunner
    from atom_testinfra.storage.ledger import Ledger

    given = dict(workerinput[WORKERINPUT])
    span = TimeSpan(seconds=given.pop("seconds"), clock=BudgetClock(given.pop("clock")))
    root = given.pop("root")
    terms = Terms(span=span, **given)
    assert terms.ledger is not None
    costs, _ = find_costs(config, root)
    runner = TimeBoxRunner(
        terms,
        Naming(config, root),
        costs,
        note=lambda _: None,
        ledger=Ledger(Path(terms.ledger)),
        worker=workerinput["workerid"],
    )
    _register(config, runner, terms, root, worker=workerinput["workerid"])


def _register(config: pytest.Config, runner: TimeBoxRunner, terms: Terms, root: str, *, worker: str) -> None:
    config.pluginmanager.register(runner, "atom_testinfra_timebox")
    if terms.has_rounds:
        from atom_testinfra.pytest_plugin.timebox.rounds import RoundsRunner

        rounds = RoundsRunner(terms, runner, root=root, worker=worker)
        config.pluginmanager.register(rounds, "atom_testinfra_timebox_rounds")
