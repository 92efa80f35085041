"""How many examples each property gets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.core.budgets.examples import BEYOND, Candidate, Reason, share_out, uniform_number
from atom_testinfra.core.detection.curves import Curves
from atom_testinfra.core.detection.trials import Trial

NODEIDS = ("a", "b", "c", "d")


def candidate(
    nodeid: str,
    *,
    example_s: float = 0.01,
    own: int = 50,
    floor: int = 5,
    fixed_s: float = 0.0,
    exhausted: int | None = None,
    is_first: bool = True,
) -> Candidate:
    return Candidate(
        nodeid=nodeid,
        own=own,
        example_s=example_s,
        floor=floor,
        fixed_s=fixed_s,
        exhausted=exhausted,
        is_first=is_first,
    )


def noticing(nodeid: str, *firsts: int | None) -> list[Trial]:
    """Return a mutant for each number, which the property notices at that example on every seed."""
    return [
        Trial(nodeid=nodeid, mutant=f"{nodeid}{place}", seed=seed, planned=planned, first=first)
        for place, first in enumerate(firsts)
        for seed in (0, 1)
        for planned in (50, 200)
        if first is None or first <= planned
    ]


CANDIDATES = st.lists(
    st.builds(
        candidate,
        nodeid=st.sampled_from(NODEIDS),
        example_s=st.floats(1e-4, 0.1),
        own=st.integers(5, 500),
        fixed_s=st.floats(0, 0.1),
        exhausted=st.none() | st.integers(1, 300),
        is_first=st.booleans(),
    ),
    min_size=1,
    unique_by=lambda one: one.nodeid,
)
CURVES = st.lists(
    st.builds(
        Trial,
        nodeid=st.sampled_from(NODEIDS),
        mutant=st.sampled_from(["m", "n", "o"]),
        seed=st.integers(0, 2),
        planned=st.sampled_from([12, 50, 200]),
        first=st.none() | st.integers(0, 200),
    )
).map(Curves)


@given(CANDIDATES, CURVES, st.floats(0.0, 100.0))
def test_no_property_is_below_its_floor_and_the_time_is_kept(
    candidates: list[Candidate], curves: Curves, asked_s: float
) -> None:
    """The floor is kept at any price; if the floors fit, so does everything, to the next whole example."""
    budget = share_out(candidates, curves, asked_s)
    for one in budget.allotments:
        assert one.n >= one.candidate.floor
    if budget.fits:
        assert budget.seconds <= asked_s + 1e-6
    else:
        assert all(one.n == one.candidate.floor for one in budget.allotments)


@given(CANDIDATES, CURVES, st.floats(0.0, 100.0))
def test_the_same_question_has_the_same_answer(
    candidates: list[Candidate], curves: Curves, asked_s: float
) -> None:
    """A derandomized run has to stay the same, so the numbers do not depend on an order or on chance."""
    numbers = {one.candidate.nodeid: one.n for one in share_out(candidates, curves, asked_s).allotments}
    again = share_out(candidates, curves, asked_s)
    assert numbers == {one.candidate.nodeid: one.n for one in again.allotments}


def test_time_goes_where_the_curve_rises() -> None:
    """Of two properties of equal cost, the one that finds later faults gets more than an equal share."""
    curves = Curves([*noticing("a", 1, 1, 1), *noticing("b", 60, 70, 75)])
    budget = share_out([candidate("a"), candidate("b")], curves, 1.3)
    numbers = {one.candidate.nodeid: one.n for one in budget.allotments}
    assert numbers["b"] >= 75 > numbers["a"] >= 45
    reasons = {one.candidate.nodeid: one.reason for one in budget.allotments}
    assert reasons == {"a": Reason.EQUAL, "b": Reason.CURVE}
    assert [one.found for one in budget.allotments] == [3.0, 3.0]
    assert [one.found_now for one in budget.allotments] == [3.0, 0.0]


def test_without_curves_the_cost_decides() -> None:
    """An example that costs eight times as much is worth a quarter of the number: cost^(-2/3)."""
    budget = share_out([candidate("a", example_s=0.001), candidate("b", example_s=0.008)], Curves([]), 0.6)
    first, second = budget.allotments
    assert first.n == pytest.approx(4 * second.n, abs=4)
    assert {one.reason for one in budget.allotments} == {Reason.COST}


def test_no_number_is_larger_than_what_was_tried() -> None:
    """A curve says nothing beyond its largest run; without one, ten times the own number is the limit."""
    curves = Curves(noticing("a", 3))
    budget = share_out([candidate("a"), candidate("b")], curves, 1e6)
    assert [(one.n, one.reason) for one in budget.allotments] == [
        (200, Reason.TRIED),
        (50 * BEYOND, Reason.COST),
    ]


def test_an_exhausted_property_gets_one_more_than_there_is() -> None:
    """That one shows in each run that there is still nothing left to try, and it costs nothing."""
    budget = share_out([candidate("a", exhausted=2, floor=1)], Curves([]), 1.0)
    assert (budget.allotments[0].n, budget.allotments[0].reason) == (3, Reason.EXHAUSTED)
    assert budget.seconds == pytest.approx(0.02)


def test_what_the_change_does_not_reach_gets_its_floor() -> None:
    """The time goes to the others."""
    budget = share_out([candidate("a"), candidate("b", is_first=False)], Curves([]), 1.0)
    assert [(one.n, one.reason) for one in budget.allotments] == [(95, Reason.COST), (5, Reason.UNCHANGED)]


def test_floors_that_do_not_fit_are_kept_and_said() -> None:
    """The budget says what they take, set-up included."""
    budget = share_out([candidate("a", fixed_s=1.0)], Curves([]), 0.5)
    assert (budget.fits, budget.allotments[0].n) == (False, 5)
    assert budget.floor_s == pytest.approx(1.05)


def test_an_equal_number_fills_the_time() -> None:
    """Set-up is taken off first, and an exhausted property leaves its time to the others."""
    assert uniform_number([candidate("a", fixed_s=0.5), candidate("b")], 1.5) == 50
    assert uniform_number([candidate("a", exhausted=10), candidate("b")], 1.0) == 90
    assert uniform_number([candidate("a")], 0.0) == 1
