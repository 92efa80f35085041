"""What a run is expected to pay for its exit."""

from __future__ import annotations

import pytest

from atom_testinfra.core.budgets.costs import Costs, Time, WorkersExit
from atom_testinfra.core.time_spans import BudgetClock

ALONE = Time(cpu_s=0.2, wait_s=0.1)
WITH_TWO = WorkersExit(cpu_s=0.9, wall_s=0.4)


@pytest.mark.parametrize(
    ("costs", "n_workers", "cpu_s", "wall_s"),
    [
        (Costs(), 2, None, None),
        (Costs(exit=ALONE), 0, 0.2, 0.3),
        (Costs(exit=ALONE), 2, 0.6, 0.3),
        (Costs(exit=ALONE, workers_exit={"2": WITH_TWO}), 0, 0.2, 0.3),
        (Costs(exit=ALONE, workers_exit={"2": WITH_TWO}), 2, 0.9, 0.4),
        (Costs(exit=ALONE, workers_exit={"2": WITH_TWO}), 5, 1.8, 0.4),
        (Costs(workers_exit={"2": WITH_TWO}), 0, 0.3, 0.4),
    ],
)
def test_each_process_ends_once_and_beside_the_others(
    costs: Costs, n_workers: int, cpu_s: float | None, wall_s: float | None
) -> None:
    """CPU time grows with the processes and wall time does not; what was seen of this number wins."""
    assert costs.exit_s(BudgetClock.CPU, n_workers) == (None if cpu_s is None else pytest.approx(cpu_s))
    assert costs.exit_s(BudgetClock.WALL, n_workers) == (None if wall_s is None else pytest.approx(wall_s))


def test_exits_of_other_numbers_of_workers_are_kept() -> None:
    """A run learns the exit of its own number only."""
    kept = Costs(exit=ALONE, workers_exit={"2": WITH_TWO}).updated(Costs(workers_exit={"4": WITH_TWO}))
    assert kept.exit == ALONE
    assert set(kept.workers_exit) == {"2", "4"}
