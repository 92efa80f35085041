"""Which properties got slower or faster, and which are undecided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from statistics import fmean
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from atom_testinfra.core.changes.judgement import (
    MIN_TESTS_FOR_FACTOR,
    Change,
    ChangeVerdict,
    Counts,
    Key,
    Measured,
    Series,
    SideEffects,
    factors_of,
    judge,
    judge_counts,
    may_exceed,
    measure,
    suite_ratio,
    verdict_of,
)
from atom_testinfra.core.changes.threshold import Statistic, Threshold
from atom_testinfra.core.errors import ComparisonError, NothingMeasuredError
from atom_testinfra.core.records.circumstances import describe_calibration
from atom_testinfra.core.records.measurement import Machine
from atom_testinfra.core.records.repeats import MIN_BASE_RUNS
from atom_testinfra.core.statistics import Interval, false_alarm_rate, middle, ratio_interval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MIN_NEW_RUNS = 3
LEAST_OUTSIDE_US = 1_000.0
"""Smaller costs are raised to this one, because there is no ratio to a cost of zero."""
MIN_OUTSIDE_US = 20_000.0
"""What something outside of the tests may take more in a run before it can be called slower."""

LARGE_SAMPLE = 1000
"""From this many tests on, we know what a run did to all tests alike, and what is chance."""


class Side(Struct, frozen=True, kw_only=True):
    """One side of a comparison: how its runs were made, and what each test cost in them."""

    label: str
    tests: Mapping[str, Series]
    """By node id. From a file they are made when they are asked for: go through them once."""
    interpreter: str
    """Implementation and minor version: "CPython 3.11"."""
    n_workers: int = 0
    hypothesis: str | None = None
    machine: Machine | None = None
    is_traced: bool = False
    is_calibrated: bool = True
    calibration: str | None = None
    """Name of the calibration that is the unit of the costs; `None` where it was not recorded."""
    outside: Mapping[str, Series] = {}
    """What a run costs outside of its tests, by what takes it: see `core.records.outside`."""
    payers: Mapping[str, str] = {}
    """By shared fixture, a test that needs it."""


class Comparison(Struct, frozen=True, kw_only=True):
    """All verdicts of two sides, worst first."""

    base: str
    new: str
    threshold: Threshold
    changes: list[Change]
    suite_factor: float | None
    """Median ratio of all tests by their whole cost; `None` with fewer than five in common."""
    factors: dict[str, float] = {}
    """How much the median test moved, by part: taken out of each test."""
    base_s: float = 0.0
    """CPU seconds that the compared tests took in a run of the base, as far as their examples are known."""
    outside: list[Change] = []
    """Start-up, collection, shared fixtures and threads: what no test is charged for, worst first."""
    suite: Interval | None
    """The same from run to run, with an interval; from the further runs alone where the suite ran again."""
    n_compared: int
    """Tests that have a ratio."""
    expected_by_chance: float
    """How many `slower` the noise of these runs would give by itself, before anything is run again."""
    notes: list[str]

    @property
    def is_suite_slower(self) -> bool:
        """Whether the whole suite moved beyond the threshold: the machine, a library, or shared code."""
        return self.suite_verdict is ChangeVerdict.SLOWER

    @property
    def is_suite_suspect(self) -> bool:
        """Whether the suite should be run again, as a test should, before it is called slower."""
        return self.suite is not None and may_exceed(self.suite, self.threshold.suite_limit)

    @property
    def suite_verdict(self) -> ChangeVerdict | None:
        """The verdict on the suite, by the threshold's share alone; `None` with too few tests."""
        return None if self.suite is None else verdict_of(self.suite, self.threshold.suite_limit)

    @property
    def is_slower(self) -> bool:
        """Whether a gate should fail."""
        changes = [*self.changes, *self.outside]
        return self.is_suite_slower or any(c.verdict is ChangeVerdict.SLOWER for c in changes)

    @property
    def suspects(self) -> list[Change]:
        """What should be run again."""
        return [change for change in self.changes if change.is_suspect]

    @property
    def outside_suspects(self) -> list[Change]:
        """What outside of the tests should be run again."""
        return [change for change in self.outside if change.is_suspect]

    @property
    def has_suspects(self) -> bool:
        """Whether there is anything to run again."""
        return bool(self.suspects or self.outside_suspects) or self.is_suite_suspect

    def factor_of(self, key: Key) -> float:
        """Return what is taken out of a cost."""
        return self.factors.get(key or self.threshold.statistic.value, 1.0)

    def count(self) -> Counter[ChangeVerdict]:
        """Return how many tests have each verdict."""
        return Counter(change.verdict for change in self.changes)

    def with_changes(self, replaced: Iterable[Change]) -> Comparison:
        """Return the comparison with some of its changes judged anew."""
        by_id = {change.nodeid: change for change in replaced}
        changes = [by_id.get(change.nodeid, change) for change in self.changes]
        return replace(self, changes=sorted(changes, key=_severity))

    def with_note(self, note: str) -> Comparison:
        """Return the comparison with one note more."""
        return replace(self, notes=[*self.notes, note])


