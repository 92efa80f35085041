"""Contention is what tests wait for a CPU, not what they wait for by themselves."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.made_runs import make_run
from tests.strategies import a_measurement

from atom_testinfra.core.records.contention import judge_contention
from atom_testinfra.core.records.measurement import Cost, Measurement, PhaseCost
from atom_testinfra.core.vocabulary import Kind, Outcome


def a_record(
    *,
    body_wall_s: float,
    body_cpu_s: float,
    wall_s: float,
    cpu_s: float,
    outcome: Outcome = Outcome.PASSED,
    draw_s: float = 0.0,
    around_s: float = 0.0,
    kind: Kind = Kind.FUNCTION,
) -> Measurement:
    """
    Return the record of a property whose call and body took so long.

    Args:
        body_wall_s: of the test's own function.
        body_cpu_s: the same in CPU time.
        wall_s: of the call.
        cpu_s: of the call.
        outcome: of the test.
        draw_s: wall time of drawing.
        around_s: wall time in the call before and after Hypothesis.
        kind: of test.
    """
    record = a_measurement(body_us=body_cpu_s / 200 * 1e6, outcome=outcome, kind=kind)
    assert record.hypothesis is not None
    generate = PhaseCost(duration_s=wall_s - around_s, n_valid=200, run_s=wall_s - around_s, draw_s=draw_s)
    subject = replace(record.hypothesis, body_s=body_wall_s, phases={"generate": generate})
    return replace(record, hypothesis=subject, call=Cost(wall_s=wall_s, cpu_s=cpu_s))


def test_a_quiet_machine_has_no_contention() -> None:
    """Wall time is CPU time, and nothing is said."""
    found = judge_contention([make_run([a_record(body_wall_s=1, body_cpu_s=1, wall_s=2, cpu_s=2)])])
    assert (found.tests, found.engine, found.is_high, found.describe()) == (1.0, 1.0, False, None)


def test_tests_that_wait_by_themselves_are_no_contention() -> None:
    """A test that sleeps 9 s in its function has 5.5 s of wall time for each second of CPU."""
    found = judge_contention([make_run([a_record(body_wall_s=10, body_cpu_s=1, wall_s=11, cpu_s=2)])])
    assert (found.tests, found.engine, found.is_high, found.describe()) == (5.5, 1.0, False, None)


@pytest.mark.parametrize(
    "waiting", [{"draw_s": 9.0}, {"around_s": 9.0}, {"kind": Kind.UNITTEST}, {"kind": Kind.STATEFUL}]
)
def test_strategies_and_set_up_that_wait_are_no_contention(waiting: dict[str, Any]) -> None:
    """A strategy, a decorator above `@given`, `setUp`, `setup_example` or a machine may wait for 9 s."""
    record = a_record(body_wall_s=0, body_cpu_s=0, wall_s=10, cpu_s=1, **waiting)
    assert judge_contention([make_run([record])]).describe() is None


def test_drawing_hides_other_work_in_part_only() -> None:
    """With a third of the time in drawing, which might wait, half of a core is seen as 0.7 of one."""
    record = a_record(body_wall_s=0, body_cpu_s=0, wall_s=6, cpu_s=3, draw_s=2)
    found = judge_contention([make_run([record])])
    assert found.engine == pytest.approx(4.4 / 3)
    assert found.is_high


def test_other_work_shows_where_nothing_waits_by_itself() -> None:
    """It is said in one line, with the factor and what to go by."""
    records = [
        a_record(body_wall_s=4.5, body_cpu_s=1, wall_s=9, cpu_s=2),
        a_record(body_wall_s=9, body_cpu_s=1, wall_s=13.5, cpu_s=2),
    ]
    found = judge_contention([make_run(records)])
    assert (found.tests, found.engine, found.is_high) == (5.625, 4.5, True)
    said = found.describe()
    assert said is not None
    assert "4.5 s of wall time for each second of CPU" in said
    assert "CPU times hold" in said
    assert "\n" not in said


@pytest.mark.parametrize("ratio", [1.0, 1.05, 1.11])
def test_little_contention_is_not_reported(ratio: float) -> None:
    """Nine tenths of a core are as good as a core."""
    run = make_run([a_record(body_wall_s=0, body_cpu_s=0, wall_s=ratio, cpu_s=1)])
    assert judge_contention([run]).describe() is None


def test_a_millisecond_of_cpu_says_nothing() -> None:
    """With 1 ms of CPU one interruption decides; a failed test says nothing; nor does no test at all."""
    short = a_record(body_wall_s=0, body_cpu_s=0, wall_s=0.1, cpu_s=0.001)
    assert judge_contention([make_run([short])]).engine is None
    failed = a_record(body_wall_s=0, body_cpu_s=0, wall_s=9, cpu_s=1, outcome=Outcome.FAILED)
    for runs in ([make_run([failed])], []):
        found = judge_contention(runs)
        assert (found.tests, found.engine, found.describe()) == (None, None, None)


@pytest.mark.parametrize(
    ("body_wall_s", "wall_s", "engine"), [(4, 4.05, 5.0), (4, 4.012, None), (1, 1.05, None)]
)
def test_ten_milliseconds_of_cpu_need_two_high_ratios(
    body_wall_s: float, wall_s: float, engine: float | None
) -> None:
    """10 ms outside of bodies of 1 s of CPU: both ratios have to be high for a word to be said."""
    record = a_record(body_wall_s=body_wall_s, body_cpu_s=1, wall_s=wall_s, cpu_s=1.01)
    found = judge_contention([make_run([record])])
    assert found.engine == pytest.approx(engine)
    assert found.is_high == (engine is not None)
