"""What got slower: how the cost of a property went over the baselines and sessions of the past."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from atom_testinfra.core.changes.history import History
from atom_testinfra.reports import numbers
from atom_testinfra.reports.tables import CellKind, Column, Table

N_SERIES = 12
"""Properties listed; those that changed most come first."""

NOT_ASKED = "The past was not looked at for this report."
TOO_SHORT = (
    "No history yet: there is one once the baseline has been committed twice, each time made by "
    "`testinfra measure --baseline` and `testinfra verify`."
)


class HistorySection(Struct, frozen=True, kw_only=True):
    """The past of the properties that changed most."""

    id: ClassVar[str] = "history"
    title: ClassVar[str] = "What got slower?"
    notes: ClassVar[list[str]] = []
    what: ClassVar[str] = "Cost per example"

    histories: list[History]
    n_moments: int
    """Baselines and sessions that could be read."""
    missing: str | None = None
    """Why there is nothing to see, and what changes that."""

    @property
    def summary(self) -> str:
        """The answer in one sentence."""
        if self.missing is not None:
            return self.missing
        last = {item.nodeid: item.change_points[-1].change for item in self.histories if item.change_points}
        n_slower = sum(change is not None and change > 1 for change in last.values())
        moments = numbers.plural(self.n_moments, "point") + " in time"
        if not n_slower:
            return f"No test settled on a higher level at the last change seen in {moments}."
        return f"{numbers.plural(n_slower, 'test')} settled on a higher level, seen over {moments}."

    def tables(self) -> list[Table]:
        """Return first, last and change point of each history."""
        if not self.histories:
            return []
        return [
            Table(
                id="histories",
                caption=f"{self.what}, over {numbers.plural(self.n_moments, 'point')} in time",
                columns=[
                    Column("Test", CellKind.TEST),
                    Column("First", CellKind.MICROS, rank=1),
                    Column("Last", CellKind.MICROS),
                    Column("Change", CellKind.RATIO),
                    Column("Level changed at"),
                ],
                rows=[
                    [
                        item.nodeid,
                        item.latest[0].cost_us,
                        item.latest[-1].cost_us,
                        item.change,
                        ", ".join(point.name[:12] for point in item.change_points) or None,
                    ]
                    for item in self.histories
                ],
            )
        ]


def build_history(histories: list[History] | None) -> HistorySection:
    """Return the histories that changed most; without two points in time, what is missing."""
    usable = [item for item in histories or [] if len(item.points) > 1]
    if not usable:
        reason = NOT_ASKED if histories is None else TOO_SHORT
        return HistorySection(histories=[], n_moments=0, missing=reason)
    usable.sort(key=lambda item: (not item.change_points, -abs((item.change or 1.0) - 1.0), item.nodeid))
    return HistorySection(
        histories=usable[:N_SERIES],
        n_moments=len({(point.at, point.name) for item in usable for point in item.points}),
    )
