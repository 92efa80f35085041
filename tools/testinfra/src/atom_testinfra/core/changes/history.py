"""How the cost of each property changed over time."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from enum import StrEnum
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from atom_testinfra.core.changes.changepoints import find_change_points
from atom_testinfra.core.changes.comparison import Side
from atom_testinfra.core.records.circumstances import describe_calibration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atom_testinfra.core.changes.judgement import Series
    from atom_testinfra.core.records.measurement import Machine


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
    """Per example, in microseconds of the newest point of its line: the ratio to the calibration, scaled."""
    low_us: float | None = None
    """The cheapest run, as `cost_us` is the median of all; `None` with one run."""
    high_us: float | None = None
    """The most expensive run."""
    workload: str | None = None
    line: int = 0
    """Points of one line can be compared: they were measured alike, and have the same workload."""
    begins: str | None = None
    """Why a line begins here, for every line but the first: what differs from the point before."""
    change: float | None = None
    """A change point: the level from here on, divided by the level before."""


class History(Struct, frozen=True, kw_only=True):
    """The points of one property, oldest first."""

    nodeid: str
    points: list[Point]

    @property
    def lines(self) -> list[list[Point]]:
        """The points by line, in the order in which the lines begin."""
        lines: dict[int, list[Point]] = {}
        for point in self.points:
            lines.setdefault(point.line, []).append(point)
        return list(lines.values())

    @property
    def latest(self) -> list[Point]:
        """The line that the newest point is on."""
        return [point for point in self.points if point.line == self.points[-1].line]

    @property
    def change(self) -> float | None:
        """The latest cost over the first one of the same line; `None` with one point on it."""
        line = self.latest
        return line[-1].cost_us / line[0].cost_us if len(line) > 1 else None

    @property
    def step(self) -> float | None:
        """The last change of level on the latest line, as a ratio; `None` where there was none but noise."""
        return next((point.change for point in reversed(self.latest) if point.change is not None), None)

    @property
    def change_points(self) -> list[Point]:
        """Where the level changed."""
        return [point for point in self.points if point.change is not None]


def build_histories(moments: Iterable[Moment]) -> list[History]:
    """
    Return the history of every property, by node id.

    Only what was measured alike is put on one line, and change points are looked for on a line only. Machines
    that take turns each continue their own line; an edited test begins a new one.
    """
    ordered = sorted(moments, key=lambda moment: moment.at)
    found: dict[str, list[Entry]] = defaultdict(list)
    units: dict[Way, float] = {}
    for moment in ordered:
        way = Way.of(moment.side)
        for nodeid, series in moment.side.tests.items():
            units[way] = series.unit_us
            if series.problem is None and series.values and min(series.values) > 0:
                found[nodeid].append(Entry(moment, way, series))
    return [History(nodeid=nodeid, points=_points(found[nodeid], units)) for nodeid in sorted(found)]


class Way(NamedTuple):
    """How a side was measured, as far as its costs depend on it."""

    calibration: str | None
    """`None` where costs are CPU seconds, not ratios to a calibration that is known."""
    machine: Machine | None
    n_workers: int
    interpreter: str

    @classmethod
    def of(cls, side: Side) -> Way:
        """Return how a side was measured."""
        name = side.calibration if side.is_calibrated else None
        return cls(name, side.machine, side.n_workers, side.interpreter)

    def differences(self, before: Way) -> list[str]:
        """Return what is not as it was before, in words."""
        told = {
            "calibration": f"{describe_calibration(before.calibration)} before",
            "machine": "another machine",
            "n_workers": f"-n {before.n_workers} before",
            "interpreter": f"{before.interpreter} before",
        }
        return [text for name, text in told.items() if getattr(self, name) != getattr(before, name)]


class Entry(NamedTuple):
    """What a property cost at one moment."""

    moment: Moment
    way: Way
    series: Series


def _points(entries: Sequence[Entry], units: Mapping[Way, float]) -> list[Point]:
    lines = _lines(entries)
    changes: dict[int, float] = {}
    for line in lines:
        costs = [median(entries[i].series.values) for i in line]
        changes |= {line[point.index]: point.ratio for point in find_change_points(costs)}
    line_of = {i: number for number, line in enumerate(lines) for i in line}
    starts = {line[0] for line in lines}
    return [
        Point(
            at=moment.at,
            source=moment.source,
            name=moment.name,
            cost_us=median(series.values) * units[way],
            low_us=min(series.values) * units[way] if len(series.values) > 1 else None,
            high_us=max(series.values) * units[way] if len(series.values) > 1 else None,
            workload=series.workload,
            line=line_of[i],
            begins=_why(entries[i - 1], entries[i]) if i and i in starts else None,
            change=changes.get(i),
        )
        for i, (moment, way, series) in enumerate(entries)
    ]


def _lines(entries: Sequence[Entry]) -> list[list[int]]:
    """Return the indexes of the points of each line."""
    lines: list[list[int]] = []
    latest: dict[Way, list[int]] = {}
    for i, entry in enumerate(entries):
        line = latest.get(entry.way)
        if line is None or _is_other_workload(entries[line[-1]].series, entry.series):
            line = latest[entry.way] = []
            lines.append(line)
        line.append(i)
    return lines


def _why(before: Entry, entry: Entry) -> str:
    """Return why a point is not on the line of the one before it."""
    reasons = entry.way.differences(before.way)
    if _is_other_workload(before.series, entry.series):
        reasons.append("another workload")
    return ", ".join(reasons) or "back to an earlier machine, with another workload"


def _is_other_workload(before: Series, after: Series) -> bool:
    return before.workload != after.workload or (
        before.digest != after.digest and None not in (before.digest, after.digest)
    )
