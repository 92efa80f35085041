"""How the time after the first round is shared."""

from __future__ import annotations

from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.core.budgets.rounds import (
    EQUAL_PART,
    OF_FIXED,
    Discoveries,
    first_round_s,
    next_round_s,
    weights_of,
)

RATES = st.lists(st.none() | st.just(0.0) | st.floats(1e-6, 1e6), min_size=1, max_size=30)
SECONDS = st.floats(0.001, 1e6)


@given(RATES)
def test_no_property_starves(rates: list[float | None]) -> None:
    """Each gets at least its part of what is shared equally, and the parts make up the round."""
    weights = weights_of(rates)
    assert isclose(sum(weights), 1.0)
    assert min(weights) >= EQUAL_PART / len(rates) * (1.0 - 1e-9)


@given(RATES, st.data())
def test_what_shows_more_that_is_new_gets_no_less(rates: list[float | None], data: st.DataObject) -> None:
    """The order of the rates is the order of the parts."""
    known = [i for i, rate in enumerate(rates) if rate is not None]
    if not known:
        assert len(set(weights_of(rates))) == 1
        return
    one, other = data.draw(st.sampled_from(known)), data.draw(st.sampled_from(known))
    weights = weights_of(rates)
    if (rates[one] or 0.0) > (rates[other] or 0.0):
        assert weights[one] >= weights[other]


def test_nothing_new_anywhere_means_equal_parts() -> None:
    """Rates of zero are not a reason to divide by zero."""
    assert weights_of([0.0, 0.0, None, 0.0]) == [0.25] * 4


@given(st.lists(st.sets(st.integers(0, 9)), min_size=1, max_size=8))
def test_what_was_seen_in_one_round_only_predicts_what_is_new(rounds: list[set[int]]) -> None:
    """It agrees with a count over all rounds, and each thing is new once."""
    discoveries = Discoveries()
    n_new = sum(discoveries.note(seen, 2.0) for seen in rounds)
    assert n_new == len(set().union(*rounds))
    once = sum(sum(i in seen for seen in rounds) == 1 for i in range(10))
    if len(rounds) == 1:
        assert discoveries.rate is None
    else:
        assert discoveries.rate == pytest.approx(once / (2.0 * len(rounds)))


@given(left_s=SECONDS, usual_s=st.floats(0.0, 1e6), fixed_s=st.floats(0.0, 1e6))
def test_further_rounds_are_of_one_length_and_fill_the_time(
    left_s: float, usual_s: float, fixed_s: float
) -> None:
    """A whole number of rounds fits into what is left, and examples get most of each, where there is time."""
    round_s = next_round_s(left_s, usual_s, fixed_s)
    if round_s is None:
        assert left_s < 2.0 * fixed_s
        return
    assert isclose(left_s / round_s, round(left_s / round_s), rel_tol=1e-6)
    assert round_s >= min(left_s, OF_FIXED * fixed_s) * (1.0 - 1e-9)


@given(left_s=st.floats(-1e3, 1e6), floor_s=st.floats(0.0, 1e6))
def test_the_first_round_has_room_for_the_floors_and_ends_in_time(left_s: float, floor_s: float) -> None:
    """What the floors need comes before the further rounds, and nothing is beyond what is left."""
    first_s = first_round_s(left_s, floor_s)
    assert first_s <= left_s
    assert first_s >= min(left_s, floor_s)
