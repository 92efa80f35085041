"""Sides of a comparison, made of runs."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.made_runs import make_record, make_run
from tests.strategies import NOW, PROVENANCE, a_measurement, a_run

from atom_testinfra.core.changes.comparison import Side
from atom_testinfra.core.changes.sides import have_calibration, side_from_baseline, side_from_runs
from atom_testinfra.core.changes.threshold import Statistic
from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.aggregation import gather_evidence
from atom_testinfra.core.costs.baseline import Baseline
from atom_testinfra.core.costs.merging import Selection, merge
from atom_testinfra.core.errors import NothingMeasuredError
from atom_testinfra.core.records.measurement import Cost, Measurement, Samples, WideFixture
from atom_testinfra.core.records.outside import OTHER_THREADS, outside_of
from atom_testinfra.core.records.parts import Part, parts_of
from atom_testinfra.core.targets.verification import complete
from atom_testinfra.core.vocabulary import Kind, Outcome


def test_a_value_is_the_body_over_the_calibration_of_its_run() -> None:
    """The mean of the run's calibrations, not the one beside the test, is the unit."""
    records = [
        make_record("a", 0.001, calibration_s=0.0005),
        make_record("b", 0.002, calibration_s=0.0005),
        make_record("c", 0.003, calibration_s=0.002),
    ]
    side = side_from_runs("s", [make_run(records)], Statistic.BODY_CPU, "local")
    assert {n: s.values for n, s in side.tests.items()} == {"a": [1.0], "b": [2.0], "c": [3.0]}
    assert side.tests["a"].unit_us == 1000
    assert side.interpreter == "CPython 3.11"


def test_a_baseline_is_the_same_side_as_its_runs() -> None:
    """What decides whether sides are alike, and every cost, come through the file unchanged."""
    runs = [make_run([make_record("a"), make_record("b", 0.002 + i / 1000)], repeat=i) for i in range(5)]
    made = replace(runs[0].header.provenance, python="PyPy 3.12.1", versions={"hypothesis": "6.999"})
    runs = [replace(run, header=replace(run.header, provenance=made, n_workers=2)) for run in runs]
    baseline = complete(gather_evidence(runs, targets=Targets(), tiers={}), "2026-01-02T00:00:00Z")
    stored = side_from_baseline("s", baseline, Statistic.BODY_CPU, "local")
    measured = side_from_runs("s", runs, Statistic.BODY_CPU, "local")
    assert stored.interpreter == "PyPy 3.12"
    for name in set(Side.__struct_fields__) - {"tests"}:
        assert getattr(stored, name) == getattr(measured, name), name
    assert dict(stored.tests) == measured.tests


def test_a_test_of_a_baseline_without_calibration_has_no_ratio() -> None:
    """The others are not affected, and one with fewer runs goes by the calibrations beside its own."""
    runs = [make_run([make_record("a", 0.001), make_record("b", 0.002)], repeat=i) for i in range(3)]
    baseline = complete(gather_evidence(runs, targets=Targets(), tiers={}), "2026-01-02T00:00:00Z")
    cost = baseline.properties["a"].profiles["local"]
    bare = replace(cost, runs=replace(cost.runs, calibration_s=[]))
    lists = {"duration_s": [1.0], "cpu_s": [1.0], "body_cpu_us": [1000.0], "calibration_s": [0.004]}
    fewer = replace(cost, runs=replace(cost.runs, **lists))
    costs = [("a", cost, None), ("bare", bare, None), ("fewer", fewer, None)]
    side = side_from_baseline("s", baseline, Statistic.BODY_CPU, "local", costs=costs)
    assert side.tests["a"].values == [2.0, 2.0, 2.0]
    assert side.tests["fewer"].values == [0.25]
    assert side.tests["bare"].problem == "its calibration is missing"
    assert side.tests["bare"].values == []
    alone = side_from_baseline("s", baseline, Statistic.BODY_CPU, "local", costs=costs[1:2])
    assert alone.tests["bare"].problem == "its calibration is missing"
    uncalibrated = side_from_baseline(
        "s", baseline, Statistic.BODY_CPU, "local", costs=costs, is_calibrated=False
    )
    assert uncalibrated.tests["bare"].values == [0.001] * 3


