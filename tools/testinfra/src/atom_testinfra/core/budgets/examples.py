"""How many examples each property gets: by its detection curve where it has one, else by its cost."""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from math import ceil, inf
from typing import TYPE_CHECKING

from atom_testinfra.core.budgets.allocation import Demand, level_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from atom_testinfra.core.detection.curves import Curves

EQUAL_TIME = -1.0
KEPT = 0.75
"""
Of the time of the properties with a curve, shared equally; the rest goes where the curves rise most.

Measured on ten properties: with it 4.5 points more mutants than equal numbers at equal time, and 3.9 on
functions that no curve had seen. The curves alone lose 1.4 points there: they starve tests without mutants.
"""
RUNG = 1.25
"""Numbers of examples that are compared grow by this factor."""
BEYOND = 10
"""A property without a curve gets at most this many times its own number."""


class Reason:
    """Why a property gets its number."""

    CURVE = "its curve"
    EQUAL = "an equal share of the time"
    COST = "no curve: by its cost"
    FLOOR = "the floor"
    EXHAUSTED = "nothing is left to try after it"
    TRIED = "more was not tried when the curves were learnt"
    UNCHANGED = "does not reach the change: the floor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A property that is to get examples."""

    nodeid: str
    own: int
    """Its number now."""
    example_s: float
    """CPU seconds of a valid example, with Hypothesis's own work and what is filtered out."""
    fixed_s: float = 0.0
    """CPU seconds that it takes with any number: set-up, fixtures."""
    floor: int = 1
    exhausted: int | None = None
    """Examples after which nothing is left to try."""
    is_first: bool = True
    """It reaches what has changed; others get their floor."""

    def cost_s(self, n: int) -> float:
        """Return the CPU seconds of a run of n examples."""
        used = n if self.exhausted is None else min(n, self.exhausted)
        return self.fixed_s + used * self.example_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Allotment:
    """What a property gets, and why."""

    candidate: Candidate
    n: int
    reason: str
    found: float
    """Mutants that it is expected to notice by itself, of those that some property notices."""
    found_now: float

    @property
    def seconds(self) -> float:
        """CPU seconds of a run."""
        return self.candidate.cost_s(self.n)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleBudget:
    """How many examples each property of a suite gets in the time that was asked for."""

    asked_s: float
    allotments: Sequence[Allotment]
    floor_s: float
    """What the floors of all properties take."""

    @property
    def seconds(self) -> float:
        """CPU seconds of a run."""
        return sum(one.seconds for one in self.allotments)

    @property
    def now_s(self) -> float:
        """CPU seconds of a run with the numbers of now."""
        return sum(one.candidate.cost_s(one.candidate.own) for one in self.allotments)

    @property
    def fits(self) -> bool:
        """Whether the floors fit into the time."""
        return self.floor_s <= self.asked_s


def share_out(candidates: Sequence[Candidate], curves: Curves, asked_s: float) -> ExampleBudget:
    """
    Return how many examples each property gets of `asked_s` CPU seconds of the whole suite.

    Properties without a curve get what cost^(-2/3) gives them of all; of the rest, `KEPT` is shared out as
    equal times, and what remains goes step by step to the property that is expected to find most per second.
    """
    room_s = asked_s - sum(one.fixed_s for one in candidates)
    limits = {one.nodeid: _most(one, curves) for one in candidates}
    by_cost = _fill(candidates, limits, room_s)
    has_curve = {one.nodeid for one in candidates if curves.noticed(one.nodeid)}
    known = [one for one in candidates if one.nodeid in has_curve]
    numbers = {one.nodeid: by_cost[one.nodeid] for one in candidates if one.nodeid not in has_curve}
    rest_s = room_s - sum(numbers[one.nodeid] * one.example_s for one in candidates if one.nodeid in numbers)
    kept = _fill(known, limits, KEPT * rest_s, exponent=EQUAL_TIME)
    climbed, left_s = _climb(known, curves, limits, kept, rest_s)
    numbers |= climbed
    if left_s > 0.0:
        numbers = _fill(candidates, limits, room_s, floors=numbers)
    allotments = []
    for one in candidates:
        n = numbers[one.nodeid]
        allotments.append(
            Allotment(
                candidate=one,
                n=n,
                reason=_reason(one, n, kept.get(one.nodeid), climbed.get(one.nodeid), curves.most_planned),
                found=_found(curves, one.nodeid, n),
                found_now=_found(curves, one.nodeid, one.own),
            )
        )
    floor_s = sum(one.cost_s(one.floor) for one in candidates)
    return ExampleBudget(asked_s=asked_s, allotments=allotments, floor_s=floor_s)


