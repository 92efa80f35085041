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

    from atom_testinfra.core.comparison import Change, Comparison, Side
    from atom_testinfra.core.measurement import Run

    Runner = Callable[[Sequence[str]], Run]
    """Runs these node ids once."""


MOST_TURNS = 3
"""Suspects of which nothing can be told yet are run again so many times `n_runs` times, at most."""


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
    without one the further runs are held against the base's own. Where the interval still reaches over the
    limit, the same number of runs is made once more, and a third time: on a noisy machine five runs of each
    side leave many a suspect undecided.
    """
    if not comparison.suspects:
        return comparison
    again = _FurtherRuns(comparison, base, run_base, run_new, profile)
    undecided = [suspect.nodeid for suspect in comparison.suspects]
    decided: dict[str, Change] = {}
    nodeids = undecided + choose_companions(comparison)
    for _ in range(MOST_TURNS):
        again.make(nodeids, n_runs)
        decided |= {change.nodeid: change for change in again.judge(undecided)}
        undecided = [n for n in undecided if decided[n].verdict is ChangeVerdict.INCONCLUSIVE]
        if not undecided:
            break
        beside = [nodeid for nodeid in nodeids if nodeid not in undecided]
        nodeids = undecided + beside[: MIN_TESTS_FOR_FACTOR - 1]
    return comparison.with_changes(decided.values())


class _FurtherRuns:
    """Further runs of both sides, or of the new one alone, and what they say about suspects."""

    def __init__(
        self, comparison: Comparison, base: Side, run_base: Runner | None, run_new: Runner, profile: str
    ) -> None:
        self._comparison = comparison
        self._base = base
        self._run_base = run_base
        self._run_new = run_new
        self._profile = profile
        self._of_base: list[Run] = []
        self._of_new: list[Run] = []

    def make(self, nodeids: Sequence[str], n_runs: int) -> None:
        """Run these so many times on each side."""
        for side in take_turns(n_runs):
            if side == "new":
                self._of_new.append(self._run_new(nodeids))
            elif self._run_base is not None:
                self._of_base.append(self._run_base(nodeids))

    def judge(self, nodeids: Sequence[str]) -> Iterator[Change]:
        """Yield what all further runs say about suspects."""
        factor = 1.0
        new = self._side("new", self._of_new)
        if self._run_base is None:
            base, factor = self._base, self._comparison.suite_factor or 1.0
        else:
            base = self._side("base", self._of_base)
        before, after = (_without_run_effects(side.tests) for side in (base, new))
        for suspect in self._comparison.suspects:
            if suspect.nodeid in nodeids:
                costs = before.get(suspect.nodeid), after.get(suspect.nodeid)
                yield confirm(suspect, *costs, self._comparison.threshold, factor=factor)

    def _side(self, label: str, runs: Sequence[Run]) -> Side:
        statistic, is_calibrated = self._comparison.threshold.statistic, self._base.is_calibrated
        return side_from_runs(label, runs, statistic, self._profile, is_calibrated=is_calibrated)


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
