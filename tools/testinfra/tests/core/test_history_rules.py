"""Histories: ordered, cut where the workload changes, marked where the level does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from atom_testinfra.core.comparison import Series, Side
from atom_testinfra.core.history import History, Moment, Source, build_histories

START = datetime(2026, 1, 1, tzinfo=UTC)


def moment(day: int, unit_us: float = 100, **tests: Series) -> Moment:
    side = Side(label=f"c{day}", tests=tests, interpreter="CPython 3.11")
    return Moment(at=START + timedelta(days=day), source=Source.BASELINE, name=f"c{day}", side=side)


def series(*values: float, digest: str = "d", unit_us: float = 100) -> Series:
    return Series(values=list(values), unit_us=unit_us, digest=digest, workload="50 examples")


def only(moments: Sequence[Moment]) -> History:
    (history,) = build_histories(moments)
    return history


def test_points_are_in_the_order_of_time() -> None:
    """However the moments come in."""
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
    assert [point.name for point in history.points if point.is_new_workload] == ["c6"]
    assert history.change == 1


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
    """No point both begins a workload and changes a level."""
    history = only([moment(day, t=series(v, digest=d)) for day, (v, d) in enumerate(entries)])
    assert len(history.points) == len(entries)
    assert not any(point.is_new_workload and point.change is not None for point in history.points)
