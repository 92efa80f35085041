"""When the parts of a repeat make a whole."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.made_runs import make_record, make_run

from atom_testinfra.core.records.measurement import Collected, RunEnd
from atom_testinfra.core.records.session import is_complete
from atom_testinfra.core.vocabulary import Outcome

CRASHED = Outcome.CRASHED


@pytest.mark.parametrize(
    ("outcome", "exit_status", "n_workers", "n_collected", "expected"),
    [
        (Outcome.FAILED, 1, 0, 2, True),  # `-x`: pytest was asked to stop there
        (CRASHED, 0, 0, 2, False),  # `pytest.exit(returncode=0)`
        (CRASHED, 2, 0, 2, False),
        (CRASHED, 2, 0, 1, True),
        (CRASHED, 1, 2, 2, False),  # xdist replaces a limited number of workers
        (CRASHED, 1, 2, 1, True),
        (CRASHED, None, 0, 2, False),
        (CRASHED, None, 0, 1, True),
        (Outcome.INTERRUPTED, 2, 0, 1, False),
    ],
)
def test_a_run_that_its_test_has_ended_is_whole_with_its_last_test(
    outcome: Outcome, exit_status: int | None, n_workers: int, n_collected: int, expected: bool
) -> None:
    """Whatever exit status it has; an end that pytest came to without a crash is one."""
    run = make_run([make_record("a", outcome=outcome)])
    end = None if exit_status is None else RunEnd(exit_status=exit_status, wall_s=1.0, cpu_s=1.0, outcomes={})
    header = replace(run.header, n_workers=n_workers)
    run = replace(run, header=header, collected=Collected(nodeids=["a", "b"][:n_collected]), end=end)
    assert is_complete([run]) is expected
