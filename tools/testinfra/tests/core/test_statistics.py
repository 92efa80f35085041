"""Intervals between sets of runs: exact where they claim it."""

from __future__ import annotations

import math
from itertools import combinations
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.core.statistics import (
    Interval,
    deviation,
    false_alarm_rate,
    interval_rank,
    quantile,
    ratio_interval,
    run_effects,
    u_distribution,
)

costs = st.floats(min_value=1e-6, max_value=1e6)
runs = st.lists(costs, min_size=1, max_size=9)


class TestUDistribution:
    @pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 5), (5, 3), (4, 4), (2, 7)])
    def test_counts_every_order_once(self, m: int, n: int) -> None:
        """The counts are those of writing all orders down."""
        expected = [0] * (m * n + 1)
        for picked in combinations(range(m + n), m):
            others = [i for i in range(m + n) if i not in picked]
            expected[sum(a < b for a in picked for b in others)] += 1
        assert list(u_distribution(m, n)) == expected

    def test_five_against_three_leaves_three_ratios_out(self) -> None:
        """7 of 56 orders have a U of at most three: the stated error of one in eight."""
        counts = u_distribution(5, 3)
        assert (sum(counts[:4]), sum(counts)) == (7, 56)
        assert interval_rank(5, 3, 0.125) == 3


class TestIntervalRank:
    @given(m=st.integers(2, 25), n=st.integers(2, 25), error=st.floats(0.01, 0.4))
    def test_never_errs_more_often_than_asked(self, m: int, n: int, error: float) -> None:
        """What is left out below the bound has at most the probability asked for, or nothing is left out."""
        counts = u_distribution(m, n)
        rank = interval_rank(m, n, error)
        assert rank == 0 or sum(counts[: rank + 1]) <= error * sum(counts)

    def test_many_runs_continue_where_the_exact_table_ends(self) -> None:
        """The normal approximation differs from the exact rank by at most one of 900 pairs."""
        exact = interval_rank(30, 30, 0.125)
        deviation_of_u = math.sqrt(900 * 61 / 12)
        assert abs(exact - (450 - 1.1503 * deviation_of_u)) <= 1.5
        assert exact < interval_rank(30, 31, 0.125) < exact + 30


class TestRatioInterval:
    @given(base=runs, new=runs)
    def test_bounds_enclose_the_value(self, base: list[float], new: list[float]) -> None:
        """low <= value <= high."""
        interval = ratio_interval(base, new)
        assert interval.low <= interval.value <= interval.high

    @given(base=runs, new=runs, data=st.data())
    def test_order_of_runs_does_not_matter(
        self, base: list[float], new: list[float], data: st.DataObject
    ) -> None:
        """Any order of the same runs gives the same interval."""
        shuffled = ratio_interval(data.draw(st.permutations(base)), data.draw(st.permutations(new)))
        assert shuffled == ratio_interval(base, new)

    @given(base=runs, new=runs, power=st.integers(-20, 20))
    def test_scales_with_the_new_side(self, base: list[float], new: list[float], power: int) -> None:
        """Every run twice as slow is twice the ratio, bounds included; powers of two make it exact."""
        factor = 2.0**power
        scaled = ratio_interval(base, [value * factor for value in new])
        assert scaled == ratio_interval(base, new).scaled(factor)

    @given(base=runs, new=runs)
    def test_swapping_the_sides_inverts_the_bounds(self, base: list[float], new: list[float]) -> None:
        """What is slower one way is faster the other way."""
        there, back = ratio_interval(base, new), ratio_interval(new, base)
        assert math.isclose(there.low, 1 / back.high)
        assert math.isclose(there.high, 1 / back.low)

    @given(base=st.lists(costs, min_size=5, max_size=9), new=st.lists(costs, min_size=3, max_size=9))
    def test_one_wild_run_does_not_move_a_bound_beyond_the_others(
        self, base: list[float], new: list[float]
    ) -> None:
        """With five against three, one run that took a million times as long does not carry the low bound."""
        wild = [*new[:-1], max(new) * 1e6]
        assert ratio_interval(base, wild).low <= max(new[:-1]) / min(base)

    def test_covers_the_truth_as_often_as_stated(self) -> None:
        """Over 4,000 draws of heavy-tailed noise each bound errs 12.5 % of the time, within three sigma."""
        random = Random(7)

        def noisy() -> float:
            return math.exp(0.2 * random.gauss(0, 1) / math.sqrt(random.gammavariate(1.5, 2 / 3)))

        too_high = 0
        for _ in range(4000):
            too_high += ratio_interval([noisy() for _ in range(5)], [noisy() for _ in range(3)]).low > 1
        assert abs(too_high / 4000 - 0.125) < 3 * math.sqrt(0.125 * 0.875 / 4000)