def compare_sides(base: Side, new: Side, threshold: Threshold) -> Comparison:
    """
    Return the verdict on every test of both sides.

    Raises:
        ComparisonError: the sides were measured in ways that make their costs different things.
        NothingMeasuredError: they have no test in common that was measured in both.
    """
    _refuse_unlike(base, new)
    nodeids = dict.fromkeys(new.tests)
    common = [nodeid for nodeid in base.tests if nodeid in nodeids]
    both = set(common)
    gone = {nodeid: base.tests[nodeid] for nodeid in base.tests if nodeid not in both}
    added = {nodeid: new.tests[nodeid] for nodeid in nodeids if nodeid not in both}
    renamed = _match_renamed(gone, added)
    if not renamed and not any(_is_fit(base.tests[n]) and _is_fit(new.tests[n]) for n in common):
        raise _nothing_to_compare(base, new, common)
    sample = _sample_of_measured(base, new, common)
    pairs = [(base.tests[nodeid], new.tests[nodeid]) for nodeid in sample]
    effects = SideEffects(pairs)
    measured: list[Measured] = []
    counts: dict[str, tuple[Counts, Counts]] = {}
    unjudged: list[Change] = []
    n_bare = 0
    for nodeid in common:  # one by one: of 100,000 tests not all series fit at once
        old, late = base.tests[nodeid], new.tests[nodeid]
        problem = _find_problem(old, late)
        if problem is None:
            measured.append(measure(nodeid, old, late, effects))
            n_bare += not (old.parts and late.parts)
            if old.counts and late.counts and old.counts != late.counts:
                counts[nodeid] = old.counts, late.counts
        else:
            verdict, reason = problem
            n_runs = (len(old.values), len(late.values))
            unjudged.append(Change(nodeid=nodeid, verdict=verdict, reason=reason, n_runs=n_runs))
    factor = suite = None
    factors: dict[Key, float] = {}
    if len(measured) >= MIN_TESTS_FOR_FACTOR:
        factors = factors_of(measured)
        suite = suite_ratio([(old.values, late.values) for old, late in pairs])
        factor = factors[None] if None in factors else _whole_factor(pairs)
    judged = [judge(one, threshold, factors=factors) for one in measured]
    if base.hypothesis == new.hypothesis:  # another version may generate other examples of the same seed
        judged = [judge_counts(one, counts.get(one.nodeid), threshold) for one in judged]
    unmatched = [*_list_gone(gone, renamed), *_list_new(added, renamed)]
    chances = [_chance(old, late, effects, threshold) for old, late in pairs]
    notes = _note_differences(base, new)
    if threshold.statistic is Statistic.PARTS and n_bare:
        notes.append(_note_bare(n_bare, len(measured)))
    statistic = threshold.statistic.value
    return Comparison(
        base=base.label,
        new=new.label,
        threshold=threshold,
        changes=sorted([*judged, *unjudged, *unmatched], key=_severity),
        suite_factor=factor,
        factors={statistic if key is None else key.value: value for key, value in factors.items()},
        suite=suite,
        n_compared=len(judged),
        expected_by_chance=fmean(chances) * len(measured) if chances else 0.0,
        base_s=sum(one.base_us * (one.n_examples or 0) for one in measured) / 1e6,
        outside=compare_outside(base, new, threshold),
        notes=notes,
    )


