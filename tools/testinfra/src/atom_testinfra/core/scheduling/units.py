"""Units of work: a long test alone, short tests of one module together; longest first."""

from __future__ import annotations

import heapq
import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from atom_testinfra.core.scheduling.durations import Expectation

ALONE_SHARE = 1 / 25
"""A test that takes more than this share of the lower bound is a unit of its own."""
URGENT_SHARE = 1 / 2
"""A known test that takes more than this share of an equal share of the work cannot wait for unknown ones."""
BLOCK_SHARE = 1 / 20
"""Tests that share a unit take at most this share of the lower bound together, but for costly fixtures."""
FIXTURE_FACTOR = 10
"""Tests share a unit up to this many times the seconds of their fixtures, which each unit may set up anew."""
MOST_SHARE = 9 / 10
"""A unit that grows because of its fixtures stays below this share of the lower bound."""


class Unit:
    """
    Tests that one worker runs one after the other, so that their module's fixtures are set up once.

    Tests may be taken out of it one by one.
    """

    __slots__ = ("indices", "is_unknown", "seconds")

    def __init__(self, indices: Sequence[int], seconds: float, *, is_unknown: bool) -> None:
        self.indices = deque(indices)
        self.seconds = seconds
        self.is_unknown = is_unknown

    def remove(self, index: int, seconds: float) -> None:
        """Take a test out."""
        self.indices.remove(index)
        self.seconds = max(self.seconds - seconds, 0.0)


def make_units(expectation: Expectation, n_workers: int) -> list[Unit]:
    """
    Return the units of a run, in the order in which they should begin.

    Tests of unknown duration come first, because one of them may be the longest; only half of the workers
    begin with a known test that cannot wait. Unknown tests are units of their own unless there are too many
    of them; then they share units like short tests, or each of them would set up its module's fixtures anew.
    The seconds of a unit include the fixtures of its scope.
    """
    seconds, unknown = expectation.seconds, expectation.unknown
    bound_s = expectation.bound_s(n_workers)
    units: list[Unit] = []
    shared: dict[tuple[str, bool], list[int]] = {}
    for index, scope in enumerate(expectation.scopes):
        fixture_s, is_unknown = expectation.fixture_s(index), index in unknown
        alone_s = max(ALONE_SHARE * bound_s, _worth(fixture_s, bound_s))
        is_alone = seconds[index] > alone_s
        if is_unknown:  # it may be the longest, but it may also take less time than its fixtures
            is_alone = fixture_s <= ALONE_SHARE * bound_s and not expectation.is_poor
        if is_alone:
            units.append(Unit([index], seconds[index] + fixture_s, is_unknown=is_unknown))
        else:
            shared.setdefault((scope, is_unknown), []).append(index)
    for (_, is_unknown), indices in shared.items():
        fixture_s = expectation.fixture_s(indices[0])
        for block in _cut(indices, seconds, max(BLOCK_SHARE * bound_s, _worth(fixture_s, bound_s))):
            total_s = math.fsum(seconds[index] for index in block) + fixture_s
            units.append(Unit(block, total_s, is_unknown=is_unknown))
    urgent_s = URGENT_SHARE * math.fsum(seconds) / n_workers
    units.sort(key=lambda unit: (-unit.seconds, unit.indices[0]))
    urgent = [unit for unit in units if not unit.is_unknown and unit.seconds > urgent_s]
    first = urgent[: n_workers // 2]
    return sorted(units, key=lambda unit: (unit not in first, not unit.is_unknown))


def assign_longest_first(weights: Sequence[float], n_bins: int) -> list[list[int]]:
    """Return the indices of the weights by bin: each weight, the largest first, goes to the lightest bin."""
    bins: list[list[int]] = [[] for _ in range(n_bins)]
    loads = [(0.0, number) for number in range(n_bins)]
    for index in sorted(range(len(weights)), key=lambda index: (-weights[index], index)):
        load, number = loads[0]
        bins[number].append(index)
        heapq.heapreplace(loads, (load + weights[index], number))
    return bins


def _worth(fixture_s: float, bound_s: float) -> float:
    """Return how many seconds of tests may share a unit because of their fixtures."""
    return min(FIXTURE_FACTOR * fixture_s, MOST_SHARE * bound_s - fixture_s)


def _cut(indices: Sequence[int], seconds: Sequence[float], most_s: float) -> list[list[int]]:
    """Return the tests in as few runs of about equal length as keep each of them below `most_s`."""
    total_s = math.fsum(seconds[index] for index in indices)
    n_blocks = max(1, math.ceil(total_s / most_s)) if most_s > 0 else 1
    blocks: list[list[int]] = [[]]
    passed_s = 0.0
    for index in indices:
        if blocks[-1] and passed_s + seconds[index] / 2 > len(blocks) * total_s / n_blocks:
            blocks.append([])
        blocks[-1].append(index)
        passed_s += seconds[index]
    return blocks
