"""What got slower: how the cost of a property went over the baselines and sessions of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from atom_testinfra.core.changes.changepoints import MIN_CHANGE, MIN_SEGMENT
from atom_testinfra.core.changes.history import History
from atom_testinfra.reports import numbers
from atom_testinfra.reports.tables import Cell, CellKind, Column, Table

if TYPE_CHECKING:
    from collections.abc import Callable

N_SHOWN = 12
"""Tests listed of each kind; the page has all of them, each in its own dialog."""

NOT_ASKED = "The past was not looked at for this report."
TOO_SHORT = (
    "No history yet: there is one once the baseline has been committed twice, each time made by "
    "`testinfra measure --baseline` and `testinfra verify`."
)
ENOUGH = 2 * MIN_SEGMENT
"""Comparable points that a change of level needs: some before it, and some after."""


class HistorySection(Struct, frozen=True, kw_only=True):
    """The past of every property, those that got slower first."""

    id: ClassVar[str] = "history"
    title: ClassVar[str] = "What got slower?"

    histories: list[History]
    """Those with at least two points, by node id."""
    n_moments: int
    """Baselines and sessions that could be read."""
    missing: str | None = None
    """Why there is nothing to see, and what changes that."""

    @property
    def slower(self) -> list[History]:
        """The tests whose last change of level was upwards, the largest change first."""
        return _ranked(self.histories, lambda item: item.step, above=1.0)

    @property
    def faster(self) -> list[History]:
        """The tests whose last change of level was downwards, the largest change first."""
        return _ranked(self.histories, lambda item: 1 / item.step if item.step else None, above=1.0)

    @property
    def unsettled(self) -> list[History]:
        """The tests that cost more at the last point than at the first one, without a change of level."""
        return _ranked(
            self.histories, lambda item: item.change if item.step is None else None, above=1.0 + MIN_CHANGE
        )

    @property
    def summary(self) -> str:
        """The answer in one or two sentences."""
        if self.missing is not None:
            return self.missing
        moments = f"{numbers.plural(self.n_moments, 'point')} in time"
        n_slower, n_faster = len(self.slower), len(self.faster)
        if not n_slower and not n_faster:
            return f"No test changed its level over {moments}."
        slower = numbers.plural(n_slower, "test") if n_slower else "No test"
        faster = f", {numbers.count(n_faster)} on a lower one" if n_faster else ""
        return f"{slower} settled on a higher level{faster}, seen over {moments}."

    @property
    def notes(self) -> list[str]:
        """What could not be told from noise."""
        n = len(self.unsettled)
        if not n:
            return []
        costs = "1 test costs" if n == 1 else f"{n:,} tests cost"
        noise = f"a change of level takes at least {ENOUGH} points that can be compared"
        more = f"over {numbers.share(MIN_CHANGE)} more at the last point than at the first one"
        return [f"{costs} {more}. That may be noise: {noise}."]

    @property
    def groups(self) -> list[tuple[str, list[History]]]:
        """The tests to show, by what became of their cost."""
        kinds = [("slower", self.slower), ("may be noise", self.unsettled), ("faster", self.faster)]
        return [(kind, found[:N_SHOWN]) for kind, found in kinds if found]

    def tables(self) -> list[Table]:
        """Return first, last and change of each test, those that got slower first."""
        if not self.groups:
            return []
        n = len(self.slower) + len(self.unsettled) + len(self.faster)
        rows = [_row(kind, item) for kind, found in self.groups for item in found]
        return [
            Table(
                id="histories",
                caption=f"Cost per example, over {numbers.plural(self.n_moments, 'point')} in time",
                columns=[
                    Column("Test", CellKind.TEST),
                    Column("Became"),
                    Column("First", CellKind.MICROS, rank=1),
                    Column("Last", CellKind.MICROS),
                    Column("Change", CellKind.RATIO),
                    Column("Since", rank=2),
                ],
                rows=rows,
                n_left_out=n - len(rows),
            )
        ]


def build_history(histories: list[History] | None) -> HistorySection:
    """Return the histories with two points or more; where there are none, what is missing."""
    usable = [item for item in histories or [] if len(item.points) > 1]
    if not usable:
        reason = NOT_ASKED if histories is None else TOO_SHORT
        return HistorySection(histories=[], n_moments=0, missing=reason)
    return HistorySection(
        histories=sorted(usable, key=lambda item: item.nodeid),
        n_moments=len({(point.at, point.name) for item in usable for point in item.points}),
    )


def _ranked(
    histories: list[History], key: Callable[[History], float | None], *, above: float
) -> list[History]:
    ranked = [(value, item) for item in histories if (value := key(item)) is not None and value > above]
    return [item for _, item in sorted(ranked, key=lambda pair: (-pair[0], pair[1].nodeid))]


def _row(kind: str, item: History) -> list[Cell]:
    since = next((point for point in reversed(item.latest) if point.change is not None), None)
    return [
        item.nodeid,
        kind,
        item.latest[0].cost_us,
        item.latest[-1].cost_us,
        item.change if item.step is None else item.step,
        None if since is None else f"{since.at:%Y-%m-%d}, {since.name[:12]}",
    ]