def compare_outside(base: Side, new: Side, threshold: Threshold) -> list[Change]:
    """
    Return how start-up, collection, each shared fixture and threads changed, worst first.

    They are judged where parts are compared, by their CPU time in a run: no factor is taken out of them.
    """
    if threshold.statistic is not Statistic.PARTS:
        return []
    changes = []
    for name, late in new.outside.items():
        old = base.outside.get(name)
        if old is None or len(old.values) < MIN_NEW_RUNS or len(late.values) < MIN_NEW_RUNS:
            continue
        one = measure(name, _at_least(old), _at_least(late), SideEffects([]))
        limits = replace(threshold, floor_us=max(threshold.floor_us, MIN_OUTSIDE_US))
        change = judge(one, limits, factors={})
        assert change.new_us is not None
        added_s = (change.new_us - one.base_us) / 1e6
        changes.append(replace(change, suite_s=added_s, payer=new.payers.get(name)))
    return sorted(changes, key=_severity)


def _at_least(series: Series) -> Series:
    """Return the series with smaller values raised to `LEAST_OUTSIDE_US`, so that there is a ratio."""
    least = LEAST_OUTSIDE_US / series.unit_us
    return replace(series, values=[max(value, least) for value in series.values])


def _whole_factor(pairs: Sequence[tuple[Series, Series]]) -> float:
    """Return how much the median test moved by its whole cost."""
    ratios = [middle(late.values) / middle(old.values) for old, late in pairs]
    return middle(ratios)


def _note_bare(n_bare: int, n: int) -> str:
    tests = "1 test is" if n_bare == 1 else f"{n_bare} tests are"
    return (
        f"{tests} compared by the body alone, of {n}: one side does not say what drawing, set-up, teardown,"
        " other threads and child processes took."
    )


def _refuse_unlike(base: Side, new: Side) -> None:
    for side in (base, new):
        if side.is_traced:
            raise ComparisonError(
                f"{side.label!r} was measured under coverage, a debugger or a profiler",
                hint="measure again without it: tracing makes Python code 2 to 20 times slower, unevenly",
            )
    if base.interpreter != new.interpreter:
        raise ComparisonError(
            f"{base.label!r} ran on {base.interpreter}, {new.label!r} on {new.interpreter}",
            hint="measure both sides with the same interpreter",
        )
    if base.n_workers != new.n_workers:
        raise ComparisonError(
            f"{base.label!r} ran with -n {base.n_workers}, {new.label!r} with -n {new.n_workers}",
            hint="measure both sides with the same `-n`; 0, the default, is best",
        )
    if not (base.is_calibrated and new.is_calibrated) and base.machine != new.machine:
        raise ComparisonError(
            f"{base.label!r} and {new.label!r} come from different machines, and not both were calibrated",
            hint="measure again: the calibration is what makes machines comparable",
        )
    if base.is_calibrated and new.is_calibrated:
        _refuse_other_unit(base, new)


def _refuse_other_unit(base: Side, new: Side) -> None:
    """Raise unless both sides are known to be ratios to the same calibration."""
    if base.calibration == new.calibration is not None:
        return
    if base.calibration is None and new.calibration is None:
        raise ComparisonError(
            f"neither {base.label!r} nor {new.label!r} says with which calibration it was measured:"
            " their costs may have no common unit",
            hint="measure both again with this version of atom-testinfra",
        )
    with_base, with_new = map(describe_calibration, (base.calibration, new.calibration))
    older = base if base.calibration is None or new.calibration is not None else new
    raise ComparisonError(
        f"{base.label!r} was measured with {with_base}, {new.label!r} with {with_new}:"
        " their costs have no common unit",
        hint=f"measure {older.label!r} again with this version of atom-testinfra",
    )


def _note_differences(base: Side, new: Side) -> list[str]:
    notes = []
    if base.hypothesis != new.hypothesis:
        notes.append(
            f"Hypothesis {base.hypothesis} against {new.hypothesis}: the same seed may give other examples."
        )
    if base.machine != new.machine:
        notes.append("Measured on different machines: ratios to the calibration, good to some 30 %.")
    return notes


def _nothing_to_compare(base: Side, new: Side, common: Sequence[str]) -> NothingMeasuredError:
    """Return the error that says which reason most of the tests in common have."""
    sides = (base, new)
    reasons = Counter(
        f"{problem} in {side.label!r}" for n in common for side in sides if (problem := side.tests[n].problem)
    )
    told = "".join(f" ({reason}: {n} of {len(common)})" for reason, n in reasons.most_common(1))
    return NothingMeasuredError(
        f"nothing to compare: no test was measured in both {base.label!r} and {new.label!r}{told}",
        hint="measure again, both sides" if common else "measure the same tests on both sides",
    )


