"""Laws of the costs that a timed run keeps."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.samples import make_cost

from atom_testinfra.core.budgets.account import Account
from atom_testinfra.core.budgets.costs import Costs, KnownCost, Time, from_baseline, split_wall, stretch_of
from atom_testinfra.core.budgets.events import Ended, Ending
from atom_testinfra.core.time_spans import BudgetClock, TimeSpan

SECONDS = st.floats(0.0, 100.0)


@given(SECONDS, SECONDS, st.floats(1.0, 10.0))
def test_no_wall_time_is_counted_twice(wall_s: float, cpu_s: float, stretch: float) -> None:
    """CPU and waiting together are at most the wall time, or the CPU time of several threads."""
    time = split_wall(wall_s, cpu_s, stretch)
    assert time.by(BudgetClock.CPU) == cpu_s
    assert time.by(BudgetClock.WALL) <= max(wall_s, cpu_s) + 1e-9


@given(st.floats(1.0, 8.0), st.lists(st.floats(0.001, 1.0), min_size=4, max_size=30))
def test_a_busy_machine_is_not_taken_for_waiting(load: float, cpu_s: list[float]) -> None:
    """If every test takes the same multiple of its CPU time, no test waits."""
    stretch = stretch_of((seconds * load, seconds) for seconds in cpu_s)
    assert stretch == pytest.approx(load)
    assert all(split_wall(s * load, s, stretch).wait_s == pytest.approx(0.0, abs=1e-9) for s in cpu_s)


@given(st.floats(1.0, 4.0))
def test_a_test_that_sleeps_keeps_its_waiting(load: float) -> None:
    """One sleeping test among busy ones is told apart, whatever the load."""
    tests = [(0.1 * load, 0.1)] * 9 + [(5.0, 0.1)]
    stretch = stretch_of(tests)
    assert split_wall(5.0, 0.1, stretch).wait_s == pytest.approx(5.0 - 0.1 * load)


@given(SECONDS, SECONDS, SECONDS, st.floats(1.0, 10.0))
def test_a_load_that_changes_is_not_taken_for_waiting(
    cpu_s: float, queued_s: float, wait_s: float, stretch: float
) -> None:
    """Where the system tells how long others had the CPU, the other tests' times are not asked."""
    time = split_wall(cpu_s + queued_s + wait_s, cpu_s, stretch, queued_s)
    assert time.cpu_s == cpu_s
    assert time.wait_s == pytest.approx(wait_s, abs=1e-9)


@given(st.floats(1e-6, 1.0), st.floats(1e-6, 1.0), st.integers(1, 10**6), st.integers(1, 10**6))
def test_the_latest_run_weighs_most_for_its_size(old_s: float, new_s: float, n_old: int, n_new: int) -> None:
    """An update lies between both costs, and is the newer one's where it is much larger."""

    def cost(seconds: float, n: int) -> KnownCost:
        return KnownCost(example=Time(cpu_s=seconds), fixed=Time(), n_examples=n)

    kept = cost(old_s, n_old).updated(cost(new_s, n_new)).example.cpu_s
    assert min(old_s, new_s) * (1 - 1e-9) <= kept <= max(old_s, new_s) * (1 + 1e-9)
    assert abs(kept - new_s) <= abs(old_s - new_s) * n_old / (n_old + n_new) + 1e-9


@given(st.integers(0, 10**6), st.floats(0.01, 100.0), st.integers(1, 500))
def test_a_baseline_predicts_what_it_measured(seed: int, duration_s: float, n: int) -> None:
    """With the number of examples that was measured, the cost is the duration that was measured."""
    known = from_baseline(make_cost(Random(seed), duration_s, n))
    assert known is not None
    total_s = known.fixed.by(BudgetClock.WALL) + n * known.example.by(BudgetClock.WALL)
    assert total_s == pytest.approx(duration_s, rel=0.02)
    assert known.example.cpu_s / known.example.by(BudgetClock.WALL) == pytest.approx(0.97)


def test_an_exhausted_property_of_a_baseline_keeps_its_number() -> None:
    """It is not given time that it cannot use."""
    cost = make_cost(Random(0), 1.0, 100, is_exhausted=True, n_examples=7, unpredictable="exhausted")
    known = from_baseline(cost)
    assert known is not None
    assert known.most == 7


def ended(ending: Ending, *, test: int = 0, n: int = 100, took_s: float = 1.0) -> Ended:
    return Ended(
        test=test,
        worker="",
        at_s=took_s,
        ending=ending,
        wall_s=took_s,
        process_s=took_s,
        n_examples=n,
        n_planned=n,
        n_running=max(n - 1, 0),
        running_wall_s=took_s * 0.9,
        running_cpu_s=took_s * 0.9,
    )


def account(*events: Ended, asked_s: float = 10.0, taken_s: float = 9.5, n_tests: int = 0) -> Account:
    return Account.of(
        events,
        asked=TimeSpan(seconds=asked_s, clock=BudgetClock.WALL),
        taken_s=taken_s,
        own_cpu_s=2.0,
        exit_s=0.3,
        names=[f"f.py::t{i}" for i in range(max(n_tests, len(events)))],
    )


