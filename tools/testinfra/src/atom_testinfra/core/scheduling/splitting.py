"""Which properties are worth splitting into shares of their examples, and what each share runs."""

from __future__ import annotations

import math
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from atom_testinfra.core.scheduling.durations import Expectation

LEAST_EXAMPLES = 50
"""A share runs at least this many: with fewer, Hypothesis's small and mutated examples are missing."""
DOMAIN_FACTOR = 10
"""One search does not repeat itself: in a domain below this many times the examples, shares would."""


class ShareNumber(Struct, frozen=True):
    """One of the shares of a property's examples."""

    number: int
    """From 1; the first one also runs the explicit and the saved examples."""
    n_shares: int

    def __str__(self) -> str:
        return f"{self.number} of {self.n_shares}"


class SplitPlan(Struct, frozen=True, kw_only=True):
    """What became of the long properties of a run."""

    split: dict[str, int]
    """The number of shares by node id."""
    whole: dict[str, str]
    """Why a long property was left whole, by node id."""
    positions: dict[int, int]
    """The number of shares by index, for every share in the list of tests."""


def count_shares(expected_s: float, equal_s: float, n_examples: int, n_workers: int) -> int:
    """
    Return into how many shares a property is split; 1 leaves it whole.

    It is worth it where the property takes longer than an equal share of the whole run for each worker.
    """
    if equal_s <= 0 or expected_s <= equal_s:
        return 1
    most = min(n_workers, n_examples // LEAST_EXAMPLES)
    return max(1, math.ceil(min(most, expected_s / equal_s)))


def examples_of_share(n_examples: int, share: ShareNumber) -> int:
    """Return how many of the property's examples a share runs; the shares add up to all of them."""
    least, n_more = divmod(n_examples, share.n_shares)
    return least + (share.number <= n_more)


def seed_of_share(base: str, nodeid: str, share: ShareNumber) -> int:
    """Return the seed of a share: the same on every machine and in every version."""
    text = f"{base}\n{nodeid}\n{share.number}/{share.n_shares}"
    return int.from_bytes(sha256(text.encode()).digest()[:8])


def expect_shares(expectation: Expectation, positions: Mapping[int, int]) -> Expectation:
    """Return what each share is expected to take, where `expectation` has the whole property's duration."""
    seconds: Sequence[float] = [
        taken_s / positions.get(index, 1) for index, taken_s in enumerate(expectation.seconds)
    ]
    return replace(expectation, seconds=tuple(seconds))
