"""Verdicts on changes: what is slower, what cannot be told, and what is not the same test."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from atom_testinfra.core.changes.comparison import Comparison, Side, compare_sides
from atom_testinfra.core.changes.judgement import ChangeVerdict, Counts, Series, confirm
from atom_testinfra.core.changes.threshold import Threshold
from atom_testinfra.core.errors import ComparisonError, NothingMeasuredError
from atom_testinfra.core.records.measurement import Machine
from atom_testinfra.core.records.outside import OTHER_THREADS
from atom_testinfra.core.records.parts import Part
from atom_testinfra.core.statistics import Interval

QUARTER = Threshold(share=0.25, floor_us=2)
STEADY = [1.0, 1.01, 0.99, 1.02, 0.98]
HERE = Machine(system="Linux", arch="x86_64", cpu="one", n_cpus=2, memory_mb=4096)
THERE = Machine(system="Linux", arch="aarch64", cpu="other", n_cpus=8, memory_mb=4096)

costs = st.floats(min_value=0.01, max_value=100)
series = st.builds(
    Series,
    values=st.sampled_from([0, 1, 3, 5, 7]).flatmap(lambda n: st.lists(costs, min_size=n, max_size=n)),
    unit_us=st.just(50.0),
    workload=st.sampled_from([None, "50 examples", "200 examples"]),
    digest=st.sampled_from([None, "a", "b", "c"]),
    problem=st.sampled_from([None, None, None, "it failed"]),
)
tests = st.dictionaries(st.sampled_from([f"t.py::test_{i}" for i in range(9)]), series)


def side(label: str, **tests: Series | list[float]) -> Side:
    made = {n: t if isinstance(t, Series) else Series(values=t, unit_us=100) for n, t in tests.items()}
    return Side(label=label, tests=made, interpreter="CPython 3.11", machine=HERE, calibration="3-made-up")


def times(factor: float, values: list[float] = STEADY) -> list[float]:
    return [value * factor for value in values]


def verdicts(comparison: Comparison) -> dict[str, str]:
    return {change.nodeid: change.verdict.value for change in comparison.changes}


class TestVerdicts:
    @pytest.mark.parametrize(
        ("factor", "verdict"), [(2, "slower"), (1.5, "slower"), (1.1, "ok"), (1, "ok"), (0.5, "faster")]
    )
    def test_steady_tests_are_told(self, factor: float, verdict: str) -> None:
        """With 2 % noise, 25 % is a clear line in both directions."""
        result = compare_sides(side("a", t=STEADY), side("b", t=times(factor)), QUARTER)
        assert verdicts(result) == {"t": verdict}

    def test_a_noisy_test_is_inconclusive_and_suspect(self) -> None:
        """An interval over the limit is not a verdict; above it on average, it is worth running again."""
        result = compare_sides(side("a", t=STEADY), side("b", t=[0.9, 1.5, 1.9]), QUARTER)
        assert verdicts(result) == {"t": "inconclusive"}
        assert [change.nodeid for change in result.suspects] == ["t"]

    @pytest.mark.parametrize(
        ("costs", "is_suspect"),
        [([1.0, 1.2, 1.3], True), ([1.0, 1.1, 1.3], False), ([1.2, 1.2, 1.2], False)],
    )
    def test_a_suspect_may_lie_below_the_limit(self, costs: list[float], is_suspect: bool) -> None:
        """More than half way to a limit that its interval reaches over: a steady test is none."""
        result = compare_sides(side("a", t=STEADY), side("b", t=costs), QUARTER)
        assert [change.nodeid for change in result.suspects] == ["t"] * is_suspect

    def test_the_floor_spares_the_cheapest(self) -> None:
        """Half a microsecond more on one is not a slow-down, and 50 on a hundred are."""
        cheap = compare_sides(
            side("a", t=Series(values=STEADY, unit_us=1)),
            side("b", t=Series(values=times(1.5), unit_us=1)),
            QUARTER,
        )
        assert verdicts(cheap) == {"t": "ok"}
        costly = compare_sides(side("a", t=STEADY), side("b", t=times(1.5)), QUARTER)
        assert verdicts(costly) == {"t": "slower"}

    @pytest.mark.parametrize(("n_base", "n_new"), [(4, 3), (5, 2), (1, 1)])
    def test_too_few_runs_are_inconclusive(self, n_base: int, n_new: int) -> None:
        """Five against three, or no verdict, with the count as the reason."""
        result = compare_sides(side("a", t=[1.0] * n_base), side("b", t=[9.0] * n_new), QUARTER)
        assert verdicts(result) == {"t": "inconclusive"}
        assert "runs in" in str(result.changes[0].reason)
        assert not result.is_slower

    def test_a_cost_below_the_clock_is_inconclusive(self) -> None:
        """A cost of zero has no ratio."""
        result = compare_sides(side("a", t=[0.0, *STEADY]), side("b", t=STEADY), QUARTER)
        assert verdicts(result) == {"t": "inconclusive"}

    def test_a_failed_test_is_inconclusive_with_its_reason(self) -> None:
        """What failed has no cost, and says so instead of vanishing."""
        failed = Series(values=[], problem="it failed")
        result = compare_sides(side("a", t=STEADY, u=STEADY), side("b", t=failed, u=STEADY), QUARTER)
        assert verdicts(result) == {"t": "inconclusive", "u": "ok"}
        assert result.changes[0].reason == "it failed in new"


class TestWorkload:
    def test_another_source_is_another_workload(self) -> None:
        """An edited test is not a slower one."""
        base, new = Series(values=STEADY, digest="a"), Series(values=times(9), digest="b")
        assert verdicts(compare_sides(side("a", t=base), side("b", t=new), QUARTER)) == {
            "t": "workload changed"
        }

    def test_more_examples_are_another_workload(self) -> None:
        """Raising max_examples is neither a regression nor, lowered, a win; both numbers are said."""
        base = Series(values=STEADY, workload="50 examples")
        new = Series(values=times(9), workload="200 examples")
        change = compare_sides(side("a", t=base), side("b", t=new), QUARTER).changes[0]
        assert change.verdict is ChangeVerdict.WORKLOAD_CHANGED
        assert change.reason == "50 examples before, 200 examples now"

    def test_a_moved_test_is_renamed(self) -> None:
        """The same source under another node id is one test, and its old name is told."""
        same = Series(values=STEADY, digest="a")
        result = compare_sides(side("a", old=same, t=STEADY), side("b", new=same, t=STEADY), QUARTER)
        assert verdicts(result) == {"new": "renamed", "t": "ok"}
        assert result.changes[0].renamed_from == "old"

    def test_an_ambiguous_source_is_not_called_renamed(self) -> None:
        """Two tests of one source (parametrised, inherited) that vanish cannot be told apart."""
        same = Series(values=STEADY, digest="a")
        result = compare_sides(side("a", x=same, y=same, t=STEADY), side("b", z=same, t=STEADY), QUARTER)
        assert verdicts(result) == {"x": "gone", "y": "gone", "z": "new", "t": "ok"}


class TestSuiteFactor:
    def test_a_slower_machine_is_one_finding(self) -> None:
        """All tests at 2x are a factor of the suite, not ten regressions; a gate still fails."""
        base = side("a", **{f"t{i}": STEADY for i in range(10)})
        new = side("b", **{f"t{i}": times(2) for i in range(10)})
        result = compare_sides(base, new, QUARTER)
        assert set(verdicts(result).values()) == {"ok"}
        assert result.suite_factor == pytest.approx(2)
        assert result.is_suite_slower
        assert result.is_slower

    def test_runs_that_are_far_apart_do_not_make_a_slower_suite(self) -> None:
        """Two of the new runs were slow, and so was one of the base's: they may as well be alike."""
        base = side("a", **{f"t{i}": [1.0, 1.0, 1.0, 1.0, 1.3] for i in range(10)})
        new = side("b", **{f"t{i}": [1.35, 1.0, 1.33] for i in range(10)})
        result = compare_sides(base, new, QUARTER)
        assert result.suite is not None
        assert result.suite.low < 1.25 < result.suite.value == result.suite_factor
        assert result.is_suite_suspect
        assert not result.is_suite_slower

    def test_the_suite_goes_by_tests_that_ran_in_the_same_runs(self) -> None:
        """One with more runs says nothing about which of the others' was slow."""
        base = side("a", **{f"t{i}": STEADY for i in range(10)}, odd=[9.0] * 7)
        new = side("b", **{f"t{i}": times(2) for i in range(10)}, odd=[1.0] * 7)
        result = compare_sides(base, new, QUARTER)
        assert result.suite is not None
        assert result.suite.value == pytest.approx(2, rel=0.05)

    def test_one_slow_test_stands_out_of_a_slower_suite(self) -> None:
        """The factor is taken out of each test."""
        base = side("a", **{f"t{i}": STEADY for i in range(10)})
        new = side("b", **{f"t{i}": times(1.2) for i in range(9)}, t9=times(2.4))
        result = compare_sides(base, new, QUARTER)
        assert verdicts(result)["t9"] == "slower"
        assert result.changes[0].ratio is not None
        assert result.changes[0].ratio.value == pytest.approx(2)

    def test_fewer_than_five_tests_have_no_factor(self) -> None:
        """With four tests the suite and a change cannot be told apart, so nothing is corrected."""
        base = side("a", **{f"t{i}": STEADY for i in range(4)})
        result = compare_sides(base, side("b", **{f"t{i}": times(2) for i in range(4)}), QUARTER)
        assert result.suite_factor is None
        assert set(verdicts(result).values()) == {"slower"}


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"is_traced": True}, "coverage"),
            ({"interpreter": "CPython 3.12"}, "CPython 3.12"),
            ({"n_workers": 2}, "-n 2"),
            ({"calibration": "4-other"}, "calibration 4-other"),
            ({"calibration": None}, "an unrecorded calibration"),
            ({"machine": THERE, "is_calibrated": False}, "different machines"),
        ],
    )
    def test_unlike_sides_are_refused(self, change: dict[str, object], message: str) -> None:
        """Whichever side it is, the message says what differs."""
        like = side("a", t=STEADY)
        unlike = replace(like, label="b", **change)
        for base, new in ((like, unlike), (unlike, like)):
            with pytest.raises(ComparisonError, match=message):
                compare_sides(base, new, QUARTER)

    def test_nothing_in_common_is_never_green(self) -> None:
        """Disjoint suites, and suites whose common tests were not measured."""
        with pytest.raises(NothingMeasuredError):
            compare_sides(side("a", t=STEADY), side("b", u=STEADY), QUARTER)
        failed = Series(values=[], problem="it failed")
        bare = Series(values=[], problem="its calibration is missing")
        with pytest.raises(NothingMeasuredError, match=r"\(it failed in 'b': 1 of 1\)"):
            compare_sides(side("a", t=STEADY), side("b", t=failed), QUARTER)
        with pytest.raises(NothingMeasuredError, match=r"\(its calibration is missing in 'a': 2 of 2\)"):
            compare_sides(side("a", t=bare, u=bare), side("b", t=failed, u=STEADY), QUARTER)

    def test_unrecorded_calibrations_are_not_taken_for_the_same(self) -> None:
        """Two old baselines may have been made with different work; equal names alone say that it is one."""
        base, new = (replace(side(label, t=STEADY), calibration=None) for label in "ab")
        with pytest.raises(ComparisonError, match="neither 'a' nor 'b' says with which calibration"):
            compare_sides(base, new, QUARTER)

    def test_seconds_need_no_calibration(self) -> None:
        """Costs that are not ratios have the second as their unit, whatever was recorded beside them."""
        base, new = (
            replace(side(label, t=STEADY), calibration=name, is_calibrated=False)
            for label, name in (("a", None), ("b", "3-x"))
        )
        assert compare_sides(base, new, QUARTER).n_compared == 1

    def test_other_machines_and_versions_are_noted(self) -> None:
        """They can be compared when both are calibrated, and the reader is told."""
        there = replace(side("b", t=STEADY), machine=THERE, hypothesis="6.200")
        notes = " ".join(compare_sides(side("a", t=STEADY), there, QUARTER).notes)
        assert "different machines" in notes
        assert "6.200" in notes


