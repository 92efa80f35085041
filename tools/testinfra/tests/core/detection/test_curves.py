"""Detection curves, costs from runs of several sizes, and the fewest test cases."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.core.detection.cover import cover
from atom_testinfra.core.detection.curves import Curves, interval_of_mean
from atom_testinfra.core.detection.trials import Trial, UnchangedRun, cost_of, grid_of

FIRSTS = st.none() | st.integers(0, 200)
TRIALS = st.lists(
    st.builds(
        Trial,
        nodeid=st.sampled_from(["a", "b"]),
        mutant=st.sampled_from(["m", "n", "o"]),
        seed=st.integers(0, 2),
        planned=st.sampled_from([12, 50, 200]),
        first=FIRSTS,
    )
)


def trial(first: int | None, *, planned: int = 200, seed: int = 0, mutant: str = "m") -> Trial:
    return Trial(nodeid="a", mutant=mutant, seed=seed, planned=planned, first=first)


def run(n_valid: int, cpu_s: float, *, planned: int | None = None, seed: int = 0) -> UnchangedRun:
    return UnchangedRun(
        nodeid="a", seed=seed, planned=planned or n_valid, own=100, n_valid=n_valid, cpu_s=cpu_s
    )


@given(TRIALS, st.integers(0, 300), st.integers(0, 300))
def test_more_examples_never_notice_less(trials: list[Trial], few: int, many: int) -> None:
    """A probability is between 0 and 1, and it does not fall with the number of examples."""
    curves = Curves(trials)
    few, many = sorted((few, many))
    for nodeid in curves.properties:
        for curve in curves.noticed(nodeid).values():
            assert 0.0 <= curve.within(few) <= curve.within(many) <= 1.0


@given(TRIALS, st.dictionaries(st.sampled_from(["a", "b", "unknown"]), st.integers(1, 200)))
def test_a_suite_notices_at_least_what_each_property_does(
    trials: list[Trial], numbers: dict[str, int]
) -> None:
    """Of each mutant, the suite's probability is at least that of its best property, and at most 1."""
    curves = Curves(trials)
    suite = dict(zip(curves.mutants, curves.suite_values(numbers), strict=True))
    for nodeid, n in numbers.items():
        for mutant, curve in curves.noticed(nodeid).items():
            assert curve.within(n) - 1e-9 <= suite[mutant] <= 1.0


@given(
    TRIALS,
    st.dictionaries(st.sampled_from(["a", "b", "unknown"]), st.integers(1, 200)),
    st.sampled_from(["a", "b"]),
    st.lists(st.integers(0, 300)),
)
def test_a_gain_is_the_difference_of_two_suites(
    trials: list[Trial], numbers: dict[str, int], nodeid: str, tried: list[int]
) -> None:
    """What one property adds is what the whole suite notices with its other number, less what it did."""
    curves = Curves(trials)
    before = sum(curves.suite_values(numbers))
    suites = [sum(curves.suite_values({**numbers, nodeid: n})) for n in tried]
    assert curves.gains(nodeid, tried, numbers) == pytest.approx([suite - before for suite in suites])


@given(st.lists(st.floats(0, 1), min_size=1))
def test_an_interval_holds_its_value(values: list[float]) -> None:
    """The mean lies in its own interval, which has a width for equal values too and repeats exactly."""
    found = interval_of_mean(values)
    assert 0.0 <= found.low < found.high <= 1.0
    assert found.low - 1e-9 <= found.value <= found.high + 1e-9
    assert found == interval_of_mean(values)
    assert min(values) - 1e-9 <= found.value <= max(values) + 1e-9


@pytest.mark.parametrize(("n", "low"), [(1, 0.207), (14, 0.785), (1000, 0.996)])
def test_mutants_that_are_all_noticed_leave_room_for_one_that_is_not(n: int, low: float) -> None:
    """The lower bound is Wilson's n / (n + z^2) with z = 1.96."""
    found = interval_of_mean([1.0] * n)
    assert (found.value, found.low, found.high) == pytest.approx((1.0, low, 1.0), abs=5e-4)
    missed = interval_of_mean([0.0] * n)
    assert (missed.low, missed.high) == pytest.approx((0.0, 1.0 - low), abs=5e-4)


