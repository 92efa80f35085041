"""How the cost of each property went over time."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.changepoints import find_change_points
from atom_testinfra.core.comparison import Side

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atom_testinfra.core.comparison import Series


class Source(StrEnum):
    """Where a point comes from."""

    BASELINE = "baseline"
    """A committed baseline."""
    SESSION = "session"
    """The run files of one measuring session on this machine."""


class Moment(Struct, frozen=True, kw_only=True):
    """All figures of one point in time."""

    at: datetime
    source: Source
    name: str
    """The commit, or the session's id."""
    side: Side


class Point(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a property cost at one time."""

    at: datetime
    source: Source
    name: str
    cost_us: float
    """Per example, in microseconds of the newest point's machine: the ratio to the calibration, scaled."""
    workload: str | None = None
    is_new_workload: bool = False
    """Another source, number of examples or seed than at the point before: costs are not to be compared."""
    change: float | None = None
    """A change point: the level from here on, divided by the level before."""


class History(Struct, frozen=True, kw_only=True):
    """The points of one property, oldest first."""

    nodeid: str
    points: list[Point]

    @property
    def change(self) -> float | None:
        """The latest cost over the first one of the same workload; `None` with one point."""
        points = self.points
        start = max((i for i, point in enumerate(points) if point.is_new_workload), default=0)
        return points[-1].cost_us / points[start].cost_us if start < len(points) - 1 else None

    @property
    def change_points(self) -> list[Point]:
        """Where the level changed."""
        return [point for point in self.points if point.change is not None]


def build_histories(moments: Iterable[Moment]) -> list[History]:
    """
    Return the history of every property, by node id.

    Change points are looked for between one change of workload and the next.
    """
    ordered = sorted(moments, key=lambda moment: moment.at)
    if not ordered:
        return []
    found: dict[str, list[tuple[Moment, Series]]] = defaultdict(list)
    for moment in ordered:
        for nodeid, series in moment.side.tests.items():
            if series.problem is None and series.values and min(series.values) > 0:
                found[nodeid].append((moment, series))
    unit_us = _unit_of(ordered[-1])
    return [History(nodeid=nodeid, points=_points(found[nodeid], unit_us)) for nodeid in sorted(found)]


def _unit_of(moment: Moment) -> float:
    return next((series.unit_us for series in moment.side.tests.values()), 1.0)


def _points(entries: Sequence[tuple[Moment, Series]], unit_us: float) -> list[Point]:
    costs = [median(series.values) for _, series in entries]
    starts = [
        i == 0 or _is_other_workload(entries[i - 1][1], series) for i, (_, series) in enumerate(entries)
    ]
    changes = _changes(costs, starts)
    return [
        Point(
            at=moment.at,
            source=moment.source,
            name=moment.name,
            cost_us=cost * unit_us,
            workload=series.workload,
            is_new_workload=is_start and i > 0,
            change=changes.get(i),
        )
        for i, ((moment, series), cost, is_start) in enumerate(zip(entries, costs, starts, strict=True))
    ]


def _is_other_workload(before: Series, after: Series) -> bool:
    return before.workload != after.workload or (
        before.digest != after.digest and None not in (before.digest, after.digest)
    )


def _changes(costs: Sequence[float], starts: Sequence[bool]) -> dict[int, float]:
    """Return where the level changes within a workload, and by which factor."""
    begins = [i for i, is_start in enumerate(starts) if is_start]
    changes = {}
    for begin, end in zip(begins, [*begins, len(costs)][1:], strict=True):
        for point in find_change_points(costs[begin:end]):
            changes[begin + point.index] = point.ratio
    return changes
