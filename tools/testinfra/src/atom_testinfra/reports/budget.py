"""How many examples each property gets, and what that is expected to find, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.budgets.examples import share_out, uniform_number
from atom_testinfra.core.detection.curves import Interval
from atom_testinfra.core.detection.trials import grid_of
from atom_testinfra.core.figures import percent, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from atom_testinfra.core.budgets.examples import Allotment, Candidate, ExampleBudget
    from atom_testinfra.core.detection.curves import Curves

NUMBERS = (1, 5, 10, 20, 50, 100, 200, 500)
FACTORS = (0.25, 0.5, 1.0, 2.0)
NEXT = 100
"""Examples more than now for which the gain is told."""
HEAD = ("property", "now", "proposed", "CPU s", "finds now", "finds then", "why")


class CurvePoint(Struct, frozen=True, kw_only=True):
    """A number of examples of a property: what it is expected to find, and what it costs."""

    n: int
    alone: Interval
    """The probability that the property notices a mutant, of those that it can notice."""
    suite_found: float
    """Mutants that the whole suite is expected to notice then."""
    cpu_s: float


class PropertyCurve(Struct, frozen=True, kw_only=True):
    """What more and fewer examples of a property are expected to find, and cost."""

    nodeid: str
    n_asked: int
    n_noticed: int
    own: int
    """Its number now."""
    proposed: int
    tried: list[int]
    """The two largest numbers that were tried, the largest first; one if there was no other."""
    points: list[CurvePoint]
    further: int
    """`NEXT` more than now, or as many as were tried."""
    further_found: float
    further_cpu_s: float

    @property
    def two_largest(self) -> tuple[CurvePoint, CurvePoint] | None:
        """The two largest numbers that were tried, the smaller one first; `None` if there was one."""
        by_n = {point.n: point for point in self.points}
        return (by_n[self.tried[1]], by_n[self.tried[0]]) if len(self.tried) == 2 else None


class SuitePoint(Struct, frozen=True, kw_only=True):
    """A run of the suite: its CPU seconds, and the share of the mutants that it is expected to notice."""

    cpu_s: float
    noticed: Interval


def suite_point(candidates: Sequence[Candidate], curves: Curves, numbers: Mapping[str, int]) -> SuitePoint:
    """Return what a suite with these numbers of examples is expected to notice, and costs."""
    return SuitePoint(
        cpu_s=sum(one.cost_s(numbers[one.nodeid]) for one in candidates), noticed=curves.of_suite(numbers)
    )


def shared_out(candidates: Sequence[Candidate], curves: Curves, asked_s: float) -> SuitePoint:
    """Return what a suite is expected to notice with the numbers that `budget` proposes for a time."""
    return suite_point(candidates, curves, numbers_of(share_out(candidates, curves, asked_s).allotments)[1])


def with_bounds(interval: Interval) -> str:
    """Return a share and, in brackets, the bounds of its interval."""
    return f"{percent(interval.value, places=1)} ({percent(interval.low)} to {percent(interval.high)})"


def numbers_of(allotments: Iterable[Allotment]) -> tuple[dict[str, int], dict[str, int]]:
    """Return the numbers of now and the proposed ones, by property."""
    each = list(allotments)
    return (
        {one.candidate.nodeid: one.candidate.own for one in each},
        {one.candidate.nodeid: one.n for one in each},
    )


def render_table(budget: ExampleBudget, curves: Curves) -> list[str]:
    """Return a line for each property, those that take most time first, and what all of them find."""
    rows = [
        (
            one.candidate.nodeid,
            f"{one.candidate.own:,}",
            f"{one.n:,}",
            f"{one.seconds:.2f}",
            f"{one.found_now:.1f}",
            f"{one.found:.1f}",
            one.reason,
        )
        for one in sorted(budget.allotments, key=lambda one: (-one.seconds, one.candidate.nodeid))
    ]
    now, then = numbers_of(budget.allotments)
    lines = _align([HEAD, *rows])
    n = len(curves.mutants)
    lines += [
        "",
        (
            f"{len(budget.allotments):,} properties: {seconds(budget.now_s)} now, "
            f"{seconds(budget.seconds)} proposed, of {seconds(budget.asked_s)} asked; seconds are CPU seconds"
        ),
    ]
    if n:
        lines.append(f"of {n:,} mutants that some property can notice, one run is expected to notice")
        lines.append(f"  now       {with_bounds(curves.of_suite(now))}")
        lines.append(f"  proposed  {with_bounds(curves.of_suite(then))}")
    if not budget.fits:
        lines.append(
            f"late: the floors alone take {seconds(budget.floor_s)}, so each property gets its floor"
        )
    return lines


def render_suite_curve(candidates: Sequence[Candidate], curves: Curves, now_s: float) -> list[str]:
    """Return what the suite is expected to notice in several times: with equal numbers, and as shared out."""
    rows = [("CPU s", "equal number", "finds", "shared out finds")]
    for factor in FACTORS:
        asked_s = now_s * factor
        n = uniform_number(candidates, asked_s)
        rows.append(
            (
                f"{asked_s:.2f}{' (now)' if factor == 1.0 else ''}",
                f"{n:,}",
                with_bounds(curves.of_suite({one.nodeid: n for one in candidates})),
                with_bounds(shared_out(candidates, curves, asked_s).noticed),
            )
        )
    return _align(rows)


def explain(
    candidate: Candidate, curves: Curves, n_proposed: int, suite: Mapping[str, int], found_now: float
) -> PropertyCurve:
    """
    Return what more and fewer examples of a property are expected to find, and cost.

    Args:
        candidate: the property.
        curves: those of the suite.
        n_proposed: its number in a budget.
        suite: the numbers of all properties now.
        found_now: mutants that the suite is expected to notice with them.
    """
    nodeid, own, most = candidate.nodeid, candidate.own, curves.most_planned
    further = max(min(own + NEXT, most), own)
    tried = grid_of(max(most, 1))[:2]
    numbers = sorted({*(n for n in NUMBERS if n <= max(most, 1)), *tried, own, n_proposed})
    *gains, further_found = curves.gains(nodeid, [*numbers, further], suite)
    return PropertyCurve(
        nodeid=nodeid,
        n_asked=curves.n_asked(nodeid),
        n_noticed=len(curves.noticed(nodeid)),
        own=own,
        proposed=n_proposed,
        tried=tried,
        points=[
            CurvePoint(
                n=n,
                alone=curves.of_property(nodeid, n),
                suite_found=found_now + gain,
                cpu_s=candidate.cost_s(n),
            )
            for n, gain in zip(numbers, gains, strict=True)
        ],
        further=further,
        further_found=further_found,
        further_cpu_s=candidate.cost_s(further) - candidate.cost_s(own),
    )


def render_explanation(facts: PropertyCurve) -> list[str]:
    """Return the explanation of one property in lines."""
    lines = [
        f"{facts.nodeid}: {facts.own:,} examples now, {facts.proposed:,} proposed",
        f"asked about {facts.n_asked:,} mutants; it noticed {facts.n_noticed:,} of them in some run",
    ]
    if not facts.n_noticed:
        return [*lines, "no curve: it noticed none of them, so its number goes by its cost"]
    rows = [("examples", "notices one of these", "the suite then notices", "CPU s")]
    for point in facts.points:
        marks = [name for name, n in (("now", facts.own), ("proposed", facts.proposed)) if point.n == n]
        mark = f" ({', '.join(marks)})" if marks else ""
        rows.append(
            (
                f"{point.n:,}{mark}",
                with_bounds(point.alone),
                f"{point.suite_found:.2f} mutants",
                f"{point.cpu_s:.3f}",
            )
        )
    lines += ["", *_align(rows), "", *_losses(facts)]
    if more := facts.further - facts.own:
        lines.append(
            f"the next {more:,} examples are expected to let the suite notice {facts.further_found:.2f} "
            f"mutants more, for {facts.further_cpu_s:.3f} CPU s"
        )
    else:
        lines.append("what more examples would find is not known: no larger number was tried")
    return lines


def _losses(facts: PropertyCurve) -> list[str]:
    if facts.two_largest is None:
        return []
    few, many = facts.two_largest
    share = percent(many.alone.value - few.alone.value, places=1)
    return [
        (
            f"{few.n:,} against {many.n:,}: by itself it notices {share} of these less; the "
            f"suite notices {many.suite_found - few.suite_found:.2f} mutants less, and saves "
            f"{many.cpu_s - few.cpu_s:.3f} CPU s"
        )
    ]


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    last = len(widths) - 1
    return [
        "  ".join(
            text if place == last else text.ljust(width) if place == 0 else text.rjust(width)
            for place, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
