"""How long each test is expected to take, from what is known of some of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from atom_testinfra.core.costs.baseline import PropertyCost

SHORTEST_S = 1e-4
"""No test is expected to take less: pytest's own work for it takes that long, and a plan divides by it."""
LONGEST_S = 1e7
"""No test is expected to take more: 115 days, beyond every time limit of a job."""
MOST_UNKNOWN_SHARE = 0.2
"""With a larger share of tests without a known duration, a plan is called poor."""
DIGEST_LENGTH = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The seconds that each test of a run is expected to take, in the order of the tests."""

    seconds: tuple[float, ...]
    unknown: frozenset[int]
    """Indices of the tests whose duration is a guess."""

    @property
    def is_blind(self) -> bool:
        """Whether nothing is known: then every test counts the same, and `seconds` is only a weight."""
        return len(self.unknown) == len(self.seconds)

    @property
    def is_poor(self) -> bool:
        """Whether too many durations are guesses for the plan to be good."""
        return len(self.unknown) > MOST_UNKNOWN_SHARE * len(self.seconds)


def expect(
    nodeids: Sequence[str],
    known: Mapping[str, float],
    guess: Callable[[Sequence[float]], float] = lambda found: math.fsum(found) / len(found),
) -> Expectation:
    """
    Return what each test is expected to take; `guess` makes one duration for the unknown tests of the others.

    Where nothing is known, every test counts as one second.
    """
    found = [known.get(nodeid) for nodeid in nodeids]
    sane = [clamp(seconds) for seconds in found if seconds is not None]
    unknown_s = guess(sane) if sane else 1.0
    return Expectation(
        seconds=tuple(unknown_s if seconds is None else clamp(seconds) for seconds in found),
        unknown=frozenset(index for index, seconds in enumerate(found) if seconds is None),
    )


def clamp(seconds: float) -> float:
    """Return a duration within what a plan can work with."""
    return min(max(seconds, SHORTEST_S), LONGEST_S)


def baseline_durations(properties: Mapping[str, PropertyCost], profiles: Sequence[str]) -> dict[str, float]:
    """Return the measured duration of each property: under the first of the profiles that it has, or any."""
    durations: dict[str, float] = {}
    for nodeid, subject in properties.items():
        costs = subject.profiles
        profile = next((name for name in profiles if name in costs), min(costs))
        durations[nodeid] = costs[profile].duration_s
    return durations


def digest_durations(known: Mapping[str, float]) -> str:
    """Return the digest of known durations, whatever their order."""
    return digest_values(sorted(known.items()))


def digest_values(value: object) -> str:
    """Return the digest of plain data."""
    return sha256(msgspec.json.encode(value)).hexdigest()[:DIGEST_LENGTH]


def lower_bound(seconds: Iterable[float], n_workers: int) -> float:
    """Return what no schedule can be shorter than: an equal share for each worker, or the longest test."""
    durations = list(seconds)
    return max(math.fsum(durations) / n_workers, max(durations, default=0.0))
