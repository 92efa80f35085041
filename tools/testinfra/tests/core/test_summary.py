"""What a session found, summed up."""

from __future__ import annotations

from made_runs import make_record, make_run
from msgspec.structs import replace

from atom_testinfra.core.config import Targets
from atom_testinfra.core.measurement import Outcome
from atom_testinfra.core.summary import summarise_session

PLAIN = replace(make_record("t.py::test_plain"), hypothesis=None)


def test_a_plain_test_counts_once_however_many_profiles_ran_it() -> None:
    """The number is one of tests, not of records."""
    runs = [make_run([PLAIN], profile="local"), make_run([PLAIN], profile="ci")]

    assert summarise_session(runs, Targets()).n_plain == 1


def test_one_failed_repeat_takes_the_figures_away() -> None:
    """A property that passes now and then has no cost worth keeping."""
    good, bad = make_record("t.py::test_a"), make_record("t.py::test_a", outcome=Outcome.FAILED)
    summary = summarise_session([make_run([good]), make_run([bad], repeat=1)], Targets())

    assert summary.measured == []
    assert [(test.nodeid, test.outcome) for test in summary.failed] == [("t.py::test_a", Outcome.FAILED)]


def test_a_collected_test_that_no_run_reached_is_listed() -> None:
    """Nothing is dropped without a reason."""
    run = make_run([make_record("t.py::test_a")])
    assert run.collected is not None
    reached = replace(run, collected=replace(run.collected, nodeids=["t.py::test_a", "t.py::test_b"]))
    summary = summarise_session([reached], Targets())

    assert [(test.nodeid, test.outcome, test.reason) for test in summary.unmeasured] == [
        ("t.py::test_b", None, "no run reached it")
    ]