class TestConfirm:
    def suspect(self) -> Comparison:
        return compare_sides(side("a", t=STEADY), side("b", t=times(1.6)), QUARTER)

    def test_the_further_runs_alone_decide(self) -> None:
        """Three quiet runs clear a suspect, whatever raised the suspicion, and it is remembered."""
        (first,) = self.suspect().suspects
        again = confirm(first, Series(values=STEADY), Series(values=times(1.02)), QUARTER)
        assert again.verdict is ChangeVerdict.OK
        assert again.suspected == first.ratio

    def test_a_slow_down_that_stays_is_slower(self) -> None:
        """A suspect that is slow in the reruns too is called slower."""
        (first,) = self.suspect().suspects
        again = confirm(first, Series(values=STEADY, unit_us=100), Series(values=times(1.6)), QUARTER)
        assert again.verdict is ChangeVerdict.SLOWER

    @pytest.mark.parametrize("new", [None, Series(values=[]), Series(values=STEADY, problem="it failed")])
    def test_a_suspect_that_cannot_run_again_is_inconclusive(self, new: Series | None) -> None:
        """Without reruns a suspect is neither called slower nor cleared."""
        (first,) = self.suspect().suspects
        assert confirm(first, Series(values=STEADY), new, QUARTER).verdict is ChangeVerdict.INCONCLUSIVE

    def test_the_comparison_takes_the_new_verdicts(self) -> None:
        """Judged anew, sorted anew, and the gate follows."""
        comparison = self.suspect()
        assert comparison.is_slower
        (first,) = comparison.suspects
        cleared = comparison.with_changes(
            [confirm(first, Series(values=STEADY), Series(values=STEADY), QUARTER)]
        )
        assert not cleared.is_slower


