"""One sentence on what to do about a property's cost, from where its time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.advice.advice import advise
from atom_testinfra.core.costs.cost import examples_within
from atom_testinfra.core.figures import percent

if TYPE_CHECKING:
    from atom_testinfra.core.costs.baseline import ProfileCost


def recommend(cost: ProfileCost, limit_s: float) -> str:
    """Return how the property stands against its limit, where its time goes, and what would help."""
    return f"{describe_standing(cost, limit_s)}; {advise(cost).text}."


def describe_standing(cost: ProfileCost, limit_s: float) -> str:
    """Say whether the limit is met, and if not, how many examples would meet it."""
    if cost.duration_s < limit_s:
        return f"takes {percent(cost.duration_s / limit_s)} of its {limit_s:g} s"
    over = f"{percent(cost.duration_s / limit_s - 1)} over its {limit_s:g} s"
    if cost.unpredictable is not None:
        return f"{over}, and how many examples would meet it is unknown, because {cost.unpredictable}"
    fitting = examples_within(cost, limit_s)
    if fitting == 0:
        return f"{over}, and one example alone would not meet it"
    return f"{over}: about {fitting:,} examples instead of {cost.n_examples:,} would meet it"
