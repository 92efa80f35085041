"""Which properties got slower, faster, or cannot be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from operator import truediv
from statistics import fmean, median
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from atom_testinfra.core.circumstances import describe_calibration
from atom_testinfra.core.errors import ComparisonError, NothingMeasuredError
from atom_testinfra.core.measurement import Machine
from atom_testinfra.core.statistics import Interval, false_alarm_rate, middle, ratio_interval, run_effects
from atom_testinfra.core.threshold import Threshold

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MIN_BASE_RUNS = 5
MIN_NEW_RUNS = 3
MIN_TESTS_FOR_FACTOR = 5
"""With fewer tests, one that changed would be taken for the whole suite, or one that is wild for its run."""

LARGE_SAMPLE = 1000
"""So many tests are enough to know what a run did to all, and what chance does."""


class ChangeVerdict(StrEnum):
    """What is known about the cost of a test, new against base."""

    SLOWER = "slower"
    """The whole interval lies above the threshold."""
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
    """The whole interval lies below the threshold."""


class Series(Struct, frozen=True, kw_only=True, gc=False):
    """What one test cost in each run of one side, in units of the calibration beside it."""

    values: list[float]
    unit_us: float = 1.0
    """What to multiply the values with for microseconds on this side's machine."""
    workload: str | None = None
    """Examples, seeds and whatever else has to be equal."""
    digest: str | None = None
    """Digest of the test's source."""
    problem: str | None = None
    """Why the values say nothing, as a clause: "it failed"."""


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


class Measured(Struct, frozen=True, gc=False):
    """The ratio of a test's costs, before a verdict is made of it."""

    nodeid: str
    ratio: Interval
    base_us: float
    n_runs: tuple[int, int]


