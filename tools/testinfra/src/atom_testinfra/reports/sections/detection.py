"""What more examples would find: the detection curve of the suite, and one of each property."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from msgspec import Struct

from atom_testinfra.reports import numbers
from atom_testinfra.reports.budget import PropertyCurve, SuitePoint, explain, shared_out, suite_point
from atom_testinfra.reports.tables import CellKind, Column, Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atom_testinfra.core.budgets.examples import Candidate
    from atom_testinfra.core.detection.curves import Curves, Interval

FACTORS = [2 ** (power / 2) for power in range(-8, 3)]
"""Times of the curve, in times of a run with today's numbers: from a sixteenth to twice."""
LEARN = "`testinfra mutate --curves`"
READING = (
    "Read from the curve what more or less time would find and what `testinfra budget` would gain in the "
    "same time, not how many bugs are found: mutants are not faults, and the curve holds only for this code, "
    "these strategies and this version of Hypothesis."
)
N_NAMED = 5


class DetectionSection(Struct, frozen=True, kw_only=True):
    """What the suite and each property are expected to notice with more and fewer examples."""

    id: ClassVar[str] = "detection"
    title: ClassVar[str] = "What would more examples find?"

    n_properties: int
    """Properties that were looked at, with a curve or without."""
    n_mutants: int
    """Those that some property can notice: what the shares are taken of."""
    points: list[SuitePoint]
    """The suite in several times, as `testinfra budget` shares them out; empty without a fresh curve."""
    now: SuitePoint
    """With today's numbers of examples."""
    budget: SuitePoint | None
    """With the numbers of the budget file; `None` where there is none."""
    properties: list[PropertyCurve]
    """Those with a fresh curve."""
    stale: list[str]
    """Properties whose code, or whose tests, changed since their curves were learnt."""

    @property
    def summary(self) -> str:
        """What is noticed now, and in half and twice the time."""
        if not self.points:
            return "No detection curve holds for the code and the tests as they are now."
        others = " and ".join(
            f"{numbers.share(point.noticed.value)} in {numbers.seconds(point.cpu_s)}"
            for point in (self._nearest(0.5), self._nearest(2.0))
        )
        return (
            f"With today's examples, one run takes {numbers.seconds(self.now.cpu_s)} of CPU time and is "
            f"expected to notice {with_bounds(self.now.noticed)} of the "
            f"{numbers.plural(self.n_mutants, 'mutant')} that some property can notice. "
            f"Shared out by `testinfra budget`, it would be {others}."
        )

    @property
    def notes(self) -> list[str]:
        """How to read the curve, and what it leaves out."""
        found = [READING] if self.points else []
        if self.points and len(self.properties) < self.n_properties:
            has = "has" if len(self.properties) == 1 else "have"
            found.append(
                f"{len(self.properties):,} of {numbers.plural(self.n_properties, 'property')} {has} a curve; "
                f"the others have noticed no mutant, or theirs is stale."
            )
        if self.stale:
            more = f" and {len(self.stale) - N_NAMED:,} more" if len(self.stale) > N_NAMED else ""
            found.append(
                f"Stale, and not drawn: {', '.join(self.stale[:N_NAMED])}{more}. Their code or their tests "
                f"changed since the curves were learnt; {LEARN} learns them again."
            )
        return found

    def tables(self) -> list[Table]:
        """Return the points of the curve, and those of today's numbers and of the budget."""
        if not self.points:
            return []
        points = [
            *((point, "shared out by `testinfra budget`") for point in self.points),
            (self.now, "today's numbers"),
            *([] if self.budget is None else [(self.budget, "the budget file")]),
        ]
        return [
            Table(
                id="detection",
                caption="Share of the noticeable mutants that one run is expected to notice",
                columns=[
                    Column("CPU time", CellKind.SECONDS),
                    Column("Noticed", CellKind.SHARE),
                    Column("From", CellKind.SHARE, rank=1),
                    Column("To", CellKind.SHARE, rank=1),
                    Column("Numbers of examples"),
                ],
                rows=[
                    [point.cpu_s, point.noticed.value, point.noticed.low, point.noticed.high, says]
                    for point, says in sorted(points, key=lambda pair: pair[0].cpu_s)
                ],
            )
        ]

    def _nearest(self, factor: float) -> SuitePoint:
        return min(self.points, key=lambda point: abs(point.cpu_s - factor * self.now.cpu_s))


def build_detection(
    candidates: Sequence[Candidate],
    curves: Curves,
    *,
    budgeted: Mapping[str, int] | None,
    stale: Sequence[str],
    n_properties: int,
) -> DetectionSection | None:
    """
    Return the section on curves; `None` where there are neither fresh nor stale ones.

    Args:
        candidates: the properties that were asked, with what their examples cost.
        curves: the curves that still hold.
        budgeted: the numbers of examples of the budget file, as far as they hold.
        stale: properties whose curves no longer hold.
        n_properties: how many were looked at, those that reach no mutant included.
    """
    if not curves.mutants and not stale:
        return None
    own = {one.nodeid: one.own for one in candidates}
    now = suite_point(candidates, curves, own)
    budget = None if budgeted is None else suite_point(candidates, curves, {**own, **budgeted})
    asked_s = [now.cpu_s * factor for factor in FACTORS] + ([] if budget is None else [budget.cpu_s])
    shared = {point.cpu_s: point for point in (shared_out(candidates, curves, one) for one in asked_s)}
    found_now = sum(curves.suite_values(own))
    return DetectionSection(
        n_properties=n_properties,
        n_mutants=len(curves.mutants),
        points=[shared[cpu_s] for cpu_s in sorted(shared)] if curves.mutants else [],
        now=now,
        budget=budget,
        properties=[
            explain(one, curves, (budgeted or own).get(one.nodeid, one.own), own, found_now)
            for one in candidates
            if curves.noticed(one.nodeid)
        ],
        stale=list(stale),
    )


def with_bounds(found: Interval) -> str:
    """Return a share and, in brackets, the bounds of its interval."""
    return f"{numbers.share(found.value)} ({numbers.share(found.low)} to {numbers.share(found.high)})"


def describe_curve(curve: PropertyCurve) -> str:
    """Return what fewer examples of a property would lose, and what more would find and cost."""
    more = curve.further - curve.own
    if more:
        found = curve.further_found
        mutants = "nothing more" if found == 0 else f"{_few(found)} mutants more"
        next_ = f"the next {more:,} would find {mutants} and cost {numbers.seconds(curve.further_cpu_s)}"
    else:
        next_ = f"more than {curve.tried[0]:,} were not tried"
    if curve.two_largest is None:
        return f"{next_[0].upper()}{next_[1:]}."
    few, many = curve.two_largest
    lost = 100 * (many.alone.value - few.alone.value)
    if lost == 0:
        return f"{few.n:,} notice as much as {many.n:,}; {next_}."
    points = "1 point" if 0.5 <= lost < 1.5 else f"{lost:.0f} points" if lost >= 1 else "under 1 point"
    return f"{few.n:,} lose {points} against {many.n:,}; {next_}."


def _few(value: float) -> str:
    return "under 0.1" if value < 0.1 else f"{value:.1f}"
