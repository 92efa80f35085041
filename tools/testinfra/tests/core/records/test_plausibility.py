"""A record whose figures contradict each other is named, and nothing is computed from it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace
from tests.made_runs import make_run
from tests.strategies import a_measurement, measurements

from atom_testinfra.core.changes.sides import side_from_runs
from atom_testinfra.core.changes.threshold import Statistic
from atom_testinfra.core.config import Targets
from atom_testinfra.core.costs.summary import summarise_session
from atom_testinfra.core.records.measurement import Cost, Measurement, PhaseCost, Property, Samples
from atom_testinfra.core.records.plausibility import find_contradiction
from atom_testinfra.core.records.repeats import Repeats
from atom_testinfra.core.vocabulary import Kind, Outcome

GOOD = a_measurement(body_us=10_000.0)
"""2 s of body in 2.015 s."""


def subject_of(record: Measurement) -> Property:
    """Return what Hypothesis did."""
    assert record.hypothesis is not None
    return record.hypothesis


def with_subject(**changes: Any) -> Measurement:
    """Return the good record with these changes to what Hypothesis did."""
    return replace(GOOD, hypothesis=replace(subject_of(GOOD), **changes))


def with_phase(**changes: Any) -> Measurement:
    """Return the good record with these changes to its generate phase."""
    return with_subject(phases={"generate": replace(subject_of(GOOD).phases["generate"], **changes)})


def with_samples(name: str, **changes: float) -> Measurement:
    """Return the good record with these changes to one of its summaries."""
    samples: Samples = getattr(subject_of(GOOD), name)
    return with_subject(**{name: replace(samples, **changes)})


@given(measurements("t.py::test_a", 200))
def test_no_record_is_called_contradictory_whose_parts_fit(record: Measurement) -> None:
    """Whatever the costs are: parts that add up to their wholes are accepted."""
    assert find_contradiction(record) is None


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (with_phase(duration_s=88 * 200.0), "the phases took 1.76e+04 s, and the call 2.015 s"),
        (with_phase(duration_s=0.0, run_s=0.0, draw_s=0.0), "ran 200 test cases in no time"),
        (with_phase(duration_s=0.0, run_s=0.0, draw_s=0.0, n_valid=1), "ran 1 test case in no time"),
        (with_phase(run_s=3.0), "the test cases of the generate phase took 3 s, and the phase 2.015 s"),
        (with_phase(draw_s=3.0), "drawing in the generate phase took 3 s, and its test cases 2.01 s"),
        (with_phase(gc_s=3.0), "collecting garbage in the generate phase took 3 s"),
        (with_phase(filtered_s=3.0), "filtered test cases in the generate phase took 3 s"),
        (with_phase(n_valid=10**15), "it counts 1,000,000,000,000,000, which no test can run"),
        (replace(GOOD, calibration_s=60.0), "its calibration took 60 s"),
        (with_subject(n_steps=10**13), "it counts 10,000,000,000,000"),
        (with_subject(body_s=3.0), "the test's own function took 3 s, and the call 2.015 s"),
        (
            with_subject(body_s=2.0, given_up_body_s=3.0),
            "what was given up in the test's own function took 3 s",
        ),
        (with_samples("body_cpu", total_s=3.0), "the sum of `body_cpu` took 3 s, and 200 of them 2 s"),
        (with_samples("run", q90_s=0.0), "the summary of `run` is not in order"),
        (with_samples("run", first_s=1.0), "the summary of `run` is not in order"),
        (with_samples("run", max_s=9.0), "the largest `run` took 9 s, and their sum 2.01 s"),
        (replace(GOOD, call=Cost(wall_s=0.5, cpu_s=2.0)), "the phases took 2.015 s, and the call 0.5 s"),
        (
            replace(GOOD, call=Cost(wall_s=2.015, cpu_s=2.01, thread_cpu_s=3.0)),
            "the CPU time of its own thread took 3 s, and the call 2.01 s",
        ),
        (
            replace(GOOD, setup=Cost(wall_s=0.1, cpu_s=0.1, wide_wall_s=0.08, own_wall_s=0.08)),
            "fixtures took 0.16 s, and set-up 0.1 s",
        ),
        (
            replace(GOOD, teardown=Cost(wall_s=0.1, cpu_s=0.1, wide_cpu_s=0.3)),
            "the CPU time of fixtures wider than a function took 0.3 s, and teardown 0.1 s",
        ),
        (
            replace(GOOD, call=Cost(wall_s=2.015, cpu_s=0.5)),
            "the CPU time of the test's own function took 2 s",
        ),
    ],
)
def test_what_no_run_can_have_produced_is_named(record: Measurement, said: str) -> None:
    """Each part is checked against what it is a part of."""
    found = find_contradiction(record)
    assert found is not None
    assert said in found


def test_some_frozen_test_cases_show_in_the_body() -> None:
    """Hypothesis's clock stood still in half of them, the one that times the body did not."""
    half = PhaseCost(duration_s=1.0, n_valid=200, run_s=1.0, draw_s=0.005)
    record = with_subject(body_s=2.0, phases={"generate": half}, run=None)
    assert "the test's own function took 2 s, and the test cases it was called by 1 s" in (
        find_contradiction(record) or ""
    )


