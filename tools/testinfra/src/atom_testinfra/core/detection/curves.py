"""How likely a property notices a mutant within a number of examples, and how sure that is."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from math import prod, sqrt
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from atom_testinfra.core.detection.trials import Trial

N_RESAMPLES = 400
TAIL = 0.025
"""Of the resampled values, left out at each end: what remains is an interval of 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate with an interval of 95 % over mutants."""

    value: float
    low: float
    high: float


class PairCurve:
    """A property and a mutant: the share of the seeds that notice within n examples."""

    __slots__ = ("_firsts", "_planned")

    def __init__(self, trials: Iterable[Trial]) -> None:
        firsts: dict[int, list[float]] = defaultdict(list)
        for trial in trials:
            firsts[trial.planned].append(float("inf") if trial.first is None else trial.first)
        self._planned = sorted(firsts)
        self._firsts = [sorted(firsts[planned]) for planned in self._planned]

    def within(self, n: int) -> float:
        """
        Return the probability that n examples notice; it never falls with n.

        It is read from the runs with the next larger planned number. Beyond the largest it stays as it is.
        """
        best = 0.0
        for planned, firsts in zip(self._planned, self._firsts, strict=True):
            best = max(best, bisect_right(firsts, min(n, planned)) / len(firsts))
            if planned >= n:
                break
        return best


class Curves:
    """The curves of all properties that were asked, over the mutants that some of them notices."""

    def __init__(self, trials: Iterable[Trial]) -> None:
        grouped: dict[tuple[str, str], list[Trial]] = defaultdict(list)
        for trial in trials:
            grouped[trial.nodeid, trial.mutant].append(trial)
        self._asked: dict[str, set[str]] = defaultdict(set)
        self._pairs: dict[str, dict[str, PairCurve]] = defaultdict(dict)
        self._by_mutant: dict[str, dict[str, PairCurve]] = defaultdict(dict)
        self.most_planned = 0
        """The largest number of examples that was tried."""
        for (nodeid, mutant), group in grouped.items():
            self._asked[nodeid].add(mutant)
            self.most_planned = max(self.most_planned, *(trial.planned for trial in group))
            if any(trial.first is not None for trial in group):
                self._pairs[nodeid][mutant] = self._by_mutant[mutant][nodeid] = PairCurve(group)

    @property
    def properties(self) -> list[str]:
        """The properties that were asked about at least one mutant."""
        return sorted(self._asked)

    @property
    def mutants(self) -> list[str]:
        """The mutants that some property noticed: what the shares are taken of."""
        return sorted(self._by_mutant)

    def n_asked(self, nodeid: str) -> int:
        """Return how many mutants a property was asked about."""
        return len(self._asked.get(nodeid, ()))

    def noticed(self, nodeid: str) -> Mapping[str, PairCurve]:
        """Return the mutants that a property noticed in some run, each with its curve."""
        return self._pairs.get(nodeid, {})

    def of_property(self, nodeid: str, n: int) -> Interval:
        """Return the probability that n examples notice a mutant, averaged over those that it can notice."""
        values = [curve.within(n) for _, curve in sorted(self.noticed(nodeid).items())]
        return interval_of_mean(values)

    def of_suite(self, numbers: Mapping[str, int]) -> Interval:
        """Return the mean share of the mutants that a suite with these numbers notices."""
        return interval_of_mean(self.suite_values(numbers))

    def suite_values(self, numbers: Mapping[str, int]) -> list[float]:
        """Return for each mutant, in the order of `mutants`, the probability that some property notices."""
        missed = dict.fromkeys(self.mutants, 1.0)
        for nodeid, n in numbers.items():
            for mutant, curve in self.noticed(nodeid).items():
                missed[mutant] *= 1.0 - curve.within(n)
        return [1.0 - value for value in missed.values()]

    def gains(self, nodeid: str, tried: Iterable[int], numbers: Mapping[str, int]) -> list[float]:
        """
        Return how many mutants more the suite is expected to notice for each number that is tried.

        Args:
            nodeid: the property whose number changes.
            tried: its numbers of examples instead of the one in `numbers`.
            numbers: those of the suite, by property.
        """
        missed = {
            mutant: prod(
                1.0 - curve.within(numbers[other])
                for other, curve in self._by_mutant[mutant].items()
                if other != nodeid and other in numbers
            )
            for mutant in self.noticed(nodeid)
        }

        def found(n: int) -> float:
            return sum(missed[mutant] * curve.within(n) for mutant, curve in self.noticed(nodeid).items())

        before = found(numbers[nodeid]) if nodeid in numbers else 0.0
        return [found(n) - before for n in tried]


def interval_of_mean(values: Sequence[float]) -> Interval:
    """
    Return the mean of shares with an interval; the same values always give the same one.

    It covers the percentile bootstrap interval and Wilson's score interval for that number of yes or no
    answers, because a bootstrap alone has no width where all values are equal, however few they are.

    References:
        E. B. Wilson, Probable inference, the law of succession, and statistical inference, Journal of the
        American Statistical Association 22 (1927), 209-212.
    """
    if not values:
        return Interval(value=0.0, low=0.0, high=1.0)
    resampled = bootstrap(values, lambda sample: sum(sample) / len(sample))
    low, high = _wilson(min(resampled.value, 1.0), len(values))
    return Interval(value=resampled.value, low=min(low, resampled.low), high=max(high, resampled.high))


def _wilson(share: float, n: int) -> tuple[float, float]:
    z2 = NormalDist().inv_cdf(1.0 - TAIL) ** 2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = sqrt(z2 * (share * (1 - share) / n + z2 / (4 * n * n))) / (1 + z2 / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def bootstrap(values: Sequence[float], statistic: Callable[[Sequence[float]], float]) -> Interval:
    """Return a statistic with a percentile bootstrap interval; the seed is fixed."""
    found = sorted(statistic([values[place] for place in places]) for places in _resamples(len(values)))
    place = int(TAIL * N_RESAMPLES)
    return Interval(value=statistic(values), low=found[place], high=found[-1 - place])


@lru_cache(maxsize=16)
def _resamples(n: int) -> list[list[int]]:
    """Return places to draw `n` values from, the same for every list of that length: drawing takes most."""
    chance = random.Random(0)  # noqa: S311 (resampling, not a secret)
    return [chance.choices(range(n), k=n) for _ in range(N_RESAMPLES)]