class Change(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One test on both sides, and the verdict."""

    nodeid: str
    verdict: ChangeVerdict
    ratio: Interval | None = None
    """New to base, the suite's factor taken out."""
    limit: float | None = None
    """The ratio above which the test is slower."""
    base_us: float | None = None
    """Median cost on the base side."""
    new_us: float | None = None
    """That, times the ratio."""
    n_runs: tuple[int, int] = (0, 0)
    """Base and new."""
    reason: str | None = None
    """What the verdict alone does not say, as a clause."""
    renamed_from: str | None = None
    suspected: Interval | None = None
    """The ratio before the test was run again; `ratio` is then from the further runs alone."""
    instructions: tuple[float, float] | None = None
    """Instructions that one example executes, base and new, where they were counted."""

    @property
    def is_suspect(self) -> bool:
        """
        Whether it should be run again before it is called slower, or let go.

        It need not lie above the limit: of 18 tests that had become half as slow again, eight runs on a noisy
        machine put five below a limit of 25 %, four of them more than half way to it.
        """
        return self.ratio is not None and self.limit is not None and _may_exceed(self.ratio, self.limit)


class Comparison(Struct, frozen=True, kw_only=True):
    """All verdicts of two sides, worst first."""

    base: str
    new: str
    threshold: Threshold
    changes: list[Change]
    suite_factor: float | None
    """Median ratio of all tests, taken out of each; `None` with fewer than five in common."""
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
        return self.suite is not None and _may_exceed(self.suite, self.threshold.suite_limit)

    @property
    def suite_verdict(self) -> ChangeVerdict | None:
        """The verdict on the suite, by the threshold's share alone; `None` with too few tests."""
        return None if self.suite is None else _verdict_of(self.suite, self.threshold.suite_limit)

    @property
    def is_slower(self) -> bool:
        """Whether a gate should fail."""
        return self.is_suite_slower or any(c.verdict is ChangeVerdict.SLOWER for c in self.changes)

    @property
    def suspects(self) -> list[Change]:
        """What should be run again."""
        return [change for change in self.changes if change.is_suspect]

    def count(self) -> Counter[ChangeVerdict]:
        """Return how many tests have each verdict."""
        return Counter(change.verdict for change in self.changes)

    def with_changes(self, replaced: Iterable[Change]) -> Comparison:
        """Return the comparison with some of its changes judged anew."""
        by_id = {change.nodeid: change for change in replaced}
        changes = [by_id.get(change.nodeid, change) for change in self.changes]
        return replace(self, changes=sorted(changes, key=_severity))


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
    before, after = RunEffects([old for old, _ in pairs]), RunEffects([late for _, late in pairs])
    measured: list[Measured] = []
    unjudged: list[Change] = []
    for nodeid in common:  # one by one: of 100,000 tests not all series fit at once
        old, late = base.tests[nodeid], new.tests[nodeid]
        problem = _find_problem(old, late)
        if problem is None:
            costs = before.undo(old.values), after.undo(late.values)
            measured.append(measure(nodeid, *costs, unit_us=old.unit_us))
        else:
            verdict, reason = problem
            n_runs = (len(old.values), len(late.values))
            unjudged.append(Change(nodeid=nodeid, verdict=verdict, reason=reason, n_runs=n_runs))
    factor = suite = None
    if len(measured) >= MIN_TESTS_FOR_FACTOR:
        factor = median([one.ratio.value for one in measured])
        suite = suite_ratio([(old.values, late.values) for old, late in pairs])
    judged = [judge(one, threshold, factor=factor or 1.0) for one in measured]
    unmatched = [*_list_gone(gone, renamed), *_list_new(added, renamed)]
    chances = [
        _chance(before.undo(old.values), after.undo(late.values), threshold, old.unit_us)
        for old, late in pairs
    ]
    return Comparison(
        base=base.label,
        new=new.label,
        threshold=threshold,
        changes=sorted([*judged, *unjudged, *unmatched], key=_severity),
        suite_factor=factor,
        suite=suite,
        n_compared=len(judged),
        expected_by_chance=fmean(chances) * len(measured) if chances else 0.0,
        notes=_note_differences(base, new),
    )


class RunEffects:
    """What each run of a side did to all of its tests alike, as far as there are enough to tell."""

    def __init__(self, tests: Sequence[Series]) -> None:
        self._n_runs = max((len(series.values) for series in tests), default=0)
        whole = [series.values for series in tests if len(series.values) == self._n_runs]
        is_known = self._n_runs >= 2 and len(whole) >= MIN_TESTS_FOR_FACTOR
        self._effects = run_effects(whole) if is_known else None

    def undo(self, values: list[float]) -> list[float]:
        """Return a test's costs without them."""
        if self._effects is None or len(values) != self._n_runs:
            return values
        return list(map(truediv, values, self._effects))


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


def measure(nodeid: str, base: Sequence[float], new: Sequence[float], *, unit_us: float) -> Measured:
    """Return the ratio of a test's costs, before anything is made of it; `unit_us` is the base side's."""
    return Measured(nodeid, ratio_interval(base, new), middle(base) * unit_us, (len(base), len(new)))


def judge(measured: Measured, threshold: Threshold, *, factor: float) -> Change:
    """Return the verdict that a ratio gives under a threshold, with the suite's factor taken out."""
    ratio = measured.ratio.scaled(1 / factor)
    base_us = measured.base_us
    limit = threshold.limit(base_us)
    verdict = _verdict_of(ratio, limit)
    return Change(
        nodeid=measured.nodeid,
        verdict=verdict,
        ratio=ratio,
        limit=limit,
        base_us=base_us,
        new_us=base_us * ratio.value,
        n_runs=measured.n_runs,
        reason="its interval reaches over the limit" if verdict is ChangeVerdict.INCONCLUSIVE else None,
    )


def confirm(
    suspect: Change, base: Series | None, new: Series | None, threshold: Threshold, *, factor: float = 1.0
) -> Change:
    """
    Return the verdict on a suspect after it was run again, from the further runs alone.

    The runs that raised the suspicion have no say: they were picked for being slow. `factor` is the suite's,
    where the base was not run again beside the new side.
    """
    problem = "it did not run again" if base is None or new is None else base.problem or new.problem
    if base is None or new is None or problem or not base.values or not new.values:
        reason = problem or "it did not run again"
        return replace(suspect, verdict=ChangeVerdict.INCONCLUSIVE, reason=reason, suspected=suspect.ratio)
    measured = measure(suspect.nodeid, base.values, new.values, unit_us=base.unit_us)
    again = judge(measured, threshold, factor=factor)
    return replace(again, suspected=suspect.ratio, instructions=suspect.instructions)


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
        return ChangeVerdict.WORKLOAD_CHANGED, "its source is another"
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


def _verdict_of(ratio: Interval, limit: float) -> ChangeVerdict:
    if ratio.low > limit:
        return ChangeVerdict.SLOWER
    if ratio.high < 1 / limit:
        return ChangeVerdict.FASTER
    return ChangeVerdict.OK if ratio.high <= limit else ChangeVerdict.INCONCLUSIVE


def _may_exceed(ratio: Interval, limit: float) -> bool:
    return ratio.high > limit and ratio.value > (1 + limit) / 2


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


def _chance(base: Sequence[float], new: Sequence[float], threshold: Threshold, unit_us: float) -> float:
    """Return the probability that this test's noise alone would be called slower."""
    limit = threshold.limit(middle(base) * unit_us)

    def is_alarm(one: Sequence[float], other: Sequence[float]) -> bool:
        return ratio_interval(one, other).low > limit

    return false_alarm_rate(base, new, is_alarm)


_ORDER = list(ChangeVerdict)


def _severity(change: Change) -> tuple[int, float, str]:
    """Worst verdict first, within it the largest ratio."""
    return _ORDER.index(change.verdict), -change.ratio.value if change.ratio else 0.0, change.nodeid
