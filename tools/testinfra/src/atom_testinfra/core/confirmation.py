"""Running suspects again, before they are called slower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from atom_testinfra.core.comparison import (
    MIN_TESTS_FOR_FACTOR,
    ChangeVerdict,
    RunEffects,
    Series,
    confirm,
)
from atom_testinfra.core.sides import side_from_runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from atom_testinfra.core.comparison import Comparison, Side
    from atom_testinfra.core.measurement import Run

    Runner = Callable[[Sequence[str]], Run]
    """Runs these node ids once."""


def confirm_suspects(
    comparison: Comparison,
    *,
    base: Side,
    run_base: Runner | None,
    run_new: Runner,
    profile: str,
    n_runs: int,
) -> Comparison:
    """
    Return the comparison with its suspects judged by further runs of them alone.

    With a way to run the base, both sides take turns, so that whatever disturbs the machine disturbs both;
    without one the further runs are held against the base's own.
    """
    suspects = comparison.suspects
    if not suspects:
        return comparison
    nodeids = [suspect.nodeid for suspect in suspects] + choose_companions(comparison)
    runs: dict[str, list[Run]] = {"base": [], "new": []}
    for side in take_turns(n_runs):
        if side == "new":
            runs["new"].append(run_new(nodeids))
        elif run_base is not None:
            runs["base"].append(run_base(nodeids))
    statistic = comparison.threshold.statistic
    is_calibrated = base.is_calibrated
    new_again = side_from_runs("new", runs["new"], statistic, profile, is_calibrated=is_calibrated)
    if run_base is None:
        base_again, factor = base, comparison.suite_factor or 1.0
    else:
        base_again = side_from_runs("base", runs["base"], statistic, profile, is_calibrated=is_calibrated)
        factor = 1.0
    before, after = (_without_run_effects(side.tests) for side in (base_again, new_again))
    return comparison.with_changes(
        confirm(
            suspect,
            before.get(suspect.nodeid),
            after.get(suspect.nodeid),
            comparison.threshold,
            factor=factor,
        )
        for suspect in suspects
    )


def _without_run_effects(tests: Mapping[str, Series]) -> dict[str, Series]:
    effects = RunEffects([series for series in tests.values() if series.problem is None])
    return {nodeid: replace(series, values=effects.undo(series.values)) for nodeid, series in tests.items()}


def choose_companions(comparison: Comparison) -> list[str]:
    """
    Return tests to run beside the suspects, so that there are enough to tell what a run does to all alike.

    The quickest of those that did not change: they cost little, and lower the noise by a third.
    """
    n_missing = MIN_TESTS_FOR_FACTOR - len(comparison.suspects)
    steady = [change for change in comparison.changes if change.verdict is ChangeVerdict.OK]
    steady.sort(key=lambda change: change.base_us or 0.0)
    return [change.nodeid for change in steady if not change.is_suspect][: max(0, n_missing)]


def take_turns(n_runs: int) -> Iterator[str]:
    """Yield whose turn it is, ABBA: a steady drift of the machine weighs on both sides alike."""
    for i in range(n_runs):
        yield from ("base", "new") if i % 2 == 0 else ("new", "base")
