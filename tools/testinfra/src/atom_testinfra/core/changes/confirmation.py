"""Running suspects again, before they are called slower."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from atom_testinfra.core.changes.comparison import compare_outside
from atom_testinfra.core.changes.judgement import (
    MIN_TESTS_FOR_FACTOR,
    ChangeVerdict,
    SideEffects,
    confirm,
    factors_of,
    measure,
    suite_ratio,
)
from atom_testinfra.core.changes.sides import side_from_runs
from atom_testinfra.core.records.parts import Part
from atom_testinfra.core.statistics import middle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence, Set

    from atom_testinfra.core.changes.comparison import Comparison, Side
    from atom_testinfra.core.changes.judgement import Change, Key
    from atom_testinfra.core.records.measurement import Run
    from atom_testinfra.core.statistics import Interval

    Runner = Callable[[Sequence[str]], Run]
    """Runs these node ids once."""


TESTS_FOR_SUITE = 10
"""How many other tests run again when the whole suite is a suspect."""

MOST_TURNS = 3
"""Undecided suspects are rerun in up to this many rounds of `n_runs` runs."""


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
    Return the comparison with its suspects, and the suite if it is one, judged by the reruns alone.

    If the base can run, both sides take turns, so that whatever disturbs the machine disturbs both; otherwise
    the reruns are compared with the base's stored runs. While an interval still contains the limit, there are
    up to `MOST_TURNS` rounds, because on a noisy machine five runs of each side leave many suspects
    undecided. The suite is judged only if the base runs: compared with stored figures, a machine that became
    slower would always make the suite look slower.
    """
    is_suite_open = run_base is not None and comparison.is_suite_suspect
    undecided = [suspect.nodeid for suspect in comparison.suspects]
    if not comparison.has_suspects or (not undecided and run_base is None):
        return comparison
    again = _FurtherRuns(comparison, base, run_base, run_new, profile)
    decided: dict[str, Change] = {}
    keys: list[Key] = [None, *Part]
    factors = {} if run_base is not None else {key: comparison.factor_of(key) for key in keys}
    companions = choose_companions(comparison, n_companions(comparison, is_suite_open=is_suite_open))
    payers = [change.payer for change in comparison.outside_suspects if change.payer is not None]
    nodeids = list(dict.fromkeys([*undecided, *companions, *payers]))
    for _ in range(MOST_TURNS):
        again.make(nodeids, n_runs)
        if is_suite_open and (judged := again.judge_suite(companions)) is not None:
            suite, factors = judged
            comparison = replace(comparison, suite=suite)
        is_suite_open = is_suite_open and comparison.suite_verdict is ChangeVerdict.INCONCLUSIVE
        decided |= {change.nodeid: change for change in again.judge(undecided, factors)}
        undecided = [n for n in undecided if decided[n].verdict is ChangeVerdict.INCONCLUSIVE]
        if not undecided and not is_suite_open:
            break
        if not is_suite_open:
            beside = [nodeid for nodeid in nodeids if nodeid not in undecided]
            nodeids = undecided + beside[: MIN_TESTS_FOR_FACTOR - 1]
    comparison = replace(comparison, outside=again.judge_outside(is_base_run=run_base is not None))
    return comparison.with_changes(decided.values())


def n_companions(comparison: Comparison, *, is_suite_open: bool) -> int:
    """Return how many tests that are not suspects should run beside the suspects."""
    return TESTS_FOR_SUITE if is_suite_open else MIN_TESTS_FOR_FACTOR - len(comparison.suspects)