class TestChance:
    def test_steady_runs_let_no_false_alarm_be_expected(self) -> None:
        """Noise of 2 % cannot reach 25 %."""
        result = compare_sides(side("a", t=STEADY), side("b", t=times(2)), QUARTER)
        assert result.expected_by_chance == 0

    def test_noisy_runs_let_some_false_alarms_be_expected(self) -> None:
        """Noise of a factor of two, by itself, raises an alarm in some of the ways to deal it out."""
        wild = [1.0, 1.1, 2.0, 1.9, 2.1]
        result = compare_sides(side("a", t=wild), side("b", t=wild), QUARTER)
        assert 0 < result.expected_by_chance < 0.5


@given(base=tests, new=tests)
def test_every_test_of_either_side_has_one_verdict(base: dict[str, Series], new: dict[str, Series]) -> None:
    """Nothing is dropped and nothing counted twice; a rename accounts for both of its names."""
    try:
        result = compare_sides(side("a", **base), side("b", **new), QUARTER)
    except NothingMeasuredError:
        return
    told = [change.nodeid for change in result.changes]
    told += [change.renamed_from for change in result.changes if change.renamed_from is not None]
    assert sorted(told) == sorted(set(base) | set(new))
    assert sum(result.count().values()) == len(result.changes)


@given(base=tests)
def test_a_side_against_itself_changes_nothing(base: dict[str, Series]) -> None:
    """A/A on the same figures is never slower, faster, new or gone."""
    try:
        result = compare_sides(side("a", **base), side("b", **base), QUARTER)
    except NothingMeasuredError:
        return
    assert set(verdicts(result).values()) <= {"ok", "inconclusive"}


