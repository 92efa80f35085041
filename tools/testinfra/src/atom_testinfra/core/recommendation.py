"""One sentence on what to do about a property's cost, from where its time goes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from atom_testinfra.core.cost import examples_within, share_of_time, without_filtered

if TYPE_CHECKING:
    from atom_testinfra.core.baseline import ProfileCost

MUCH_FILTERED = 0.25
"""Share of the time in given-up test cases from which on they are the thing to look at."""


def recommend(cost: ProfileCost, limit_s: float) -> str:
    """Return how the property stands against its limit, where its time goes, and what would help."""
    return f"{describe_standing(cost, limit_s)}; {describe_lever(cost)}."


def describe_standing(cost: ProfileCost, limit_s: float) -> str:
    """Say whether the limit is met, and if not, how many examples would meet it."""
    if cost.duration_s < limit_s:
        return f"takes {percent(cost.duration_s / limit_s)} of its {limit_s:g} s"
    over = f"{percent(cost.duration_s / limit_s - 1)} over its {limit_s:g} s"
    if cost.unpredictable is not None:
        return f"{over}, and fewer examples are no remedy, since {cost.unpredictable}"
    fitting = examples_within(cost, limit_s)
    if fitting == 0:
        return f"{over}, with any number of examples"
    return f"{over}: {fitting} examples instead of {cost.n_examples} would meet it"


def describe_lever(cost: ProfileCost) -> str:
    """Say where most of the time goes and what that calls for."""
    share = share_of_time(cost)
    if share.filtered >= MUCH_FILTERED:
        return (
            f"{percent(share.filtered)} of the time goes to test cases that are given up: "
            "build the data so that it need not be filtered"
        )
    generate, body = without_filtered(share.generate, share.body, share.filtered)
    largest = max(share.setup, body, generate, share.engine, share.other)
    if largest == share.setup:
        return f"{percent(largest)} is set-up: share the fixture, unless this test was the first to need it"
    if largest == body:
        return f"{percent(largest)} is the test's own code, {_ms_per_example(cost, body)} an example"
    if largest == generate:
        return f"{percent(largest)} is drawing, {_ms_per_example(cost, generate)} an example: draw less"
    if largest == share.engine:
        return f"{percent(largest)} is Hypothesis itself: only fewer examples make it cheaper"
    return f"{percent(largest)} is outside of the examples: explicit cases, and pytest around them"


def _ms_per_example(cost: ProfileCost, share: float) -> str:
    return f"{share * cost.duration_s / cost.n_examples * 1000:.3g} ms" if cost.n_examples else "0 ms"


def percent(share: float) -> str:
    """Return a share in per cent; almost nothing is not 0 %, and almost everything not 100 %."""
    if 0 < share < 0.01:
        return "under 1 %"
    if 0.99 < share < 1:
        return "over 99 %"
    return f"{share * 100:.0f} %"
