"""What a process takes after its last `atexit` handler."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from atom_testinfra.core.budgets.costs import Costs, Time
from atom_testinfra.core.time_spans import BudgetClock
from atom_testinfra.pytest_plugin.timebox import last_moment
from atom_testinfra.pytest_plugin.timebox.register import predict_exit
from atom_testinfra.pytest_plugin.timebox.terms import EXIT_S

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import sys
from pathlib import Path
from atom_testinfra.pytest_plugin.timebox import last_moment
last_moment.place(Path(sys.argv[1]), 2)
"""


def test_the_last_moment_is_written_when_the_interpreter_ends(tmp_path: Path) -> None:
    """Not before, and without a word on stderr; it is kept for the number of workers."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", PROGRAM, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert last_moment.load(tmp_path, 0) is None
    taken = last_moment.load(tmp_path, 2)
    assert taken is not None
    assert taken.cpu_s > 0.0


def test_time_in_which_others_had_the_cpu_is_not_counted(tmp_path: Path) -> None:
    """What is left of the wall time is waiting, as for a disk."""
    (tmp_path / "exit-0").write_text("2.5 0.25 2.0\n")
    assert last_moment.load(tmp_path, 0) == Time(cpu_s=0.5, wait_s=0.5)


@pytest.mark.parametrize("text", ["", "1 2\n", "a b c\n", "nan 1 1\n", "1 -1 1\n", "inf 1 1\n"])
def test_a_process_that_was_killed_has_told_nothing(tmp_path: Path, text: str) -> None:
    """A file without three sensible numbers counts as none."""
    (tmp_path / "exit-0").write_text(text)
    assert last_moment.load(tmp_path, 0) is None


def test_a_folder_that_is_gone_is_left_alone(tmp_path: Path) -> None:
    """The next run then expects what an exit takes that was never seen."""
    last_moment.place(tmp_path / "gone", 0)
    assert not (tmp_path / "gone").exists()


def test_both_parts_of_an_exit_are_expected() -> None:
    """What was seen up to the last handler is never all of it."""
    costs, last = Costs(exit=Time(cpu_s=0.1, wait_s=0.2)), Time(cpu_s=1.0, wait_s=2.0)
    assert predict_exit(costs, last, BudgetClock.CPU, 0) == pytest.approx(1.1)
    assert predict_exit(costs, last, BudgetClock.WALL, 0) == pytest.approx(3.3)
    assert predict_exit(costs, None, BudgetClock.CPU, 0) == pytest.approx(0.1 + EXIT_S)
    assert predict_exit(Costs(), last, BudgetClock.CPU, 2) == pytest.approx(3 * EXIT_S)
    assert predict_exit(Costs(), last, BudgetClock.WALL, 2) == pytest.approx(2 * EXIT_S)
    assert predict_exit(Costs(), last, BudgetClock.WALL, 0) == pytest.approx(EXIT_S)