class TestFalseAlarmRate:
    def test_counts_the_splits_that_alarm(self) -> None:
        """Of three runs, with one slow run, one split in three picks it."""
        rate = false_alarm_rate([1.0, 3.0], [1.0], lambda base, new: new[0] > 1.2)
        assert rate == pytest.approx(1 / 3)

    def test_no_noise_is_no_alarm(self) -> None:
        """Equal runs on each side, however different the sides: nothing but noise is dealt out."""
        assert false_alarm_rate([2.0] * 5, [9.0] * 3, lambda base, new: min(new) > max(base)) == 0

    def test_many_runs_use_a_fixed_sample(self) -> None:
        """20 against 20 have 10**11 splits: 200 of them are taken, the same ones each time."""
        random = Random(1)
        base, new = ([random.lognormvariate(0, 0.2) for _ in range(20)] for _ in range(2))
        rates = {false_alarm_rate(base, new, lambda b, n: median(n) > median(b)) for _ in range(2)}
        assert len(rates) == 1
        assert 0.3 < rates.pop() < 0.7


class TestQuantile:
    @given(values=runs, q=st.floats(0, 1))
    def test_lies_between_the_extremes(self, values: list[float], q: float) -> None:
        """No quantile is outside the data."""
        assert min(values) <= quantile(values, q) <= max(values)

    def test_a_quantile_is_interpolated_between_its_neighbours(self) -> None:
        """A quarter of the way through four gaps of ten is ten."""
        assert quantile([0, 40, 10, 30, 20], 0.25) == 10
        assert quantile([0, 10], 0.25) == 2.5


def test_deviation_of_normal_noise_is_its_standard_deviation() -> None:
    """The factor 1.4826 makes it so."""
    random = Random(3)
    assert deviation([random.gauss(5, 2) for _ in range(20_000)]) == pytest.approx(2, rel=0.03)


def test_interval_is_scaled_in_every_bound() -> None:
    """Taking out a factor moves all three alike."""
    assert Interval(1.0, 2.0, 4.0).scaled(0.5) == Interval(0.5, 1.0, 2.0)


class TestRunEffects:
    def test_finds_what_a_run_did_to_all(self) -> None:
        """The second run was a third slower for everybody, whatever else a single test did."""
        tests = [[10.0, 13.0, 10.0], [2.0, 2.6, 2.0], [5.0, 6.5, 5.0], [7.0, 9.1, 70.0]]
        assert run_effects(tests) == pytest.approx([1, 1.3, 1])

    @given(
        st.integers(2, 6).flatmap(
            lambda n: st.lists(st.lists(costs, min_size=n, max_size=n), min_size=1, max_size=9)
        )
    )
    def test_one_test_has_the_effects_of_its_own_noise_at_most(self, tests: list[list[float]]) -> None:
        """An effect lies between the smallest and the largest that any test shows in that run."""
        for run, effect in enumerate(run_effects(tests)):
            shown = [values[run] / median(values) for values in tests]
            assert min(shown) <= effect <= max(shown)