@given(base=tests, new=tests)
def test_a_verdict_of_slower_holds_for_the_plain_medians(
    base: dict[str, Series], new: dict[str, Series]
) -> None:
    """Without a suite factor, a test called slower has a median above the limit."""
    try:
        result = compare_sides(side("a", **base), side("b", **new), QUARTER)
    except NothingMeasuredError:
        return
    for change in result.changes:
        if change.verdict is ChangeVerdict.SLOWER and result.suite_factor is None:
            assert change.limit is not None
            assert median(new[change.nodeid].values) > median(base[change.nodeid].values) * change.limit


@given(st.tuples(costs, costs, costs).map(sorted), costs)
def test_scaling_an_interval_keeps_its_shape(bounds: list[float], factor: float) -> None:
    """Taking a factor out keeps low <= value <= high."""
    scaled = Interval(*bounds).scaled(factor)
    assert scaled.low <= scaled.value <= scaled.high


def by_parts(n_runs: int = 5, /, **costs_ms: float) -> Series:
    """A test with these parts in every run, in milliseconds of an example; the other parts cost nothing."""
    costs = dict.fromkeys(Part, 0.0) | {Part[name.upper()]: cost for name, cost in costs_ms.items()}
    parts = {part: [cost * STEADY[run] for run in range(n_runs)] for part, cost in costs.items()}
    values = [sum(costs) for costs in zip(*parts.values(), strict=True)]
    return Series(values=values, parts=parts, unit_us=1000, n_examples=100, counts=Counts(1.0, None))


