"""Tests that are asked in fresh interpreters, and what they take there."""

from __future__ import annotations

from typing import Any

import pytest

from atom_testinfra.core.mutants import Mutant, MutantVerdict
from atom_testinfra.mutation.asking.fresh import MORE_TIME, FreshRound
from atom_testinfra.mutation.orders import Fact, FreshTests, KnownCost, Orders

NODEID = "test_shop.py::test_price"
ASKED = FreshTests(tests=[KnownCost(NODEID, 0.1)], files=["test_shop.py"], n_reaching=1)


class SlowStart(FreshRound):
    """A round whose test takes more CPU time, unchanged, than it is given at first."""

    def __init__(self, needed_s: float) -> None:
        orders = Orders(
            arguments=[],
            files=None,
            root="",
            product=[],
            events=-1,
            n_jobs=1,
            ends_at=None,
            mutants=[],
            run_files=[],
            run_tests=[],
            reaches=[],
        )
        self.said: list[Fact] = []
        super().__init__(orders, lambda fact, **_: self.said.append(fact))
        self._needed_s = needed_s

    def _ask_one(self, asked: FreshTests, mutant: Mutant | None) -> dict[str, Any]:
        (test,) = self.tests_of(asked)
        is_late = test.cpu_s < self._needed_s
        return {"verdict": MutantVerdict.TIME if is_late else MutantVerdict.SURVIVED}


@pytest.mark.parametrize(("needed_s", "is_first_right"), [(0.1, True), (0.9, False), (4.0, False)])
def test_a_test_that_starts_slowly_gets_more_time_and_the_mutant_is_asked_again(
    needed_s: float, is_first_right: bool
) -> None:
    """Running out of time says nothing about the mutant if the test is as slow without it."""
    asking = SlowStart(needed_s)
    assert asking.is_sound(ASKED, NODEID) == is_first_right
    assert asking.is_sound(ASKED, NODEID)
    assert asking.tests_of(ASKED)[0].cpu_s >= needed_s
    assert asking.said == []


def test_a_test_that_does_not_end_unchanged_is_named() -> None:
    """It is not asked about any further mutant."""
    asking = SlowStart(needed_s=10 * MORE_TIME[-1])
    assert not asking.is_sound(ASKED, NODEID)
    assert asking.said == [Fact.UNFIT]
    assert asking.tests_of(ASKED) == []


MUTANT = Mutant(
    id="a",
    path="shop.py",
    function=None,
    block="None#0",
    line=1,
    end_line=1,
    operator="constant",
    is_hidden=False,
    index=0,
    statement=0,
)
AFTER_OTHERS = FreshTests(
    tests=[KnownCost("test_shop.py::test_fill", 0.1), KnownCost(NODEID, 0.1)],
    files=["test_shop.py"],
    n_reaching=2,
)


class Leaving(SlowStart):
    """A round in which a test may fail for the mutant, or for what the test before it leaves behind."""

    def __init__(self, *, is_left_something: bool, is_noticed_alone: bool) -> None:
        super().__init__(needed_s=0.0)
        self._is_left_something = is_left_something
        self._is_noticed_alone = is_noticed_alone

    def _ask_one(self, asked: FreshTests, mutant: Mutant | None) -> dict[str, Any]:
        fails = (
            self._is_noticed_alone if mutant is not None else len(asked.tests) > 1 and self._is_left_something
        )
        return {"verdict": MutantVerdict.ASSERTION if fails else MutantVerdict.SURVIVED}


@pytest.mark.parametrize(
    ("is_left_something", "is_noticed_alone", "is_misled"),
    [(True, False, True), (True, True, False), (False, False, False)],
)
def test_a_test_that_fails_because_of_what_another_left_has_noticed_nothing(
    is_left_something: bool, is_noticed_alone: bool, is_misled: bool
) -> None:
    """The order in a fresh interpreter is not the suite's: without the mutant it fails there as well."""
    asking = Leaving(is_left_something=is_left_something, is_noticed_alone=is_noticed_alone)
    assert asking.is_misled(MUTANT, AFTER_OTHERS, NODEID) == is_misled
    assert not asking.is_misled(MUTANT, AFTER_OTHERS, "test_shop.py::test_fill")
    assert not asking.is_misled(MUTANT, AFTER_OTHERS, None)
    assert asking.said == []