def test_parts_of_a_resumed_repeat_are_one_run() -> None:
    """A run that was killed and resumed counts once, and a repeated record replaces the first."""
    runs = [
        make_run([make_record("a", 0.001), make_record("b", 9, outcome=Outcome.INTERRUPTED)]),
        make_run([make_record("b", 0.002)], part=1),
        make_run([make_record("a", 0.001), make_record("b", 0.003)], repeat=1),
    ]
    side = side_from_runs("s", runs, Statistic.BODY_CPU, "local")
    assert side.tests["a"].values == [2.0, 2.0]
    assert side.tests["b"].values == [4.0, 6.0]
    assert side.tests["b"].problem is None


@pytest.mark.parametrize(
    ("statistic", "seconds"),
    [(Statistic.BODY_CPU, 0.001), (Statistic.CPU, 1.0 / 200), (Statistic.WALL, 2.0 / 200)],
)
def test_each_statistic_is_per_valid_example(statistic: Statistic, seconds: float) -> None:
    """The body's median as it is; CPU and wall time of set-up and call over the examples."""
    side = side_from_runs("s", [make_run([make_record("a")])], statistic, "local", is_calibrated=False)
    assert side.tests["a"].values == [pytest.approx(seconds)]
    assert side.tests["a"].unit_us == 1e6


def test_a_test_without_a_body_of_its_own_goes_by_cpu() -> None:
    """What cannot be timed inside is compared by what it cost in all."""
    side = side_from_runs(
        "s", [make_run([make_record("a", None)])], Statistic.BODY_CPU, "local", is_calibrated=False
    )
    assert side.tests["a"].values == [pytest.approx(1.0 / 200)]


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        (make_record("a", outcome=Outcome.FAILED), "it failed"),
        (make_record("a", outcome=Outcome.CRASHED), "its process died"),
        (
            make_record("a", problems=["It ran 50 examples instead of 200."]),
            "It ran 50 examples instead of 200",
        ),
    ],
)
def test_one_unfit_run_makes_a_test_unfit(record: Measurement, problem: str) -> None:
    """Its figures are of something else, so it keeps its reason instead."""
    runs = [make_run([make_record("a")]), make_run([record], repeat=1)]
    assert side_from_runs("s", runs, Statistic.BODY_CPU, "local").tests["a"].problem == problem


def test_a_test_without_examples_has_no_value() -> None:
    """Nothing is divided by zero."""
    runs = [make_run([make_record("a", None, n_valid=0)])]
    assert side_from_runs("s", runs, Statistic.CPU, "local").tests["a"].values == []


def test_plain_tests_are_left_out() -> None:
    """Only properties have examples to divide by."""
    plain = Measurement(nodeid="p", kind=Kind.PLAIN, outcome=Outcome.PASSED, calibration_s=0.0005)
    side = side_from_runs("s", [make_run([make_record("a"), plain])], Statistic.BODY_CPU, "local")
    assert list(side.tests) == ["a"]


def test_an_unknown_profile_is_named_with_those_there_are() -> None:
    """The hint says what to choose from."""
    with pytest.raises(NothingMeasuredError, match="'ci'") as caught:
        side_from_runs("s", [make_run([make_record("a")])], Statistic.BODY_CPU, "ci")
    assert "local" in str(caught.value.hint)


def test_one_run_without_calibration_leaves_all_without() -> None:
    """Units are not mixed within a side."""
    runs = [make_run([make_record("a")]), make_run([make_record("a", calibration_s=None)], repeat=1)]
    assert have_calibration(runs[:1], "local")
    assert not have_calibration(runs, "local")


def test_what_has_no_property_needs_no_calibration() -> None:
    """A run that was stopped in its first test, or another profile's, says nothing about this one's."""
    lost = Measurement(nodeid="a", kind=Kind.UNKNOWN, outcome=Outcome.INTERRUPTED)
    bare = make_run([make_record("a", calibration_s=None)], profile="ci")
    runs = [make_run([make_record("a")]), make_run([lost], repeat=1), bare]
    assert have_calibration(runs, "local")
    assert not have_calibration(runs, "ci")


