"""Histories: ordered, cut where the workload changes, marked where the level does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from atom_testinfra.core.changes.comparison import Side
from atom_testinfra.core.changes.history import History, Moment, Source, build_histories
from atom_testinfra.core.changes.judgement import Series
from atom_testinfra.core.records.measurement import Machine

START = datetime(2026, 1, 1, tzinfo=UTC)


def moment(day: int, **tests: Series) -> Moment:
    return measured(day, {}, **tests)


def measured(day: int, how: dict[str, Any], **tests: Series) -> Moment:
    """A moment at which things were measured in a way of its own."""
    ways = {"interpreter": "CPython 3.11", "calibration": "3-made-up"} | how
    side = Side(label=f"c{day}", tests=tests, **ways)
    return Moment(at=START + timedelta(days=day), source=Source.BASELINE, name=f"c{day}", side=side)


def series(*values: float, digest: str = "d", unit_us: float = 100) -> Series:
    return Series(values=list(values), unit_us=unit_us, digest=digest, workload="50 examples")


def only(moments: Sequence[Moment]) -> History:
    (history,) = build_histories(moments)
    return history


def test_points_are_in_the_order_of_time() -> None:
    """The order in which the points are given does not matter."""
    history = only([moment(2, t=series(3)), moment(0, t=series(1)), moment(1, t=series(2))])
    assert [point.name for point in history.points] == ["c0", "c1", "c2"]


def test_costs_are_in_the_newest_machines_microseconds() -> None:
    """A figure of a machine half as fast is the same ratio, so the same cost."""
    history = only([moment(0, t=series(2, unit_us=200)), moment(1, t=series(2, unit_us=100))])
    assert [point.cost_us for point in history.points] == [200, 200]


def test_a_level_that_changed_is_marked_once() -> None:
    """Six points at one level and six at twice the cost: the seventh is the change."""
    history = only([moment(day, t=series(1 if day < 6 else 2)) for day in range(12)])
    assert [(point.name, point.change) for point in history.change_points] == [("c6", 2)]
    assert history.change == 2


def test_another_workload_is_no_change_of_level() -> None:
    """An edited test begins a new series, and the change is counted from there."""
    history = only(
        [moment(day, t=series(1 if day < 6 else 2, digest="a" if day < 6 else "b")) for day in range(12)]
    )
    assert history.change_points == []
    assert [(point.name, point.begins) for point in history.points if point.line] == [
        (f"c{day}", "another workload" if day == 6 else None) for day in range(6, 12)
    ]
    assert history.change == 1


HERE = Machine(system="Linux", arch="x86_64", cpu="one", n_cpus=2, memory_mb=4096)


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({"calibration": "2-old"}, {}, "calibration 2-old before"),
        ({"calibration": None}, {}, "an unrecorded calibration before"),
        ({"machine": HERE}, {"machine": replace(HERE, cpu="other")}, "another machine"),
        ({"n_workers": 4}, {}, "-n 4 before"),
        ({"interpreter": "CPython 3.12"}, {}, "CPython 3.12 before"),
    ],
)
def test_what_was_measured_in_another_way_is_on_another_line(
    before: dict[str, Any], after: dict[str, Any], reason: str
) -> None:
    """The level doubles with the change, which does not change the test: no mark, and no ratio across it."""
    days = [(day, before if day < 6 else after) for day in range(12)]
    history = only([measured(day, how, t=series(1 if day < 6 else 2)) for day, how in days])
    assert [point.line for point in history.points] == [0] * 6 + [1] * 6
    assert [point.begins for point in history.points if point.begins] == [reason]
    assert history.change_points == []
    assert history.change == 1


def test_machines_that_take_turns_have_a_line_each() -> None:
    """A change on one of them is found, whatever the other one says in between."""
    other = {"machine": replace(HERE, cpu="other")}
    moments = [
        measured(day, other if day % 2 else {"machine": HERE}, t=series(9 if day % 2 else 1 + day // 12))
        for day in range(24)
    ]
    history = only(moments)
    assert [len(line) for line in history.lines] == [12, 12]
    assert [(point.name, point.change) for point in history.change_points] == [("c12", 2)]


def test_each_line_is_in_the_microseconds_of_its_newest_point() -> None:
    """The unit of another calibration says nothing about this one."""
    old = {"calibration": "2-old"}
    history = only([measured(0, old, t=series(2, unit_us=50)), moment(1, t=series(2, unit_us=100))])
    assert [point.cost_us for point in history.points] == [100, 200]


def test_figures_that_say_nothing_leave_a_gap() -> None:
    """A failed test has no point, and the others are kept."""
    failed = Series(values=[], problem="it failed")
    history = only([moment(0, t=series(1)), moment(1, t=failed), moment(2, t=series(1))])
    assert [point.name for point in history.points] == ["c0", "c2"]


def test_a_single_point_has_no_change() -> None:
    """Nothing to compare with is `None`, not 1."""
    assert only([moment(0, t=series(1))]).change is None
    assert build_histories([]) == []


@given(st.lists(st.tuples(st.floats(0.1, 10), st.sampled_from("ab")), min_size=1, max_size=20))
def test_changes_lie_within_a_workload(entries: list[tuple[float, str]]) -> None:
    """No point both begins a line and changes a level."""
    history = only([moment(day, t=series(v, digest=d)) for day, (v, d) in enumerate(entries)])
    assert len(history.points) == len(entries)
    assert not any(point.begins is not None and point.change is not None for point in history.points)
