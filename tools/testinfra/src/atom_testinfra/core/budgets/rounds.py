"""How the time after the first round is shared: mostly in equal parts, the rest by what is still new."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence, Set

FIRST_PART = 0.1
"""Of the time, for the first round, which runs all tests: it leaves time for some nine further rounds."""
FIRST_FLOORS = 3.0
"""The first round gets at least this multiple of what the floors need."""
EQUAL_PART = 0.75
"""Of a round's time, in equal parts for all properties; with less, those that show nothing new starve."""
OF_FIXED = 10.0
"""A round takes at least this multiple of what its fixtures take, so that its examples get most of it."""
LEAST_S = 0.5
"""A round that is shorter would be all beginning and no run."""
MIN_ROUNDS = 2
"""Nothing is estimated from fewer rounds: in the first one, everything is new."""


class Discoveries:
    """
    What a property was seen to do, round by round.

    What was seen in exactly one of several rounds predicts what the next one will see for the first time
    (Good and Turing). The sample is a round and not an example, because the examples of one run are not
    independent.
    """

    def __init__(self) -> None:
        self._once: set[Hashable] = set()
        self._more: set[Hashable] = set()
        self._n_rounds = 0
        self._watched_s = 0.0

    def note(self, seen: Set[Hashable], seconds: float) -> int:
        """Take in what a round saw in this time, and return how much of it was new."""
        new = seen - self._once - self._more
        again = self._once & seen
        self._more |= again
        self._once = (self._once - again) | new
        self._n_rounds += 1
        self._watched_s += seconds
        return len(new)

    @property
    def rate(self) -> float | None:
        """How much that is new a second is expected to show; `None` after too few rounds."""
        if self._n_rounds < MIN_ROUNDS or self._watched_s <= 0.0:
            return None
        return len(self._once) / self._watched_s


def first_round_s(left_s: float, floor_s: float) -> float:
    """Return what the first round gets of the time that is left for tests."""
    return min(max(left_s * FIRST_PART, floor_s * FIRST_FLOORS), left_s)


def next_round_s(left_s: float, usual_s: float, fixed_s: float) -> float | None:
    """
    Return what the next round gets of what is left: an equal part of all further ones.

    `None` where the fixtures of a round (`fixed_s`) would take more than half of what is left.
    """
    if left_s <= 0.0 or left_s < 2.0 * fixed_s:
        return None
    wanted_s = max(usual_s, OF_FIXED * fixed_s, LEAST_S)
    return left_s / max(int(left_s / wanted_s), 1)


def weights_of(rates: Sequence[float | None]) -> list[float]:
    """
    Return each property's part of a round; the parts add up to one.

    Equal parts where nothing is known. A property whose rate is not known counts as an average one.
    """
    known = [rate for rate in rates if rate is not None]
    average = sum(known) / len(known) if known else 0.0
    if average <= 0.0:
        return [1.0 / len(rates)] * len(rates)
    filled = [average if rate is None else rate for rate in rates]
    total = sum(filled)
    return [EQUAL_PART / len(rates) + (1.0 - EQUAL_PART) * rate / total for rate in filled]
