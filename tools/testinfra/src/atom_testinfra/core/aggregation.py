"""From the runs of a session to the cost of each property, and to the reasons of those that have none."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from atom_testinfra.core.baseline import Evidence, Excluded, PropertyCost, SessionProvenance, update
from atom_testinfra.core.circumstances import circumstances
from atom_testinfra.core.cost import LONGEST_S, combine_runs, predict_from_local
from atom_testinfra.core.digests import digest_property
from atom_testinfra.core.errors import NothingMeasuredError, RunFileError
from atom_testinfra.core.measurement import Outcome
from atom_testinfra.core.rounding import round_seconds
from atom_testinfra.core.session import is_complete
from atom_testinfra.core.tiers import DeclaredTiers, measured_tier

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from atom_testinfra.core.baseline import BudgetTier, Suite
    from atom_testinfra.core.config import Targets
    from atom_testinfra.core.measurement import Measurement, Run
    from atom_testinfra.core.session import SessionSpec


def gather_evidence(
    runs: Sequence[Run],
    *,
    targets: Targets,
    tiers: Mapping[str, BudgetTier],
    suite: Suite | None = None,
    spec: SessionSpec | None = None,
) -> Evidence:
    """
    Return what the runs of one session measured, and what they could not.

    Where it is known what the session was asked for, none of its runs may be missing.

    Raises:
        RunFileError: The runs do not belong together, are not finished, or were not made for timing.
        NothingMeasuredError: No property has a figure.
    """
    _refuse_unfit(runs)
    profiles = {profile: _Repeats(profile, runs) for profile in sorted({run.header.profile for run in runs})}
    if spec is not None:
        _refuse_missing_runs(profiles, spec)
    nodeids = sorted(set().union(*(repeats.properties for repeats in profiles.values())))
    declared = DeclaredTiers(tiers)
    properties: dict[str, PropertyCost] = {}
    excluded: list[Excluded] = []
    for nodeid in nodeids:
        fit: dict[str, list[Measurement]] = {}
        for profile, repeats in profiles.items():
            entry = repeats.reason_to_exclude(nodeid)
            if entry is None:
                fit[profile] = repeats.of(nodeid)
            else:
                excluded.append(entry)
        if fit:
            properties[nodeid] = property_cost(nodeid, fit, targets, declared)
    if not properties:
        raise NothingMeasuredError(_nothing_message(excluded), hint="run them with pytest to see why")
    return Evidence(
        targets=targets,
        tiers=dict(tiers),
        provenance=_provenance(runs),
        suite=suite,
        excluded=excluded,
        properties=properties,
    )


def property_cost(
    nodeid: str, fit: Mapping[str, Sequence[Measurement]], targets: Targets, declared: DeclaredTiers
) -> PropertyCost:
    """Return a property's cost under every profile it has measurements of, with its tier and its digest."""
    measured = {profile: combine_runs(measurements) for profile, measurements in fit.items()}
    costs = {
        profile: update(cost, predicted=predict_from_local(measured, profile, targets))
        for profile, cost in measured.items()
    }
    sample = next(iter(fit.values()))[0]
    tier = measured_tier(costs, targets)
    budget = declared.find(nodeid)
    subject = PropertyCost(
        kind=sample.kind,
        tier=budget or tier,
        measured_tier=tier,
        is_declared=budget is not None,
        digest=sample.hypothesis.digest if sample.hypothesis else None,
        pin=sample.hypothesis.pin if sample.hypothesis else None,
        profiles=costs,
    )
    return update(subject, check=digest_property(subject))


class _Repeats:
    """The runs of one profile, one measurement per property and repeat."""

    def __init__(self, profile: str, runs: Iterable[Run]) -> None:
        self.profile = profile
        self.properties: set[str] = set()
        self._repeats: list[dict[str, Measurement | None]] = []
        for (of_profile, _, _), parts in sorted(_by_repeat(runs).items()):
            if of_profile == profile:
                self._add(parts)

    def _add(self, parts: Iterable[Run]) -> None:
        """Take in a repeat; where it was stopped and continued, the later record of a test holds."""
        repeat: dict[str, Measurement | None] = {}
        for part in parts:
            repeat = dict.fromkeys(part.collected.nodeids if part.collected else ()) | repeat
            repeat |= {measurement.nodeid: measurement for measurement in part.measurements}
        self._repeats.append(repeat)
        self.properties.update(nodeid for nodeid, found in repeat.items() if _may_be_property(found))

    @property
    def n(self) -> int:
        """How many there are."""
        return len(self._repeats)

    def of(self, nodeid: str) -> list[Measurement]:
        """Return the property's measurements in the order of the repeats."""
        found = (repeat.get(nodeid) for repeat in self._repeats)
        return [measurement for measurement in found if measurement is not None]

    def reason_to_exclude(self, nodeid: str) -> Excluded | None:
        """Return why the property has no figures under this profile, or `None` when it has."""
        measurements = self.of(nodeid)
        outcome, reason = next(_objections(measurements, self.n), (None, None))
        if reason is None:
            return None
        return Excluded(nodeid=nodeid, profile=self.profile, outcome=outcome, reason=reason)


