"""What a row of `testinfra compare` says about a change, and by which part it was judged."""

from __future__ import annotations

import pytest

from atom_testinfra.core.changes.judgement import Change, ChangeVerdict, CostChange
from atom_testinfra.core.statistics import Interval
from atom_testinfra.reports.comparison import describe_change

EIGHT = Interval(low=7.5, value=8.0, high=8.5)


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("body", "judged by body: 8.00 (7.50 to 8.50), limit 1.25"),
        ("set-up and teardown", "judged by what set-up and teardown adds: 8.00 (7.50 to 8.50), limit 1.25"),
    ],
)
def test_the_part_that_decided_is_named_and_the_ratio_is_the_whole_tests(part: str, told: str) -> None:
    """Of 500 us the body was 100; eight times the body makes the test 2.4 times as expensive."""
    change = Change(
        nodeid="test_a.py::test_a",
        verdict=ChangeVerdict.SLOWER,
        part=part,
        ratio=EIGHT,
        limit=1.25,
        base_us=500.0,
        new_us=1200.0,
        parts={part: CostChange(ratio=EIGHT, limit=1.25, added_us=700.0)},
        n_runs=(5, 3),
    )
    assert change.times == pytest.approx(2.4)
    assert describe_change(change) == [f"{part} +700 µs", told]


def test_with_one_cost_its_ratio_is_the_tests() -> None:
    """Nothing says by which part it was judged, because there is only one cost."""
    change = Change(
        nodeid="test_a.py::test_a", verdict=ChangeVerdict.SLOWER, ratio=EIGHT, limit=1.25, base_us=1.0
    )
    assert change.times == EIGHT.value
    assert describe_change(change) == ["8.00 (7.50 to 8.50), limit 1.25"]
