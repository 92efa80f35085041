"""What is measured of one test on two sides, and the verdict that follows from it."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from operator import truediv
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from atom_testinfra.core.changes.threshold import Statistic, Threshold
from atom_testinfra.core.records.parts import Part, costs_by_part
from atom_testinfra.core.statistics import Interval, middle, ratio_interval, run_effects

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

MIN_TESTS_FOR_FACTOR = 5
"""With fewer tests, one that changed would be taken for the whole suite, or one that is wild for its run."""

CALLS = "test cases for each valid one"
STEPS = "steps of the machine in each example"


class ChangeVerdict(StrEnum):
    """What is known about the cost of a test, new against base."""

    SLOWER = "slower"
    """The whole interval of one of its parts lies above the threshold."""
    INCONCLUSIVE = "inconclusive"
    """The interval reaches over the threshold, or the figures that it needs are missing."""
    WORKLOAD_CHANGED = "workload changed"
    """Other source, examples or seeds: a cost of something else."""
    FASTER = "faster"
    """The whole interval lies below the threshold's inverse."""
    RENAMED = "renamed"
    """Gone under one node id and new, with the same source, under another."""
    NEW = "new"
    GONE = "gone"
    OK = "ok"
    """The whole interval of every part lies below the threshold."""


class Counts(NamedTuple):
    """What is counted of a test: the same in every run of the same seeds, so that a change is exact."""

    calls_per_valid: float
    """Test cases run for one valid example."""
    steps_per_valid: float | None
    """Rules that a machine executes in a valid example."""


class Series(Struct, frozen=True, kw_only=True, gc=False):
    """What one test cost in each run of one side, in units of the calibration beside it."""

    values: list[float]
    unit_us: float = 1.0
    """What to multiply the values with for microseconds on this side's machine."""
    parts: dict[Part, list[float]] = {}
    """The parts that the values are the sums of, where parts are what is compared."""
    n_examples: int | None = None
    """Examples that a run has of it."""
    counts: Counts | None = None
    """`None` where they differ between the runs."""
    workload: str | None = None
    """Examples, seeds and whatever else has to be equal."""
    digest: str | None = None
    """Digest of the test's source."""
    problem: str | None = None
    """Why the values say nothing, as a clause: "it failed"."""


class CostChange(Struct, frozen=True, kw_only=True, gc=False):
    """How one cost of a test changed."""

    ratio: Interval
    """New to base, the suite's factor taken out."""
    limit: float
    """The ratio above which it is too much."""
    added_us: float
    """What an example costs more than before, by this cost alone."""

    @property
    def verdict(self) -> ChangeVerdict:
        """The verdict on the part: where its interval lies, compared with its limit."""
        return verdict_of(self.ratio, self.limit)

    @property
    def excess(self) -> float:
        """How far it went, with the limit at 1."""
        return (self.ratio.value - 1) / (self.limit - 1)


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One test on both sides, and the verdict."""

    nodeid: str
    verdict: ChangeVerdict
    part: str | None = None
    """The part that the ratio is of, where parts are compared: the one that moved most."""
    ratio: Interval | None = None
    """New to base, the suite's factor taken out; of a part other than the body, by what it adds."""
    limit: float | None = None
    """The ratio above which the test is slower."""
    base_us: float | None = None
    """Median cost of an example on the base side, all parts together."""
    new_us: float | None = None
    """That, and what the parts have added."""
    suite_s: float | None = None
    """CPU seconds that a run of the suite takes more for this test."""
    parts: dict[str, CostChange] = {}
    counts: tuple[Counts, Counts] | None = None
    """Base and new, where they differ."""
    n_runs: tuple[int, int] = (0, 0)
    """Base and new."""
    reason: str | None = None
    """What the verdict alone does not say, as a clause."""
    renamed_from: str | None = None
    payer: str | None = None
    """Of a shared fixture: a test that needs it."""
    suspected: Interval | None = None
    """The ratio before the test was run again; `ratio` is then from the further runs alone."""
    instructions: tuple[float, float] | None = None
    """Instructions that one example executes, base and new, where they were counted."""

    @property
    def times(self) -> float | None:
        """How many times as much the whole test costs as before, where that is known."""
        if self.parts and self.base_us and self.new_us is not None:
            return self.new_us / self.base_us
        return None if self.ratio is None else self.ratio.value

    @property
    def is_suspect(self) -> bool:
        """
        Whether it should be run again before it is called slower, or let go.

        It need not lie above the limit: of 18 tests that had become half as slow again, eight runs on a noisy
        machine put five below a limit of 25 %, four of them more than half way to it.
        """
        if self.parts:
            return any(may_exceed(cost.ratio, cost.limit) for cost in self.parts.values())
        is_counted = self.part in {CALLS, STEPS}
        return (
            not is_counted
            and self.ratio is not None
            and self.limit is not None
            and may_exceed(self.ratio, self.limit)
        )