def test_a_number_is_read_from_the_next_larger_run() -> None:
    """A run of 200 says nothing of the first 12 examples of a run of 12, which are larger."""
    trials = [trial(100), trial(3, planned=12), trial(None, planned=12, seed=1)]
    curve = Curves(trials).noticed("a")["m"]
    assert [curve.within(n) for n in (0, 2, 3, 12, 99, 100, 500)] == [0.0, 0.0, 0.5, 0.5, 0.5, 1.0, 1.0]


def test_what_runs_before_any_example_notices_with_none() -> None:
    """An explicit example, or a fixture, notices whatever the number is."""
    assert Curves([trial(0)]).noticed("a")["m"].within(0) == 1.0


def test_a_property_that_noticed_nothing_has_no_curve() -> None:
    """It was asked, and its mutants are not among those that shares are taken of."""
    curves = Curves([trial(None), trial(None, seed=1)])
    assert (curves.properties, curves.mutants, curves.n_asked("a"), curves.noticed("a")) == (["a"], [], 1, {})


@pytest.mark.parametrize(
    ("up_to", "grid"), [(200, [200, 50, 12]), (500, [500, 125, 31, 7]), (5, [5]), (19, [19]), (20, [20, 5])]
)
def test_the_grid_is_geometric(up_to: int, grid: list[int]) -> None:
    """Each number is a quarter of the one above it, down to five."""
    assert grid_of(up_to) == grid


@given(st.floats(1e-5, 1.0), st.floats(0.0, 5.0))
def test_a_linear_cost_is_found(example_s: float, fixed_s: float) -> None:
    """What was put together from a fixed part and a part for each example is taken apart again."""
    cost = cost_of([run(n, fixed_s + n * example_s, seed=seed) for n in (12, 50, 200) for seed in (0, 1)])
    assert cost.example_s == pytest.approx(example_s, rel=1e-6, abs=1e-9)
    assert cost.fixed_s == pytest.approx(fixed_s, rel=1e-6, abs=1e-6)
    assert cost.most is None


def test_an_exhausted_property_is_known_by_its_largest_runs() -> None:
    """It ran fewer valid examples than planned in all of them, so there is nothing more to try."""
    assert cost_of([run(2, 0.1, planned=200), run(2, 0.1, planned=50)]).most == 2
    assert cost_of([run(1, 0.1, planned=1), run(1, 0.1, planned=1)]).most is None


CASES = st.dictionaries(st.integers(0, 7), st.frozensets(st.sampled_from("abcdef")), max_size=7)


@given(CASES, st.integers(1, 3))
def test_a_cover_notices_all_that_can_be_noticed(noticing: dict[int, frozenset[str]], times: int) -> None:
    """Each mutant is noticed as often as asked, or by all test cases that notice it; none is superfluous."""
    chosen = cover(noticing, times)
    assert len(set(chosen)) == len(chosen)
    for mutant in set().union(*noticing.values()):
        possible = sum(mutant in mutants for mutants in noticing.values())
        assert sum(mutant in noticing[case] for case in chosen) >= min(times, possible)
    for case in chosen:
        rest = [one for one in chosen if one != case]
        lost = [
            mutant
            for mutant in noticing[case]
            if sum(mutant in noticing[one] for one in rest)
            < min(times, sum(mutant in mutants for mutants in noticing.values()))
        ]
        assert lost


@given(CASES)
def test_a_cover_is_near_the_smallest(noticing: dict[int, frozenset[str]]) -> None:
    """Greedy is at most 1 + 1/2 + ... + 1/6 times as large as the smallest, for six mutants."""
    wanted = set().union(*noticing.values())
    smallest = next(
        size
        for size in range(len(noticing) + 1)
        for some in combinations(noticing.values(), size)
        if set().union(*some) == wanted
    )
    assert len(cover(noticing, 1)) <= smallest * sum(1 / k for k in range(1, 7))