def uniform_number(candidates: Sequence[Candidate], asked_s: float) -> int:
    """Return the equal number of examples that fills the time."""
    demands = [
        Demand(
            cost_s=one.example_s,
            exponent=0.0,
            most=inf if one.exhausted is None else max(one.exhausted, 1),
        )
        for one in candidates
    ]
    level = level_of(demands, asked_s - sum(one.fixed_s for one in candidates))
    return 1_000_000 if level == inf else max(int(level), 1)


def _most(one: Candidate, curves: Curves) -> int:
    if not one.is_first:
        return one.floor
    tried = curves.most_planned if curves.noticed(one.nodeid) else one.own * BEYOND
    most = max(tried, one.own, one.floor)
    return most if one.exhausted is None else min(most, one.exhausted + 1)


def _fill(
    candidates: Sequence[Candidate],
    limits: dict[str, int],
    room_s: float,
    *,
    exponent: float | None = None,
    floors: dict[str, int] | None = None,
) -> dict[str, int]:
    """Return numbers that fill the room; none is below its floor."""
    demands = [
        Demand(
            cost_s=one.example_s,
            floor=one.floor if floors is None else floors[one.nodeid],
            most=limits[one.nodeid],
            **({} if exponent is None else {"exponent": exponent}),
        )
        for one in candidates
    ]
    level = level_of(demands, room_s)
    return {
        one.nodeid: max(int(demand.n_at(level)) if level != inf else limits[one.nodeid], demand.floor)
        for one, demand in zip(candidates, demands, strict=True)
    }


def _climb(
    known: Sequence[Candidate],
    curves: Curves,
    limits: dict[str, int],
    start: dict[str, int],
    room_s: float,
) -> tuple[dict[str, int], float]:
    """Give examples where most is expected to be found per second; return the numbers and the time left."""
    numbers = dict(start)
    left_s = room_s - sum(numbers[one.nodeid] * one.example_s for one in known)
    missed = dict.fromkeys(curves.mutants, 1.0)
    for one in known:
        for mutant, curve in curves.noticed(one.nodeid).items():
            missed[mutant] *= 1.0 - curve.within(numbers[one.nodeid])

    def best_jump(one: Candidate) -> tuple[float, int]:
        """Return the most mutants per second that a larger number finds, and that number."""
        pairs, n = curves.noticed(one.nodeid), numbers[one.nodeid]
        found = (0.0, n)
        for further in _ladder(n, limits[one.nodeid]):
            if (further - n) * one.example_s > left_s:
                break
            gain = 0.0
            for mutant, curve in pairs.items():
                now = 1.0 - curve.within(n)
                if now > 0.0:
                    gain += missed[mutant] * (curve.within(further) - curve.within(n)) / now
            found = max(found, (gain / ((further - n) * one.example_s), further))
        return found

    heap = [(-best_jump(one)[0], place) for place, one in enumerate(known)]
    heapify(heap)
    while heap:
        promised, place = heappop(heap)
        one = known[place]
        rate, further = best_jump(one)
        if rate <= 0.0:
            continue
        if rate < -promised - 1e-12 and heap:  # others found some of it meanwhile: look again in its turn
            heappush(heap, (-rate, place))
            continue
        left_s -= (further - numbers[one.nodeid]) * one.example_s
        for mutant, curve in curves.noticed(one.nodeid).items():
            now = 1.0 - curve.within(numbers[one.nodeid])
            if now > 0.0:
                missed[mutant] *= (1.0 - curve.within(further)) / now
        numbers[one.nodeid] = further
        heappush(heap, (-best_jump(one)[0], place))
    return numbers, left_s


def _ladder(n: int, most: int) -> Iterator[int]:
    while n < most:
        n = min(ceil(n * RUNG), most)
        yield n


def _reason(one: Candidate, n: int, kept: int | None, climbed: int | None, most_planned: int) -> str:
    if not one.is_first:
        return Reason.UNCHANGED
    if one.exhausted is not None and n > one.exhausted:
        return Reason.EXHAUSTED
    if n <= one.floor:
        return Reason.FLOOR
    if kept is None or climbed is None:
        return Reason.COST
    if n == most_planned:
        return Reason.TRIED
    return Reason.CURVE if climbed > kept else Reason.EQUAL


def _found(curves: Curves, nodeid: str, n: int) -> float:
    return sum(curve.within(n) for curve in curves.noticed(nodeid).values())
