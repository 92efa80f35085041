"""
Comparing two sets of runs without assuming a distribution.

The unit is the run, never the example: between runs of unchanged code the median cost moves by 5 to 30 %, and
the hundred examples of a run move together. Taken for independent they raise a false alarm every third time.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import combinations
from random import Random
from statistics import NormalDist, median
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ONE_SIDED_ERROR = 0.125
"""How often each bound of an interval may be wrong by chance: with 5 against 3 runs exactly 7 times in 56."""

_EXACT_PAIRS = 900
_MAD_TO_SD = 1.4826
_SPLITS = 200


class Interval(Struct, frozen=True, gc=False):
    """A ratio of new to base cost, and how far it may be off."""

    low: float
    value: float
    high: float

    def scaled(self, factor: float) -> Interval:
        """Return the interval with every bound multiplied."""
        return Interval(self.low * factor, self.value * factor, self.high * factor)


def middle(values: Sequence[float]) -> float:
    """Return the median of one or more values: `statistics.median` without what it does for other types."""
    ordered = sorted(values)
    half, is_one_of_them = divmod(len(ordered), 2)
    return ordered[half] if is_one_of_them else (ordered[half - 1] + ordered[half]) / 2


def ratio_interval(
    base: Sequence[float], new: Sequence[float], *, error: float = ONE_SIDED_ERROR
) -> Interval:
    """
    Return the ratio of two sets of positive run-level values, with an interval.

    The value is the median of all pairwise ratios (Hodges and Lehmann 1963), the bounds are those of them
    that the null distribution of Mann and Whitney's U (1947) puts at `error` on each side: exact for
    independent noise of any shape, however heavy its tails. Too few runs give the range of the ratios.
    """
    ratios = [y / x for x in base for y in new]
    ratios.sort()
    rank = interval_rank(len(base), len(new), error)
    half, is_one_of_them = divmod(len(ratios), 2)
    value = ratios[half] if is_one_of_them else (ratios[half - 1] + ratios[half]) / 2
    return Interval(ratios[rank], value, ratios[-1 - rank])


@lru_cache(maxsize=4096)
def interval_rank(n_base: int, n_new: int, error: float) -> int:
    """Return how many of the sorted pairwise ratios to leave out on each side of the interval."""
    pairs = n_base * n_new
    if pairs > _EXACT_PAIRS:
        deviation = math.sqrt(pairs * (n_base + n_new + 1) / 12)
        return max(0, math.floor(pairs / 2 - NormalDist().inv_cdf(1 - error) * deviation))
    counts = u_distribution(n_base, n_new)
    allowed = error * sum(counts)
    rank, tail = -1, 0
    for count in counts:
        tail += count
        if tail > allowed:
            break
        rank += 1
    return max(0, rank)


@lru_cache(maxsize=256)
def u_distribution(m: int, n: int) -> tuple[int, ...]:
    """
    Return in how many of the orders of m and n values each U from 0 to m*n occurs.

    The counts are the coefficients of the Gaussian binomial coefficient, multiplied out factor by factor.
    """
    counts = [1] + [0] * (m * n)
    for i in range(1, m + 1):
        for u in range(m * n, n + i - 1, -1):
            counts[u] -= counts[u - n - i]
        for u in range(i, m * n + 1):
            counts[u] += counts[u - i]
    return tuple(counts)


def false_alarm_rate(
    base: Sequence[float], new: Sequence[float], is_alarm: Callable[[Sequence[float], Sequence[float]], bool]
) -> float:
    """
    Return how often noise like theirs alone would raise the alarm.

    Both sets are divided by their own medians, so that nothing but noise is left, and dealt out again: into
    every possible base and new set, or into 200 of them where there are more than 1,000. `is_alarm` must not
    turn off when a base value falls or a new one rises: if the lowest against the highest raise none, no
    other deal does.
    """
    base_level, new_level = median(base), median(new)
    noise = sorted([x / base_level for x in base] + [y / new_level for y in new])
    if not is_alarm(noise[: len(base)], noise[len(base) :]):
        return 0.0
    indexes = range(len(noise))
    chosen: Iterable[tuple[int, ...]]
    if math.comb(len(noise), len(new)) <= 1000:
        chosen = combinations(indexes, len(new))
        n_splits = math.comb(len(noise), len(new))
    else:
        random = Random(len(noise))  # noqa: S311  (a fixed sample of the splits, the same every time)
        chosen = (tuple(random.sample(indexes, len(new))) for _ in range(_SPLITS))
        n_splits = _SPLITS
    alarms = 0
    for picked in chosen:
        taken = set(picked)
        alarms += is_alarm(
            [noise[i] for i in indexes if i not in taken], [noise[i] for i in indexes if i in taken]
        )
    return alarms / n_splits


def run_effects(tests: Sequence[Sequence[float]], levels: Sequence[float] | None = None) -> list[float]:
    """
    Return for each run by which factor it made all tests slower alike, from one list per test, run by run.

    Slower than what each costs otherwise: its level, by default the median of its own costs.

    A busy neighbour empties caches and slows all tests of a run down, less steadily than it slows the
    calibration. What the tests share is told from what one of them does by the median: of a test's cost in
    the run over its median cost.
    """
    levels = levels or [median(values) for values in tests]
    return [
        median([cost / level for cost, level in zip(column, levels, strict=True)])
        for column in zip(*tests, strict=True)
    ]


def quantile(values: Sequence[float], q: float) -> float:
    """Return the q-th quantile, 0 to 1, interpolated between neighbours; `values` need no order."""
    ordered = sorted(values)
    position = q * (len(ordered) - 1)
    below = math.floor(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def deviation(values: Sequence[float]) -> float:
    """Return the median absolute deviation, scaled to equal the standard deviation of normal noise."""
    centre = median(values)
    return _MAD_TO_SD * median([abs(value - centre) for value in values])