def forecast_run(runs: Sequence[Run], nodeids: Set[str]) -> float | None:
    """
    Return how long one run of these tests should take, in wall seconds: start-up, collection, and the tests.

    `None` if no run came to its end, so that the time outside of the tests is unknown.
    """
    lasted = []
    for run in runs:
        if run.end is None or run.collected is None:
            continue
        tests_s = {r.nodeid: r.setup.wall_s + r.call.wall_s + r.teardown.wall_s for r in run.measurements}
        around_s = max(0.0, run.end.wall_s - sum(tests_s.values())) + (run.collected.startup_cpu_s or 0.0)
        lasted.append(around_s + sum(s for nodeid, s in tests_s.items() if nodeid in nodeids))
    return middle(lasted) if lasted else None


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
        self._sides: tuple[Side, Side] = base, base
        """The costs of all tests in these runs: base, new."""

    def make(self, nodeids: Sequence[str], n_runs: int) -> None:
        """Run these node ids `n_runs` times on each side."""
        for side in take_turns(n_runs):
            if side == "new":
                self._of_new.append(self._run_new(nodeids))
            elif self._run_base is not None:
                self._of_base.append(self._run_base(nodeids))
        base = self._base if self._run_base is None else self._side("base", self._of_base)
        self._sides = base, self._side("new", self._of_new)

    def judge(self, nodeids: Sequence[str], factors: Mapping[Key, float]) -> Iterator[Change]:
        """Yield the verdicts of all reruns on suspects, with the suite's factors removed."""
        base, new = (side.tests for side in self._sides)
        both = [n for n in new if n in base and base[n].problem is None and new[n].problem is None]
        effects = SideEffects([(base[n], new[n]) for n in both])
        threshold = self._comparison.threshold
        for suspect in self._comparison.suspects:
            if suspect.nodeid in nodeids:
                costs = base.get(suspect.nodeid), new.get(suspect.nodeid)
                yield confirm(suspect, *costs, threshold, effects=effects, factors=factors)

    def judge_outside(self, *, is_base_run: bool) -> list[Change]:
        """Return the verdicts of all reruns on suspects outside of the tests."""
        changes = self._comparison.outside
        if not is_base_run:
            return changes
        judged = {c.nodeid: c for c in compare_outside(*self._sides, self._comparison.threshold)}
        return [
            replace(judged[change.nodeid], suspected=change.ratio)
            if change.is_suspect and change.nodeid in judged
            else change
            for change in changes
        ]

    def judge_suite(self, nodeids: Sequence[str]) -> tuple[Interval, dict[Key, float]] | None:
        """
        Return the ratio of the suite by these tests in all reruns, and the factor of each cost.

        `None` if too few of them ran.
        """
        base, new = (side.tests for side in self._sides)
        n_runs = len(self._of_base), len(self._of_new)
        costs = [(base[n].values, new[n].values) for n in nodeids if n in base and n in new]
        whole = [pair for pair in costs if (len(pair[0]), len(pair[1])) == n_runs]
        if len(whole) < MIN_TESTS_FOR_FACTOR:
            return None
        measured = [measure(n, base[n], new[n], SideEffects([])) for n in nodeids if n in base and n in new]
        return suite_ratio(whole), factors_of(measured)

    def _side(self, label: str, runs: Sequence[Run]) -> Side:
        statistic, is_calibrated = self._comparison.threshold.statistic, self._base.is_calibrated
        return side_from_runs(label, runs, statistic, self._profile, is_calibrated=is_calibrated)


def choose_companions(comparison: Comparison, n: int) -> list[str]:
    """
    Return up to `n` tests to run beside the suspects, which show what a run does to all tests alike.

    First the quickest of those that did not change, because they cost little; then those that may have.
    """
    others = [
        change
        for change in comparison.changes
        if change.ratio is not None and change.verdict is not ChangeVerdict.FASTER and not change.is_suspect
    ]
    others.sort(key=lambda change: (change.verdict is not ChangeVerdict.OK, change.base_us or 0.0))
    return [change.nodeid for change in others[: max(0, n)]]


def take_turns(n_runs: int) -> Iterator[str]:
    """Yield the side whose turn it is, in the order ABBA: a steady drift affects both sides alike."""
    for i in range(n_runs):
        yield from ("base", "new") if i % 2 == 0 else ("new", "base")
