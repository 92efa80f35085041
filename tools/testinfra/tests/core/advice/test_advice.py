"""What is advised about a cost, and in which words."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from tests.property.test_cost_laws import costs
from tests.samples import make_cost

from atom_testinfra.core.advice.advice import Advice, Remedy, advise
from atom_testinfra.core.costs.cost import split_time

if TYPE_CHECKING:
    from atom_testinfra.core.costs.baseline import ProfileCost

QUIET = {
    "setup_s": 0.0,
    "first_us": 0.0,
    "body_us": 0.0,
    "generate_us": 0.0,
    "engine_us": 0.0,
    "filtered_us": 0.0,
    "filtered_draw_us": 0.0,
    "overrun_us": 0.0,
    "overruns_per_valid": 0.0,
    "calls_per_valid": 1.0,
}
"""A cost without a part that is known to take anything."""


def about(duration_s: float = 4.0, **parts: object) -> Advice:
    """Return the advice on a test of 100 examples that takes four seconds, in these parts."""
    return advise(make_cost(random.Random(1), duration_s, 100, **(QUIET | parts)))


@given(costs)
def test_the_advice_is_on_a_part_that_was_measured(cost: ProfileCost) -> None:
    """Nothing can be saved that is not there, and no other part but what was given up takes longer."""
    advice, split = advise(cost), split_time(cost)
    others = (split.setup_s, split.body_s, split.generate_s, split.engine_s, split.other_s)

    assert 0 <= advice.part_s <= cost.duration_s + 1e-9
    assert advice.part == "filtered" or advice.part_s == max(*others, split.rejected_s + split.overrun_s)
    assert "e+" not in advice.text


def test_rejected_test_cases_carry_their_share_of_the_engine() -> None:
    """They took 0.4 s themselves, and three of four test cases are theirs."""
    advice = about(
        engine_us=36_000.0,
        filtered_us=4_000.0,
        filtered_draw_us=4_000.0,
        generate_us=4_000.0,
        calls_per_valid=4.4,
    )

    assert advice.remedy is Remedy.BUILD_DATA
    assert advice.part_s == pytest.approx(0.4 + 3.6 * 3.4 / 4.4)
    assert advice.text == (
        "4.4 test cases for each valid one, because an assumption or a filter rejects the others: "
        "build the data so that none is rejected, worth about 3.2 s of 4.0 s"
    )


def test_overruns_are_not_called_filtering() -> None:
    """Their remedy is another one, and their time is told apart."""
    wasted = {"filtered_us": 20_000.0, "filtered_draw_us": 20_000.0, "generate_us": 30_000.0}
    advice = about(overrun_us=18_000.0, overruns_per_valid=0.5, calls_per_valid=1.6, **wasted)

    assert advice.remedy is Remedy.SHRINK_DATA
    assert advice.text == (
        "50 test cases for every 100 valid ones are given up, because they ask for more data than "
        "Hypothesis gives them: draw fewer or smaller values, worth about 2.0 s of 4.0 s"
    )


def test_one_overrun_in_a_test_that_draws_is_drawing() -> None:
    """It takes part of the time, and no remedy follows from it."""
    advice = about(
        generate_us=30_000.0,
        filtered_us=500.0,
        filtered_draw_us=500.0,
        overrun_us=500.0,
        overruns_per_valid=0.01,
        calls_per_valid=1.01,
    )

    assert advice.remedy is Remedy.DRAW_LESS
    assert (
        advice.text
        == "drawing takes 2.95 s of 4.00 s (74 %), 29.5 ms an example: draw fewer or smaller values"
    )


@pytest.mark.parametrize(
    ("parts", "remedy"),
    [
        ({"setup_s": 3.0}, Remedy.CHEAPER_SET_UP),
        ({"setup_s": 3.0, "wide_setup_s": 1.6}, Remedy.CHEAPER_FIXTURE),
        ({"setup_s": 3.0, "wide_setup_s": 1.4}, Remedy.CHEAPER_SET_UP),
        ({"setup_s": 3.0, "wide_setup_s": 0.8, "own_setup_s": 0.9}, Remedy.SHARE_FIXTURE),
        ({"setup_s": 3.0, "wide_setup_s": 0.9, "own_setup_s": 0.8}, Remedy.CHEAPER_FIXTURE),
        ({"setup_s": 3.0, "wide_setup_s": 0.7, "own_setup_s": 0.7}, Remedy.LOOK_BEFORE),
        ({"body_us": 30_000.0}, Remedy.CHEAPER_BODY),
        ({"engine_us": 30_000.0}, Remedy.SMALLER_CASES),
        ({"engine_us": 300.0, "duration_s": 0.04}, Remedy.FEWER_EXAMPLES),
        ({"engine_us": 300.0, "generate_us": 90.0, "duration_s": 0.04}, Remedy.FEWER_EXAMPLES),
        ({"engine_us": 300.0, "generate_us": 110.0, "duration_s": 0.05}, Remedy.SMALLER_CASES),
        ({"n_explicit": 3}, Remedy.FEWER_EXPLICIT),
        ({}, Remedy.LOOK_OUTSIDE),
    ],
)
def test_the_largest_part_decides(parts: dict[str, float], remedy: Remedy) -> None:
    """What makes Hypothesis's own work large is the data, unless a test case is small."""
    assert about(**parts).remedy is remedy


def test_set_up_outside_of_fixtures_is_not_blamed_on_a_fixture() -> None:
    """The first test of a process pays for what pytest and its plugins do once."""
    advice = about(setup_s=3.0, wide_setup_s=0.2, own_setup_s=0.3)

    assert advice.text == (
        "set-up takes 3.00 s of 4.00 s (75 %), and 2.50 s of it is outside of fixtures: what pytest and its "
        "plugins do before a test, more of it before the first test of a process"
    )


def test_a_busy_machine_does_not_make_small_test_cases_large() -> None:
    """Hypothesis's work is compared with CPU time: waiting for the processor is not work."""
    assert about(0.4, engine_us=3_000.0, cpu_s=0.08).remedy is Remedy.FEWER_EXAMPLES


@pytest.mark.parametrize("n_explicit", [0, 3])
def test_what_is_around_the_examples_is_not_all_pytests(n_explicit: int) -> None:
    """A decorator above `@given` and a TestCase's `setUp` run in the call, too."""
    text = about(n_explicit=n_explicit).text
    assert "`setUp` and `tearDown`" in text
    assert "decorators above `@given`" in text
