"""What a run keeps of its exit, for the next one to expect."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from atom_testinfra.core.budgets.events import Ended, Ending
from atom_testinfra.core.time_spans import BudgetClock, TimeSpan
from atom_testinfra.machine.run_queue import Turns
from atom_testinfra.pytest_plugin.timebox.account import TimeBoxAccount
from atom_testinfra.pytest_plugin.timebox.terms import Terms, exit_now_s
from atom_testinfra.storage.costs import costs_path, load_costs

if TYPE_CHECKING:
    from pathlib import Path

TERMS = Terms(span=TimeSpan(seconds=10.0, clock=BudgetClock.CPU), origin_s=0.0, n_workers=2)


class Account(TimeBoxAccount):
    """An account of a run whose clocks stand where a test puts them: wall, and CPU of this process."""

    readings = (0.0, 0.0)

    @classmethod
    def _clocks(cls) -> tuple[float, float]:
        return cls.readings


@pytest.mark.parametrize(("tx", "n_workers"), [(["popen", "popen"], 2), ([], 0)])
def test_the_time_of_the_workers_tests_is_not_that_of_the_exit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tx: list[str], n_workers: int
) -> None:
    """
    At the exit, workers have been waited for, and their CPU time is in this process's.

    Else the next run would expect to need all of its time for the exit.
    """
    module = "atom_testinfra.pytest_plugin.timebox.account"
    monkeypatch.setattr(f"{module}.is_own_process", lambda config: False)
    monkeypatch.setattr(f"{module}.count_workers", lambda config: len(tx))
    monkeypatch.setattr(f"{module}.speed_guess", lambda: 1.0)
    config: Any = SimpleNamespace()
    monkeypatch.setattr(Account, "readings", (12.0, 0.5))
    account = Account(config, TERMS, costs_path(tmp_path), [])
    for worker, cpu_s in [("gw0", 4.0), ("gw1", 3.0)][:n_workers]:
        account.note(
            Ended(
                test=0,
                worker=worker,
                at_s=9.0,
                ending=Ending.PLAIN,
                wall_s=1.0,
                process_s=1.0,
                cpu_s=cpu_s,
            )
        )
    if not n_workers:
        account.note(
            Ended(test=0, worker="", at_s=9.0, ending=Ending.PLAIN, wall_s=1.0, process_s=1.0, cpu_s=0.5)
        )
    # This process 0.2 s more, and each worker 0.3 s for an exit of its own.
    after_s = 0.7 + sum([4.3, 3.3][:n_workers])
    monkeypatch.setattr(Account, "readings", (12.5, after_s))
    account._keep_exit()
    kept = load_costs(costs_path(tmp_path))
    assert kept is not None
    assert kept.exit_s(BudgetClock.CPU, n_workers) == pytest.approx(0.2 + 0.3 * n_workers)
    assert kept.exit_s(BudgetClock.WALL, n_workers) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("clock", "turns", "expected_s"),
    [
        (BudgetClock.WALL, Turns(ran_s=2.0, queued_s=8.0), 1.5),
        (BudgetClock.WALL, Turns(ran_s=2.0, queued_s=0.0), 0.3),
        (BudgetClock.CPU, Turns(ran_s=2.0, queued_s=8.0), 0.3),
    ],
)
def test_an_exit_is_as_slow_as_the_machine_is_busy(
    monkeypatch: pytest.MonkeyPatch, clock: BudgetClock, turns: Turns, expected_s: float
) -> None:
    """Of each second that the process could have run, others had four fifths: so it will be at the exit."""
    monkeypatch.setattr("atom_testinfra.pytest_plugin.timebox.terms.read_turns", lambda: turns)
    terms = Terms(span=TimeSpan(seconds=10.0, clock=clock), origin_s=0.0, n_workers=1, exit_s=0.3)
    assert exit_now_s(terms) == pytest.approx(expected_s)
