"""Tests that are asked in fresh interpreters, and what they take there."""

from __future__ import annotations

from typing import Any

import pytest

from atom_testinfra.core.mutants import MutantVerdict
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

    def _ask_unchanged(self, asked: FreshTests) -> dict[str, Any]:
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
