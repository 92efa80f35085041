"""Where in a history the level changed, told from noise."""

from __future__ import annotations

import math
from bisect import insort
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from msgspec import Struct

from atom_testinfra.core.statistics import deviation

if TYPE_CHECKING:
    from collections.abc import Sequence

MIN_SEGMENT = 3
"""Points that a level needs: a single one is an outlier, not a change."""

MIN_CHANGE = 0.1
"""Smaller relative changes are not marked, however sure."""

PENALTY = 2.5
"""
Cost of another level, in units of the noise times log n.

Chosen by simulation: of series of 10 to 120 points with normal, Laplace or Student t3 noise and no change, at
most one in twenty gets a mark; the tests repeat it.
"""


class ChangePoint(Struct, frozen=True, gc=False):
    """The level before and from `index` on."""

    index: int
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """After divided by before."""
        return self.after / self.before


def find_change_points(values: Sequence[float]) -> list[ChangePoint]:
    """
    Return where the level of a series of positive values changes, oldest first.

    The series is cut so that the absolute deviations of the logarithms from their segment's median, plus a
    penalty for each cut, are least: optimal partitioning (Jackson et al. 2005) with an L1 cost, as in asv.
    The noise is estimated from the differences of neighbours, which a change of level hardly touches. No
    chance is involved: the same series has the same change points.
    """
    logs = [math.log(value) for value in values]
    cuts = _partition(logs, PENALTY * _noise(logs) * math.log(max(len(logs), 2)))
    points = []
    start = 0
    for cut, end in zip(cuts, [*cuts, len(values)][1:], strict=True):
        before, after = median(values[start:cut]), median(values[cut:end])
        if abs(math.log(after / before)) >= math.log1p(MIN_CHANGE):
            points.append(ChangePoint(cut, before, after))
        start = cut
    return points


def _noise(logs: Sequence[float]) -> float:
    """Return the standard deviation of one point, from the differences of neighbours."""
    differences = [after - before for before, after in pairwise(logs)]
    return max(deviation(differences) / math.sqrt(2), 1e-3) if differences else 0.0


def _partition(logs: Sequence[float], penalty: float) -> list[int]:
    """Return the starts of all segments but the first."""
    best = [-penalty] + [math.inf] * len(logs)
    start_of = [0] * (len(logs) + 1)
    for end in range(MIN_SEGMENT, len(logs) + 1):
        segment = _GrowingSegment()
        for start in range(end - 1, -1, -1):
            segment.add(logs[start])
            total = best[start] + segment.cost + penalty
            if end - start >= MIN_SEGMENT and total < best[end]:
                best[end], start_of[end] = total, start
    cuts: list[int] = []
    end = len(logs)
    while end > 0 and start_of[end] > 0:
        end = start_of[end]
        cuts.append(end)
    return cuts[::-1]


class _GrowingSegment:
    """The sum of absolute deviations from the median, kept up to date while values are added."""

    def __init__(self) -> None:
        self._ordered: list[float] = []
        self.cost = 0.0

    def add(self, value: float) -> None:
        """Add a value: the new cost is the old one plus its distance to the nearest possible median."""
        n = len(self._ordered)
        if n:
            low, high = self._ordered[(n - 1) // 2], self._ordered[n // 2]
            self.cost += max(low - value, value - high, 0.0)
        insort(self._ordered, value)
