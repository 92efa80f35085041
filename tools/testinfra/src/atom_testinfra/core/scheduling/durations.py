"""How long each test is expected to take, from what is known of some of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
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
    scopes: tuple[str, ...]
    """For each test the node id of its module, or of its class if the class has fixtures of its own."""
    fixtures_s: Mapping[str, float]
    """The seconds of the fixtures of a module or class, set up whenever a worker comes to it."""

    @property
    def is_blind(self) -> bool:
        """Whether nothing is known: then every test counts the same, and `seconds` is only a weight."""
        return len(self.unknown) == len(self.seconds)

    def fixture_s(self, index: int) -> float:
        """Return how long the fixtures of a test take if the worker comes to it from another scope."""
        return math.fsum(self.fixtures_s.get(scope, 0.0) for scope in _with_module(self.scopes[index]))

    def with_fixtures(self) -> list[float]:
        """Return the seconds of each test, where the first one of each scope sets up its fixtures."""
        durations, seen = list(self.seconds), set[str]()
        for index, innermost in enumerate(self.scopes):
            for scope in _with_module(innermost) - seen:
                durations[index] += self.fixtures_s.get(scope, 0.0)
                seen.add(scope)
        return durations

    def bound_s(self, n_workers: int) -> float:
        """Return what no schedule can be shorter than, with the fixtures of each scope set up once."""
        alone_s = (s + self.fixture_s(index) for index, s in enumerate(self.seconds))
        return max(lower_bound(self.with_fixtures(), n_workers), *alone_s, 0.0)

    @property
    def is_poor(self) -> bool:
        """Whether too many durations are guesses for the plan to be good."""
        return len(self.unknown) > MOST_UNKNOWN_SHARE * len(self.seconds)


def expect(
    nodeids: Sequence[str],
    known: Mapping[str, float],
    guess: Callable[[Sequence[float]], float] = lambda found: math.fsum(found) / len(found),
    *,
    fixtures_s: Mapping[str, float] = MappingProxyType({}),
) -> Expectation:
    """
    Return what each test is expected to take; `guess` makes one duration for the unknown tests of the others.

    Where nothing is known, every test counts as one second. `fixtures_s` has the seconds of the fixtures of
    modules and classes, by node id.
    """
    found = [known.get(nodeid) for nodeid in nodeids]
    sane = [clamp(seconds) for seconds in found if seconds is not None]
    unknown_s = guess(sane) if sane else 1.0
    return Expectation(
        seconds=tuple(unknown_s if seconds is None else clamp(seconds) for seconds in found),
        unknown=frozenset(index for index, seconds in enumerate(found) if seconds is None),
        scopes=tuple(find_scope(nodeid, fixtures_s) for nodeid in nodeids),
        fixtures_s={scope: clamp(s) for scope, s in fixtures_s.items()},
    )


def find_scope(nodeid: str, fixtures_s: Mapping[str, float]) -> str:
    """Return the innermost class of a test that has fixtures of its own, else its module."""
    scopes = list_scopes(nodeid)
    return next((scope for scope in scopes if scope in fixtures_s), scopes[-1])


def list_scopes(nodeid: str) -> list[str]:
    """Return the node ids of the classes that a test is in, the innermost first, and that of its module."""
    module, _, inside = nodeid.partition("::")
    classes = inside.partition("[")[0].split("::")[:-1]
    return ["::".join([module, *classes[:n]]) for n in range(len(classes), -1, -1)]


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


def _with_module(scope: str) -> set[str]:
    return {scope, scope.partition("::")[0]}