@pytest.mark.parametrize("ending", list(Ending))
def test_only_what_tells_the_cost_is_kept(ending: Ending) -> None:
    """A failing test spent its time on shrinking; an exhausted or skipped one is kept with its number."""
    kept = account(ended(ending)).costs(Costs(), ["f.py"])
    is_kept = ending in {Ending.COUNT, Ending.CLOCK, Ending.CUT, Ending.EXHAUSTED}
    assert ("f.py::t0" in kept.properties) is (is_kept or ending is Ending.SKIPPED)
    assert ("f.py" in kept.plain) is (ending is Ending.PLAIN)
    if is_kept:
        cost = kept.properties["f.py::t0"]
        assert cost.most == (100 if ending is Ending.EXHAUSTED else None)
        assert cost.fixed.cpu_s + 100 * cost.example.cpu_s == pytest.approx(1.0)


def test_what_others_had_of_the_cpu_is_not_kept() -> None:
    """An example of 9 ms that stood ready for 8.1 ms costs 0.9 ms, however the other tests fared."""
    busy = replace(
        ended(Ending.COUNT), process_s=0.1, running_cpu_s=0.09, queued_s=0.9, running_queued_s=0.81
    )
    quiet = replace(ended(Ending.COUNT), test=1)
    kept = account(busy, quiet).costs(Costs(), ["f.py", "f.py"]).properties["f.py::t0"]
    assert kept.example.cpu_s == pytest.approx(0.09 / 99)
    assert kept.example.wait_s == pytest.approx(0.0, abs=1e-9)
    assert kept.fixed.wait_s == pytest.approx(0.0, abs=1e-9)


def test_a_floor_that_nobody_predicted_is_named_at_the_end() -> None:
    """Without costs it is not known before; afterwards the examples took more than the shares."""
    floors = [replace(ended(Ending.CLOCK, n=5, took_s=4.0), test=i, share_s=0.5) for i in range(3)]
    lines = account(*floors, taken_s=12.7).lines()
    assert "late by 3.0 s: 3 of 3 properties took longer than planned, because each gets its floor" in lines
    within = [replace(end, share_s=5.0) for end in floors]
    assert not any("late" in line for line in account(*within, taken_s=12.7).lines())


def test_a_run_that_ended_before_its_first_test_has_an_account() -> None:
    """As one that a strict time refuses, late by its start alone."""
    lines = account(taken_s=12.7, n_tests=2).lines()
    assert lines[1:] == [
        "no property ran, and only the examples of properties follow a time",
        "ended early: 2 of 2 tests did not run to their end",
    ]
    assert len(account(taken_s=12.7).lines()) == 2


def test_the_first_line_has_all_figures() -> None:
    """It has the time asked for and taken, the CPU time, the exit and the examples."""
    line = account(ended(Ending.COUNT)).lines()[0]
    assert line == (
        "asked 10 s, taken 9.5 s and 2.0 CPU s, about 0.3 s more for the exit; 100 examples of 1 property"
    )


def test_time_that_nobody_could_use_is_explained() -> None:
    """Where properties ran out of examples, failed or have a timeout, that is why."""
    lines = account(ended(Ending.EXHAUSTED), taken_s=3.0).lines()
    assert "6.7 s were left; 1 of 1 property ran out of examples to try" in lines
    capped = account(replace(ended(Ending.CLOCK), is_capped=True), taken_s=3.0).lines()
    assert "6.7 s were left; 1 of 1 property got half of the timeout, and no more" in capped
    lines = account(ended(Ending.FAILED), ended(Ending.EXHAUSTED, test=1), taken_s=3.0).lines()
    assert (
        "6.7 s were left; 1 of 2 properties ran out of examples to try, "
        "1 of 2 properties failed, and a failure ends a property"
    ) in lines
    assert (
        "6.7 s were left: the last tests cost less than predicted"
        in account(ended(Ending.COUNT), taken_s=3.0).lines()
    )


def test_tests_that_did_not_run_are_counted() -> None:
    """A run that was stopped does not claim to have kept its time."""
    assert (
        "ended early: 2 of 3 tests did not run to their end"
        in account(ended(Ending.COUNT), taken_s=3.0, n_tests=3).lines()
    )


def test_an_example_as_long_as_the_run_is_named() -> None:
    """No planning helps against a single slow example, so the last lines name its test."""
    lines = account(ended(Ending.COUNT, n=2, took_s=8.0)).lines()
    assert "an example takes more than a twentieth of the time asked: f.py::t0" in lines


def test_the_cpu_time_of_workers_is_added() -> None:
    """Each worker tells the CPU time of its process, and the last figure of each counts."""
    from msgspec.structs import replace

    events = [
        replace(ended(Ending.COUNT), worker="gw0", cpu_s=3.0),
        replace(ended(Ending.COUNT, test=1), worker="gw0", cpu_s=4.0),
        replace(ended(Ending.COUNT, test=2), worker="gw1", cpu_s=5.0),
    ]
    assert account(*events).cpu_s == pytest.approx(2.0 + 4.0 + 5.0)