def _may_be_property(found: Measurement | None) -> bool:
    """Whether it is a property, or might have been seen to be one had it got to its end."""
    return found is None or not found.is_plain


def _objections(measurements: Sequence[Measurement], n_repeats: int) -> Iterator[tuple[Outcome | None, str]]:
    """Yield what makes measurements of one property unfit for a baseline, the gravest first."""
    unfit = [found for found in measurements if found.outcome is not Outcome.PASSED]
    if unfit:
        worst = unfit[0]
        times = "" if len(unfit) == n_repeats else f" in {len(unfit)} of {n_repeats} runs"
        yield worst.outcome, f"{worst.outcome.value}{times}" + (f": {worst.reason}" if worst.reason else "")
    if len(measurements) < n_repeats:
        yield None, f"reached by {len(measurements)} of {n_repeats} runs"
    for found in measurements:
        for problem in found.problems:
            yield found.outcome, problem
        if found.hypothesis is None:
            yield found.outcome, "Hypothesis reported nothing about it"
        elif found.hypothesis.n_explicit + (g.n_valid if (g := found.hypothesis.generate) else 0) == 0:
            yield found.outcome, "no example was run"
        if max(found.setup.wall_s + found.call.wall_s, found.setup.cpu_s + found.call.cpu_s) > LONGEST_S:
            yield found.outcome, "its times are those of a broken clock"
    properties = [found.hypothesis for found in measurements if found.hypothesis is not None]
    if len({p.digest for p in properties}) > 1:
        yield Outcome.PASSED, "its source changed between the runs"
    if len({p.configured if p.effective is None else p.effective for p in properties}) > 1:
        yield Outcome.PASSED, "max_examples changed between the runs"


def _refuse_unfit(runs: Sequence[Run]) -> None:
    for run in runs:
        if run.header.is_traced:
            raise RunFileError(
                f"run {run.header.run_id!r} was made under coverage, a profiler or a debugger",
                hint="its times mean nothing: measure again without it",
            )
    for parts in _by_repeat(runs).values():
        if not is_complete(parts):
            raise RunFileError(
                f"run {parts[-1].header.run_id!r} is not finished",
                hint="finish it: testinfra measure --resume",
            )
    if any(_way_of(run) != _way_of(runs[0]) for run in runs):
        raise RunFileError(
            "the runs were made with different commits, versions, machines, numbers of workers or --pins",
            hint="measure again: testinfra measure",
        )


def _refuse_missing_runs(profiles: Mapping[str, _Repeats], spec: SessionSpec) -> None:
    for profile in spec.profiles:
        repeats, n_asked = profiles.get(profile), spec.repeats_of(profile)
        if repeats is None:
            what = "no run"
        # Where no test runs again there is no further file, and a time budget may have left repeats out.
        elif repeats.n < n_asked and repeats.properties and spec.time_budget_s is None:
            what = f"{repeats.n} of {n_asked} runs"
        else:
            continue
        raise RunFileError(
            f"session {spec.session_id!r} is not finished: profile {profile!r} has {what}",
            hint="finish it: testinfra measure --resume",
        )


def _by_repeat(runs: Iterable[Run]) -> dict[tuple[str, int, int], list[Run]]:
    """Return the parts of each repeat of each profile, in the order in which they were made."""
    parts: dict[tuple[str, int, int], list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.header.part):
        header = run.header
        parts.setdefault((header.profile, header.seed_set, header.repeat), []).append(run)
    return parts


def _way_of(run: Run) -> tuple[object, ...]:
    return circumstances(run.header.provenance), run.header.pins, run.header.n_workers


def _provenance(runs: Sequence[Run]) -> SessionProvenance:
    first = runs[0].header
    made = first.provenance
    calibrations = [
        found.calibration_s
        for run in runs
        for found in run.measurements
        if found.calibration_s is not None and found.calibration_s > 0
    ]
    return SessionProvenance(
        commit=made.commit,
        is_dirty=_any_dirty(runs),
        command=made.command,
        python=made.python,
        versions=dict(sorted(made.versions.items())),
        machine=made.machine,
        started_at=first.started_at,
        runs=[run.header.run_id for run in runs],
        max_examples=dict(sorted((run.header.profile, run.header.max_examples) for run in runs)),
        seed_sets=sorted({run.header.seed_set for run in runs}),
        pins=first.pins,
        n_workers=first.n_workers,
        calibration_s=round_seconds(median(calibrations)) if calibrations else None,
        contention=round_seconds(median(calibrations) / min(calibrations)) if calibrations else None,
    )


def _any_dirty(runs: Sequence[Run]) -> bool | None:
    states = {run.header.provenance.is_dirty for run in runs}
    return True if True in states else None if None in states else False


def _nothing_message(excluded: Sequence[Excluded]) -> str:
    if not excluded:
        return "the runs hold no property test"
    first = excluded[0]
    n_tests = len({entry.nodeid for entry in excluded})
    return f"none of {n_tests} properties was measured; the first, {first.nodeid!r}: {first.reason}"