def test_a_run_without_any_calibration_gives_no_ratio() -> None:
    """Its tests failed in their set-up, say; seconds do not pass for ratios."""
    runs = [make_run([make_record("a")]), make_run([make_record("a", calibration_s=None)], repeat=1)]
    series = side_from_runs("s", runs, Statistic.BODY_CPU, "local").tests["a"]
    assert (series.values, series.problem) == ([2.0], "its calibration is missing")


def test_a_run_that_was_stopped_before_its_first_test_says_nothing() -> None:
    """The others count; and alone it is not a side."""
    stopped = make_run([], repeat=1)
    side = side_from_runs("s", [make_run([make_record("a", 0.001)]), stopped], Statistic.BODY_CPU, "local")
    assert side.tests["a"].values == [2.0]
    with pytest.raises(NothingMeasuredError, match="no runs of the profile 'local' with a test in them"):
        side_from_runs("s", [stopped], Statistic.BODY_CPU, "local")


def a_record(nodeid: str, **changes: float) -> Measurement:
    """A test with a part of every kind in a run of 200 examples."""
    record = make_record(nodeid, 0.005)
    call = Cost(wall_s=3, cpu_s=2.0, thread_cpu_s=1.0, children_cpu_s=0.6)
    setup = Cost(wall_s=1, cpu_s=0.3, wide_cpu_s=0.25)
    return replace(record, call=replace(call, **changes), setup=setup, teardown=Cost(cpu_s=0.03))


def test_parts_are_for_each_valid_example() -> None:
    """Shared fixtures are in none; a second thread and an ended child are elsewhere."""
    record = a_record("a")
    assert record.hypothesis is not None
    body = Samples(n=200, first_s=0, median_s=0, q90_s=0, max_s=0, total_s=0.4)
    record = replace(record, hypothesis=replace(record.hypothesis, body_cpu=body))
    expected = {Part.BODY: 0.002, Part.REST: 0.003, Part.AROUND: 0.0004, Part.ELSEWHERE: 0.008}
    assert parts_of(record) == pytest.approx(expected)


@pytest.mark.parametrize("elsewhere_s", [0.0, 1.0])
def test_a_baseline_has_the_parts_of_its_runs(elsewhere_s: float) -> None:
    """To the digits that it keeps; a test without them goes by its body, beside the others."""
    call = {"cpu_s": 1.0 + elsewhere_s, "children_cpu_s": 0.0}
    runs = [make_run([a_record("a", **call), make_record("b")], repeat=i) for i in range(3)]
    baseline = complete(gather_evidence(runs, targets=Targets(), tiers={}), "2026-01-01T00:00:00Z")
    sides = [
        side_from_runs("s", runs, Statistic.PARTS, "local"),
        side_from_baseline("s", baseline, Statistic.PARTS, "local"),
    ]
    kept, stored = (side.tests["a"] for side in sides)
    assert stored.parts.keys() == kept.parts.keys() == set(Part)
    for part in Part:
        assert stored.parts[part] == pytest.approx(kept.parts[part], rel=1e-3)
    assert stored.values == pytest.approx(kept.values, rel=1e-3)
    assert stored.counts == kept.counts
    assert stored.n_examples == kept.n_examples == 200
    assert [side.tests["b"].parts for side in sides] == [{}, {}]
    assert sides[1].tests["b"].values == pytest.approx(sides[0].tests["b"].values)


def test_a_baseline_has_what_its_runs_cost_outside_of_the_tests() -> None:
    """Start-up, collection, and each shared fixture once, whichever test paid for it."""
    fixture = WideFixture(name="engine", scope="module", place="tests/test_db.py", cpu_s=0.25)
    runs = []
    for i in range(3):
        payer = replace(make_record("ab"[i % 2]), fixtures=[fixture])
        run = make_run([payer, make_record("c")], repeat=i)
        assert run.collected is not None
        assert run.end is not None
        collected = replace(run.collected, startup_cpu_s=0.5, collection_cpu_s=1.5)
        runs.append(replace(run, collected=collected, end=replace(run.end, other_threads_cpu_s=0.75)))
    baseline = complete(gather_evidence(runs, targets=Targets(), tiers={}), "2026-01-01T00:00:00Z")
    for side in (
        side_from_runs("s", runs, Statistic.PARTS, "local"),
        side_from_baseline("s", baseline, Statistic.PARTS, "local"),
    ):
        costs_s = {name: [v * s.unit_us / 1e6 for v in s.values] for name, s in side.outside.items()}
        assert costs_s == {
            "start-up": [pytest.approx(0.5)] * 3,
            "imports and collection": [pytest.approx(1.5)] * 3,
            "module fixture engine of tests/test_db.py": [pytest.approx(0.25)] * 3,
            "other threads outside of the tests' calls": [pytest.approx(0.75)] * 3,
        }