USUAL = {"body": 1.0, "rest": 2.0, "around": 0.5, "elsewhere": 0.5}


class TestParts:
    @pytest.mark.parametrize(
        ("part", "change"),
        [
            ("body", {"body": 1.5}),
            ("drawing and Hypothesis", {"rest": 4.0}),
            ("set-up and teardown", {"around": 2.5}),
            ("other threads and child processes", {"elsewhere": 2.5}),
        ],
    )
    def test_the_part_that_moved_is_named(self, part: str, change: dict[str, float]) -> None:
        """The body by its own ratio, any other part by half of the whole that it adds."""
        base, new = by_parts(**USUAL), by_parts(3, **(USUAL | change))
        (found,) = compare_sides(side("a", t=base), side("b", t=new), Threshold()).changes
        assert (found.verdict, found.part) == (ChangeVerdict.SLOWER, part)
        assert found.ratio is not None
        assert found.ratio.value == pytest.approx(1.5, rel=0.05)
        added_us = 1000 * sum(value - USUAL[name] for name, value in change.items())
        assert found.base_us == pytest.approx(4000)
        assert found.new_us == pytest.approx(4000 + added_us, rel=0.05)
        assert found.suite_s == pytest.approx(added_us * 100 / 1e6, rel=0.2)

    def test_of_two_parts_that_moved_the_one_that_adds_more_is_named(self) -> None:
        """The body is ten times what it was, by 0.9 ms; other threads take 9 ms more."""
        base = by_parts(body=0.1, rest=2.0, around=0.5, elsewhere=4.0)
        new = by_parts(3, body=1.0, rest=2.0, around=0.5, elsewhere=13.0)
        (found,) = compare_sides(side("a", t=base), side("b", t=new), Threshold()).changes
        assert (found.verdict, found.part) == (ChangeVerdict.SLOWER, "other threads and child processes")
        assert found.parts["body"].verdict is ChangeVerdict.SLOWER
        assert found.parts["body"].excess > found.parts["other threads and child processes"].excess
        assert found.times == pytest.approx((0.1 + 2.0 + 0.5 + 4.0 + 0.9 + 9.0) / 6.6, rel=0.05)

    @pytest.mark.parametrize("change", [{"rest": 2.5}, {"around": 1.0}, {"elsewhere": 1.0}, {"body": 1.1}])
    def test_a_small_part_may_double(self, change: dict[str, float]) -> None:
        """What adds an eighth to the whole is not too much, and neither is a body that costs a tenth more."""
        base, new = by_parts(**USUAL), by_parts(3, **(USUAL | change))
        (found,) = compare_sides(side("a", t=base), side("b", t=new), Threshold()).changes
        assert found.verdict is ChangeVerdict.OK

    def test_a_part_that_is_new_is_seen(self) -> None:
        """Nothing was done in other threads before, and now more is than anywhere else."""
        base, new = by_parts(body=1.0, rest=1.0), by_parts(3, body=1.0, rest=1.0, elsewhere=2.0)
        (found,) = compare_sides(side("a", t=base), side("b", t=new), Threshold()).changes
        assert (found.verdict, found.part) == (ChangeVerdict.SLOWER, "other threads and child processes")

    def test_the_body_alone_is_compared_where_no_more_is_known(self) -> None:
        """A note says what cannot be seen."""
        bare = Series(values=STEADY, unit_us=1000)
        result = compare_sides(side("a", t=bare), side("b", t=by_parts(3, **USUAL)), Threshold())
        assert "1 test is compared by the body alone, of 1" in " ".join(result.notes)

    def test_each_part_has_a_factor_of_its_own(self) -> None:
        """Another Hypothesis draws twice as long for all tests: one finding, and none of a test."""
        names = [f"t{i}" for i in range(8)]
        base = side("a", **{name: by_parts(**USUAL) for name in names})
        new = side("b", **{name: by_parts(3, **(USUAL | {"rest": 4.0})) for name in names})
        result = compare_sides(base, new, Threshold())
        assert {change.verdict for change in result.changes} == {ChangeVerdict.OK}
        assert result.factors["drawing and Hypothesis"] == pytest.approx(1.5, rel=0.05)
        assert result.factors["body"] == pytest.approx(1, rel=0.05)
        assert result.is_suite_slower

    @pytest.mark.parametrize(
        ("before", "after", "verdict"),
        [
            (Counts(1.0, None), Counts(1.3, None), "slower"),
            (Counts(1.0, None), Counts(1.2, None), "ok"),
            (Counts(1.0, 10.0), Counts(1.0, 14.0), "slower"),
        ],
    )
    def test_counts_are_exact(self, before: Counts, after: Counts, verdict: str) -> None:
        """A test that filters more, or whose machine takes more steps, is found without any noise."""
        base = replace(by_parts(**USUAL), counts=before)
        new = replace(by_parts(3, **USUAL), counts=after)
        (found,) = compare_sides(side("a", t=base), side("b", t=new), Threshold()).changes
        assert found.verdict.value == verdict
        assert found.counts == (before, after)
        assert not found.is_suspect

    def test_another_hypothesis_may_count_otherwise(self) -> None:
        """The same seed gives other examples there, so that nothing follows from a count."""
        base = replace(by_parts(**USUAL), counts=Counts(1.0, None))
        new = replace(by_parts(3, **USUAL), counts=Counts(2.0, None))
        one, other = replace(side("a", t=base), hypothesis="6.1"), replace(side("b", t=new), hypothesis="6.2")
        (found,) = compare_sides(one, other, Threshold()).changes
        assert found.verdict is ChangeVerdict.OK

    def test_what_no_test_is_charged_for_has_a_line_of_its_own(self) -> None:
        """A shared fixture is compared by its name, with the seconds that it takes more in a run."""
        name = "module fixture engine of tests/test_db.py"
        outside = [
            {name: Series(values=times(factor), unit_us=100_000), "start-up": Series(values=STEADY)}
            for factor in (1, 3)
        ]
        base, new = (
            replace(side(label, t=by_parts(**USUAL)), outside=found)
            for label, found in zip("ab", outside, strict=True)
        )
        result = compare_sides(base, new, Threshold())
        assert [(change.nodeid, change.verdict.value) for change in result.outside] == [
            (name, "slower"),
            ("start-up", "ok"),
        ]
        assert result.outside[0].suite_s == pytest.approx(0.2, rel=0.05)
        assert result.is_slower

    @pytest.mark.parametrize(("now", "verdict"), [(0.0, "ok"), (0.1, "ok"), (10.0, "slower")])
    def test_what_took_no_time_outside_of_the_tests_may_get_slower(self, now: float, verdict: str) -> None:
        """Threads that nothing left running before: 10 units of 100 ms are seen, 10 ms are not."""
        base, new = (
            replace(
                side(label, t=by_parts(**USUAL)),
                outside={OTHER_THREADS: Series(values=[value] * 5, unit_us=100_000)},
            )
            for label, value in (("a", 0.0), ("b", now))
        )
        (found,) = compare_sides(base, new, Threshold()).outside
        assert found.verdict.value == verdict