def test_a_test_case_that_is_given_up_may_leave_its_blocks_after_its_time_was_taken() -> None:
    """A roll-back at the end of a `with` block is in the time of the phase, not in that of the test case."""
    phase = PhaseCost(duration_s=2.01, n_valid=200, n_invalid=10, run_s=1.0, draw_s=0.005)
    record = with_subject(body_s=2.0, phases={"generate": phase}, run=None)
    assert find_contradiction(record) is None
    short = replace(phase, duration_s=1.5)
    assert "and the phases it was called in 1.5 s" in (
        find_contradiction(with_subject(body_s=2.0, phases={"generate": short}, run=None)) or ""
    )


def test_another_backend_may_leave_test_cases_out() -> None:
    """Its statistics are those of some test cases, so the body is only checked against the call."""
    half = PhaseCost(duration_s=1.0, n_valid=200, run_s=1.0, draw_s=0.005)
    record = with_subject(body_s=2.0, phases={"generate": half}, backend="crosshair", run=None)
    assert find_contradiction(record) is None


def test_nested_properties_inside_a_plain_test_may_overlap() -> None:
    """The time of the inner ones is in that of the outer ones, too: their sum says nothing about the call."""
    record = replace(with_phase(duration_s=9.0), kind=Kind.HELPER)
    assert find_contradiction(record) is not None
    nested = replace(record, hypothesis=replace(subject_of(record), n_engine_runs=2))
    assert find_contradiction(nested) is None


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.PASSED])
def test_what_did_not_pass_is_not_taken_apart(outcome: Outcome) -> None:
    """Its outcome is the reason why it has no figures."""
    assert find_contradiction(replace(with_phase(duration_s=1e6), outcome=outcome)) is None


def test_one_such_record_keeps_its_test_out_of_every_figure() -> None:
    """Neither the table, nor a baseline, nor a comparison averages it in; all three say why."""
    bad = with_phase(duration_s=88.0)
    runs = [make_run([record], repeat=i) for i, record in enumerate([GOOD, bad, GOOD])]
    objection = next(Repeats("local", runs).objections(GOOD.nodeid))
    assert objection.reason.startswith("its record contradicts itself: the phases took 88 s")
    summary = summarise_session(runs, Targets())
    assert ([*summary.measured], [test.reason for test in summary.unmeasured]) == ([], [objection.reason])
    side = side_from_runs("new", runs, Statistic.CPU, "local")
    assert side.tests[GOOD.nodeid].problem == objection.reason


def test_an_impossible_calibration_is_not_in_the_unit_of_its_run() -> None:
    """Every other test of the run is checked against the mean of the calibrations."""
    other = replace(GOOD, nodeid="t.py::test_other")
    runs = [make_run([replace(GOOD, calibration_s=60.0), other])]
    side = side_from_runs("new", runs, Statistic.CPU, "local")
    assert side.tests[other.nodeid].unit_us == pytest.approx(3000)