def _find_problem(base: Series, new: Series) -> tuple[ChangeVerdict, str] | None:
    """Return why a test on both sides cannot be compared, as a verdict and a reason."""
    if base.problem or new.problem:
        where = "base" if base.problem else "new"
        return ChangeVerdict.INCONCLUSIVE, f"{base.problem or new.problem} in {where}"
    if base.digest != new.digest and None not in (base.digest, new.digest):
        return ChangeVerdict.WORKLOAD_CHANGED, "its source changed"
    if base.workload != new.workload:
        return ChangeVerdict.WORKLOAD_CHANGED, f"{base.workload} before, {new.workload} now"
    if len(base.values) < MIN_BASE_RUNS or len(new.values) < MIN_NEW_RUNS:
        where, n, least = "new", len(new.values), MIN_NEW_RUNS
        if len(base.values) < MIN_BASE_RUNS:
            where, n, least = "base", len(base.values), MIN_BASE_RUNS
        return ChangeVerdict.INCONCLUSIVE, f"{n} of {least} runs in {where}"
    if min(base.values) <= 0 or min(new.values) <= 0:
        where = "base" if min(base.values) <= 0 else "new"
        return ChangeVerdict.INCONCLUSIVE, f"too quick for the clock in {where}"
    return None


def _is_fit(series: Series) -> bool:
    return series.problem is None and bool(series.values)


def _sample_of_measured(base: Side, new: Side, common: Sequence[str]) -> list[str]:
    """Return tests that are measured on both sides: all of them, or, of very many, a thousand or two."""
    step = len(common) // LARGE_SAMPLE + 1
    sample = [n for n in common[::step] if _find_problem(base.tests[n], new.tests[n]) is None]
    if len(sample) >= MIN_TESTS_FOR_FACTOR or step == 1:
        return sample
    return [n for n in common if _find_problem(base.tests[n], new.tests[n]) is None]


def _match_renamed(gone: Mapping[str, Series], added: Mapping[str, Series]) -> dict[str, str]:
    """Return new node id to old, where a source is found exactly once on each side that lost or gained it."""
    before, now = _only_by_digest(gone), _only_by_digest(added)
    return {now[digest]: before[digest] for digest in now if digest in before}


def _only_by_digest(tests: Mapping[str, Series]) -> dict[str, str]:
    digests = Counter(series.digest for series in tests.values())
    return {s.digest: n for n, s in tests.items() if s.digest is not None and digests[s.digest] == 1}


def _list_gone(gone: Mapping[str, Series], renamed: dict[str, str]) -> list[Change]:
    moved = set(renamed.values())
    return [
        Change(nodeid=nodeid, verdict=ChangeVerdict.GONE, n_runs=(len(series.values), 0))
        for nodeid, series in gone.items()
        if nodeid not in moved
    ]


def _list_new(added: Mapping[str, Series], renamed: dict[str, str]) -> list[Change]:
    changes = []
    for nodeid, series in added.items():
        n_runs = (0, len(series.values))
        if nodeid in renamed:
            change = Change(
                nodeid=nodeid,
                verdict=ChangeVerdict.RENAMED,
                n_runs=n_runs,
                renamed_from=renamed[nodeid],
                reason="seeds follow the node id, so it runs other examples now",
            )
        else:
            change = Change(nodeid=nodeid, verdict=ChangeVerdict.NEW, n_runs=n_runs)
        changes.append(change)
    return changes


def _chance(base: Series, new: Series, effects: SideEffects, threshold: Threshold) -> float:
    """Return the probability that this test's noise alone would be called slower, by any of its costs."""
    total = 0.0
    for _, old, late in effects.costs(base, new):
        if min(old) <= 0 or min(late) <= 0:
            continue
        limit = threshold.limit(middle(old) * base.unit_us)

        def is_alarm(one: Sequence[float], other: Sequence[float], limit: float = limit) -> bool:
            return ratio_interval(one, other).low > limit

        total += false_alarm_rate(old, late, is_alarm)
    return min(1.0, total)


_ORDER = list(ChangeVerdict)


def _severity(change: Change) -> tuple[int, float, float, str]:
    """Worst verdict first, within it what costs the suite most, then the largest ratio."""
    ratio = -change.ratio.value if change.ratio else 0.0
    return _ORDER.index(change.verdict), -(change.suite_s or 0.0), ratio, change.nodeid