class CostMeasured(NamedTuple):
    """The ratio of one cost, and what a ratio of 1 stands for on the base side."""

    ratio: Interval
    scale_us: float


Key = Part | None
"""`None` where a test has one cost only."""


class Measured(Struct, frozen=True, gc=False):
    """The ratios of a test's costs, before a verdict is made of them."""

    nodeid: str
    costs: dict[Key, CostMeasured]
    base_us: float
    n_runs: tuple[int, int]
    n_examples: int | None = None


def costs_of(base: Series, new: Series) -> Iterator[tuple[Key, list[float], list[float]]]:
    """Yield the values of both sides for each cost that a test is judged by."""
    if base.parts and new.parts:
        yield from costs_by_part(base.values, base.parts, new.parts)
    else:
        yield None, base.values, new.values


class RunEffects:
    """What each run of a side did to all of its tests alike, as far as there are enough to tell."""

    def __init__(self, tests: Sequence[Sequence[float]]) -> None:
        self._n_runs = max(map(len, tests), default=0)
        whole = [values for values in tests if len(values) == self._n_runs and min(values) > 0]
        is_known = self._n_runs >= 2 and len(whole) >= MIN_TESTS_FOR_FACTOR
        self._effects = run_effects(whole) if is_known else None

    def undo(self, values: list[float]) -> list[float]:
        """Return a test's costs without them."""
        if self._effects is None or len(values) != self._n_runs:
            return values
        return list(map(truediv, values, self._effects))


class SideEffects:
    """The effects of the runs of both sides, on each cost."""

    def __init__(self, pairs: Sequence[tuple[Series, Series]]) -> None:
        before: dict[Key, list[list[float]]] = {}
        after: dict[Key, list[list[float]]] = {}
        for old, late in pairs:
            for key, base, new in costs_of(old, late):
                before.setdefault(key, []).append(base)
                after.setdefault(key, []).append(new)
        self._before = {key: RunEffects(columns) for key, columns in before.items()}
        self._after = {key: RunEffects(columns) for key, columns in after.items()}

    def costs(self, base: Series, new: Series) -> Iterator[tuple[Key, list[float], list[float]]]:
        """Yield a test's costs without the effects."""
        for key, old, late in costs_of(base, new):
            if key in self._before:
                yield key, self._before[key].undo(old), self._after[key].undo(late)
            else:
                yield key, old, late


def measure(nodeid: str, base: Series, new: Series, effects: SideEffects) -> Measured:
    """Return the ratios of a test's costs; microseconds are the base side's."""
    costs = {
        key: CostMeasured(ratio_interval(old, late), middle(old) * base.unit_us)
        for key, old, late in effects.costs(base, new)
        if min(old) > 0 and min(late) > 0
    }
    base_us = middle(base.values) * base.unit_us
    return Measured(nodeid, costs, base_us, (len(base.values), len(new.values)), new.n_examples)


def judge(measured: Measured, threshold: Threshold, *, factors: Mapping[Key, float]) -> Change:
    """Return the verdict that the ratios give under a threshold, with the suite's factors taken out."""
    judged: dict[Key, CostChange] = {}
    for key, (found, scale_us) in measured.costs.items():
        ratio = found.scaled(1 / factors.get(key, 1.0))
        judged[key] = CostChange(
            ratio=ratio, limit=threshold.limit(scale_us), added_us=scale_us * (ratio.value - 1)
        )
    key, cost = max(judged.items(), key=lambda item: _rank(item[1]))
    verdict = cost.verdict
    added_us = sum(one.added_us for one in judged.values())
    base_us, n = measured.base_us, measured.n_examples
    return Change(
        nodeid=measured.nodeid,
        verdict=verdict,
        part=None if key is None else key.value,
        ratio=cost.ratio,
        limit=cost.limit,
        base_us=base_us,
        new_us=max(0.0, base_us + added_us),
        suite_s=None if n is None else added_us * n / 1e6,
        parts={} if key is None else {one.value: found for one, found in judged.items() if one is not None},
        n_runs=measured.n_runs,
        reason="its interval reaches over the limit" if verdict is ChangeVerdict.INCONCLUSIVE else None,
    )


