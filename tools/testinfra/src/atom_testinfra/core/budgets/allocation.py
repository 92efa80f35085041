"""How many examples each property gets of a number of seconds."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

EXPONENT = -2 / 3
"""Of the cost in a property's weight: 0 gives equal numbers, -1 equal times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """A property that is to get examples."""

    cost_s: float
    """Of one example."""
    factor: float = 1.0
    """Its own number of examples against the profile's: a test that asks for twice as many gets twice."""
    floor: int = 1
    most: float = inf
    exponent: float = EXPONENT

    def __post_init__(self) -> None:
        if not (self.cost_s > 0.0 and self.factor > 0.0 and self.floor >= 0):
            raise ValueError(f"a property of this cost and floor cannot be planned: {self!r}")

    @property
    def weight(self) -> float:
        """How many examples it gets for each that a property of one second gets."""
        return float(self.factor * self.cost_s**self.exponent)

    def n_at(self, level: float) -> float:
        """Return its number of examples at a level; the floor wins over the most that it can use."""
        return max(min(level * self.weight, self.most), self.floor)


def level_of(demands: Sequence[Demand], room_s: float) -> float:
    """
    Return the level at which the examples of all properties fill the room.

    Zero where their floors fill it already, infinity where each gets all that it can use.
    """
    rest_s = room_s
    free = [(demand.cost_s, demand.weight, demand.floor, demand.most) for demand in demands]
    while free:
        level = max(rest_s, 0.0) / sum(cost_s * weight for cost_s, weight, _, _ in free)
        lacking_s = sum(max(floor - level * weight, 0.0) * cost_s for cost_s, weight, floor, _ in free)
        unused_s = sum(
            (level * weight - most) * cost_s
            for cost_s, weight, floor, most in free
            if level * weight > most and level * weight >= floor
        )
        if not lacking_s and not unused_s:
            return level
        # The side that changes the rest more is settled for good; the other is looked at again.
        is_low = lacking_s >= unused_s
        remaining = []
        for each in free:
            cost_s, weight, floor, most = each
            n = level * weight
            if n < floor if is_low else (n > most and n >= floor):
                rest_s -= cost_s * (floor if is_low else max(most, floor))
            else:
                remaining.append(each)
        free = remaining
    return inf if rest_s > 0.0 else 0.0
