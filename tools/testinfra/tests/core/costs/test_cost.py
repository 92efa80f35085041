"""Where the time of an example goes."""

from __future__ import annotations

import pytest

from atom_testinfra.core.costs.cost import split_example
from atom_testinfra.core.records.measurement import PhaseCost, Property, Samples

N = 100


def drawn(*, given_up_body_s: float | None) -> Property:
    """Return a property whose one overrun was interrupted for 20 ms, which no clock of its parts saw."""
    phase = PhaseCost(
        duration_s=0.130,
        n_valid=N,
        n_overrun=1,
        run_s=0.112,
        draw_s=0.090,
        filtered_s=0.021,
        overrun_s=0.021,
    )
    draw = Samples(n=N, first_s=0.0009, median_s=0.0009, q90_s=0.0009, max_s=0.0009, total_s=0.0895)
    return Property(
        requested=None,
        configured=N,
        effective=N,
        stopped_because=f"settings.max_examples={N}",
        phases={"generate": phase},
        n_engine_runs=1,
        draw=draw,
        body_s=0.001,
        given_up_body_s=given_up_body_s,
    )


def test_an_interruption_is_not_taken_from_the_body() -> None:
    """No test case was given up inside the test's function, so that all of its time is of valid ones."""
    parts = split_example(drawn(given_up_body_s=0.0))
    given_up_in_body_s = parts.filtered_s - parts.filtered_draw_s
    assert parts.body_s - given_up_in_body_s == pytest.approx(0.001 / N)
    assert parts.filtered_s == pytest.approx(0.0005 / N)


def test_the_body_of_what_was_given_up_is_not_that_of_valid_test_cases() -> None:
    """An assumption in the test's function gives it up there."""
    parts = split_example(drawn(given_up_body_s=0.0004))
    assert parts.filtered_s - parts.filtered_draw_s == pytest.approx(0.0004 / N)


def test_a_record_that_does_not_say_it_has_the_whole_test_case() -> None:
    """Then the time that drawing does not explain counts as the body's."""
    parts = split_example(drawn(given_up_body_s=None))
    assert parts.filtered_s > parts.filtered_draw_s + 0.0009 / N