def _rank(cost: CostChange) -> tuple[int, float]:
    """
    Order costs by how much their verdict matters: slower, inconclusive, faster, ok.

    Of several that are slower, the one that adds most to an example comes first, because the time went there:
    the body of a test that waits for a thread also grows by some microseconds when the thread takes longer.
    """
    order = (ChangeVerdict.OK, ChangeVerdict.FASTER, ChangeVerdict.INCONCLUSIVE, ChangeVerdict.SLOWER)
    is_certain = cost.verdict in {ChangeVerdict.SLOWER, ChangeVerdict.FASTER}
    return order.index(cost.verdict), abs(cost.added_us) if is_certain else cost.excess


def judge_counts(change: Change, counts: tuple[Counts, Counts] | None, threshold: Threshold) -> Change:
    """
    Return the change with what was counted, which makes it slower by itself beyond the threshold's share.

    Counts are exact where seeds, source and Hypothesis are the same: no interval, and no further runs.
    """
    if counts is None or counts[0] == counts[1]:
        return change
    change = replace(change, counts=counts)
    if threshold.statistic is not Statistic.PARTS or change.verdict is ChangeVerdict.SLOWER:
        return change
    for what, old, late in zip((CALLS, STEPS), *counts, strict=True):
        if old and late and late / old > threshold.suite_limit:
            ratio = Interval(late / old, late / old, late / old)
            return replace(
                change,
                verdict=ChangeVerdict.SLOWER,
                part=what,
                ratio=ratio,
                limit=threshold.suite_limit,
                parts={},
                reason=None,
            )
    return change


def confirm(
    suspect: Change,
    base: Series | None,
    new: Series | None,
    threshold: Threshold,
    *,
    effects: SideEffects | None = None,
    factors: Mapping[Key, float] | None = None,
) -> Change:
    """
    Return the verdict on a suspect after it was run again, from the further runs alone.

    The runs that raised the suspicion have no say: they were picked for being slow. `factors` are the
    suite's, where the base was not run again beside the new side.
    """
    problem = "it did not run again" if base is None or new is None else base.problem or new.problem
    if base is None or new is None or problem or not base.values or not new.values:
        reason = problem or "it did not run again"
        return replace(suspect, verdict=ChangeVerdict.INCONCLUSIVE, reason=reason, suspected=suspect.ratio)
    measured = measure(suspect.nodeid, base, new, effects or SideEffects([]))
    again = judge(measured, threshold, factors=factors or {})
    again = replace(again, suspected=suspect.ratio, instructions=suspect.instructions)
    return judge_counts(again, suspect.counts, threshold)


def suite_ratio(tests: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Interval:
    """
    Return the ratio of what the new runs cost all tests alike to what the base runs did, with an interval.

    Args:
        tests: costs of each test, base and new, run by run. Of those that ran in fewer runs than most did, it
            is not known in which: they are left out.
    """
    shapes = Counter((len(base), len(new)) for base, new in tests)
    ((shape, _),) = shapes.most_common(1)
    whole = [(base, new) for base, new in tests if (len(base), len(new)) == shape]
    levels = [middle(base) for base, _ in whole]
    before = run_effects([base for base, _ in whole], levels)
    after = run_effects([new for _, new in whole], levels)
    return ratio_interval(before, after)


def factors_of(measured: Sequence[Measured]) -> dict[Key, float]:
    """Return how much each cost of the median test moved, if there are enough tests to tell."""
    ratios: dict[Key, list[float]] = {}
    for one in measured:
        for key, cost in one.costs.items():
            ratios.setdefault(key, []).append(cost.ratio.value)
    return {key: median(found) for key, found in ratios.items() if len(found) >= MIN_TESTS_FOR_FACTOR}


def verdict_of(ratio: Interval, limit: float) -> ChangeVerdict:
    """Return the verdict on a ratio."""
    if ratio.low > limit:
        return ChangeVerdict.SLOWER
    if ratio.high < 1 / limit:
        return ChangeVerdict.FASTER
    return ChangeVerdict.OK if ratio.high <= limit else ChangeVerdict.INCONCLUSIVE


def may_exceed(ratio: Interval, limit: float) -> bool:
    """Return whether a ratio reaches over the limit, and is more than half way there."""
    return ratio.high > limit and ratio.value > (1 + limit) / 2