def test_what_threads_take_in_a_call_is_the_test_s_own() -> None:
    """Only the rest is left for the line of the threads."""
    record = make_record("a")
    call = replace(record.call, cpu_s=0.5, thread_cpu_s=0.125)
    run = make_run([replace(record, call=call), make_record("b")])
    assert run.end is not None
    run = replace(run, end=replace(run.end, other_threads_cpu_s=1.0))
    assert outside_of([run]).seconds[OTHER_THREADS] == pytest.approx(0.625)


class TestEarlierFigures:
    """Figures that an update kept are compared with the runs, the seeds and the unit of their own session."""

    NAMES = ("tests/t.py::test_kept", "tests/t.py::test_new")

    def merged(self, calibration_s: float = 0.003, **changes: Any) -> tuple[Baseline, Baseline]:
        """Return a baseline of two tests, and the same after a session of the second alone."""
        before = self.measured(self.NAMES, "s1", 0.003)
        now = self.measured(self.NAMES[1:], "s2", calibration_s, **changes)
        selection = Selection(
            profiles=frozenset(["local"]),
            nodeids=frozenset(self.NAMES[1:]),
            plain=frozenset(),
            files=frozenset(["tests/t.py"]),
            is_whole=False,
        )
        return before, complete(merge(before, now, selection).evidence, NOW)

    def measured(
        self, names: tuple[str, ...], session: str, calibration_s: float, **changes: Any
    ) -> Baseline:
        runs = [
            a_run(
                [a_measurement(name, calibration_s=calibration_s) for name in names],
                repeat=repeat,
                run_id=f"{session}-{repeat}",
                **changes,
            )
            for repeat in range(3)
        ]
        return complete(gather_evidence(runs, targets=Targets(), tiers={}), NOW)

    @staticmethod
    def side(baseline: Baseline, *, with_earlier: bool = True) -> Side:
        return side_from_baseline("b", baseline, Statistic.BODY_CPU, "local", with_earlier=with_earlier)

    def test_earlier_figures_keep_their_own_calibration(self) -> None:
        """A calibration that is twice as long in the new session does not change what was kept."""
        before, after = self.merged(calibration_s=0.006)
        kept, new = self.NAMES
        assert self.side(after).tests[kept].values == self.side(before).tests[kept].values
        assert self.side(after).tests[new].values == [
            pytest.approx(value / 2) for value in self.side(before).tests[new].values
        ]

    def test_earlier_figures_keep_their_seeds(self) -> None:
        """Another seed set in the new session is another workload, and the kept test has its own still."""
        before, after = self.merged(seed_set=1)
        kept, new = self.NAMES
        assert self.side(after).tests[kept].workload == self.side(before).tests[kept].workload
        assert self.side(after).tests[new].workload != self.side(before).tests[new].workload

    def test_earlier_figures_of_another_machine_are_not_compared(self) -> None:
        """They have no values, and the reason names the date and what differs."""
        elsewhere = replace(PROVENANCE, machine=replace(PROVENANCE.machine, cpu="another"))
        _, after = self.merged(provenance=elsewhere, n_workers=2)
        found = self.side(after).tests[self.NAMES[0]]
        assert found.values == []
        assert found.problem == (
            "it was measured earlier (2026-11-22), with another number of workers and machine"
        )

    def test_a_history_leaves_earlier_figures_out(self) -> None:
        """They are a point where they were measured, and not a second time after each update."""
        _, after = self.merged()
        assert [*self.side(after, with_earlier=False).tests] == [self.NAMES[1]]
