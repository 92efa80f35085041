"""What got slower: how the cost of a property went over the baselines of the past."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from atom_testinfra.reports import numbers
from atom_testinfra.reports.tables import CellKind, Column, Table

N_SERIES = 12
"""Properties drawn; those that changed most come first."""


class Point(Struct, frozen=True, kw_only=True, gc=False):
    """One baseline of the past, for one property."""

    at: str
    """UTC, ISO 8601."""
    label: str
    """What the figure belongs to: a commit, or a run."""
    value_s: float
    is_change: bool = False
    """The cost settled on another level here."""


class Series(Struct, frozen=True, kw_only=True):
    """The cost of one property over time, oldest first."""

    nodeid: str
    points: list[Point]

    @property
    def factor(self) -> float | None:
        """The last figure over the first."""
        if len(self.points) < 2 or not self.points[0].value_s:
            return None
        return self.points[-1].value_s / self.points[0].value_s

    @property
    def last_change(self) -> Point | None:
        """The newest point at which the level changed."""
        return next((point for point in reversed(self.points) if point.is_change), None)


class HistorySection(Struct, frozen=True, kw_only=True):
    """The past of the properties that changed most."""

    id: ClassVar[str] = "history"
    title: ClassVar[str] = "What got slower?"
    notes: ClassVar[list[str]] = []

    series: list[Series]
    what: str
    """What the figures are, as words: `body CPU per example`."""
    n_baselines: int
    missing: str | None = None
    """Why there is no history, and what makes one."""

    @property
    def summary(self) -> str:
        """The answer in one sentence."""
        if self.missing is not None:
            return self.missing
        slower = [item for item in self.series if item.last_change is not None and (item.factor or 0) > 1]
        if not slower:
            return f"Nothing changed its level in {numbers.plural(self.n_baselines, 'baseline')}."
        return (
            f"{numbers.plural(len(slower), 'test')} settled on a higher level within "
            f"{numbers.plural(self.n_baselines, 'baseline')} ({self.what})."
        )

    def tables(self) -> list[Table]:
        """Return first, last and change point of each series."""
        if not self.series:
            return []
        return [
            Table(
                id="history-series",
                caption=f"Change over {numbers.plural(self.n_baselines, 'baseline')}: {self.what}",
                columns=[
                    Column("Test", CellKind.TEST),
                    Column("First", CellKind.SECONDS),
                    Column("Last", CellKind.SECONDS),
                    Column("Factor", CellKind.RATIO),
                    Column("Changed at"),
                ],
                rows=[
                    [
                        item.nodeid,
                        item.points[0].value_s,
                        item.points[-1].value_s,
                        item.factor,
                        None if item.last_change is None else item.last_change.label,
                    ]
                    for item in self.series
                ],
            )
        ]


def build_history(series: list[Series], what: str, n_baselines: int) -> HistorySection:
    """Return the series that changed most; with fewer than two baselines, what is missing."""
    usable = [item for item in series if len(item.points) > 1]
    if not usable:
        return HistorySection(
            series=[],
            what=what,
            n_baselines=n_baselines,
            missing="No history yet: there is one once the baseline has been committed twice, "
            "each time made by `testinfra measure` and `testinfra verify`.",
        )
    usable.sort(key=lambda item: (item.last_change is None, -abs((item.factor or 1.0) - 1.0), item.nodeid))
    return HistorySection(series=usable[:N_SERIES], what=what, n_baselines=n_baselines)
