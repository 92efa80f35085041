"""Runs of one property on its own: unchanged, and under one mutant."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

STEP = 4
"""Each planned number of the grid is this many times the one below it."""
LEAST_PLANNED = 5
N_SEEDS = 3
UP_TO = 200


class UnchangedRun(Struct, frozen=True, kw_only=True):
    """A run of a property without a mutant: what a run of this size costs."""

    nodeid: str
    seed: int
    planned: int
    """The number that Hypothesis was given as `max_examples`."""
    own: int
    """The property's own `max_examples` in the environment that was asked."""
    n_valid: int
    cpu_s: float
    is_machine: bool = False


class Trial(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A run of a property under a mutant."""

    nodeid: str
    mutant: str
    seed: int
    planned: int
    first: int | None = None
    """Which valid example noticed: 1 for the first, 0 for what runs before any; `None`: nothing noticed."""
    cases: list[int] = []
    """Places in the recorded run of test cases that notice: the first, or in runs of one size all of them."""


class NoticingCase(Struct, frozen=True, kw_only=True):
    """A recorded test case that notices some mutant."""

    nodeid: str
    seed: int
    planned: int
    place: int
    choices: str
    """As Hypothesis writes them, in base 64."""
    text: str = ""
    """The arguments, as far as they can be written."""


class ExampleCost(Struct, frozen=True, kw_only=True):
    """The CPU seconds of a property: `fixed_s + n * example_s`."""

    example_s: float
    fixed_s: float
    most: int | None = None
    """Valid examples after which nothing is left to try."""


def grid_of(up_to: int) -> list[int]:
    """
    Return the numbers of examples to plan, the largest first.

    A run of 200 is not a longer run of 50, because Hypothesis keeps the first tenth of what is planned small.
    Within a run, a quarter of the planned number and more can be read off (within 5 points on 10 properties).
    """
    found = [up_to]
    while found[-1] // STEP >= LEAST_PLANNED:
        found.append(found[-1] // STEP)
    return found


def cost_of(runs: Sequence[UnchangedRun]) -> ExampleCost:
    """
    Return what a property's examples cost, from its unchanged runs of several sizes.

    The slope between the smallest and the largest size of each seed, and the median over the seeds.
    """
    by_seed: dict[int, list[UnchangedRun]] = {}
    for run in runs:
        by_seed.setdefault(run.seed, []).append(run)
    slopes = []
    for group in by_seed.values():
        small, large = min(group, key=lambda run: run.n_valid), max(group, key=lambda run: run.n_valid)
        if large.n_valid > small.n_valid:
            slopes.append((large.cpu_s - small.cpu_s) / (large.n_valid - small.n_valid))
    whole = [run.cpu_s / max(run.n_valid, 1) for run in runs]
    example_s = max(median(slopes), 1e-7) if slopes else max(median(whole), 1e-7)
    fixed_s = max(median([run.cpu_s - example_s * run.n_valid for run in runs]), 0.0)
    is_exhausted = all(
        run.n_valid < run.planned for run in runs if run.planned == max(r.planned for r in runs)
    )
    return ExampleCost(
        example_s=example_s,
        fixed_s=fixed_s,
        most=max(run.n_valid for run in runs) if is_exhausted else None,
    )
